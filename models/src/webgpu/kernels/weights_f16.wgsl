// w [N, K] in half precision.
@group(0) @binding(1) var<storage, read> w: array<vec2<u32>>;

alias Raw = vec2<u32>;

fn fetch(output: u32, at: u32) -> Raw {
    return w[output * (K / 4u) + at];
}

fn values(raw: Raw) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(raw.x), unpack2x16float(raw.y));
}

// What a column of sums is multiplied by.
fn scale(column: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}
