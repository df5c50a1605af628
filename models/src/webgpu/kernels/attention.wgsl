// Attention of one head over 32 queries: softmax(q kᵀ / √HEAD) v, block by block of 32 keys, without the scores ever being whole (Dao et
// al. 2022). A thread has two queries; of a block it scores four keys, and sums up QUADS / 8 quads of values.
//
// Defined before this text: D (the width of a row), HEAD (values of a head), CAUSAL, SCALE (log₂ e / √HEAD).
@group(0) @binding(0) var<storage, read> qkv: array<vec2<u32>>; // [rows, 3 D] in half precision
@group(0) @binding(1) var<storage, read> seen: array<u32>; // begins with the number of rows that are not padding
@group(0) @binding(2) var<storage, read_write> c: array<vec2<u32>>; // [rows, D]

const QUADS: u32 = HEAD / 4u;
const EACH: u32 = (QUADS + 7u) / 8u;
const NOTHING: f32 = -1e30;

// Turned, and shuffled so that threads write to different banks.
var<workgroup> queries: array<vec2<f32>, HEAD * 16>; // [HEAD][16 pairs]
var<workgroup> keys: array<vec4<f32>, HEAD * 8>; // [HEAD][8 quads]
var<workgroup> content: array<vec4<f32>, 32 * QUADS>; // [32 keys][QUADS]
var<workgroup> weights: array<vec2<f32>, 512>; // [32 keys][16 pairs]
var<workgroup> shared_by_pair: array<vec2<f32>, 128>; // [8][16 pairs]

fn wide(bits: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(bits.x), unpack2x16float(bits.y));
}

// Four values of a row of queries (part 0), keys (1) or values (2); of padding zeros, whatever is there: 0 times it must be 0.
fn fetch(row: u32, part: u32, head: u32, quad: u32, rows: u32) -> vec4<f32> {
    if row >= rows {
        return vec4<f32>();
    }
    return wide(qkv[row * (3u * D / 4u) + part * (D / 4u) + head * QUADS + quad]);
}

