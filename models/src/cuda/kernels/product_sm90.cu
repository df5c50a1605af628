// The same on Hopper's matrix units, which take both factors from shared memory (wgmma), where its copy engine puts them (TMA). A
// block computes 64 GROUPS × WIDTH of C, a group of four warps for each 64 rows; one warp more asks for what they read. CLUSTER blocks,
// one below the other, run together: each brings a piece of B to all of them.
//
// Defined before this text: N, K, SPLIT, PARTS, ACTIVATION, GROUPS, WIDTH, STAGES, CLUSTER; and `multiply_tile`, which depends on WIDTH.
#define ROWS (64 * GROUPS)
#define WARPS (4 * GROUPS)
#define DEPTH 64
#define ROW (DEPTH * 2)
#define STAGE ((ROWS + WIDTH) * ROW)
#define K_PART (K / SPLIT)
#define STEPS (K_PART / DEPTH)
#define PIECE (WIDTH / CLUSTER)
// Bytes between rows of a result in shared memory: eight rows lie in different banks.
#define PITCH (WIDTH * 2 + 16)

// Where a matrix lies, and how much of it is brought at once: 64 columns of some rows, permuted as `place` does. The driver writes it.
struct __align__(128) Map {
    u64 words[16];
};

// A matrix in shared memory, rows of 128 bytes whose chunks are permuted as `place` does.
__device__ __forceinline__ u64 describe(u32 at) {
    return (u64)((at & 0x3FFFF) >> 4) | (1ull << 16) | ((u64)(8 * ROW / 16) << 32) | (1ull << 62);
}

// Waits until a barrier has done with its phase of this parity.
__device__ __forceinline__ void wait_for(u32 barrier, u32 parity) {
    asm volatile("{ .reg .pred done;\n"
                 "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
                 "@!done bra again; }" ::"r"(barrier),
                 "r"(parity)
                 : "memory");
}

// Brings a piece of a matrix, and tells the barrier.
__device__ __forceinline__ void bring(u32 to, const Map &map, int column, int row, u32 barrier) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%2, %3}], [%4];" ::"r"(to),
                 "l"(&map), "r"(column), "r"(row), "r"(barrier)
                 : "memory");
}
// The same for all blocks of the cluster, to the same place and the same barrier of each.
__device__ __forceinline__ void bring_to_all(u32 to, const Map &map, int column, int row, u32 barrier) {
#if CLUSTER == 1
    bring(to, map, column, row, barrier);
#else
    const unsigned short all = (1 << CLUSTER) - 1;
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster "
                 "[%0], [%1, {%2, %3}], [%4], %5;" ::"r"(to),
                 "l"(&map), "r"(column), "r"(row), "r"(barrier), "h"(all)
                 : "memory");
#endif
}

