//! The kernels beside products: what each is compiled for, and launches of them that stay inside their memory.

#![allow(unsafe_code)]

use super::MULTIPLE;
use super::driver::{Argument, Driver, Kernel, Memory};
use super::input::Input;
use super::program::Source;
use crate::error::{Error, Result};
use crate::stack::{Kind, Rows, places_at, scales_at, words_at};

pub(super) const COMMON: &str = include_str!("kernels/common.cu");
const ATTENTION: &str = include_str!("kernels/attention.cu");
const NORM: &str = include_str!("kernels/norm.cu");
const EMBED: &str = include_str!("kernels/embed.cu");

/// Attention of all heads over one sequence.
#[derive(Debug)]
pub(super) struct Attention {
    kernel: Kernel,
    width: usize,
    heads: usize,
}

impl Attention {
    /// For heads of 16, 32 or 64 values.
    pub(super) fn build(driver: &Driver, width: usize, heads: usize, causal: bool) -> Result<Self> {
        let head = width / heads.max(1);
        fits([16, 32, 64].contains(&head) && head * heads == width)?;
        // Queries, and for each group of warps keys and values of two blocks.
        let shared = 9 * 64 * head * 2;
        let kernel = Kernel {
            function: Self::source(width, head, causal).build(driver, shared)?,
            threads: 256,
            shared,
            early: false,
            cluster: 1,
        };
        Ok(Self {
            kernel,
            width,
            heads,
        })
    }

    fn source(width: usize, head: usize, causal: bool) -> Source {
        let scale = std::f64::consts::LOG2_E / (head as f64).sqrt();
        Source::default()
            .define("D", width)
            .define("HEAD", head)
            .define("CAUSAL", u8::from(causal))
            .define("SCALE", format!("{scale:.9}f"))
            .part(COMMON)
            .part(ATTENTION)
    }

    /// From queries, keys and values, `[rows, 3 · width]`, to `[rows, width]`. No query sees the padding of the
    /// sequence that was sent.
    pub(super) fn launch(
        &self,
        driver: &Driver,
        rows: usize,
        qkv: &Memory<u16>,
        seen: &Input,
        to: &mut Memory<u16>,
    ) -> Result<()> {
        fits(
            rows.is_multiple_of(64)
                && qkv.len() >= rows * 3 * self.width
                && to.len() >= rows * self.width,
        )?;
        let arguments = [
            driver.address(qkv),
            // A sequence begins with the number of its rows.
            driver.address(&seen.device),
            driver.address(to),
        ]
        .map(Argument::Address);
        // SAFETY: the arguments are the kernel's. It reads `rows` rows of qkv, as a sequence has at most as many as it was padded to,
        // and writes as many of the result.
        unsafe { driver.launch(&self.kernel, [rows / 64, self.heads, 1], &arguments) }
    }
}

/// The expansion of a sequence that was sent.
#[derive(Debug)]
pub(super) struct Embed {
    kernel: Kernel,
    width: usize,
    positions: usize,
}

impl Embed {
    /// For rows of `width`; rows of a table of so many `positions` are added, where there are any.
    pub(super) fn build(
        driver: &Driver,
        width: usize,
        rows: Rows,
        positions: usize,
    ) -> Result<Self> {
        let kernel = Kernel {
            function: Self::source(width, rows, positions).build(driver, 0)?,
            threads: (width / 4).next_multiple_of(32),
            shared: 0,
            early: false,
            cluster: 1,
        };
        Ok(Self {
            kernel,
            width,
            positions,
        })
    }

    fn source(width: usize, rows: Rows, positions: usize) -> Source {
        let kind = match rows {
            Rows::F32 => 0,
            Rows::F16 => 1,
            Rows::Q8 => 2,
        };
        Source::default()
            .define("D", width)
            .define("KIND", kind)
            .define("POSITIONS", positions)
            .part(COMMON)
            .part(EMBED)
    }

