//! A feature that is looked for, ready to be multiplied with rows.

use super::nodes::Nodes;
use super::vectors::{Vectors, integers, normalize, product, scale};
use crate::error::Result;

/// A query. Its memory serves one search after the other.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// The difference of the feature, of length 1, from the centre.
    pub difference: Vec<f32>,
    /// With rows of integers: the difference as integers, with zeros behind them to the length of a row.
    pub integers: Vec<i8>,
    /// What the integers are multiplied with.
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
        normalize(feature, &mut self.difference)?;
        for (value, &c) in self.difference.iter_mut().zip(nodes.centre) {
            *value -= c;
        }
        self.offset = product(&self.difference, nodes.centre) as f32;
        if nodes.layout.vectors == Vectors::I8 {
            self.scale = scale(&self.difference);
            self.integers.clear();
            self.integers.extend(integers(&self.difference, self.scale));
            self.integers.resize(nodes.layout.row, 0);
        }
        Ok(())
    }
}
