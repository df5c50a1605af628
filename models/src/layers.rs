//! The layers that XLM-R and CLIP share, as structs over Burn's tensors.
//!
//! The matrices of a layer are of one of two kinds, by where they are multiplied. On the CPU they are
//! packed, and attention, feed-forward and layer norm are operations of our own (`kernels/`); elsewhere they
//! are tensors of Burn, and what they give is in the type that the device multiplies in (see
//! [`gpu`](crate::gpu)). What runs through the layers is `f32` everywhere, and the order of the operations,
//! which is what makes the model, is the same.

use std::ops::Range;

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Distribution, Int, Tensor, TensorData, activation, module};

use crate::device::Compute;
use crate::error::Result;
use crate::gpu::{DeviceLinear, widen};
#[cfg(feature = "cpu")]
use crate::host;
use crate::kernels::{
    AttentionMatrices, Kernels, Matrix, Packing, feed_forward, layer_norm, project, self_attention,
};
use crate::source::Source;
use crate::weights::Activation;
use crate::xlmr::read;

/// `x Wᵀ + b`, with W `[out, in]` as PyTorch has it.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    device: DeviceLinear,
    /// The probability with which an element of the result is set to 0. Only a training has one.
    dropout: f64,
}

impl Linear {
    /// From its matrix and bias.
    pub(crate) fn new(device: DeviceLinear) -> Self {
        Self {
            device,
            dropout: 0.0,
        }
    }

    /// The same with dropout behind it.
    #[cfg(feature = "train")]
    pub(crate) fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// Reads `NAME.weight` and `NAME.bias`, in `f32` on every device: for a head, whose answer is read back.
    pub(crate) fn load_head(source: &impl Source, name: &str, compute: &Compute) -> Result<Self> {
        let (matrix, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        source.head(&matrix, Some(&bias), compute)
    }

    /// A head with no bias, named in full.
    pub(crate) fn load_projection(
        source: &impl Source,
        name: &str,
        compute: &Compute,
    ) -> Result<Self> {
        source.head(name, None, compute)
    }

    /// `[.., in]` to `[.., out]`.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        dropped(self.device.forward(x), self.dropout)
    }
}

/// Sets elements to 0 with a probability, and scales the others so that the mean stays (Srivastava et al. 2014).
pub(crate) fn dropped<const D: usize>(x: Tensor<D>, probability: f64) -> Tensor<D> {
    if probability <= 0.0 {
        return x;
    }
    let kept = x.random_like(Distribution::Bernoulli(1.0 - probability));
    x * kept.div_scalar(1.0 - probability)
}

/// Layer normalization over the last dimension.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
    /// γ, β and what computes with them, on the CPU.
    host: Option<(&'static Kernels, Vec<f32>, Vec<f32>)>,
}

impl LayerNorm {
    /// Reads `NAME.weight` and `NAME.bias`.
    pub(crate) fn load(
        source: &impl Source,
        name: &str,
        eps: f64,
        compute: &Compute,
    ) -> Result<Self> {
        let device = compute.device();
        let gamma = source.tensor::<1>(&format!("{name}.weight"), device)?;
        let beta = source.tensor::<1>(&format!("{name}.bias"), device)?;
        let host = match compute.kernels() {
            Some(kernels) => Some((kernels, read(gamma.clone())?, read(beta.clone())?)),
            None => None,
        };
        Ok(Self {
            gamma,
            beta,
            eps,
            host,
        })
    }

    /// Normalizes each vector along the last dimension, in `f32`.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        #[cfg(feature = "cpu")]
        if let Some((kernels, gamma, beta)) = &self.host {
            return host::map(x.clone(), x.clone(), x.dims(), |x, _| {
                layer_norm(
                    kernels.level(),
                    x.to_vec(),
                    None,
                    gamma,
                    beta,
                    self.eps as f32,
                )
            });
        }
        module::layer_norm(
            widen(x),
            self.gamma.clone(),
            Some(self.beta.clone()),
            self.eps,
        )
    }
}

/// The norm of `y + residual`, where there is a norm to take, on the CPU.
#[cfg(feature = "cpu")]
fn normed(norm: Option<&LayerNorm>, y: Vec<f32>, residual: &[f32]) -> Vec<f32> {
    let Some((norm, (kernels, gamma, beta))) =
        norm.and_then(|norm| Some((norm, norm.host.as_ref()?)))
    else {
        return y;
    };
    layer_norm(
        kernels.level(),
        y,
        Some(residual),
        gamma,
        beta,
        norm.eps as f32,
    )
}

/// The rows of a sequence among the queries, and among all.
type RowsOfSequence = (Range<usize>, Range<usize>);

