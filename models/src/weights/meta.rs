//! What a `.weights` file says about its model: the section `meta`, as JSON.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Named entities: XLM-R with an emission layer and, usually, a CRF.
    Ner,
    /// Relations: XLM-R with a classifier over the two opening markers.
    Re,
    /// The two towers of CLIP.
    Clip,
    /// The gate that weighs two experts.
    Gate,
    /// XLM-R with no head. It can be converted and inspected, but it is no expert.
    Encoder,
}

impl ModelKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ner => "ner",
            Self::Re => "re",
            Self::Clip => "clip",
            Self::Gate => "gate",
            Self::Encoder => "encoder",
        }
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The section `meta`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// What the model is for.
    pub kind: ModelKind,
    /// The program that wrote the file, with its version.
    pub producer: String,
    /// 64 hexadecimal digits: a hash over the tensors of the source checkpoint, before quantization,
    /// so that every precision of one checkpoint has the same identity.
    pub identity: String,
    /// SPDX expression of the weights' licence, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Whom to thank for the weights, where it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attribution: Option<String>,
    /// How the file was quantized, for people: `f32`, `q8`, `q8 (head.* kept f32)`. The truth is in
    /// the tensor table.
    pub quantization: String,
    /// The hyper-parameters.
    pub architecture: Architecture,
    /// The labels in the order of the head's rows; empty where the kind has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

/// The hyper-parameters of a model, by architecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// XLM-R, for the kinds `ner`, `re` and `encoder`.
    Xlmr(XlmrConfig),
    /// CLIP.
    Clip(ClipConfig),
    /// The gate.
    Gate(GateConfig),
}

/// Hyper-parameters of an XLM-R encoder and its head. Names are those of `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct XlmrConfig {
    /// Rows of the word-embedding table.
    pub vocab_size: u32,
    /// d, the width of a hidden state.
    pub hidden_size: u32,
    /// Number of layers.
    pub num_hidden_layers: u32,
    /// Number of attention heads; divides `hidden_size`.
    pub num_attention_heads: u32,
    /// Width between the two matrices of a feed-forward block.
    pub intermediate_size: u32,
    /// Rows of the position-embedding table.
    pub max_position_embeddings: u32,
    /// Rows of the token-type table; only row 0 is used.
    pub type_vocab_size: u32,
    /// ε of the encoder's layer norms.
    pub layer_norm_eps: f64,
    /// The activation between the two matrices of a feed-forward block.
    pub hidden_act: Activation,
    /// Id of `<pad>`; the first position is this plus 1.
    pub pad_token_id: u32,
    /// Id of `<s>`.
    pub bos_token_id: u32,
    /// Id of `</s>`.
    pub eos_token_id: u32,
    /// Id of `<unk>`.
    pub unk_token_id: u32,
    /// L: the most ids that one input may have, `<s>` and `</s>` included.
    pub max_length: u32,
    /// Which sub-tokens of a word represent it.
    pub pooling: Pooling,
    /// The ids between x and the retrieved texts; normally `[eos_token_id]`.
    pub separator: Vec<u32>,
    /// Whether a CRF follows the emissions (kind `ner` only).
    pub crf: bool,
    /// Whether a layer norm (ε = 1e-5) precedes the head's matrix.
    pub head_norm: bool,
}

/// Which sub-tokens of a word represent it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The first one.
    #[default]
    First,
    /// The last one.
    Last,
    /// The mean over all of them.
    Mean,
}

impl FromStr for Pooling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            "mean" => Ok(Self::Mean),
            other => Err(format!(
                "unknown pooling `{other}`: expected first, last or mean"
            )),
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Mean => "mean",
        })
    }
}

/// An activation function, by the name that `config.json` gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Activation {
    /// x·Φ(x), with the error function.
    #[default]
    #[serde(rename = "gelu")]
    Gelu,
    /// GELU by the hyperbolic tangent; also `gelu_pytorch_tanh` and `gelu_fast`.
    #[serde(rename = "gelu_new", alias = "gelu_pytorch_tanh", alias = "gelu_fast")]
    GeluNew,
    /// x·σ(1.702x), CLIP's.
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    /// max(x, 0).
    #[serde(rename = "relu")]
    Relu,
    /// x·σ(x); also `swish`.
    #[serde(rename = "silu", alias = "swish")]
    Silu,
}

