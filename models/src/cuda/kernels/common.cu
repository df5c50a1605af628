// What all kernels share. Half-precision numbers are kept as their bits: no header of the toolkit is needed.
typedef unsigned short half;
typedef unsigned int u32;
typedef unsigned long long u64;

// Programmatic dependent launch: what comes before AWAIT may run while the kernel before still does.
#if __CUDA_ARCH__ >= 900
#define AWAIT() asm volatile("griddepcontrol.wait;" ::: "memory")
#define RELEASE() asm volatile("griddepcontrol.launch_dependents;" ::: "memory")
#else
#define AWAIT()
#define RELEASE()
#endif

// Two numbers in half precision, the first in the lower bits.
__device__ __forceinline__ u32 pair(float x, float y) {
    u32 both;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(both) : "f"(y), "f"(x));
    return both;
}

// Brings 16 bytes to shared memory, in the background.
__device__ __forceinline__ void fetch(u32 to, const void *from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");
}
// The same, or 16 zeros.
__device__ __forceinline__ void fetch_if(bool whole, u32 to, const void *from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(whole ? 16 : 0) : "memory");
}
__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int PENDING> __device__ __forceinline__ void arrived() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Where a chunk of 16 bytes of a row lies: permuted, so that eight rows of one chunk lie in different banks.
template <int CHUNKS> __device__ __forceinline__ u32 place(int row, int chunk) {
    const int turn = CHUNKS >= 8 ? row % 8 : CHUNKS == 4 ? (row / 2) % 4 : (row / 4) % 2;
    return (u32)(row * CHUNKS * 16 + (chunk ^ turn) * 16);
}

// Four matrices of 8 × 8 from shared memory, one row at the address that each thread gives.
__device__ __forceinline__ void load4(u32 (&r)[4], u32 from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from)
                 : "memory");
}
// The same, each matrix transposed.
__device__ __forceinline__ void load4_turned(u32 (&r)[4], u32 from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from)
                 : "memory");
}
// c += a b: 16 × 16 by 16 × 8, sums in f32.
__device__ __forceinline__ void multiply(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
