//! The gate between two experts: which of them a sentence and its picture need.

use crate::error::{Error, Result};
use crate::weights::{GateConfig, Weights};

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
        Self::new(config, weights.f32s("weight")?, weights.f32s("bias")?).map_err(|error| {
            let message = format!("{error}: it is damaged (check it with `morelet verify`)");
            Error::model(weights.container().path(), message)
        })
    }

    /// A gate from U, `[rows, text_dim + image_dim]` row by row, and b, `[rows]`.
    ///
    /// # Errors
    /// Of kind `Input` where there are more or fewer values, or one that is not finite.
    pub fn new(config: &GateConfig, matrix: Vec<f32>, bias: Vec<f32>) -> Result<Self> {
        let [rows, text_dim, image_dim] =
            [config.rows, config.text_dim, config.image_dim].map(|size| size as usize);
        let expected = (rows * (text_dim + image_dim), rows);
        if (matrix.len(), bias.len()) != expected {
            let message = format!(
                "the gate should have matrix and bias of {} and {} values, got {} and {}",
                expected.0,
                expected.1,
                matrix.len(),
                bias.len()
            );
            return Err(Error::input(message));
        }
        if !matrix.iter().chain(&bias).all(|value| value.is_finite()) {
            let message = "the gate holds a value that is not a finite number";
            return Err(Error::input(message.to_owned()));
        }
        Ok(Self {
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

    fn config(rows: usize) -> GateConfig {
        GateConfig {
            rows: rows as u32,
            text_dim: 2,
            image_dim: 1,
        }
    }

    fn gate(rows: usize) -> Gate {
        let matrix = [0.5, -1.0, 2.0].repeat(rows);
        let bias = (0..rows).map(|row| row as f32).collect();
        Gate::new(&config(rows), matrix, bias).unwrap()
    }

    #[test]
    fn refuses_other_counts_of_values_and_what_is_no_number() {
        let refused = |matrix: &[f32], bias: &[f32]| {
            let error = Gate::new(&config(2), matrix.to_vec(), bias.to_vec()).unwrap_err();
            error.to_string()
        };
        assert!(refused(&[0.0; 5], &[0.0; 2]).contains("got 5 and 2"));
        assert!(refused(&[0.0; 6], &[0.0]).contains("got 6 and 1"));
        assert!(refused(&[0.0, 0.0, 0.0, 0.0, 0.0, f32::NAN], &[0.0; 2]).contains("finite"));
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