extern "C" __global__ void __launch_bounds__(32 * WARPS + 32, 1)
    run(const __grid_constant__ Map a, const __grid_constant__ Map b, const float *__restrict__ bias, Result *__restrict__ c) {
    extern __shared__ __align__(1024) unsigned char memory[];
    __shared__ __align__(8) u64 barriers[2 * STAGES];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int column = blockIdx.x * WIDTH, row = blockIdx.y * ROWS, depth = blockIdx.z * K_PART;
    const u32 shared = (u32)__cvta_generic_to_shared(memory);
    // Of each stage, whether it is full, and whether everybody in the cluster has read what this block brought.
    const u32 full = (u32)__cvta_generic_to_shared(barriers), empty = full + STAGES * 8;
    if (threadIdx.x == 0) {
#pragma unroll
        for (int stage = 0; stage < STAGES; stage++) {
            asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(full + stage * 8) : "memory");
            asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(empty + stage * 8), "n"(WARPS * CLUSTER) : "memory");
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
#if CLUSTER == 1
    __syncthreads();
#else
    __syncwarp();
    asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
#endif
    RELEASE();

    if (warp == WARPS) {
        if (lane > 0) return;
        const int piece = blockIdx.y % CLUSTER * PIECE;
        auto bring_a = [&](int step) {
            const u32 at = step % STAGES;
            bring(shared + at * STAGE, a, depth + step * DEPTH, row, full + at * 8);
        };
        auto bring_b = [&](int step) {
            const u32 at = step % STAGES;
            asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(full + at * 8), "n"(STAGE) : "memory");
            bring_to_all(shared + at * STAGE + (ROWS + piece) * ROW, b, depth + step * DEPTH, column + piece, full + at * 8);
        };
        // The weights are there whatever the kernel before does.
#pragma unroll 1
        for (int step = 0; step < STAGES && step < STEPS; step++) bring_b(step);
        AWAIT();
#pragma unroll 1
        for (int step = 0; step < STAGES && step < STEPS; step++) bring_a(step);
#pragma unroll 1
        for (int step = STAGES; step < STEPS; step++) {
            wait_for(empty + step % STAGES * 8, (step / STAGES + 1) % 2);
            bring_b(step);
            bring_a(step);
        }
        // A block must be there as long as another one may write to it or tell it something.
#pragma unroll 1
        for (int step = max(STEPS - STAGES, 0); step < STEPS; step++) wait_for(empty + step % STAGES * 8, step / STAGES % 2);
        return;
    }

    AWAIT();
    float sums[WIDTH / 8][4] = {};
    // Each of a warp's first lanes tells one block of the cluster that the warp has read a stage. That orders nothing but reads that are
    // over: a release to the whole cluster would be a fence of the whole GPU.
    u32 told;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(told) : "r"(empty), "r"(lane % CLUSTER));
    auto done_with = [&](int step) {
        if (lane < CLUSTER) asm volatile("mbarrier.arrive.shared::cluster.b64 _, [%0];" ::"r"(told + step % STAGES * 8) : "memory");
    };
#pragma unroll 1
    for (int step = 0; step < STEPS; step++) {
        wait_for(full + step % STAGES * 8, step / STAGES % 2);
        const u32 stage = shared + step % STAGES * STAGE;
        asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#pragma unroll
        for (int k = 0; k < DEPTH / 16; k++)
            multiply_tile(sums, describe(stage + warp / 4 * 64 * ROW + k * 32), describe(stage + ROWS * ROW + k * 32));
        asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
        asm volatile("wgmma.wait_group.sync.aligned 1;" ::: "memory");
        if (step > 0) done_with(step - 1);
    }
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    // No use of a sum may move before the wait.
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) asm volatile("" : "+f"(sums[n][i])::"memory");
    done_with(STEPS - 1);

    const int y = row + warp * 16;
#if PARTS
    c += (size_t)blockIdx.z * gridDim.y * ROWS * N;
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n++) store(c, bias, y + lane / 4, column + n * 8 + lane % 4 * 2, sums[n]);
#else
    // By way of the stages, which all warps have done with, so that whole rows are written.
    asm volatile("bar.sync 1, %0;" ::"n"(32 * WARPS) : "memory");
    const u32 own = shared + warp * 16 * PITCH;
    const u32 to = own + lane % 16 * PITCH + lane / 16 * 16;
#pragma unroll
    for (int n = 0; n < WIDTH / 8; n += 2) {
        u32 r[4];
#pragma unroll
        for (int i = 0; i < 2; i++) narrow(r[i * 2], r[i * 2 + 1], bias, column + (n + i) * 8 + lane % 4 * 2, sums[n + i]);
        asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1,%2,%3,%4};" ::"r"(to + n * 16), "r"(r[0]), "r"(r[1]), "r"(r[2]),
                     "r"(r[3])
                     : "memory");
    }
    __syncwarp();
#pragma unroll
    for (int at = lane; at < 2 * WIDTH; at += 32) {
        const int line = at / (WIDTH / 8), chunk = at % (WIDTH / 8);
        uint4 v;
        asm volatile("ld.shared.v4.u32 {%0,%1,%2,%3}, [%4];"
                     : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                     : "r"(own + line * PITCH + chunk * 16)
                     : "memory");
        *(uint4 *)(c + (size_t)(y + line) * N + column + chunk * 8) = v;
    }
#endif
}
