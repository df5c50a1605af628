//! What checkpoints call the tensors that a `.weights` file has under one name each.
//!
//! A file of ours names tensors by place (`layers.3.ffn.up.weight`); each library names them by its classes.
//! The names are built from ours and looked up in the checkpoint, never the other way round, so that what no
//! name leads to is known to be extra.

use morelet_models::weights::ModelKind;

/// What may stand before the tensors of an XLM-R encoder: AdaSeq's models, those of `transformers` with a
/// head, and `XLMRobertaModel` itself.
const PREFIXES: [&str; 3] = ["embedder.transformer_model.", "roberta.", ""];

/// What the emission layer or classifier is called: by AdaSeq, and by `transformers`.
const HEADS: [&str; 2] = ["linear", "classifier"];

/// How one checkpoint names its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// An XLM-R, with the prefix of the encoder and the name of the head.
    Xlmr(&'static str, &'static str),
    Clip,
    Gate,
}

impl Naming {
    /// The naming of a checkpoint of this kind, whose tensors are told by `has`.
    pub(crate) fn of(kind: ModelKind, has: impl Fn(&str) -> bool) -> Self {
        match kind {
            ModelKind::Clip => Self::Clip,
            ModelKind::Gate => Self::Gate,
            ModelKind::Ner | ModelKind::Re | ModelKind::Encoder => {
                let prefix = PREFIXES
                    .iter()
                    .find(|prefix| has(&format!("{prefix}embeddings.word_embeddings.weight")));
                let head = HEADS.iter().find(|head| has(&format!("{head}.weight")));
                Self::Xlmr(prefix.unwrap_or(&PREFIXES[2]), head.unwrap_or(&HEADS[0]))
            }
        }
    }

    /// The checkpoint's name of the tensor that we call `name`, one of `expected_tensors`.
    pub(crate) fn source(self, name: &str) -> String {
        match self {
            Self::Xlmr(prefix, head) => xlmr(prefix, head, name),
            Self::Clip => clip(name),
            Self::Gate => name.to_owned(),
        }
    }

    /// What stands before the encoder's tensors of a checkpoint beside the known prefixes: `module.` of a
    /// model that was trained in parallel.
    pub(crate) fn unknown_prefix<'a>(
        self,
        mut names: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let prefix =
            names.find_map(|name| name.strip_suffix("embeddings.word_embeddings.weight"))?;
        let known = PREFIXES.iter().find(|known| prefix.ends_with(*known));
        let outer = prefix.strip_suffix(known.unwrap_or(&""))?;
        (!outer.is_empty()).then_some(outer)
    }

    /// Whether a tensor of the checkpoint has no part in what we compute: the pooler, the head of the
    /// language model, the constant table of positions, CLIP's temperature.
    pub(crate) fn is_dropped(self, source: &str) -> bool {
        let inner = match self {
            Self::Xlmr(prefix, _) => source.strip_prefix(prefix).unwrap_or(source),
            Self::Clip => source,
            Self::Gate => return false,
        };
        let last = inner.rsplit('.').next().unwrap_or(inner);
        inner.starts_with("pooler.")
            || inner.starts_with("lm_head.")
            || last == "position_ids"
            || last == "logit_scale"
    }
}

fn xlmr(prefix: &str, head: &str, name: &str) -> String {
    if let Some(part) = name.strip_prefix("head.norm.") {
        return format!("layer_norm.{part}");
    }
    if let Some(part) = name.strip_prefix("head.") {
        return format!("{head}.{part}");
    }
    if let Some(part) = name.strip_prefix("crf.") {
        return match part {
            "transitions" => name.to_owned(),
            _ => format!("crf.{part}_transitions"),
        };
    }
    if let Some(part) = name.strip_prefix("embeddings.") {
        return match part.strip_prefix("norm.") {
            Some(part) => format!("{prefix}embeddings.LayerNorm.{part}"),
            None => format!("{prefix}embeddings.{part}_embeddings.weight"),
        };
    }
    let Some((number, part)) = layer("layers.", name) else {
        return format!("{prefix}{name}");
    };
    let replaced = replace_front(
        part,
        &[
            ("attention.query.", "attention.self.query."),
            ("attention.key.", "attention.self.key."),
            ("attention.value.", "attention.self.value."),
            ("attention.output.", "attention.output.dense."),
            ("attention.norm.", "attention.output.LayerNorm."),
            ("ffn.up.", "intermediate.dense."),
            ("ffn.down.", "output.dense."),
            ("ffn.norm.", "output.LayerNorm."),
        ],
    );
    format!("{prefix}encoder.layer.{number}.{replaced}")
}

