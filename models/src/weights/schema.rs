//! Which tensors a model has, and their shapes: the one truth for the converter and the reader.

use super::meta::{Architecture, Meta, ModelKind};

/// Every tensor of the model that `meta` describes, with its logical shape as in PyTorch (a linear
/// layer is `[out, in]`), in the order in which a file holds them.
///
/// `meta` must have passed [`Meta::problems`] where it comes from a file: the length of the list grows
/// with the number of layers.
pub fn expected_tensors(meta: &Meta) -> Vec<(String, Vec<u64>)> {
    let mut list = List::default();
    match &meta.architecture {
        Architecture::Xlmr(config) => {
            let (d, f) = (
                u64::from(config.hidden_size),
                u64::from(config.intermediate_size),
            );
            list.add("embeddings.word", [config.vocab_size.into(), d]);
            list.add(
                "embeddings.position",
                [config.max_position_embeddings.into(), d],
            );
            list.add("embeddings.token_type", [config.type_vocab_size.into(), d]);
            list.norm("embeddings.norm", d);
            for n in 0..config.num_hidden_layers {
                let layer = format!("layers.{n}");
                list.attention(&layer, d);
                list.norm(&format!("{layer}.attention.norm"), d);
                list.linear(&format!("{layer}.ffn.up"), f, d);
                list.linear(&format!("{layer}.ffn.down"), d, f);
                list.norm(&format!("{layer}.ffn.norm"), d);
            }
            let t = meta.labels.len() as u64;
            let width = match meta.kind {
                ModelKind::Ner => d,
                ModelKind::Re => 2 * d,
                _ => return list.0,
            };
            if config.head_norm {
                list.norm("head.norm", width);
            }
            list.linear("head", t, width);
            if config.crf {
                list.add("crf.start", [t]);
                list.add("crf.transitions", [t, t]);
                list.add("crf.end", [t]);
            }
        }
        Architecture::Clip(config) => {
            let projection = u64::from(config.projection_dim);
            let text = &config.text;
            let (d, f) = (
                u64::from(text.hidden_size),
                u64::from(text.intermediate_size),
            );
            list.add("text.embeddings.token", [text.vocab_size.into(), d]);
            list.add(
                "text.embeddings.position",
                [text.max_position_embeddings.into(), d],
            );
            for n in 0..text.num_hidden_layers {
                list.clip_layer(&format!("text.layers.{n}"), d, f);
            }
            list.norm("text.norm", d);
            list.add("text.projection", [projection, d]);

            let vision = &config.vision;
            let (d, f) = (
                u64::from(vision.hidden_size),
                u64::from(vision.intermediate_size),
            );
            let patch = u64::from(vision.patch_size);
            let side = u64::from(vision.image_size) / patch.max(1);
            list.add("vision.embeddings.class", [d]);
            list.add("vision.embeddings.patch", [d, 3, patch, patch]);
            list.add("vision.embeddings.position", [side * side + 1, d]);
            list.norm("vision.norm_pre", d);
            for n in 0..vision.num_hidden_layers {
                list.clip_layer(&format!("vision.layers.{n}"), d, f);
            }
            list.norm("vision.norm_post", d);
            list.add("vision.projection", [projection, d]);
        }
        Architecture::Gate(config) => {
            let width = u64::from(config.text_dim) + u64::from(config.image_dim);
            list.add("weight", [config.rows.into(), width]);
            list.add("bias", [config.rows.into()]);
        }
    }
    list.0
}

/// Whether a tensor is stored in `f32` whatever precision was asked for: layer norms, biases, the CRF,
/// the gate, and every other vector. They are a thousandth of the bytes and decide much.
pub fn always_f32(kind: ModelKind, name: &str, shape: &[u64]) -> bool {
    kind == ModelKind::Gate
        || shape.len() < 2
        || name.ends_with(".bias")
        || name.starts_with("crf.")
        || name.split('.').any(|part| part.starts_with("norm"))
}

/// Whether a tensor may be laid out in panels: the matrices of the layers, which are nearly all of the
/// arithmetic. Embeddings are read by rows, and a head is small.
pub fn has_panels(name: &str) -> bool {
    let parts = [".attention.", ".ffn.", ".mlp."];
    name.contains("layers.")
        && name.ends_with(".weight")
        && !name.contains("norm")
        && parts.iter().any(|part| name.contains(part))
}

#[derive(Default)]
struct List(Vec<(String, Vec<u64>)>);

impl List {
    fn add<const D: usize>(&mut self, name: &str, shape: [u64; D]) {
        self.0.push((name.to_owned(), shape.to_vec()));
    }

    fn linear(&mut self, name: &str, out: u64, input: u64) {
        self.add(&format!("{name}.weight"), [out, input]);
        self.add(&format!("{name}.bias"), [out]);
    }

    fn norm(&mut self, name: &str, width: u64) {
        self.add(&format!("{name}.weight"), [width]);
        self.add(&format!("{name}.bias"), [width]);
    }

    fn attention(&mut self, layer: &str, d: u64) {
        for part in ["query", "key", "value", "output"] {
            self.linear(&format!("{layer}.attention.{part}"), d, d);
        }
    }

    fn clip_layer(&mut self, layer: &str, d: u64, f: u64) {
        self.norm(&format!("{layer}.norm1"), d);
        self.attention(layer, d);
        self.norm(&format!("{layer}.norm2"), d);
        self.linear(&format!("{layer}.mlp.up"), f, d);
        self.linear(&format!("{layer}.mlp.down"), d, f);
    }
}
