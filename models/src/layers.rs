//! The layers that XLM-R and CLIP share, as structs over Burn's tensors.
//!
//! [`Linear`] is the one place that holds a matrix, and so the place where a kernel over packed weights
//! plugs in. On a GPU what it gives is in the type that the device multiplies in; what runs through the
//! layers is `f32` everywhere (see [`gpu`](crate::gpu)).

use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Bool, Tensor, activation, module};

use crate::device::Compute;
use crate::error::Result;
use crate::gpu::{DeviceLinear, widen};
use crate::weights::{Activation, Weights};

/// `x Wᵀ + b`, with W `[out, in]` as PyTorch has it.
#[derive(Clone, Debug)]
pub(crate) struct Linear(DeviceLinear);

impl Linear {
    /// Reads `NAME.weight` and `NAME.bias`.
    pub(crate) fn load(weights: &Weights, name: &str, compute: &Compute) -> Result<Self> {
        let (matrix, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        DeviceLinear::load(weights, &matrix, Some(&bias), compute).map(Self)
    }

    /// The same in `f32` on every device: for a head, whose answer is read back.
    pub(crate) fn load_head(weights: &Weights, name: &str, compute: &Compute) -> Result<Self> {
        let (matrix, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        DeviceLinear::load_exact(weights, &matrix, Some(&bias), compute).map(Self)
    }

    /// A head with no bias, named in full.
    pub(crate) fn load_projection(
        weights: &Weights,
        name: &str,
        compute: &Compute,
    ) -> Result<Self> {
        DeviceLinear::load_exact(weights, name, None, compute).map(Self)
    }

    /// Reads a matrix with no bias, named in full. Of a convolution over patches, what belongs to one
    /// patch is one dimension.
    pub(crate) fn load_matrix(weights: &Weights, name: &str, compute: &Compute) -> Result<Self> {
        DeviceLinear::load(weights, name, None, compute).map(Self)
    }

    /// `[.., in]` to `[.., out]`.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.0.forward(x)
    }
}

/// Layer normalization over the last dimension.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    gamma: Tensor<1>,
    beta: Tensor<1>,
    eps: f64,
}

impl LayerNorm {
    /// Reads `NAME.weight` and `NAME.bias`.
    pub(crate) fn load(weights: &Weights, name: &str, eps: f64, compute: &Compute) -> Result<Self> {
        let device = compute.device();
        Ok(Self {
            gamma: weights.tensor(&format!("{name}.weight"), device)?,
            beta: weights.tensor(&format!("{name}.bias"), device)?,
            eps,
        })
    }

    /// Normalizes each vector along the last dimension, in `f32`.
    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        module::layer_norm(
            widen(x),
            self.gamma.clone(),
            Some(self.beta.clone()),
            self.eps,
        )
    }
}

/// Multi-head self-attention over one sequence, with its four projections.
#[derive(Clone, Debug)]
pub(crate) struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
    causal: bool,
}

impl SelfAttention {
    /// Reads `NAME.query`, `NAME.key`, `NAME.value` and `NAME.output`. With `causal`, a position sees
    /// itself and those before it.
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        heads: u32,
        causal: bool,
        compute: &Compute,
    ) -> Result<Self> {
        let part = |part: &str| Linear::load(weights, &format!("{name}.{part}"), compute);
        Ok(Self {
            query: part("query")?,
            key: part("key")?,
            value: part("value")?,
            output: part("output")?,
            heads: heads as usize,
            causal,
        })
    }

    /// `[1, n, d]` to `[1, n, d]`, in `f32`. No query sees a key where `mask`, `[1, heads, n, n]`, is true.
    pub(crate) fn forward(&self, x: Tensor<3>, mask: Option<&Tensor<4, Bool>>) -> Tensor<3> {
        let [batch, n, d] = x.dims();
        let split = |x: Tensor<3>| {
            x.reshape([batch, n, self.heads, d / self.heads])
                .swap_dims(1, 2)
        };
        let query = split(self.query.forward(x.clone()));
        let key = split(self.key.forward(x.clone()));
        let value = split(self.value.forward(x));
        // The default scale, 1/√(d / heads): with any other, a GPU leaves its fused kernel.
        let options = AttentionModuleOptions {
            is_causal: self.causal,
            ..Default::default()
        };
        let attended = module::attention(query, key, value, mask.cloned(), None, options);
        let attended = attended.swap_dims(1, 2).reshape([batch, n, d]);
        widen(self.output.forward(attended))
    }
}

/// Two matrices with an activation between them.
#[derive(Clone, Debug)]
pub(crate) struct FeedForward {
    up: Linear,
    down: Linear,
    activation: Activation,
}

impl FeedForward {
    /// Reads `NAME.up` and `NAME.down`.
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        activation: Activation,
        compute: &Compute,
    ) -> Result<Self> {
        Ok(Self {
            up: Linear::load(weights, &format!("{name}.up"), compute)?,
            down: Linear::load(weights, &format!("{name}.down"), compute)?,
            activation,
        })
    }

    /// `[1, n, d]` to `[1, n, d]`, in `f32`.
    pub(crate) fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let up = activate(widen(self.up.forward(x)), self.activation);
        widen(self.down.forward(up))
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