fn clip(name: &str) -> String {
    let fixed = match name {
        "text.embeddings.token" => "text_model.embeddings.token_embedding.weight",
        "text.embeddings.position" => "text_model.embeddings.position_embedding.weight",
        "text.projection" => "text_projection.weight",
        "vision.embeddings.class" => "vision_model.embeddings.class_embedding",
        "vision.embeddings.patch" => "vision_model.embeddings.patch_embedding.weight",
        "vision.embeddings.position" => "vision_model.embeddings.position_embedding.weight",
        "vision.projection" => "visual_projection.weight",
        _ => "",
    };
    if !fixed.is_empty() {
        return fixed.to_owned();
    }
    for (ours, theirs) in [
        ("text.layers.", "text_model"),
        ("vision.layers.", "vision_model"),
    ] {
        if let Some((number, part)) = layer(ours, name) {
            let replaced = replace_front(
                part,
                &[
                    ("attention.query.", "self_attn.q_proj."),
                    ("attention.key.", "self_attn.k_proj."),
                    ("attention.value.", "self_attn.v_proj."),
                    ("attention.output.", "self_attn.out_proj."),
                    ("norm1.", "layer_norm1."),
                    ("norm2.", "layer_norm2."),
                    ("mlp.up.", "mlp.fc1."),
                    ("mlp.down.", "mlp.fc2."),
                ],
            );
            return format!("{theirs}.encoder.layers.{number}.{replaced}");
        }
    }
    replace_front(
        name,
        &[
            ("text.norm.", "text_model.final_layer_norm."),
            // The name of the published weights has this spelling.
            ("vision.norm_pre.", "vision_model.pre_layrnorm."),
            ("vision.norm_post.", "vision_model.post_layernorm."),
        ],
    )
}

/// The number of a layer and the rest of the name.
fn layer<'a>(front: &str, name: &'a str) -> Option<(&'a str, &'a str)> {
    name.strip_prefix(front)?.split_once('.')
}

fn replace_front(name: &str, table: &[(&str, &str)]) -> String {
    let found = table
        .iter()
        .find_map(|(ours, theirs)| Some((name.strip_prefix(ours)?, theirs)));
    found.map_or_else(
        || name.to_owned(),
        |(rest, theirs)| format!("{theirs}{rest}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_that_of_the_word_embeddings() {
        for (tensor, head, naming) in [
            (
                "embeddings.word_embeddings.weight",
                "linear.weight",
                Naming::Xlmr("", "linear"),
            ),
            (
                "roberta.embeddings.word_embeddings.weight",
                "classifier.weight",
                Naming::Xlmr("roberta.", "classifier"),
            ),
            (
                "embedder.transformer_model.embeddings.word_embeddings.weight",
                "linear.weight",
                Naming::Xlmr("embedder.transformer_model.", "linear"),
            ),
        ] {
            assert_eq!(
                Naming::of(ModelKind::Ner, |name| name == tensor || name == head),
                naming
            );
        }
    }

    #[test]
    fn a_prefix_that_is_not_known_is_told_apart() {
        let naming = Naming::Xlmr("", "linear");
        for (tensor, prefix) in [
            (
                "module.roberta.embeddings.word_embeddings.weight",
                Some("module."),
            ),
            ("bert.embeddings.word_embeddings.weight", Some("bert.")),
            ("roberta.embeddings.word_embeddings.weight", None),
            ("embeddings.word_embeddings.weight", None),
            ("linear.weight", None),
        ] {
            assert_eq!(
                naming.unknown_prefix([tensor].into_iter()),
                prefix,
                "{tensor}"
            );
        }
    }

    #[test]
    fn what_transformers_keeps_beside_the_encoder_is_dropped() {
        let roberta = Naming::Xlmr("roberta.", "classifier");
        for name in [
            "roberta.pooler.dense.weight",
            "roberta.embeddings.position_ids",
            "lm_head.layer_norm.bias",
        ] {
            assert!(roberta.is_dropped(name), "{name}");
        }
        for name in [
            "roberta.encoder.layer.0.pooler.weight",
            "classifier.weight",
            "position_ids_2",
        ] {
            assert!(!roberta.is_dropped(name), "{name}");
        }
        assert!(Naming::Clip.is_dropped("logit_scale"));
        assert!(Naming::Clip.is_dropped("vision_model.embeddings.position_ids"));
        assert!(!Naming::Gate.is_dropped("logit_scale"));
    }
}
