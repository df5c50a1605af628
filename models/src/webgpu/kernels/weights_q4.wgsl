// w [N, K] in integers of 4 bits, eight in 32 bits, the first in the lowest, and a scale in half precision for each 32 of them.
@group(0) @binding(1) var<storage, read> w: array<u32>;
@group(0) @binding(2) var<storage, read> scales: array<u32>;

alias Raw = vec2<u32>;

// Four neighbours in the lower half, and the scale.
fn fetch(output: u32, at: u32) -> Raw {
    let block = output * (K / 32u) + at / 8u;
    return vec2<u32>(w[output * (K / 8u) + at / 2u] >> (at % 2u * 16u), scales[block / 2u] >> (block % 2u * 16u));
}

fn values(raw: Raw) -> vec4<f32> {
    let q = bitcast<i32>(raw.x);
    let each = vec4<i32>(extractBits(q, 0u, 4u), extractBits(q, 4u, 4u), extractBits(q, 8u, 4u), extractBits(q, 12u, 4u));
    return vec4<f32>(each) * unpack2x16float(raw.y).x;
}

// What a column of sums is multiplied by.
fn scale(column: u32) -> vec4<f32> {
    return vec4<f32>(1.0);
}
