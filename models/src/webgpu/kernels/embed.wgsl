// What goes into a stack: rows as the host sent them, expanded, and rows of a table added. A workgroup takes a row.
//
// Defined before this text: D (the width of a row), KIND (of the rows: 0 f32, 1 half precision, 2 integers of 8 bits with a scale for
// each row), POSITIONS (the rows of the table; 0 without one).
//
// What was sent: the number of rows that are not padding, and room, 4 u32; for each row its place in the table; for each its scale; rows.
@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>; // [rows, D]
@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>; // [POSITIONS, D]

const QUADS: u32 = D / 4u;

@compute @workgroup_size(64)
fn run(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.x;
    let words = 4u + 2u * groups.x;
    for (var quad = thread; quad < QUADS; quad += 64u) {
        let at = row * QUADS + quad;
        var value = vec4<f32>();
        if KIND == 0u {
            let start = words + at * 4u;
            value = bitcast<vec4<f32>>(vec4<u32>(given[start], given[start + 1u], given[start + 2u], given[start + 3u]));
        } else if KIND == 1u {
            let start = words + at * 2u;
            value = vec4<f32>(unpack2x16float(given[start]), unpack2x16float(given[start + 1u]));
        } else {
            value = vec4<f32>(unpack4xI8(given[words + at])) * bitcast<f32>(given[4u + groups.x + row]);
        }
        if POSITIONS > 0u {
            value += table[min(given[4u + row], max(POSITIONS, 1u) - 1u) * QUADS + quad];
        }
        x[at] = value;
    }
}
