// gelu: max(x, 0) less a tail by Abramowitz and Stegun 7.1.26, within 5e-7.
fn activate(x: vec4<f32>) -> vec4<f32> {
    let z = abs(x);
    let t = 1.0 / (z * (0.3275911 * 0.70710678) + 1.0);
    var tail = t * (0.5 * 1.061405429) + 0.5 * -1.453152027;
    tail = tail * t + 0.5 * 1.421413741;
    tail = tail * t + 0.5 * -0.284496736;
    tail = (tail * t + 0.5 * 0.254829592) * t;
    return max(x, vec4<f32>()) - z * exp2(x * x * -0.72134752) * tail;
}