impl FromStr for Activation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "gelu" | "gelu_python" => Ok(Self::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_fast" => Ok(Self::GeluNew),
            "quick_gelu" => Ok(Self::QuickGelu),
            "relu" => Ok(Self::Relu),
            "silu" | "swish" => Ok(Self::Silu),
            other => Err(format!(
                "unknown activation `{other}`: expected gelu, gelu_new, quick_gelu, relu or silu"
            )),
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gelu => "gelu",
            Self::GeluNew => "gelu_new",
            Self::QuickGelu => "quick_gelu",
            Self::Relu => "relu",
            Self::Silu => "silu",
        })
    }
}

/// Hyper-parameters of CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipConfig {
    /// Width of the space that both towers end in.
    pub projection_dim: u32,
    /// The text tower.
    pub text: ClipTextConfig,
    /// The vision tower.
    pub vision: ClipVisionConfig,
    /// What is done to a picture before it enters the vision tower.
    pub preprocess: Preprocess,
}

/// The text tower of CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipTextConfig {
    /// Rows of the token-embedding table.
    pub vocab_size: u32,
    /// Width of a hidden state.
    pub hidden_size: u32,
    /// Number of layers.
    pub num_hidden_layers: u32,
    /// Number of attention heads; divides `hidden_size`.
    pub num_attention_heads: u32,
    /// Width between the two matrices of a feed-forward block.
    pub intermediate_size: u32,
    /// The most ids that a text may have, both ends included: 77.
    pub max_position_embeddings: u32,
    /// ε of the tower's layer norms.
    pub layer_norm_eps: f64,
    /// The activation between the two matrices of a feed-forward block.
    pub hidden_act: Activation,
    /// The first id of every input, by the tokenizer (`<|startoftext|>`).
    pub bos_token_id: u32,
    /// The last id of every input, by the tokenizer (`<|endoftext|>`): kept where a text is cut.
    pub end_of_text_id: u32,
    /// `eos_token_id` of `config.json`, which decides the pooling: 2 means the place of the largest
    /// id, anything else the first place that holds it.
    pub eos_token_id: u32,
}

/// The vision tower of CLIP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClipVisionConfig {
    /// Width of a hidden state.
    pub hidden_size: u32,
    /// Number of layers.
    pub num_hidden_layers: u32,
    /// Number of attention heads; divides `hidden_size`.
    pub num_attention_heads: u32,
    /// Width between the two matrices of a feed-forward block.
    pub intermediate_size: u32,
    /// Side of the square that the tower takes, in pixels.
    pub image_size: u32,
    /// Side of a patch, in pixels.
    pub patch_size: u32,
    /// ε of the tower's layer norms.
    pub layer_norm_eps: f64,
    /// The activation between the two matrices of a feed-forward block.
    pub hidden_act: Activation,
}

/// What is done to a picture before it enters the vision tower: `preprocessor_config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// Length of the short side after resizing, in pixels.
    pub resize: u32,
    /// Side of the square cut from the centre, in pixels.
    pub crop: u32,
    /// The filter of the resizing.
    pub resample: Resample,
    /// Mean of each channel of a pixel in 0..=1.
    pub mean: [f32; 3],
    /// Standard deviation of each channel.
    pub std: [f32; 3],
}

/// A resampling filter of Pillow, which `preprocessor_config.json` names by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resample {
    /// 0.
    Nearest,
    /// 1.
    Lanczos,
    /// 2.
    Bilinear,
    /// 3, the filter of every published CLIP.
    #[default]
    Bicubic,
    /// 4.
    Box,
    /// 5.
    Hamming,
}

impl Resample {
    /// The filter that Pillow knows by `number`.
    pub fn from_pillow(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Nearest,
            1 => Self::Lanczos,
            2 => Self::Bilinear,
            3 => Self::Bicubic,
            4 => Self::Box,
            5 => Self::Hamming,
            _ => return None,
        })
    }
}

/// The shape of a gate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GateConfig {
    /// t where the gate has a row for each label, 1 where one row serves all.
    pub rows: u32,
    /// Width of CLIP's text feature.
    pub text_dim: u32,
    /// Width of CLIP's image feature.
    pub image_dim: u32,
}

impl Meta {
    /// The hyper-parameters of an encoder, where the model is one.
    pub fn xlmr(&self) -> Option<&XlmrConfig> {
        match &self.architecture {
            Architecture::Xlmr(config) => Some(config),
            _ => None,
        }
    }

    /// The hyper-parameters of CLIP, where the model is one.
    pub fn clip(&self) -> Option<&ClipConfig> {
        match &self.architecture {
            Architecture::Clip(config) => Some(config),
            _ => None,
        }
    }

    /// The shape of the gate, where the model is one.
    pub fn gate(&self) -> Option<&GateConfig> {
        match &self.architecture {
            Architecture::Gate(config) => Some(config),
            _ => None,
        }
    }
}
