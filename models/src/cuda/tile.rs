//! The tiles that a block computes of a product, and which of them is the fastest for a shape.

use super::MULTIPLE;
use super::tensor_map::COLUMNS;

/// The most pieces of its factors that a block of Hopper's product has under way, and the most bytes of shared memory for them.
const MOST_STAGES: usize = 8;
const MOST_SHARED: usize = 200 << 10;

/// The most parts that K is divided into.
pub(super) const MOST_PARTS: usize = 8;

/// What one block computes of a product, with about what it was measured to cost on an H100.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    pub(super) rows: usize,
    pub(super) width: usize,
    /// Blocks, one below the other, that bring the weights to each other.
    pub(super) cluster: usize,
    /// Microseconds for 64 values of K, when each multiprocessor has one such block.
    step: f64,
}

/// The tiles that Hopper's kernel is built for.
pub(super) const HOPPER: [Tile; 6] = [
    tile((64, 256), 2, 0.44),
    tile((64, 256), 1, 0.53),
    tile((64, 192), 2, 0.34),
    tile((64, 192), 1, 0.39),
    tile((128, 64), 1, 0.22),
    tile((64, 64), 1, 0.16),
];

/// The one tile of the kernel for all others, whose cost is an estimate: no other GPU was there.
pub(super) const PLAIN: Tile = tile((64, 64), 1, 1.0);

const fn tile((rows, width): (usize, usize), cluster: usize, step: f64) -> Tile {
    Tile {
        rows,
        width,
        cluster,
        step,
    }
}

impl Tile {
    /// Bytes of a piece of both factors, 64 values of K.
    pub(super) fn stage(&self) -> usize {
        (self.rows + self.width) * COLUMNS * 2
    }

    /// How many pieces a block of Hopper's has under way.
    pub(super) fn stages(&self) -> usize {
        (MOST_SHARED / self.stage()).min(MOST_STAGES)
    }
}

/// Microseconds that a block takes before its first product and after its last.
const AROUND: f64 = 2.4;

/// Microseconds that writing and reading a million sums in `f32` takes.
const MILLION_SUMS: f64 = 4.3;

/// The tile and the number of parts that should take the least time for a shape `(rows, outputs, inputs)`.
pub(super) fn cheapest(
    tiles: &[Tile],
    processors: usize,
    (rows, outputs, inputs): (usize, usize, usize),
    most: usize,
) -> (Tile, usize) {
    let mut best = (PLAIN, 1);
    let mut least = f64::INFINITY;
    for &tile in tiles {
        if !rows.is_multiple_of(tile.rows * tile.cluster) || !outputs.is_multiple_of(tile.width) {
            continue;
        }
        let mut parts = 1;
        while parts <= most && inputs.is_multiple_of(parts * MULTIPLE) {
            let blocks = (rows / tile.rows) * (outputs / tile.width) * parts;
            let steps = inputs / parts / MULTIPLE;
            let sums = (most > 1).then_some((parts * rows * outputs) as f64 / 1e6);
            let time = blocks.div_ceil(processors) as f64 * (AROUND + steps as f64 * tile.step)
                + sums.unwrap_or_default() * MILLION_SUMS;
            if time < least {
                (best, least) = ((tile, parts), time);
            }
            parts *= 2;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was the fastest when it was measured, on 132 multiprocessors.
    #[test]
    fn the_tile_is_the_one_that_measured_best() {
        let hopper = |shape, most| {
            let (tile, parts) = cheapest(&HOPPER, 132, shape, most);
            ((tile.rows, tile.width), tile.cluster, parts)
        };
        assert_eq!(hopper((512, 3072, 1024), 1), ((64, 192), 2, 1));
        assert_eq!(hopper((512, 4096, 1024), 1), ((64, 256), 2, 1));
        assert_eq!(hopper((512, 1024, 1024), 8), ((64, 64), 1, 1));
        assert_eq!(hopper((512, 1024, 4096), 8), ((128, 64), 1, 2));
        assert_eq!(hopper((128, 3072, 1024), 1), ((64, 64), 1, 1));
        assert_eq!(hopper((128, 4096, 1024), 1), ((64, 64), 1, 1));
        assert_eq!(hopper((128, 1024, 1024), 8), ((64, 64), 1, 2));
        assert_eq!(hopper((128, 1024, 4096), 8), ((64, 64), 1, 4));
    }

    #[test]
    fn a_tile_divides_what_it_is_chosen_for() {
        for rows in (64..=640).step_by(64) {
            for (outputs, inputs) in [(64, 64), (192, 768), (576, 192), (768, 3072), (1024, 4096)] {
                for tiles in [&HOPPER[..], &[PLAIN]] {
                    let (tile, parts) = cheapest(tiles, 24, (rows, outputs, inputs), MOST_PARTS);
                    assert_eq!(
                        (rows % (tile.rows * tile.cluster), outputs % tile.width),
                        (0, 0)
                    );
                    assert_eq!(inputs % (parts * MULTIPLE), 0);
                }
            }
        }
    }
}
