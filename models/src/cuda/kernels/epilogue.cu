// What becomes of a block's sums in f32, the same for both kinds of product. A thread holds, of each 16 × 8 of them, two
// neighbours of a row and the two below by 8.
//
// PARTS: c is [SPLIT, rows, N] in f32, for the parts of K apart and without bias. Else c is [rows, N] in half precision,
// with bias and activation.
#if PARTS
typedef float Result;
#else
typedef half Result;
#endif

__device__ __forceinline__ float activate(float x) {
#if ACTIVATION == 1 // gelu
    return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
#elif ACTIVATION == 2 // gelu_new
    return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
#elif ACTIVATION == 3 // quick_gelu
    return x / (1.0f + __expf(-1.702f * x));
#elif ACTIVATION == 4 // relu
    return fmaxf(x, 0.0f);
#elif ACTIVATION == 5 // silu
    return x / (1.0f + __expf(-x));
#else
    return x;
#endif
}

__device__ __forceinline__ void store(Result *c, const float *bias, int y, int x, const float (&s)[4]) {
#if PARTS
    *(float2 *)(c + (size_t)y * N + x) = make_float2(s[0], s[1]);
    *(float2 *)(c + (size_t)(y + 8) * N + x) = make_float2(s[2], s[3]);
#else
    const float2 more = *(const float2 *)(bias + x);
    *(u32 *)(c + (size_t)y * N + x) = pair(activate(s[0] + more.x), activate(s[1] + more.y));
    *(u32 *)(c + (size_t)(y + 8) * N + x) = pair(activate(s[2] + more.x), activate(s[3] + more.y));
#endif
}