/// Sequences that lie one after the other in the rows of one tensor, `[1, n, d]`, and the rows that are
/// asked for. A layer computes nothing for others where no later layer needs them.
#[derive(Clone, Debug)]
pub(crate) struct Sequences {
    /// The rows of each sequence.
    rows: Vec<Range<usize>>,
    /// The rows that are asked for, of each sequence: its own numbers, ascending.
    wanted: Vec<Vec<usize>>,
    /// On a GPU, which keys are padding.
    mask: Option<Tensor<4, Bool>>,
}

impl Sequences {
    /// Sequences of so many rows, and which of them are asked for.
    pub(crate) fn new(sequences: impl IntoIterator<Item = (usize, Vec<usize>)>) -> Self {
        let mut end = 0;
        let (mut rows, mut wanted) = (Vec::new(), Vec::new());
        for (len, of_sequence) in sequences {
            rows.push(end..end + len);
            wanted.push(of_sequence);
            end += len;
        }
        Self {
            rows,
            wanted,
            mask: None,
        }
    }

    /// The same with padding, which no query sees.
    pub(crate) fn masked(self, mask: Option<Tensor<4, Bool>>) -> Self {
        Self { mask, ..self }
    }

    /// The rows that are asked for, among all.
    pub(crate) fn wanted(&self) -> Vec<usize> {
        let of_sequence = |(rows, wanted): (&Range<usize>, &Vec<usize>)| {
            let start = rows.start;
            wanted.iter().map(move |at| start + at).collect::<Vec<_>>()
        };
        self.rows
            .iter()
            .zip(&self.wanted)
            .flat_map(of_sequence)
            .collect()
    }

    /// Each sequence's rows among all, and the numbers of its own that are asked for.
    pub(crate) fn each(&self) -> impl Iterator<Item = (Range<usize>, &[usize])> {
        let wanted = self.wanted.iter().map(Vec::as_slice);
        self.rows.iter().cloned().zip(wanted)
    }

    /// Of each sequence, its rows among the queries and among all; and the place of each query.
    fn packing(&self, last: bool) -> (Vec<RowsOfSequence>, Vec<usize>) {
        let mut end = 0;
        let (mut packing, mut places) = (Vec::new(), Vec::new());
        for (rows, wanted) in self.rows.iter().zip(&self.wanted) {
            let count = if last { wanted.len() } else { rows.len() };
            packing.push((end..end + count, rows.clone()));
            end += count;
            if last {
                places.extend(wanted);
            } else {
                places.extend(0..rows.len());
            }
        }
        (packing, places)
    }
}

/// Some rows of `[1, n, d]`.
pub(crate) fn select(x: Tensor<3>, rows: &[usize]) -> Tensor<3> {
    let ids: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let ids = Tensor::<1, Int>::from_data(TensorData::new(ids, [rows.len()]), &x.device());
    x.select(1, ids)
}

/// A large matrix, where it is multiplied.
#[derive(Debug)]
pub(crate) enum Weight {
    /// By our own kernels.
    Packed(&'static Kernels, Matrix),
    /// As a tensor.
    Device(Box<Linear>),
    /// By our own kernels on a GPU.
    Ours(crate::stack::Matrix),
}

impl Weight {
    /// Reads `NAME.weight` and `NAME.bias`.
    fn load(source: &impl Source, name: &str, compute: &Compute) -> Result<Self> {
        let (matrix, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        source.weight(&matrix, Some(&bias), compute)
    }

    /// `[n, in]` to `[n, out]`, in `f32`.
    ///
    /// # Errors
    /// Of kind `Device`.
    pub(crate) fn forward(&self, x: Tensor<2>) -> Result<Tensor<2>> {
        Ok(match self {
            #[cfg(feature = "cpu")]
            Self::Packed(kernels, matrix) => {
                let [n, _] = x.dims();
                host::map(x.clone(), x, [n, matrix.outputs], |x, _| {
                    let mut out = vec![0.0; n * matrix.outputs];
                    project(kernels, x, vec![(matrix, &mut out[..])]);
                    out
                })
            }
            #[cfg(not(feature = "cpu"))]
            Self::Packed(..) => x,
            Self::Device(linear) => widen(linear.forward(x)),
            Self::Ours(matrix) => {
                let ([n, _], device) = (x.dims(), x.device());
                let out = matrix.forward(&read(x)?, n)?;
                Tensor::from_data(TensorData::new(out, [n, matrix.outputs()]), &device)
            }
        })
    }
}

/// Multi-head self-attention over packed sequences, with its four projections.
#[derive(Debug)]
pub(crate) struct SelfAttention {
    query: Weight,
    key: Weight,
    value: Weight,
    output: Weight,
    heads: usize,
    causal: bool,
}

impl SelfAttention {
    /// Reads `NAME.query`, `NAME.key`, `NAME.value` and `NAME.output`. With `causal`, a position sees
    /// itself and those before it.
    pub(crate) fn load(
        source: &impl Source,
        name: &str,
        heads: u32,
        causal: bool,
        compute: &Compute,
    ) -> Result<Self> {
        let part = |part: &str| Weight::load(source, &format!("{name}.{part}"), compute);
        Ok(Self {
            query: part("query")?,
            key: part("key")?,
            value: part("value")?,
            output: part("output")?,
            heads: heads as usize,
            causal,
        })
    }

