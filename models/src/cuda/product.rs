//! Products x Wᵀ: the tiles that a block computes, and which of them is the fastest for a shape.

#![allow(unsafe_code)]

use super::MULTIPLE;
use super::driver::{Driver, Kernel, Memory};
use super::kernels::{COMMON, fits};
use super::program::Source;
use super::upload::Matrix;
use crate::error::Result;
use crate::weights::Activation;

const EPILOGUE: &str = include_str!("kernels/epilogue.cu");
const PRODUCT: &str = include_str!("kernels/product.cu");
const PRODUCT_SM90: &str = include_str!("kernels/product_sm90.cu");

/// How many pieces of its factors a block of Hopper's product has under way.
const STAGES: usize = 6;

/// The most parts that K is divided into.
pub(super) const MOST_PARTS: usize = 8;

/// What one block computes of a product, with about what it was measured to cost on an H100.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Tile {
    rows: usize,
    width: usize,
    /// Microseconds for 64 values of K, when each multiprocessor has one such block.
    step: f64,
}

/// The tiles that Hopper's kernel is built for.
const HOPPER: [Tile; 3] = [
    Tile {
        rows: 128,
        width: 128,
        step: 0.5,
    },
    Tile {
        rows: 128,
        width: 96,
        step: 0.4,
    },
    Tile {
        rows: 64,
        width: 64,
        step: 0.3,
    },
];

/// The one tile of the kernel for all others.
const PLAIN: Tile = Tile {
    rows: 64,
    width: 64,
    step: 0.6,
};

/// Microseconds that writing and reading a million sums in `f32` takes.
const MILLION_SUMS: f64 = 2.5;

/// A product x Wᵀ of one shape.
#[derive(Debug)]
pub(super) struct Product {
    kernel: Kernel,
    tile: Tile,
    parts: usize,
    shape: (usize, usize, usize),
    /// Whether the result is in half precision.
    half: bool,
}

