// C = activation(A Bᵀ + bias), A [rows, K] and B [N, K] in half precision, on the matrix units that every GPU since Ampere
// has (mma.sync). A block of four warps computes 64 × 64 of C, over one of SPLIT parts of K.
//
// Defined before this text: N, K, SPLIT, PARTS, ACTIVATION.
#define TILE 64
#define STAGES 6
#define DEPTH 32
#define STAGE (2 * TILE * DEPTH * 2)
#define K_PART (K / SPLIT)
#define STEPS (K_PART / DEPTH)

extern "C" __global__ void __launch_bounds__(128) run(const half *__restrict__ a, const half *__restrict__ b,
                                                      const float *__restrict__ bias, Result *__restrict__ c) {
    __shared__ __align__(128) unsigned char memory[STAGES * STAGE];
    const int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    const int column = blockIdx.x * TILE, row = blockIdx.y * TILE;
    const int down = (warp / 2) * 32, across = (warp % 2) * 32;
    const u32 shared = (u32)__cvta_generic_to_shared(memory);
    const half *const from_a = a + (size_t)row * K + blockIdx.z * K_PART;
    const half *const from_b = b + (size_t)column * K + blockIdx.z * K_PART;

    auto bring = [&](int step) {
        const u32 stage = shared + (step % STAGES) * STAGE;
#pragma unroll
        for (int at = thread; at < TILE * 4; at += 128) {
            const size_t from = (size_t)(at / 4) * K + step * DEPTH + (at % 4) * 8;
            fetch(stage + place<4>(at / 4, at % 4), from_a + from);
            fetch(stage + STAGE / 2 + place<4>(at / 4, at % 4), from_b + from);
        }
    };

    float sums[2][4][4] = {};
    RELEASE();
    AWAIT();
#pragma unroll
    for (int step = 0; step < STAGES - 1; step++) {
        if (step < STEPS) bring(step);
        commit();
    }
    for (int step = 0; step < STEPS; step++) {
        arrived<STAGES - 2>();
        __syncthreads();
        if (step + STAGES - 1 < STEPS) bring(step + STAGES - 1);
        commit();
        const u32 stage = shared + (step % STAGES) * STAGE;
#pragma unroll
        for (int k = 0; k < DEPTH / 16; k++) {
            u32 left[2][4], right[2][4];
#pragma unroll
            for (int m = 0; m < 2; m++) load4(left[m], stage + place<4>(down + m * 16 + lane % 16, k * 2 + lane / 16));
#pragma unroll
            for (int n = 0; n < 2; n++)
                load4(right[n], stage + STAGE / 2 +
                                    place<4>(across + n * 16 + lane % 8 + (lane / 16) * 8, k * 2 + (lane / 8) % 2));
#pragma unroll
            for (int m = 0; m < 2; m++)
#pragma unroll
                for (int n = 0; n < 4; n++)
                    multiply(sums[m][n], left[m], right[n / 2][(n % 2) * 2], right[n / 2][(n % 2) * 2 + 1]);
        }
    }
    c += (size_t)blockIdx.z * gridDim.y * TILE * N;
#pragma unroll
    for (int m = 0; m < 2; m++)
#pragma unroll
        for (int n = 0; n < 4; n++)
            store(c, bias, row + down + m * 16 + lane / 4, column + across + n * 8 + (lane % 4) * 2, sums[m][n]);
}