@compute @workgroup_size(128)
fn run(@builtin(workgroup_id) tile: vec3<u32>, @builtin(num_workgroups) tiles: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let head = tile.y;
    let first = tile.x * 32u;
    let rows = min(seen[0], tiles.x * 32u);
    let x = thread % 8u;
    let pair = thread / 8u;
    for (var i = thread; i < 16u * QUADS; i += 128u) {
        let quad = i % QUADS;
        let of_pair = i / QUADS;
        let one = fetch(first + of_pair * 2u, 0u, head, quad, rows) * SCALE;
        let two = fetch(first + of_pair * 2u + 1u, 0u, head, quad, rows) * SCALE;
        let to = quad * 64u + (of_pair ^ quad);
        queries[to] = vec2<f32>(one.x, two.x);
        queries[to + 16u] = vec2<f32>(one.y, two.y);
        queries[to + 32u] = vec2<f32>(one.z, two.z);
        queries[to + 48u] = vec2<f32>(one.w, two.w);
    }
    var blocks = (rows + 31u) / 32u;
    if CAUSAL {
        blocks = min(blocks, tile.x + 1u);
    }
    var most = vec2<f32>(NOTHING);
    var total = vec2<f32>();
    var sums: array<array<vec4<f32>, 2>, EACH>;
    for (var i = 0u; i < EACH; i += 1u) {
        sums[i][0] = vec4<f32>();
        sums[i][1] = vec4<f32>();
    }
    for (var block = 0u; block < blocks; block += 1u) {
        let start = block * 32u;
        workgroupBarrier();
        for (var i = thread; i < 8u * QUADS; i += 128u) {
            let quad = i % QUADS;
            let of_keys = i / QUADS;
            let turned = transpose(mat4x4<f32>(
                fetch(start + of_keys * 4u, 1u, head, quad, rows), fetch(start + of_keys * 4u + 1u, 1u, head, quad, rows),
                fetch(start + of_keys * 4u + 2u, 1u, head, quad, rows), fetch(start + of_keys * 4u + 3u, 1u, head, quad, rows)));
            let to = quad * 32u + (of_keys ^ (quad % 8u));
            keys[to] = turned[0];
            keys[to + 8u] = turned[1];
            keys[to + 16u] = turned[2];
            keys[to + 24u] = turned[3];
        }
        for (var i = thread; i < 32u * QUADS; i += 128u) {
            content[i] = fetch(start + i / QUADS, 2u, head, i % QUADS, rows);
        }
        workgroupBarrier();
        var one = vec4<f32>();
        var two = vec4<f32>();
        for (var d = 0u; d < HEAD; d += 1u) {
            let q = queries[d * 16u + (pair ^ (d / 4u))];
            let k = keys[d * 8u + (x ^ (d / 4u % 8u))];
            one += q.x * k;
            two += q.y * k;
        }
        let key = start + x * 4u + vec4<u32>(0u, 1u, 2u, 3u);
        var hidden_one = key >= vec4<u32>(rows);
        var hidden_two = hidden_one;
        if CAUSAL {
            hidden_one = hidden_one | (key > vec4<u32>(first + pair * 2u));
            hidden_two = hidden_two | (key > vec4<u32>(first + pair * 2u + 1u));
        }
        one = select(one, vec4<f32>(NOTHING), hidden_one);
        two = select(two, vec4<f32>(NOTHING), hidden_two);
        // The largest score of a query, among eight threads.
        let halves = max(vec4<f32>(one.xy, two.xy), vec4<f32>(one.zw, two.zw));
        shared_by_pair[x * 16u + pair] = max(halves.xz, halves.yw);
        workgroupBarrier();
        var top = most;
        for (var i = 0u; i < 8u; i += 1u) {
            top = max(top, shared_by_pair[i * 16u + pair]);
        }
        let shrink = exp2(most - top);
        most = top;
        one = exp2(one - vec4<f32>(top.x));
        two = exp2(two - vec4<f32>(top.y));
        total = total * shrink + vec2<f32>(dot(one, vec4<f32>(1.0)), dot(two, vec4<f32>(1.0)));
        let to = x * 64u + (pair ^ (x * 2u));
        weights[to] = vec2<f32>(one.x, two.x);
        weights[to + 16u] = vec2<f32>(one.y, two.y);
        weights[to + 32u] = vec2<f32>(one.z, two.z);
        weights[to + 48u] = vec2<f32>(one.w, two.w);
        for (var i = 0u; i < EACH; i += 1u) {
            sums[i][0] *= shrink.x;
            sums[i][1] *= shrink.y;
        }
        workgroupBarrier();
        for (var k = 0u; k < 32u; k += 1u) {
            let weight = weights[k * 16u + (pair ^ (k / 4u * 2u))];
            for (var i = 0u; i < EACH; i += 1u) {
                let value = content[k * QUADS + (x + i * 8u) % QUADS];
                sums[i][0] += weight.x * value;
                sums[i][1] += weight.y * value;
            }
        }
    }
    workgroupBarrier();
    shared_by_pair[x * 16u + pair] = total;
    workgroupBarrier();
    total = vec2<f32>();
    for (var i = 0u; i < 8u; i += 1u) {
        total += shared_by_pair[i * 16u + pair];
    }
    for (var i = 0u; i < EACH; i += 1u) {
        let quad = x + i * 8u;
        if quad < QUADS {
            let one = sums[i][0] / total.x;
            let two = sums[i][1] / total.y;
            let to = (first + pair * 2u) * (D / 4u) + head * QUADS + quad;
            c[to] = vec2<u32>(pack2x16float(one.xy), pack2x16float(one.zw));
            c[to + D / 4u] = vec2<u32>(pack2x16float(two.xy), pack2x16float(two.zw));
        }
    }
}
