//! The kernels: what each is compiled for, and launches of them that stay inside their memory.

#![allow(unsafe_code)]

use std::fmt::{Display, Write as _};

use super::driver::{Driver, Launch, Memory};
use super::upload::{Matrix, Stored};
use crate::error::{Error, Result};
use crate::stack::{Kind, MULTIPLE, Rows};
use crate::weights::Activation;

const PRODUCT: &str = include_str!("kernels/product.wgsl");
const ATTENTION: &str = include_str!("kernels/attention.wgsl");
const NORM: &str = include_str!("kernels/norm.wgsl");
const EMBED: &str = include_str!("kernels/embed.wgsl");
const SUMS_HALF: &str = include_str!("kernels/sums_half.wgsl");
const SUMS_PARTS: &str = include_str!("kernels/sums_parts.wgsl");

/// The most parts of K that a product takes apart.
pub(super) const MOST_PARTS: usize = 4;

/// The text of a kernel: numbers that it is compiled for, and its parts.
#[derive(Debug, Default)]
struct Source(String);

impl Source {
    /// A constant that the text knows by name.
    fn define(mut self, name: &str, kind: &str, value: impl Display) -> Self {
        let _ = writeln!(self.0, "const {name}: {kind} = {value};");
        self
    }

    fn number(self, name: &str, value: usize) -> Self {
        self.define(name, "u32", format_args!("{value}u"))
    }

    fn part(mut self, text: &str) -> Self {
        self.0.push_str(text);
        self
    }
}

/// Where the results of a product go.
#[derive(Debug)]
pub(super) enum Sums<'a> {
    /// With bias and activation in half precision, `[rows, outputs]`.
    Half(&'a Memory, Option<Activation>),
    /// Without bias in `f32`, over parts of K, `[parts, rows, outputs]`: what a norm adds up.
    Parts(&'a Memory),
}

/// In how many parts a product is taken whose sums may be apart.
pub(super) fn parts(driver: &Driver, (rows, outputs, inputs): (usize, usize, usize)) -> usize {
    let tiles = (rows / 64) * (outputs / 64);
    let mut parts = 1;
    while parts < MOST_PARTS && tiles * parts < driver.busy() && inputs / (2 * parts) >= 256 {
        parts *= 2;
    }
    while !(inputs / 32).is_multiple_of(parts) {
        parts /= 2;
    }
    parts
}

/// x Wᵀ for x `[rows, inputs]` in half precision.
pub(super) fn product(
    driver: &Driver,
    rows: usize,
    x: &Memory,
    matrix: &Matrix,
    sums: &Sums<'_>,
) -> Result<Launch> {
    let (outputs, inputs) = (matrix.outputs, matrix.inputs);
    let (parts, room) = match sums {
        Sums::Half(to, _) => (1, to.len() / 2),
        Sums::Parts(to) => {
            let parts = parts(driver, (rows, outputs, inputs));
            (parts, to.len() / 4 / parts)
        }
    };
    fits(
        [rows, outputs, inputs]
            .iter()
            .all(|size| size.is_multiple_of(MULTIPLE) && *size > 0)
            && x.len() >= rows * inputs * 2
            && room >= rows * outputs
            && (inputs / 32).is_multiple_of(parts),
    )?;
    let text = product_base(matrix.stored, (outputs, inputs), parts);
    let text = match sums {
        Sums::Half(_, activation) => text.part(activate(*activation)).part(SUMS_HALF),
        Sums::Parts(_) => text.part(SUMS_PARTS),
    };
    let mut arguments = vec![(0, x), (1, &matrix.weight)];
    if let Some(scales) = &matrix.scales {
        arguments.push((2, scales));
    }
    match sums {
        Sums::Half(to, _) => arguments.extend([(3, &matrix.bias), (4, *to)]),
        Sums::Parts(to) => arguments.push((4, *to)),
    }
    // SAFETY: sizes are multiples of tiles, x and the result have room for them, and a matrix has what its shape says.
    unsafe { driver.launch(&text.0, &arguments, [outputs / 64, rows / 64, parts]) }
}

/// A product's text but for what becomes of its sums.
fn product_base(stored: Stored, (outputs, inputs): (usize, usize), parts: usize) -> Source {
    let weights = match stored {
        Stored::F16 => include_str!("kernels/weights_f16.wgsl"),
        Stored::Q8 => include_str!("kernels/weights_q8.wgsl"),
        Stored::Q4 => include_str!("kernels/weights_q4.wgsl"),
    };
    Source::default()
        .number("N", outputs)
        .number("K", inputs)
        .number("PARTS", parts)
        .part(PRODUCT)
        .part(weights)
}

/// The function `activate`.
fn activate(activation: Option<Activation>) -> &'static str {
    match activation {
        None => "fn activate(x: vec4<f32>) -> vec4<f32> { return x; }\n",
        Some(Activation::Gelu) => include_str!("kernels/gelu.wgsl"),
        Some(Activation::GeluNew) => {
            // tanh of what is clamped: some drivers' is infinite over infinite beyond.
            "fn activate(x: vec4<f32>) -> vec4<f32> {
                 let z = 0.79788456 * (x + 0.044715 * x * x * x);
                 return 0.5 * x * (1.0 + tanh(clamp(z, vec4<f32>(-10.0), vec4<f32>(10.0))));
             }\n"
        }
        Some(Activation::QuickGelu) => {
            "fn activate(x: vec4<f32>) -> vec4<f32> { return x / (1.0 + exp(min(-1.702 * x, vec4<f32>(80.0)))); }\n"
        }
        Some(Activation::Relu) => {
            "fn activate(x: vec4<f32>) -> vec4<f32> { return max(x, vec4<f32>()); }\n"
        }
        Some(Activation::Silu) => {
            "fn activate(x: vec4<f32>) -> vec4<f32> { return x / (1.0 + exp(min(-x, vec4<f32>(80.0)))); }\n"
        }
    }
}

