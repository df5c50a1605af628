//! A feature that is looked for, ready to be multiplied with rows.

use super::nodes::Nodes;
use super::vectors::{FINER, Vectors, norm, scale};
use crate::error::{Error, Result};
use crate::kernels::features::feature_kernels;
use crate::kernels::rows::Integers;

/// A query. Its memory serves one search after the other.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// The difference of the feature, of length 1, from the centre. With rows of integers: what is left of it.
    pub difference: Vec<f32>,
    /// With rows of integers: the difference as integers, with zeros behind them to the length of a row; where remainders are
    /// kept, twice what is left of it, as integers of units [`FINER`].
    pub integers: [Integers; 3],
    /// What the first integers are multiplied with.
    pub scale: f32,
    /// What is added to every product.
    ///
    /// With rows that are x − c, and a query q, q·x = (q − c)·(x − c) + c·x + (q·c − c·c). The second term is the
    /// node's bias, the third is this.
    pub offset: f32,
}

impl Query {
    /// Takes `feature`, which has the index's dimension.
    pub fn set(&mut self, feature: &[f32], nodes: &Nodes<'_>) -> Result<()> {
        let kernels = feature_kernels();
        let factor = norm(feature).map_err(Error::input)?.recip();
        self.difference.resize(feature.len(), 0.0);
        let difference = &mut self.difference;
        let largest = (kernels.subtract)(feature, factor, nodes.centre, difference);
        self.offset = (kernels.product)(difference, nodes.centre) as f32;
        if nodes.layout.vectors == Vectors::I8 {
            self.scale = scale(largest);
            let parts = if nodes.rerank.is_empty() { 1 } else { 3 };
            let mut unit = self.scale;
            for part in &mut self.integers[..parts] {
                part.set(nodes.layout.dim, nodes.layout.row, |integers| {
                    (kernels.round)(difference, unit, integers)
                });
                unit /= FINER;
            }
        }
        Ok(())
    }
}
