// w [N, K] in integers of 8 bits, and a scale for each output.
@group(0) @binding(1) var<storage, read> w: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<vec4<f32>>;

alias Raw = u32;

fn fetch(output: u32, at: u32) -> Raw {
    return w[output * (K / 4u) + at];
}

fn values(raw: Raw) -> vec4<f32> {
    return vec4<f32>(unpack4xI8(raw));
}

// What a column of sums is multiplied by.
fn scale(column: u32) -> vec4<f32> {
    return scales[column];
}
