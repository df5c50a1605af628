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
#if ACTIVATION == 1 // gelu: max(x, 0) less a tail by Abramowitz and Stegun 7.1.26, within 5e-7; half the instructions of erff
    const float z = fabsf(x);
    float t, tail, power;
    asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(t) : "f"(fmaf(z, 0.3275911f * 0.70710678118654752f, 1.0f)));
    tail = fmaf(t, 0.5f * 1.061405429f, 0.5f * -1.453152027f);
    tail = fmaf(t, tail, 0.5f * 1.421413741f);
    tail = fmaf(t, tail, 0.5f * -0.284496736f);
    tail = fmaf(t, tail, 0.5f * 0.254829592f) * t;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(x * x * -0.72134752044448170f));
    return fmaf(-z * power, tail, fmaxf(x, 0.0f));
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

#if PARTS
__device__ __forceinline__ void store(float *c, const float *, int y, int x, const float (&s)[4]) {
    *(float2 *)(c + (size_t)y * N + x) = make_float2(s[0], s[1]);
    *(float2 *)(c + (size_t)(y + 8) * N + x) = make_float2(s[2], s[3]);
}
#else
// With bias and activation: two of a row in half precision, and the two below.
__device__ __forceinline__ void narrow(u32 &top, u32 &low, const float *bias, int x, const float (&s)[4]) {
    const float2 more = *(const float2 *)(bias + x);
    top = pair(activate(s[0] + more.x), activate(s[1] + more.y));
    low = pair(activate(s[2] + more.x), activate(s[3] + more.y));
}
__device__ __forceinline__ void store(half *c, const float *bias, int y, int x, const float (&s)[4]) {
    u32 top, low;
    narrow(top, low, bias, x, s);
    *(u32 *)(c + (size_t)y * N + x) = top;
    *(u32 *)(c + (size_t)(y + 8) * N + x) = low;
}
#endif
