// What goes into a stack: rows as the host sent them, expanded, and rows of a table added. A block takes a row.
//
// words [rows, D]: f32 (KIND 0), half precision (1), or integers of 8 bits (2) with a scale for each row; places [rows]: the rows of
// table [.., D] to add; x [rows, D] is written. Defined before this text: D, KIND, POSITIONS (the rows of the table; 0 without one).
extern "C" __global__ void __launch_bounds__((D / 4 + 31) / 32 * 32) run(const void *__restrict__ words,
                                                                         const float *__restrict__ scales,
                                                                         const int *__restrict__ places,
                                                                         const float *__restrict__ table, float *__restrict__ x) {
    const int at = threadIdx.x * 4;
    RELEASE();
    AWAIT();
    if (at >= D) return;
    const size_t start = (size_t)blockIdx.x * D + at;
#if KIND == 0
    float4 v = *(const float4 *)((const float *)words + start);
#elif KIND == 1
    const uint2 bits = *(const uint2 *)((const half *)words + start);
    float4 v;
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.f32.f16 %0, a; cvt.f32.f16 %1, b; }" : "=f"(v.x), "=f"(v.y) : "r"(bits.x));
    asm("{ .reg .b16 a, b; mov.b32 {a, b}, %2; cvt.f32.f16 %0, a; cvt.f32.f16 %1, b; }" : "=f"(v.z), "=f"(v.w) : "r"(bits.y));
#else
    const char4 q = *(const char4 *)((const signed char *)words + start);
    const float scale = scales[blockIdx.x];
    float4 v = make_float4(q.x * scale, q.y * scale, q.z * scale, q.w * scale);
#endif
#if POSITIONS
    const int place = min(max(places[blockIdx.x], 0), POSITIONS - 1);
    const float4 p = *(const float4 *)(table + (size_t)place * D + at);
    v.x += p.x, v.y += p.y, v.z += p.z, v.w += p.w;
#endif
    *(float4 *)(x + start) = v;
}
