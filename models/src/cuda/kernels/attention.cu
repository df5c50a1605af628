// Attention of all heads, without anything as large as rows × rows (Dao et al. 2022). A block answers 64 queries of one head: two
// groups of four warps, each with every second block of 64 keys, put together at the end.
//
// qkv [rows, 3 D] in half precision: queries, keys, values; seen: the number of rows that are not padding, one number;
// out [rows, D]. Defined before this text: D, HEAD, CAUSAL, SCALE (log2 e / √HEAD).
#define CHUNKS (HEAD / 8)
#define ROW (HEAD * 2)
#define BLOCK (64 * ROW)
#define NOTHING -1e30f

extern "C" __global__ void __launch_bounds__(256, 1) run(const half *__restrict__ qkv, const int *__restrict__ seen,
                                                         half *__restrict__ out) {
    extern __shared__ __align__(128) unsigned char memory[];
    const int thread = threadIdx.x % 128, group = threadIdx.x / 128, warp = thread / 32, lane = thread % 32;
    const int query = blockIdx.x * 64, head = blockIdx.y * HEAD;
    const u32 queries = (u32)__cvta_generic_to_shared(memory);
    // Keys and values of two blocks for each group.
    const u32 pairs = queries + BLOCK + group * 4 * BLOCK;
    RELEASE();
    AWAIT();
    const int keys = min(seen[0], (int)gridDim.x * 64);

    // Rows of padding come as zeros: whatever they hold, 0 times it must be 0.
    auto bring = [&](u32 to, int row, int part, int rows) {
#pragma unroll
        for (int at = thread; at < 64 * CHUNKS; at += 128)
            fetch_if(row + at / CHUNKS < rows, to + place<CHUNKS>(at / CHUNKS, at % CHUNKS),
                     qkv + (size_t)(row + at / CHUNKS) * (3 * D) + part * D + head + (at % CHUNKS) * 8);
    };
    auto bring_block = [&](int block) {
        const u32 to = pairs + (block / 2 % 2) * 2 * BLOCK;
        bring(to, block * 64, 1, keys);
        bring(to + BLOCK, block * 64, 2, keys);
    };
    int blocks = (keys + 63) / 64;
#if CAUSAL
    blocks = min(blocks, (int)blockIdx.x + 1);
#endif
    if (group == 0) bring(queries, query, 0, keys);
    if (group < blocks) bring_block(group);
    commit();

    u32 asked[HEAD / 16][4];
    float sums[HEAD / 8][4] = {}, most[2] = {NOTHING, NOTHING}, total[2] = {};
    for (int first = 0; first < blocks; first += 2) {
        const int block = first + group;
        arrived<0>();
        __syncthreads();
        if (block + 2 < blocks) bring_block(block + 2);
        commit();
        if (first == 0)
#pragma unroll
            for (int k = 0; k < HEAD / 16; k++)
                load4(asked[k], queries + place<CHUNKS>(warp * 16 + lane % 16, k * 2 + lane / 16));
        if (block >= blocks) continue;
        const u32 at_keys = pairs + (block / 2 % 2) * 2 * BLOCK, at_values = at_keys + BLOCK;

        float scores[8][4] = {};
#pragma unroll
        for (int k = 0; k < HEAD / 16; k++)
#pragma unroll
            for (int n = 0; n < 4; n++) {
                u32 right[4];
                load4(right, at_keys + place<CHUNKS>(n * 16 + lane % 8 + (lane / 16) * 8, k * 2 + (lane / 8) % 2));
                multiply(scores[n * 2], asked[k], right[0], right[1]);
                multiply(scores[n * 2 + 1], asked[k], right[2], right[3]);
            }
        bool hides = (block + 1) * 64 > keys;
#if CAUSAL
        hides = hides || block == (int)blockIdx.x;
#endif
        if (hides)
#pragma unroll
            for (int n = 0; n < 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const int key = block * 64 + n * 8 + (lane % 4) * 2 + i % 2;
                    bool hidden = key >= keys;
#if CAUSAL
                    hidden = hidden || key > query + warp * 16 + lane / 4 + (i / 2) * 8;
#endif
                    if (hidden) scores[n][i] = NOTHING;
                }
        // The softmax so far, for each of the thread's two rows.
#pragma unroll
        for (int low = 0; low < 2; low++) {
            float top = most[low];
#pragma unroll
            for (int n = 0; n < 8; n++) top = fmaxf(top, fmaxf(scores[n][low * 2], scores[n][low * 2 + 1]));
            top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
            top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
            const float shrink = exp2f((most[low] - top) * SCALE);
            most[low] = top;
            total[low] *= shrink;
#pragma unroll
            for (int n = 0; n < HEAD / 8; n++) {
                sums[n][low * 2] *= shrink;
                sums[n][low * 2 + 1] *= shrink;
            }
#pragma unroll
            for (int n = 0; n < 8; n++) {
                const float x = exp2f((scores[n][low * 2] - top) * SCALE);
                const float y = exp2f((scores[n][low * 2 + 1] - top) * SCALE);
                scores[n][low * 2] = x;
                scores[n][low * 2 + 1] = y;
                total[low] += x + y;
            }
        }
#pragma unroll
        for (int k = 0; k < 4; k++) {
            const u32 left[4] = {pair(scores[2 * k][0], scores[2 * k][1]), pair(scores[2 * k][2], scores[2 * k][3]),
                                 pair(scores[2 * k + 1][0], scores[2 * k + 1][1]),
                                 pair(scores[2 * k + 1][2], scores[2 * k + 1][3])};
#pragma unroll
            for (int n = 0; n < HEAD / 16; n++) {
                u32 right[4];
                load4_turned(right, at_values + place<CHUNKS>(k * 16 + lane % 16, n * 2 + lane / 16));
                multiply(sums[n * 2], left, right[0], right[1]);
                multiply(sums[n * 2 + 1], left, right[2], right[3]);
            }
        }
    }

    // The second group hands over: most and total of two rows, then the sums, each number of all threads side by side.
    __syncthreads();
    float *const handed = (float *)memory + thread;
    if (group == 1) {
#pragma unroll
        for (int low = 0; low < 2; low++) {
            handed[low * 128] = most[low];
            handed[(2 + low) * 128] = total[low];
        }
#pragma unroll
        for (int n = 0; n < HEAD / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) handed[(4 + n * 4 + i) * 128] = sums[n][i];
    }
    __syncthreads();
    if (group == 1) return;
#pragma unroll
    for (int low = 0; low < 2; low++) {
        const float top = fmaxf(most[low], handed[low * 128]);
        const float ours = exp2f((most[low] - top) * SCALE), theirs = exp2f((handed[low * 128] - top) * SCALE);
        float all = total[low] * ours + handed[(2 + low) * 128] * theirs;
        all += __shfl_xor_sync(0xffffffffu, all, 1);
        all += __shfl_xor_sync(0xffffffffu, all, 2);
        const float by = 1.0f / all;
        const int row = query + warp * 16 + lane / 4 + low * 8;
#pragma unroll
        for (int n = 0; n < HEAD / 8; n++) {
            const float x = sums[n][low * 2] * ours + handed[(4 + n * 4 + low * 2) * 128] * theirs;
            const float y = sums[n][low * 2 + 1] * ours + handed[(4 + n * 4 + low * 2 + 1) * 128] * theirs;
            *(u32 *)(out + (size_t)row * D + head + n * 8 + (lane % 4) * 2) = pair(x * by, y * by);
        }
    }
}
