//! The gate between two experts: which of them a sentence and its picture need.

use crate::error::{Error, Result};
use crate::weights::Weights;

/// `g_y = σ(U_y · [CLIP_text(x); CLIP_image(I)] + b_y)` (equation 6 of the paper), the weight of the first
/// expert at label y. U has one row per label, or one row for all.
#[derive(Clone, Debug)]
pub struct Gate {
    /// U, `[rows, text + image]` row by row.
    matrix: Vec<f32>,
    /// b, `[rows]`.
    bias: Vec<f32>,
    text_dim: usize,
    image_dim: usize,
}

impl Gate {
    /// Reads a gate.
    ///
    /// # Errors
    /// Of kind `Model` where the file holds another model; of kind `File` where it is damaged.
    pub fn load(weights: Weights) -> Result<Self> {
        let Some(config) = weights.meta().gate() else {
            let message = format!(
                "expected a gate, got a model of kind {}",
                weights.meta().kind
            );
            return Err(Error::model(weights.container().path(), message));
        };
        let (matrix, bias) = (weights.f32s("weight")?, weights.f32s("bias")?);
        if !matrix.iter().chain(&bias).all(|value| value.is_finite()) {
            let message = "the gate holds a value that is not a finite number: it is damaged (check it with `morelet verify`)";
            return Err(Error::model(weights.container().path(), message));
        }
        Ok(Self {
            matrix,
            bias,
            text_dim: config.text_dim as usize,
            image_dim: config.image_dim as usize,
        })
    }

    /// A gate from U, `[rows, text_dim + image_dim]` row by row, and b, `[rows]`. `None` where the lengths do not fit.
    pub fn new(
        matrix: Vec<f32>,
        bias: Vec<f32>,
        text_dim: usize,
        image_dim: usize,
    ) -> Option<Self> {
        let fits = !bias.is_empty() && matrix.len() == bias.len() * (text_dim + image_dim);
        fits.then_some(Self {
            matrix,
            bias,
            text_dim,
            image_dim,
        })
    }

    /// The number of rows of U: that of the labels, or 1.
    pub fn rows(&self) -> usize {
        self.bias.len()
    }

    /// g for each of `t` labels, each in 0..=1, from L2-normalized features; that of a gate with one row is
    /// repeated. Computed in `f64`.
    ///
    /// # Errors
    /// Of kind `Input` where a feature has another length than the gate was trained on, or t is not the
    /// number of its rows.
    pub fn weights(&self, text: &[f32], image: &[f32], t: usize) -> Result<Vec<f64>> {
        if (text.len(), image.len()) != (self.text_dim, self.image_dim) {
            return Err(Error::input(format!(
                "the gate reads features of {} and {} values, got {} and {}",
                self.text_dim,
                self.image_dim,
                text.len(),
                image.len()
            )));
        }
        if self.rows() != 1 && self.rows() != t {
            return Err(Error::input(format!(
                "the gate has {} rows: expected 1 or {t}, one for each label",
                self.rows()
            )));
        }
        let width = text.len() + image.len();
        let rows = self.matrix.chunks_exact(width.max(1)).zip(&self.bias);
        let mut g: Vec<f64> = rows
            .map(|(row, &bias)| {
                let features = text.iter().chain(image);
                let products = row
                    .iter()
                    .zip(features)
                    .map(|(&u, &x)| f64::from(u) * f64::from(x));
                sigmoid(products.sum::<f64>() + f64::from(bias))
            })
            .collect();
        if self.rows() == 1 {
            g = vec![g[0]; t];
        }
        Ok(g)
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(rows: usize) -> Gate {
        let row = [0.5, -1.0, 2.0];
        Gate {
            matrix: row.iter().copied().cycle().take(3 * rows).collect(),
            bias: (0..rows).map(|row| row as f32).collect(),
            text_dim: 2,
            image_dim: 1,
        }
    }

    /// σ(1.0) and σ(2.0), to ten digits, from tables.
    const SIGMA: [f64; 2] = [0.7310585786, 0.8807970780];

    #[test]
    fn a_row_for_each_label_or_one_for_all() {
        // 0.5·1 − 1·0.5 + 2·0.5 = 1.
        let (text, image) = ([1.0, 0.5], [0.5]);
        let per_label = gate(2).weights(&text, &image, 2).unwrap();
        let shared = gate(1).weights(&text, &image, 3).unwrap();
        assert!(
            per_label
                .iter()
                .zip(SIGMA)
                .all(|(g, s)| (g - s).abs() < 1e-9)
        );
        assert_eq!(shared.len(), 3);
        assert!(shared.iter().all(|g| (g - SIGMA[0]).abs() < 1e-9));
    }

    #[test]
    fn large_products_do_not_overflow() {
        let text = [1e38f32, -1e38];
        assert_eq!(gate(1).weights(&text, &[0.0], 1).unwrap(), [1.0]);
        assert_eq!(
            gate(1).weights(&text.map(|x| -x), &[0.0], 1).unwrap(),
            [0.0]
        );
    }

    #[test]
    fn refuses_features_and_labels_of_other_counts() {
        assert!(gate(2).weights(&[1.0], &[1.0], 2).is_err());
        assert!(gate(2).weights(&[1.0, 1.0], &[1.0], 3).is_err());
    }
}