    /// Expands a sequence of `rows` rows, padding included, and adds rows of `table`.
    pub(super) fn launch(
        &self,
        driver: &Driver,
        rows: usize,
        input: &Input,
        table: Option<&Memory<f32>>,
        x: &mut Memory<f32>,
    ) -> Result<()> {
        // The largest that rows can be.
        let room = words_at(rows) + rows * self.width * 4;
        fits(
            x.len() >= rows * self.width
                && input.device.len() >= room
                && table.map_or(0, |table| table.len()) == self.positions * self.width,
        )?;
        let input = driver.address(&input.device);
        let arguments = [
            input + words_at(rows) as u64,
            input + scales_at(rows) as u64,
            input + places_at() as u64,
            table.map_or(0, |table| driver.address(table)),
            driver.address(x),
        ]
        .map(Argument::Address);
        // SAFETY: the arguments are the kernel's. The input has room for `rows` rows of the largest kind, and no place is outside the table.
        unsafe { driver.launch(&self.kernel, [rows, 1, 1], &arguments) }
    }
}

/// γ and β of a layer norm.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) gamma: Memory<f32>,
    pub(super) beta: Memory<f32>,
}

/// A layer norm, with what is added before.
#[derive(Debug)]
pub(super) struct Norm {
    kernel: Kernel,
    width: usize,
    parts: usize,
}

impl Norm {
    /// For rows of `width`, adding `parts` parts of a product and its bias, where there are any.
    pub(super) fn build(
        driver: &Driver,
        (width, parts): (usize, usize),
        kind: Kind,
        eps: f64,
    ) -> Result<Self> {
        let threads = (width / 4).next_multiple_of(32);
        fits(width.is_multiple_of(MULTIPLE) && threads <= 1024)?;
        let kernel = Kernel {
            function: Self::source(width, parts, kind, eps).build(driver, 0)?,
            threads,
            shared: 0,
            early: false,
            cluster: 1,
        };
        Ok(Self {
            kernel,
            width,
            parts,
        })
    }

    fn source(width: usize, parts: usize, kind: Kind, eps: f64) -> Source {
        Source::default()
            .define("D", width)
            .define("PARTS", parts)
            .define("AFTER", u8::from(kind == Kind::After))
            .define("PLAIN", u8::from(kind == Kind::Plain))
            .define("EPS", format!("{eps:e}f"))
            .part(COMMON)
            .part(NORM)
    }

    /// Adds to x, `[rows, width]`, and puts what goes on into `to`.
    pub(super) fn launch(
        &self,
        driver: &Driver,
        rows: usize,
        (x, to): (&mut Memory<f32>, &mut Memory<u16>),
        (parts, bias): (&Memory<f32>, &Memory<f32>),
        scale: &Scale,
    ) -> Result<()> {
        let numbers = rows * self.width;
        fits(
            x.len() >= numbers
                && to.len() >= numbers
                && parts.len() >= self.parts * numbers
                && [bias, &scale.gamma, &scale.beta].map(Memory::len) == [self.width; 3],
        )?;
        let arguments = [
            driver.address(x),
            driver.address(parts),
            driver.address(bias),
            driver.address(&scale.gamma),
            driver.address(&scale.beta),
            driver.address(to),
        ]
        .map(Argument::Address);
        // SAFETY: the arguments are the kernel's. It reads and writes `rows` rows, and reads the three vectors of a row's width.
        unsafe { driver.launch(&self.kernel, [rows, 1, 1], &arguments) }
    }
}

/// What is launched has been put together by this module's own callers: a shape that does not fit is a fault of ours.
pub(super) fn fits(fits: bool) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(Error::device(
        "CUDA: a kernel was given memory of another shape".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::program::tests::compiles;

    #[test]
    fn they_compile_for_every_gpu_since_ampere() {
        let kinds = [Kind::After, Kind::Before, Kind::Plain];
        let rows = [Rows::F32, Rows::F16, Rows::Q8];
        let attention = [16, 32, 64]
            .into_iter()
            .flat_map(|head| [false, true].map(|causal| Attention::source(768, head, causal)));
        let embed = rows
            .into_iter()
            .flat_map(|rows| [0, 514].map(|positions| Embed::source(1024, rows, positions)));
        let norm = kinds
            .into_iter()
            .flat_map(|kind| [0, 1, 4].map(|parts| Norm::source(192, parts, kind, 1e-5)));
        let all: Vec<Source> = attention.chain(embed).chain(norm).collect();
        compiles(
            &all,
            &["sm_80", "sm_86", "sm_89", "sm_90a", "sm_100", "sm_120"],
        );
    }
}
