//! A feature that is looked for, ready to be multiplied with rows.

use super::nodes::Nodes;
use super::vectors::{Vectors, integer, normalize, scale};
use crate::error::Result;

/// A query. Its memory serves one search after the other.
#[derive(Debug, Default)]
pub(super) struct Query {
    /// Of length 1.
    pub unit: Vec<f32>,
    /// Its difference from the centre, as integers, with zeros behind them to the length of a row.
    pub integers: Vec<i8>,
    /// What the integers are multiplied with.
    pub scale: f32,
    /// What is added to every product with a row of integers.
    ///
    /// With rows that are x − c as integers and a query q, q·x = (q − c)·(x − c) + c·x + (q·c − c·c). The second term is
    /// the node's bias, the third is this.
    pub offset: f32,
}

impl Query {
    /// Takes `feature`, which has the index's dimension.
    pub fn set(&mut self, feature: &[f32], nodes: &Nodes<'_>) -> Result<()> {
        normalize(feature, &mut self.unit)?;
        if nodes.layout.vectors != Vectors::I8 {
            return Ok(());
        }
        let difference = || self.unit.iter().zip(nodes.centre).map(|(&q, &c)| q - c);
        self.scale = scale(difference());
        let scale = self.scale;
        self.integers.clear();
        self.integers
            .extend(difference().map(|value| integer(value, scale)));
        self.integers.resize(nodes.layout.row, 0);
        let products = difference()
            .zip(nodes.centre)
            .map(|(d, &c)| f64::from(d) * f64::from(c));
        self.offset = products.sum::<f64>() as f32;
        Ok(())
    }
}
