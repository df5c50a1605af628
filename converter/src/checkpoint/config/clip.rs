//! The configuration of CLIP: `CLIPConfig` of `transformers` 5.17.

use super::Fields;
use crate::Result;
use morelet_models::weights::{Activation, ClipTextConfig, ClipVisionConfig};

/// What `config.json` says of CLIP.
pub(crate) struct ClipFields {
    pub(crate) projection_dim: u32,
    /// Without the ids that the tokenizer decides.
    pub(crate) text: ClipTextConfig,
    pub(crate) vision: ClipVisionConfig,
}

/// Reads the hyper-parameters of both towers.
pub(crate) fn clip(fields: &Fields) -> Result<ClipFields> {
    let (text, vision) = (
        tower(fields, "text_config")?,
        tower(fields, "vision_config")?,
    );
    let channels = vision.u32("num_channels", 3)?;
    if channels != 3 {
        return Err(vision.error("num_channels", format_args!("expected 3, got {channels}")));
    }
    let text = ClipTextConfig {
        vocab_size: text.u32("vocab_size", 49_408)?,
        hidden_size: text.u32("hidden_size", 512)?,
        num_hidden_layers: text.u32("num_hidden_layers", 12)?,
        num_attention_heads: text.u32("num_attention_heads", 8)?,
        intermediate_size: text.u32("intermediate_size", 2048)?,
        max_position_embeddings: text.u32("max_position_embeddings", 77)?,
        layer_norm_eps: text.f64("layer_norm_eps", 1e-5)?,
        hidden_act: text.activation(Activation::QuickGelu)?,
        bos_token_id: 0,
        end_of_text_id: 0,
        eos_token_id: text.id("eos_token_id", 49_407)?,
    };
    let vision = ClipVisionConfig {
        hidden_size: vision.u32("hidden_size", 768)?,
        num_hidden_layers: vision.u32("num_hidden_layers", 12)?,
        num_attention_heads: vision.u32("num_attention_heads", 12)?,
        intermediate_size: vision.u32("intermediate_size", 3072)?,
        image_size: vision.side("image_size", 224)?,
        patch_size: vision.side("patch_size", 32)?,
        layer_norm_eps: vision.f64("layer_norm_eps", 1e-5)?,
        hidden_act: vision.activation(Activation::QuickGelu)?,
    };
    Ok(ClipFields {
        projection_dim: fields.u32("projection_dim", 512)?,
        text,
        vision,
    })
}

/// The object of one tower. Early files have a `…_dict` beside it, which stands for the whole object:
/// `transformers` fills it with defaults and lets it win, key by key.
fn tower(fields: &Fields, key: &str) -> Result<Fields> {
    if let Some(tower) = fields.object(&format!("{key}_dict"))? {
        return Ok(tower);
    }
    Ok(fields.object(key)?.unwrap_or_else(|| fields.nothing(key)))
}
