//! The configuration of XLM-R: `XLMRobertaConfig` of `transformers` 5.17.

use super::Fields;
use crate::Result;
use morelet_models::weights::{Activation, Pooling, XlmrConfig};

/// Reads the encoder's hyper-parameters. What `config.json` does not say (`unk_token_id`, the head) is left
/// at its usual value for the caller to set.
pub(crate) fn xlmr(fields: &Fields) -> Result<XlmrConfig> {
    if fields.bool("is_decoder", false)? {
        return Err(fields.error(
            "is_decoder",
            "expected an encoder, got a decoder, which reads in one direction",
        ));
    }
    if let Some(kind) = fields
        .str("position_embedding_type")?
        .filter(|kind| *kind != "absolute")
    {
        let message = format!("expected absolute positions, got `{kind}`");
        return Err(fields.error("position_embedding_type", message));
    }
    let pad_token_id = fields.id("pad_token_id", 1)?;
    let eos_token_id = fields.id("eos_token_id", 2)?;
    let max_position_embeddings = fields.u32("max_position_embeddings", 512)?;
    Ok(XlmrConfig {
        vocab_size: fields.u32("vocab_size", 30_522)?,
        hidden_size: fields.u32("hidden_size", 768)?,
        num_hidden_layers: fields.u32("num_hidden_layers", 12)?,
        num_attention_heads: fields.u32("num_attention_heads", 12)?,
        intermediate_size: fields.u32("intermediate_size", 3072)?,
        max_position_embeddings,
        type_vocab_size: fields.u32("type_vocab_size", 2)?,
        layer_norm_eps: fields.f64("layer_norm_eps", 1e-12)?,
        hidden_act: fields.activation(Activation::Gelu)?,
        pad_token_id,
        bos_token_id: fields.id("bos_token_id", 0)?,
        eos_token_id,
        unk_token_id: 3,
        max_length: max_position_embeddings.saturating_sub(pad_token_id.saturating_add(1)),
        pooling: Pooling::First,
        separator: vec![eos_token_id],
        crf: false,
        head_norm: false,
    })
}
