// c [rows, N] in half precision, with bias and activation.
@group(0) @binding(3) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> c: array<vec2<u32>>;

fn store(row: u32, column: u32, sums: vec4<f32>) {
    let x = activate(sums * scale(column) + bias[column]);
    c[row * (N / 4u) + column] = vec2<u32>(pack2x16float(x.xy), pack2x16float(x.zw));
}
