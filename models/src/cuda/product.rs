//! Products x Wᵀ.

#![allow(unsafe_code)]

use super::MULTIPLE;
use super::driver::{Argument, Driver, Kernel, Memory};
use super::kernels::{COMMON, fits};
use super::program::Source;
use super::tensor_map::TensorMap;
use super::tile::{HOPPER, MOST_PARTS, PLAIN, Tile, cheapest};
use super::upload::Matrix;
use crate::error::Result;
use crate::weights::Activation;

const EPILOGUE: &str = include_str!("kernels/epilogue.cu");
const PRODUCT: &str = include_str!("kernels/product.cu");
const PRODUCT_SM90: &str = include_str!("kernels/product_sm90.cu");

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

    /// The same by one tile, in so many parts, which are apart, or of one part a result with an activation.
    pub(super) fn build(
        driver: &Driver,
        (rows, outputs, inputs): (usize, usize, usize),
        tile: Tile,
        (parts, apart): (usize, bool),
        activation: Option<Activation>,
    ) -> Result<Self> {
        fits(
            rows.is_multiple_of(tile.rows * tile.cluster)
                && outputs.is_multiple_of(tile.width)
                && inputs.is_multiple_of(parts * MULTIPLE)
                && (apart || parts == 1),
        )?;
        let hopper = is_hopper(driver);
        let shape = (outputs, inputs);
        let source = Self::source(hopper, shape, tile, (parts, apart), activation);
        let (threads, shared) = match hopper {
            // One warp more brings what the others read.
            true => (2 * tile.rows + 32, tile.stages() * tile.stage()),
            false => (128, 0),
        };
        let kernel = Kernel {
            function: source.build(driver, shared)?,
            threads,
            shared,
            early: hopper,
            cluster: tile.cluster,
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
            .define("STAGES", tile.stages())
            .define("CLUSTER", tile.cluster)
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
        let tile = &self.tile;
        let grid = [outputs / tile.width, rows / tile.rows, self.parts];
        let factors = match is_hopper(driver) {
            true => {
                let (of_x, of_weight) = ((rows, inputs), (outputs, inputs));
                [
                    TensorMap::new(driver, x, of_x, tile.rows)?,
                    TensorMap::new(driver, &matrix.weight, of_weight, tile.width / tile.cluster)?,
                ]
                .map(Argument::Matrix)
            }
            false => [x, &matrix.weight].map(|factor| Argument::Address(driver.address(factor))),
        };
        let [bias, to] = [driver.address(&matrix.bias), to].map(Argument::Address);
        let arguments = [factors[0], factors[1], bias, to];
        // SAFETY: the arguments are the kernel's. It reads `rows` rows of x, all of the matrix and its bias, and writes a result of
        // this shape and type; that there is as much was just checked, and that tiles divide the shape when it was built.
        unsafe { driver.launch(&self.kernel, grid, &arguments) }
    }
}

/// The tiles that a device's products are made of.
pub(super) fn tiles(driver: &Driver) -> &'static [Tile] {
    if is_hopper(driver) { &HOPPER } else { &[PLAIN] }
}

/// The tile and the number of parts that should take the least time.
fn choose(driver: &Driver, shape: (usize, usize, usize), most: usize) -> (Tile, usize) {
    cheapest(tiles(driver), driver.processors(), shape, most)
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
