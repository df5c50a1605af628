// Adds the parts of a product and its bias to x, and normalizes each row. A block takes a row.
//
// x [rows, D] in f32 is read and written: the sum, or where AFTER is set (post-norm) the normalized sum. narrow [rows, D] is what
// goes on in half precision: normalized, or where PLAIN is set the sum. Defined before this text: D, PARTS (how many there are),
// AFTER, PLAIN, EPS.
#define WARPS ((D / 4 + 31) / 32)

extern "C" __global__ void __launch_bounds__(WARPS * 32) run(float *__restrict__ x, const float *__restrict__ parts,
                                                             const float *__restrict__ bias, const float *__restrict__ gamma,
                                                             const float *__restrict__ beta, half *__restrict__ narrow) {
    const int at = threadIdx.x * 4;
    const bool inside = at < D;
    const size_t start = (size_t)blockIdx.x * D + at;
    RELEASE();
    AWAIT();
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (inside) {
        v = *(const float4 *)(x + start);
#if PARTS > 0
        const float4 b = *(const float4 *)(bias + at);
        v.x += b.x, v.y += b.y, v.z += b.z, v.w += b.w;
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            const float4 p = *(const float4 *)(parts + (size_t)part * gridDim.x * D + start);
            v.x += p.x, v.y += p.y, v.z += p.z, v.w += p.w;
        }
#endif
#if !AFTER
        *(float4 *)(x + start) = v;
#endif
    }
#if !PLAIN
    __shared__ float sums[2][WARPS];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    auto total = [&](float mine, int which) {
#pragma unroll
        for (int by = 16; by; by /= 2) mine += __shfl_xor_sync(0xffffffffu, mine, by);
        if (lane == 0) sums[which][warp] = mine;
        __syncthreads();
        float all = 0.0f;
#pragma unroll
        for (int w = 0; w < WARPS; w++) all += sums[which][w];
        return all;
    };
    const float mean = total(v.x + v.y + v.z + v.w, 0) / D;
    if (inside) v.x -= mean, v.y -= mean, v.z -= mean, v.w -= mean;
    const float by = rsqrtf(total(v.x * v.x + v.y * v.y + v.z * v.z + v.w * v.w, 1) / D + EPS);
#endif
    if (!inside) return;
#if !PLAIN
    const float4 g = *(const float4 *)(gamma + at), s = *(const float4 *)(beta + at);
    v.x = v.x * by * g.x + s.x, v.y = v.y * by * g.y + s.y, v.z = v.z * by * g.z + s.z, v.w = v.w * by * g.w + s.w;
#if AFTER
    *(float4 *)(x + start) = v;
#endif
#endif
    u32 *const to = (u32 *)(narrow + start);
    to[0] = pair(v.x, v.y);
    to[1] = pair(v.z, v.w);
}