    /// Attention to `x`, `[1, n, d]`, of all rows, or in the last layer only of `queries`, the rows that are
    /// asked for: `[1, m, d]`. With `norm`, added to the rows that ask, and normalized.
    pub(crate) fn forward(
        &self,
        x: Tensor<3>,
        queries: Option<Tensor<3>>,
        sequences: &Sequences,
        norm: Option<&LayerNorm>,
    ) -> Tensor<3> {
        match (&self.query, &self.key, &self.value, &self.output) {
            #[cfg(feature = "cpu")]
            (
                Weight::Packed(kernels, query),
                Weight::Packed(_, key),
                Weight::Packed(_, value),
                Weight::Packed(_, output),
            ) => {
                let matrices = AttentionMatrices {
                    query,
                    key,
                    value,
                    output,
                };
                let (packing, places) = sequences.packing(queries.is_some());
                let packing = Packing {
                    sequences: &packing,
                    places: self.causal.then_some(&places[..]),
                    heads: self.heads,
                };
                let last = queries.is_some();
                let queries = queries.unwrap_or_else(|| x.clone());
                let shape = queries.dims();
                host::map(x, queries, shape, |x, queries| {
                    let asked = last.then_some(queries);
                    let attended = self_attention(kernels, &matrices, &packing, x, asked);
                    normed(norm, attended, queries)
                })
            }
            (
                Weight::Device(query),
                Weight::Device(key),
                Weight::Device(value),
                Weight::Device(output),
            ) => {
                let [batch, n, d] = x.dims();
                let split = |x: Tensor<3>| {
                    x.reshape([batch, n, self.heads, d / self.heads])
                        .swap_dims(1, 2)
                };
                let query = split(query.forward(x.clone()));
                let key = split(key.forward(x.clone()));
                let value = split(value.forward(x.clone()));
                // The default scale, 1/√(d / heads): with any other, a GPU leaves its fused kernel.
                let options = AttentionModuleOptions {
                    is_causal: self.causal,
                    ..Default::default()
                };
                let mask = sequences.mask.clone();
                let attended = module::attention(query, key, value, mask, None, options);
                let attended = attended.swap_dims(1, 2).reshape([batch, n, d]);
                let mut attended = widen(output.forward(attended));
                if queries.is_some() {
                    attended = select(attended, &sequences.wanted());
                }
                match norm {
                    Some(norm) => norm.forward(queries.unwrap_or(x) + attended),
                    None => attended,
                }
            }
            // All are loaded alike.
            _ => x,
        }
    }
}

/// Two matrices with an activation between them.
#[derive(Debug)]
pub(crate) struct FeedForward {
    up: Weight,
    down: Weight,
    activation: Activation,
}

impl FeedForward {
    /// Reads `NAME.up` and `NAME.down`.
    pub(crate) fn load(
        source: &impl Source,
        name: &str,
        activation: Activation,
        compute: &Compute,
    ) -> Result<Self> {
        Ok(Self {
            up: Weight::load(source, &format!("{name}.up"), compute)?,
            down: Weight::load(source, &format!("{name}.down"), compute)?,
            activation,
        })
    }

    /// `[1, n, d]` to `[1, n, d]`, in `f32`. With `norm`, added to x, and normalized.
    pub(crate) fn forward(&self, x: Tensor<3>, norm: Option<&LayerNorm>) -> Tensor<3> {
        match (&self.up, &self.down) {
            #[cfg(feature = "cpu")]
            (Weight::Packed(kernels, up), Weight::Packed(_, down)) => {
                host::map(x.clone(), x.clone(), x.dims(), |x, _| {
                    normed(norm, feed_forward(kernels, up, down, self.activation, x), x)
                })
            }
            (Weight::Device(up), Weight::Device(down)) => {
                let between = activate(widen(up.forward(x.clone())), self.activation);
                let y = widen(down.forward(between));
                match norm {
                    Some(norm) => norm.forward(x + y),
                    None => y,
                }
            }
            // Both are loaded alike.
            _ => x,
        }
    }
}

/// Applies an activation to each element.
pub(crate) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::Gelu => activation::gelu(x),
        Activation::GeluNew => activation::gelu_approximate(x),
        Activation::QuickGelu => x.clone() * activation::sigmoid(x.mul_scalar(1.702)),
        Activation::Relu => activation::relu(x),
        Activation::Silu => activation::silu(x),
    }
}
