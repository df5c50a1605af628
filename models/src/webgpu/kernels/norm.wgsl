// A row of x, with what is added to it, and its layer norm. A workgroup takes a row.
//
// Defined before this text: D (the width of a row), PARTS (how many sums are added, with a bias; 0 for none), EPS, NORMED (whether what
// goes on is normalized), REPLACED (whether x is replaced by what goes on).
@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>; // [rows, D]
@group(0) @binding(1) var<storage, read_write> narrow: array<vec2<u32>>; // [rows, D] in half precision: what goes on
@group(0) @binding(2) var<storage, read> gamma: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> beta: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> parts: array<vec4<f32>>; // [PARTS, rows, D]
@group(0) @binding(5) var<storage, read> bias: array<vec4<f32>>;

const QUADS: u32 = D / 4u;
const THREADS: u32 = 64u;
const EACH: u32 = (QUADS + THREADS - 1u) / THREADS;

var<workgroup> gathered: array<f32, THREADS>;

// The sum of what each thread has.
fn summed(thread: u32, mine: f32) -> f32 {
    gathered[thread] = mine;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if thread < half {
            gathered[thread] += gathered[thread + half];
        }
    }
    workgroupBarrier();
    let sum = gathered[0];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(THREADS)
fn run(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.x * QUADS;
    var values: array<vec4<f32>, EACH>;
    var sum = 0.0;
    for (var i = 0u; i < EACH; i += 1u) {
        let at = thread + i * THREADS;
        values[i] = vec4<f32>();
        if at < QUADS {
            var value = x[row + at];
            if PARTS > 0u {
                value += bias[at];
            }
            for (var part = 0u; part < PARTS; part += 1u) {
                value += parts[part * groups.x * QUADS + row + at];
            }
            values[i] = value;
            sum += dot(value, vec4<f32>(1.0));
        }
    }
    let mean = summed(thread, sum) / f32(D);
    var apart = 0.0;
    for (var i = 0u; i < EACH; i += 1u) {
        if thread + i * THREADS < QUADS {
            let off = values[i] - vec4<f32>(mean);
            apart += dot(off, off);
        }
    }
    let by = 1.0 / sqrt(summed(thread, apart) / f32(D) + EPS);
    for (var i = 0u; i < EACH; i += 1u) {
        let at = thread + i * THREADS;
        if at < QUADS {
            var out = values[i];
            if NORMED {
                out = (out - vec4<f32>(mean)) * by * gamma[at] + beta[at];
            }
            if REPLACED {
                x[row + at] = out;
            } else {
                x[row + at] = values[i];
            }
            narrow[row + at] = vec2<u32>(pack2x16float(out.xy), pack2x16float(out.zw));
        }
    }
}
