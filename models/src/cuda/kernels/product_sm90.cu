// The same on Hopper's matrix units, which take both factors from shared memory (wgmma). A block computes 64 GROUPS × WIDTH
// of C with a group of four warps for each 64 rows.
//
// Defined before this text: N, K, SPLIT, PARTS, ACTIVATION, GROUPS, WIDTH, STAGES; and `multiply_tile`, which depends on WIDTH.
#define ROWS (64 * GROUPS)
#define THREADS (128 * GROUPS)
// One stage is being filled while the products of the one before may still run.
#define AHEAD (STAGES - 2)
#define DEPTH 64
#define ROW (DEPTH * 2)
#define STAGE ((ROWS + WIDTH) * ROW)
#define K_PART (K / SPLIT)
#define STEPS (K_PART / DEPTH)

// A matrix in shared memory, rows of 128 bytes whose chunks are permuted as `place` does.
__device__ __forceinline__ u64 describe(u32 at) {
    return (u64)((at & 0x3FFFF) >> 4) | (1ull << 16) | ((u64)(8 * ROW / 16) << 32) | (1ull << 62);
}

extern "C" __global__ void __launch_bounds__(THREADS) run(const half *__restrict__ a, const half *__restrict__ b,
                                                          const float *__restrict__ bias, Result *__restrict__ c) {
    extern __shared__ __align__(1024) unsigned char memory[];
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    const int column = blockIdx.x * WIDTH, row = blockIdx.y * ROWS;
    const u32 shared = (u32)__cvta_generic_to_shared(memory);
    const int at_row = thread / 8, at_chunk = thread % 8;
    const half *const from_a = a + (size_t)(row + at_row) * K + blockIdx.z * K_PART + at_chunk * 8;
    const half *const from_b = b + (size_t)(column + at_row) * K + blockIdx.z * K_PART + at_chunk * 8;
    auto bring_a = [&](int step) {
        const u32 stage = shared + (step % STAGES) * STAGE;
#pragma unroll
        for (int more = 0; more < ROWS; more += THREADS / 8)
            fetch(stage + place<8>(at_row + more, at_chunk), from_a + (size_t)more * K + step * DEPTH);
    };
    auto bring_b = [&](int step) {
        const u32 stage = shared + (step % STAGES) * STAGE + ROWS * ROW;
#pragma unroll
        for (int more = 0; more < WIDTH; more += THREADS / 8)
            fetch(stage + place<8>(at_row + more, at_chunk), from_b + (size_t)more * K + step * DEPTH);
    };

    float sums[WIDTH / 8][4] = {};
    // The weights are there whatever the kernel before does.
#pragma unroll
    for (int step = 0; step < AHEAD; step++)
        if (step < STEPS) bring_b(step);
    RELEASE();
    AWAIT();
#pragma unroll
    for (int step = 0; step < AHEAD; step++) {
        if (step < STEPS) bring_a(step);
        commit();
    }
    for (int step = 0; step < STEPS; step++) {
        arrived<AHEAD - 1>();
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
        __syncthreads();
        const u32 stage = shared + (step % STAGES) * STAGE;
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
        for (int k = 0; k < DEPTH / 16; k++)
            multiply_tile(sums, describe(stage + (warp / 4) * 64 * ROW + k * 32), describe(stage + ROWS * ROW + k * 32));
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        if (step + AHEAD < STEPS) {
            bring_a(step + AHEAD);
            bring_b(step + AHEAD);
        }
        commit();
        asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    c += (size_t)blockIdx.z * gridDim.y * ROWS * N;
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n++)
        store(c, bias, row + warp * 16 + lane / 4, column + n * 8 + (lane % 4) * 2, sums[n]);
}
