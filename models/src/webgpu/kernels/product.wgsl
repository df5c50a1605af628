// A product c = a wᵀ in f32. A workgroup takes 64 × 64 of it, a thread 8 rows of 4, in steps of 32 along K, over one of PARTS parts of K.
//
// Defined before this text: N (outputs), K (inputs), PARTS; Raw, fetch and values, which give four neighbours of a row of w; store,
// which takes four neighbours of a row of c.
@group(0) @binding(0) var<storage, read> a: array<vec2<u32>>; // [rows, K] in half precision, four at a time

const STEPS: u32 = K / 32u / PARTS;

// Both factors turned, [32 of K][16 quads of rows]. A quad's place is its number, its bits flipped by those of K / 4: so threads write to
// different banks.
var<workgroup> left: array<vec4<f32>, 512>;
var<workgroup> right: array<vec4<f32>, 512>;

fn wide(bits: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(bits.x), unpack2x16float(bits.y));
}

@compute @workgroup_size(128)
fn run(@builtin(workgroup_id) tile: vec3<u32>, @builtin(num_workgroups) tiles: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    // What a thread brings of each factor: four of K of four rows.
    let quad = thread / 8u;
    let chunk = thread % 8u;
    let row = tile.y * 64u + quad * 4u;
    let output = tile.x * 64u + quad * 4u;
    // What it computes: rows y.., outputs x...
    let x = thread % 16u;
    let y = thread / 16u * 2u;

    var at = tile.z * STEPS * 8u + chunk;
    var a0 = a[row * (K / 4u) + at];
    var a1 = a[(row + 1u) * (K / 4u) + at];
    var a2 = a[(row + 2u) * (K / 4u) + at];
    var a3 = a[(row + 3u) * (K / 4u) + at];
    var w0 = fetch(output, at);
    var w1 = fetch(output + 1u, at);
    var w2 = fetch(output + 2u, at);
    var w3 = fetch(output + 3u, at);
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    for (var step = 0u; step < STEPS; step += 1u) {
        workgroupBarrier();
        let turned_a = transpose(mat4x4<f32>(wide(a0), wide(a1), wide(a2), wide(a3)));
        let turned_w = transpose(mat4x4<f32>(values(w0), values(w1), values(w2), values(w3)));
        let to = chunk * 64u + (quad ^ chunk);
        left[to] = turned_a[0];
        left[to + 16u] = turned_a[1];
        left[to + 32u] = turned_a[2];
        left[to + 48u] = turned_a[3];
        right[to] = turned_w[0];
        right[to + 16u] = turned_w[1];
        right[to + 32u] = turned_w[2];
        right[to + 48u] = turned_w[3];
        workgroupBarrier();
        if step + 1u < STEPS {
            at += 8u;
            a0 = a[row * (K / 4u) + at];
            a1 = a[(row + 1u) * (K / 4u) + at];
            a2 = a[(row + 2u) * (K / 4u) + at];
            a3 = a[(row + 3u) * (K / 4u) + at];
            w0 = fetch(output, at);
            w1 = fetch(output + 1u, at);
            w2 = fetch(output + 2u, at);
            w3 = fetch(output + 3u, at);
        }
        for (var four = 0u; four < 8u; four += 1u) {
            let at_top = four * 64u + (y ^ four);
            let at_low = four * 64u + ((y + 1u) ^ four);
            let at_w = four * 64u + (x ^ four);
            for (var k = 0u; k < 64u; k += 16u) {
                let top = left[at_top + k];
                let low = left[at_low + k];
                let w = right[at_w + k];
                s0 += top.x * w;
                s1 += top.y * w;
                s2 += top.z * w;
                s3 += top.w * w;
                s4 += low.x * w;
                s5 += low.y * w;
                s6 += low.z * w;
                s7 += low.w * w;
            }
        }
    }
    let first = tile.z * tiles.y * 64u + tile.y * 64u + y * 4u;
    let column = tile.x * 16u + x;
    store(first, column, s0);
    store(first + 1u, column, s1);
    store(first + 2u, column, s2);
    store(first + 3u, column, s3);
    store(first + 4u, column, s4);
    store(first + 5u, column, s5);
    store(first + 6u, column, s6);
    store(first + 7u, column, s7);
}
