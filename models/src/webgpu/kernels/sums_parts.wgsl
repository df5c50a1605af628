// c [PARTS, rows, N] in f32, the parts of K apart and without bias.
@group(0) @binding(4) var<storage, read_write> c: array<vec4<f32>>;

fn store(row: u32, column: u32, sums: vec4<f32>) {
    c[row * (N / 4u) + column] = sums * scale(column);
}