/// Where a product's sums go.
pub(super) enum Sums<'a> {
    /// `[rows, out]` in half precision, with bias and activation.
    Half(&'a mut Memory<u16>),
    /// `[parts, rows, out]`, bare.
    Parts(&'a mut Memory<f32>),
}

impl Product {
    /// For `(rows, outputs, inputs)`, with bias and activation, in half precision.
    pub(super) fn activated(
        driver: &Driver,
        shape: (usize, usize, usize),
        activation: Option<Activation>,
    ) -> Result<Self> {
        let (tile, _) = choose(driver, shape, 1);
        Self::build(driver, shape, tile, (1, false), activation)
    }

    /// The same without either, as sums in `f32` over parts of the inputs, for a norm to add up.
    pub(super) fn parted(driver: &Driver, shape: (usize, usize, usize)) -> Result<Self> {
        let (tile, parts) = choose(driver, shape, MOST_PARTS);
        Self::build(driver, shape, tile, (parts, true), None)
    }

    /// The same in one part.
    pub(super) fn bare(driver: &Driver, shape: (usize, usize, usize)) -> Result<Self> {
        let (tile, parts) = choose(driver, shape, 1);
        Self::build(driver, shape, tile, (parts, true), None)
    }

    fn build(
        driver: &Driver,
        (rows, outputs, inputs): (usize, usize, usize),
        tile: Tile,
        (parts, apart): (usize, bool),
        activation: Option<Activation>,
    ) -> Result<Self> {
        let hopper = is_hopper(driver);
        let shape = (outputs, inputs);
        let source = Self::source(hopper, shape, tile, (parts, apart), activation);
        let (threads, shared) = match hopper {
            true => (2 * tile.rows, STAGES * (tile.rows + tile.width) * 128),
            false => (128, 0),
        };
        let kernel = Kernel {
            function: source.build(driver, shared)?,
            threads,
            shared,
            early: hopper,
        };
        Ok(Self {
            kernel,
            tile,
            parts,
            shape: (rows, outputs, inputs),
            half: !apart,
        })
    }

    fn source(
        hopper: bool,
        (outputs, inputs): (usize, usize),
        tile: Tile,
        (parts, apart): (usize, bool),
        activation: Option<Activation>,
    ) -> Source {
        let activation = activation.map_or(0, |activation| match activation {
            Activation::Gelu => 1,
            Activation::GeluNew => 2,
            Activation::QuickGelu => 3,
            Activation::Relu => 4,
            Activation::Silu => 5,
        });
        let source = Source::default()
            .define("N", outputs)
            .define("K", inputs)
            .define("SPLIT", parts)
            .define("PARTS", u8::from(apart))
            .define("ACTIVATION", activation);
        if !hopper {
            return source.part(COMMON).part(EPILOGUE).part(PRODUCT);
        }
        source
            .define("GROUPS", tile.rows / 64)
            .define("WIDTH", tile.width)
            .define("STAGES", STAGES)
            .part(COMMON)
            .part(EPILOGUE)
            .part(&multiply_tile(tile.width))
            .part(PRODUCT_SM90)
    }

    /// How many parts the sums are in.
    pub(super) fn parts(&self) -> usize {
        self.parts
    }

    /// Multiplies x, `[rows, in]`.
    pub(super) fn launch(
        &self,
        driver: &Driver,
        x: &Memory<u16>,
        matrix: &Matrix,
        to: Sums<'_>,
    ) -> Result<()> {
        let (rows, outputs, inputs) = self.shape;
        let (to, room, half) = match to {
            Sums::Half(to) => (driver.address(to), to.len(), true),
            Sums::Parts(to) => (driver.address(to), to.len(), false),
        };
        fits(
            (matrix.outputs, matrix.inputs) == (outputs, inputs)
                && x.len() >= rows * inputs
                && room >= self.parts * rows * outputs
                && half == self.half,
        )?;
        let grid = [outputs / self.tile.width, rows / self.tile.rows, self.parts];
        let arguments = [
            driver.address(x),
            driver.address(&matrix.weight),
            driver.address(&matrix.bias),
            to,
        ];
        // SAFETY: the arguments are the kernel's. It reads `rows` rows of x, all of the matrix and its bias, and writes a result of
        // this shape and type; that there is as much was just checked, and that tiles divide the shape when they were chosen.
        unsafe { driver.launch(&self.kernel, grid, &arguments) }
    }
}

/// The tile and the number of parts that should take the least time.
fn choose(driver: &Driver, shape: (usize, usize, usize), most: usize) -> (Tile, usize) {
    let tiles: &[Tile] = if is_hopper(driver) { &HOPPER } else { &[PLAIN] };
    cheapest(tiles, driver.processors(), shape, most)
}

fn cheapest(
    tiles: &[Tile],
    processors: usize,
    (rows, outputs, inputs): (usize, usize, usize),
    most: usize,
) -> (Tile, usize) {
    let mut best = (PLAIN, 1);
    let mut least = f64::INFINITY;
    for &tile in tiles {
        if !rows.is_multiple_of(tile.rows) || !outputs.is_multiple_of(tile.width) {
            continue;
        }
        let mut parts = 1;
        while parts <= most && inputs.is_multiple_of(parts * MULTIPLE) {
            let blocks = (rows / tile.rows) * (outputs / tile.width) * parts;
            let steps = inputs / parts / MULTIPLE;
            let sums = (most > 1).then_some((parts * rows * outputs) as f64 / 1e6);
            let time = blocks.div_ceil(processors) as f64 * steps as f64 * tile.step
                + sums.unwrap_or_default() * MILLION_SUMS;
            if time < least {
                (best, least) = ((tile, parts), time);
            }
            parts *= 2;
        }
    }
    best
}

fn is_hopper(driver: &Driver) -> bool {
    driver.capability().0 == 9
}

/// The instruction that multiplies 64 × 16 by 16 × `width`, whose sums each thread names one by one.
fn multiply_tile(width: usize) -> String {
    let count = width / 2;
    let list = |each: &dyn Fn(usize) -> String| (0..count).map(each).collect::<Vec<_>>().join(", ");
    let names = list(&|at| format!("%{at}"));
    let sums = list(&|at| format!("\"+f\"(s[{}][{}])", at / 4, at % 4));
    format!(
        "__device__ __forceinline__ void multiply_tile(float (&s)[{}][4], u64 a, u64 b) {{\n    asm volatile(\"{{ .reg .pred p; \
         setp.ne.b32 p, 1, 0; wgmma.mma_async.sync.aligned.m64n{width}k16.f32.f16.f16 {{{names}}}, %{count}, %{}, p, 1, 1, 0, 0; \
         }}\" : {sums} : \"l\"(a), \"l\"(b));\n}}\n",
        width / 8,
        count + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::program::tests::compiles;

    /// What was the fastest when it was measured, on 132 multiprocessors.
    #[test]
    fn the_tile_is_the_one_that_measured_best() {
        let hopper = |shape, most| {
            let (tile, parts) = cheapest(&HOPPER, 132, shape, most);
            (tile.rows, tile.width, parts)
        };
        assert_eq!(hopper((512, 3072, 1024), 1), (128, 96, 1));
        assert_eq!(hopper((512, 4096, 1024), 1), (128, 128, 1));
        assert_eq!(hopper((512, 1024, 4096), 8), (128, 128, 4));
        assert_eq!(hopper((128, 3072, 1024), 1), (64, 64, 1));
        assert_eq!(hopper((128, 4096, 1024), 1), (64, 64, 1));
        assert_eq!(hopper((128, 1024, 4096), 8), (64, 64, 4));
    }

    #[test]
    fn a_tile_divides_what_it_is_chosen_for() {
        for rows in (64..=640).step_by(64) {
            for (outputs, inputs) in [(64, 64), (192, 768), (576, 192), (768, 3072), (1024, 4096)] {
                for tiles in [&HOPPER[..], &[PLAIN]] {
                    let (tile, parts) = cheapest(tiles, 24, (rows, outputs, inputs), MOST_PARTS);
                    assert_eq!((rows % tile.rows, outputs % tile.width), (0, 0));
                    assert_eq!(inputs % (parts * MULTIPLE), 0);
                }
            }
        }
    }

    #[test]
    fn they_compile_for_every_gpu_since_ampere() {
        let activations = [
            None,
            Some(Activation::Gelu),
            Some(Activation::GeluNew),
            Some(Activation::QuickGelu),
            Some(Activation::Relu),
            Some(Activation::Silu),
        ];
        let of = |hopper, tile| {
            let whole = activations.map(|activation| {
                Product::source(hopper, (768, 3072), tile, (1, false), activation)
            });
            let parted =
                [1, 4].map(|parts| Product::source(hopper, (768, 3072), tile, (parts, true), None));
            whole.into_iter().chain(parted)
        };
        let plain: Vec<Source> = of(false, PLAIN).collect();
        compiles(&plain, &["sm_80", "sm_86", "sm_89", "sm_100", "sm_120"]);
        let hopper: Vec<Source> = HOPPER.into_iter().flat_map(|tile| of(true, tile)).collect();
        compiles(&hopper, &["sm_90a"]);
    }

    #[test]
    fn the_instruction_names_every_sum_once() {
        let text = multiply_tile(64);
        assert!(text.contains("m64n64k16") && text.contains("{%0, %1,"));
        assert_eq!(text.matches("\"+f\"").count(), 32);
        assert!(text.contains("}, %32, %33, p,"), "{text}");
    }
}