/// Attention of all heads over one sequence: from queries, keys and values, `[rows, 3 · width]`, to `[rows, width]`. No query sees the
/// padding of the sequence that was sent.
pub(super) fn attention(
    driver: &Driver,
    rows: usize,
    (width, heads, causal): (usize, usize, bool),
    (qkv, input, to): (&Memory, &Memory, &Memory),
) -> Result<Launch> {
    let head = width / heads.max(1);
    fits(
        [16, 32, 64].contains(&head)
            && head * heads == width
            && rows.is_multiple_of(32)
            && qkv.len() >= rows * 3 * width * 2
            && to.len() >= rows * width * 2,
    )?;
    let text = attention_source(width, head, causal);
    let arguments = [(0, qkv), (1, input), (2, to)];
    // SAFETY: it reads `rows` rows of qkv, as a sequence has at most as many as it was padded to, and writes as many of the result.
    unsafe { driver.launch(&text.0, &arguments, [rows / 32, heads, 1]) }
}

fn attention_source(width: usize, head: usize, causal: bool) -> Source {
    let scale = std::f64::consts::LOG2_E / (head as f64).sqrt();
    Source::default()
        .number("D", width)
        .number("HEAD", head)
        .define("CAUSAL", "bool", causal)
        .define("SCALE", "f32", format_args!("{scale:.9}"))
        .part(ATTENTION)
}

/// γ and β of a layer norm.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) gamma: Memory,
    pub(super) beta: Memory,
}

/// A norm of `rows` rows of x, `[rows, width]`, with sums over parts and a bias added first, where there are any.
pub(super) fn norm(
    driver: &Driver,
    rows: usize,
    (width, eps, kind): (usize, f64, Kind),
    (x, narrow): (&Memory, &Memory),
    scale: &Scale,
    added: Option<(usize, &Memory, &Memory)>,
) -> Result<Launch> {
    let (count, parts, bias) = added.unwrap_or((0, &scale.beta, &scale.beta));
    fits(
        width.is_multiple_of(4)
            && width <= 4096
            && x.len() >= rows * width * 4
            && narrow.len() >= rows * width * 2
            && parts.len() >= count * rows * width * 4
            && [&scale.gamma, &scale.beta, bias]
                .iter()
                .all(|vector| vector.len() >= width * 4),
    )?;
    let text = norm_source(width, count, eps, kind);
    let arguments = [
        (0, x),
        (1, narrow),
        (2, &scale.gamma),
        (3, &scale.beta),
        (4, parts),
        (5, bias),
    ];
    // SAFETY: each of the rows and vectors was just looked at.
    unsafe { driver.launch(&text.0, &arguments, [rows, 1, 1]) }
}

fn norm_source(width: usize, parts: usize, eps: f64, kind: Kind) -> Source {
    Source::default()
        .number("D", width)
        .number("PARTS", parts)
        .define("EPS", "f32", format_args!("{eps:e}"))
        .define("NORMED", "bool", kind != Kind::Plain)
        .define("REPLACED", "bool", kind == Kind::After)
        .part(NORM)
}

/// Expands a sequence of `rows` rows, padding included, and adds rows of a table of so many positions, where there is one.
pub(super) fn embed(
    driver: &Driver,
    rows: usize,
    (width, sent): (usize, Rows),
    (input, x): (&Memory, &Memory),
    table: Option<&Memory>,
) -> Result<Launch> {
    let positions = table.map_or(0, |table| table.len() / 4 / width);
    fits(
        width.is_multiple_of(4)
            && x.len() >= rows * width * 4
            && input.len() >= crate::stack::words_at(rows) + rows * width * sent.bytes(),
    )?;
    let text = embed_source(width, sent, positions);
    // SAFETY: the input has room for `rows` rows of their kind, and a place outside the table is moved into it.
    unsafe {
        // Without a table it is not read: anything does.
        driver.launch(
            &text.0,
            &[(0, input), (1, x), (2, table.unwrap_or(input))],
            [rows, 1, 1],
        )
    }
}

fn embed_source(width: usize, sent: Rows, positions: usize) -> Source {
    let kind = match sent {
        Rows::F32 => 0,
        Rows::F16 => 1,
        Rows::Q8 => 2,
    };
    Source::default()
        .number("D", width)
        .number("KIND", kind)
        .number("POSITIONS", positions)
        .part(EMBED)
}

fn fits(so: bool) -> Result<()> {
    if so {
        return Ok(());
    }
    Err(Error::device(
        "wgpu: a kernel does not fit its memory".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use wgpu::naga;

    use super::*;

    /// Needs no adapter. Which sizes there are is nothing that decides whether a text is one.
    #[test]
    fn every_text_is_valid() {
        let mut sources = Vec::new();
        for stored in [Stored::F16, Stored::Q8, Stored::Q4] {
            for ending in [
                activate(None),
                activate(Some(Activation::Gelu)),
                activate(Some(Activation::GeluNew)),
                activate(Some(Activation::QuickGelu)),
                activate(Some(Activation::Relu)),
                activate(Some(Activation::Silu)),
                SUMS_PARTS,
            ] {
                let source = product_base(stored, (1024, 4096), 4).part(ending);
                sources.push(match ending == SUMS_PARTS {
                    true => source,
                    false => source.part(SUMS_HALF),
                });
            }
        }
        for head in [16, 32, 64] {
            for causal in [false, true] {
                sources.push(attention_source(1024, head, causal));
            }
        }
        for kind in [Kind::After, Kind::Before, Kind::Plain] {
            for parts in [0, 1, 4] {
                sources.push(norm_source(1024, parts, 1e-5, kind));
            }
        }
        for sent in [Rows::F32, Rows::F16, Rows::Q8] {
            for positions in [0, 514] {
                sources.push(embed_source(1024, sent, positions));
            }
        }
        for Source(text) in sources {
            let module = match naga::front::wgsl::parse_str(&text) {
                Ok(module) => module,
                Err(error) => panic!("{}", error.emit_to_string(&text)),
            };
            let (flags, all) = (
                naga::valid::ValidationFlags::all(),
                naga::valid::Capabilities::all(),
            );
            if let Err(error) = naga::valid::Validator::new(flags, all).validate(&module) {
                panic!("{}", error.emit_to_string(&text));
            }
            let shared: u32 = (module.global_variables.iter())
                .filter(|(_, variable)| variable.space == naga::AddressSpace::WorkGroup)
                .map(|(_, variable)| module.types[variable.ty].inner.size(module.to_ctx()))
                .sum();
            assert!(shared <= super::super::driver::SHARED, "{shared}");
        }
    }
}
