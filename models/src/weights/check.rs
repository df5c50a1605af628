//! What is checked of a `.weights` file before anything is handed out: hyper-parameters in their
//! ranges, the tensor table against the architecture, every range inside the section `data`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::meta::{Architecture, ClipConfig, GateConfig, Meta, ModelKind, XlmrConfig};
use super::schema::{always_f32, expected_tensors, has_panels};
use super::table::{Extent, Layout, Precision, TENSOR_ALIGNMENT, TensorInfo, element_count};

/// More layers than any encoder has (XLM-R-XXL: 48). Bounds the list of expected tensors.
pub const MAX_LAYERS: u32 = 256;
/// Four times the widest encoder's (XLM-R-XXL: 4096).
pub const MAX_HIDDEN: u32 = 16_384;
/// Bounds `intermediate_size`; normally four times the hidden size.
pub const MAX_INTERMEDIATE: u32 = 131_072;
/// Sixty times XLM-R's 250,002 pieces.
pub const MAX_VOCABULARY: u32 = 1 << 24;
/// Bounds the table of positions.
pub const MAX_POSITIONS: u32 = 1 << 16;
/// Bounds t; a CRF has t² transitions.
pub const MAX_LABELS: usize = 4096;
/// Bounds the separator between x and what was retrieved.
pub const MAX_SEPARATOR: usize = 64;
/// Bounds the sides of CLIP's pictures, in pixels.
pub const MAX_PICTURE: u32 = 4096;

impl Meta {
    /// Everything that is wrong with these hyper-parameters by themselves; empty where they are sound.
    pub fn problems(&self) -> Vec<String> {
        let mut found = Problems::default();
        if self.identity.len() != 64 || !self.identity.bytes().all(|b| b.is_ascii_hexdigit()) {
            found.add(format!(
                "identity: expected 64 hexadecimal digits, got `{}`",
                self.identity
            ));
        }
        let labelled = matches!(self.kind, ModelKind::Ner | ModelKind::Re);
        match self.labels.len() {
            0 if labelled => found.add(format!("labels: a model of kind {} needs some", self.kind)),
            1.. if !labelled => found.add(format!(
                "labels: expected none for kind {}, got {}",
                self.kind,
                self.labels.len()
            )),
            n if n > MAX_LABELS => {
                found.add(format!("labels: expected at most {MAX_LABELS}, got {n}"))
            }
            _ => {}
        }
        if self.labels.len() <= MAX_LABELS {
            let mut sorted: Vec<&str> = self.labels.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            for twice in sorted.windows(2).filter(|pair| pair[0] == pair[1]) {
                found.add(format!("labels: `{}` stands there twice", twice[0]));
            }
            if sorted.first() == Some(&"") {
                found.add("labels: one is empty".to_owned());
            }
        }
        match (&self.architecture, self.kind) {
            (Architecture::Xlmr(config), ModelKind::Ner | ModelKind::Re | ModelKind::Encoder) => {
                found.xlmr(config, self.kind)
            }
            (Architecture::Clip(config), ModelKind::Clip) => found.clip(config),
            (Architecture::Gate(config), ModelKind::Gate) => found.gate(config),
            (Architecture::Xlmr(_), kind) => found.mismatched(kind, "xlmr"),
            (Architecture::Clip(_), kind) => found.mismatched(kind, "clip"),
            (Architecture::Gate(_), kind) => found.mismatched(kind, "gate"),
        }
        found.0
    }
}

#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    fn mismatched(&mut self, kind: ModelKind, architecture: &str) {
        self.add(format!(
            "architecture: {architecture} does not fit the kind {kind}"
        ));
    }

    fn range(&mut self, name: &str, value: u32, low: u32, high: u32) {
        if !(low..=high).contains(&value) {
            self.add(format!("{name}: expected {low} to {high}, got {value}"));
        }
    }

    fn id(&mut self, name: &str, id: u32, vocabulary: u32) {
        if id >= vocabulary {
            self.add(format!(
                "{name}: expected an id below vocab_size {vocabulary}, got {id}"
            ));
        }
    }

    fn eps(&mut self, name: &str, eps: f64) {
        if !(eps > 0.0 && eps < 1.0) {
            self.add(format!(
                "{name}: expected a number between 0 and 1, got {eps}"
            ));
        }
    }

    fn tower(&mut self, at: &str, hidden: u32, layers: u32, heads: u32, intermediate: u32) {
        self.range(&format!("{at}hidden_size"), hidden, 1, MAX_HIDDEN);
        self.range(&format!("{at}num_hidden_layers"), layers, 1, MAX_LAYERS);
        self.range(
            &format!("{at}intermediate_size"),
            intermediate,
            1,
            MAX_INTERMEDIATE,
        );
        if heads == 0 || !hidden.is_multiple_of(heads) {
            self.add(format!(
                "{at}num_attention_heads: expected a divisor of hidden_size {hidden}, got {heads}"
            ));
        }
    }

    fn xlmr(&mut self, config: &XlmrConfig, kind: ModelKind) {
        self.tower(
            "",
            config.hidden_size,
            config.num_hidden_layers,
            config.num_attention_heads,
            config.intermediate_size,
        );
        self.range("vocab_size", config.vocab_size, 1, MAX_VOCABULARY);
        self.range(
            "max_position_embeddings",
            config.max_position_embeddings,
            1,
            MAX_POSITIONS,
        );
        self.range("type_vocab_size", config.type_vocab_size, 1, 1024);
        self.eps("layer_norm_eps", config.layer_norm_eps);
        for (name, id) in [
            ("pad_token_id", config.pad_token_id),
            ("bos_token_id", config.bos_token_id),
            ("eos_token_id", config.eos_token_id),
            ("unk_token_id", config.unk_token_id),
        ] {
            self.id(name, id, config.vocab_size);
        }
        if config.separator.len() > MAX_SEPARATOR {
            let got = config.separator.len();
            self.add(format!(
                "separator: expected at most {MAX_SEPARATOR} ids, got {got}"
            ));
        }
        for &id in &config.separator {
            self.id("separator", id, config.vocab_size);
        }
        // The last of n ids has position pad_token_id + n, which must be a row of the table.
        let most = i64::from(config.max_position_embeddings) - i64::from(config.pad_token_id) - 1;
        if i64::from(config.max_length) > most || config.max_length < 2 {
            self.add(format!(
                "max_length: expected 2 to {most} (max_position_embeddings - pad_token_id - 1), got {}",
                config.max_length
            ));
        }
        if config.crf && kind != ModelKind::Ner {
            self.add(format!(
                "crf: only a model of kind ner has one, this is {kind}"
            ));
        }
        if config.head_norm && kind == ModelKind::Encoder {
            self.add("head_norm: a model of kind encoder has no head".to_owned());
        }
    }

    fn clip(&mut self, config: &ClipConfig) {
        self.range("projection_dim", config.projection_dim, 1, MAX_HIDDEN);
        let text = &config.text;
        self.tower(
            "text.",
            text.hidden_size,
            text.num_hidden_layers,
            text.num_attention_heads,
            text.intermediate_size,
        );
        self.range("text.vocab_size", text.vocab_size, 1, MAX_VOCABULARY);
        self.range(
            "text.max_position_embeddings",
            text.max_position_embeddings,
            2,
            MAX_POSITIONS,
        );
        self.eps("text.layer_norm_eps", text.layer_norm_eps);
        self.id("text.bos_token_id", text.bos_token_id, text.vocab_size);
        self.id("text.end_of_text_id", text.end_of_text_id, text.vocab_size);
        let vision = &config.vision;
        self.tower(
            "vision.",
            vision.hidden_size,
            vision.num_hidden_layers,
            vision.num_attention_heads,
            vision.intermediate_size,
        );
        self.eps("vision.layer_norm_eps", vision.layer_norm_eps);
        self.range("vision.image_size", vision.image_size, 1, MAX_PICTURE);
        self.range(
            "vision.patch_size",
            vision.patch_size,
            1,
            vision.image_size.max(1),
        );
        let preprocess = &config.preprocess;
        self.range("preprocess.resize", preprocess.resize, 1, MAX_PICTURE);
        if preprocess.crop != vision.image_size {
            self.add(format!(
                "preprocess.crop: expected vision.image_size {}, got {}",
                vision.image_size, preprocess.crop
            ));
        }
        if preprocess.mean.iter().any(|mean| !mean.is_finite()) {
            self.add(format!(
                "preprocess.mean: expected finite numbers, got {:?}",
                preprocess.mean
            ));
        }
        if preprocess
            .std
            .iter()
            .any(|std| !(std.is_finite() && *std > 0.0))
        {
            self.add(format!(
                "preprocess.std: expected positive numbers, got {:?}",
                preprocess.std
            ));
        }
    }

    fn gate(&mut self, config: &GateConfig) {
        self.range("rows", config.rows, 1, MAX_LABELS as u32);
        self.range("text_dim", config.text_dim, 1, MAX_HIDDEN);
        self.range("image_dim", config.image_dim, 1, MAX_HIDDEN);
    }
}

/// Every difference between the tensors that `meta` demands and those in `found`, one a line: missing,
/// extra and misshapen ones. Empty where they agree.
pub fn differences<'a>(
    meta: &Meta,
    found: impl IntoIterator<Item = (&'a str, &'a [u64])>,
) -> Vec<String> {
    let expected = expected_tensors(meta);
    let mut found: BTreeMap<&str, &[u64]> = found.into_iter().collect();
    let mut lines = Vec::new();
    for (name, shape) in &expected {
        match found.remove(name.as_str()) {
            None => lines.push(format!("missing: {name} {shape:?}")),
            Some(got) if got != shape.as_slice() => lines.push(format!(
                "misshapen: {name}: expected {shape:?}, got {got:?}"
            )),
            Some(_) => {}
        }
    }
    lines.extend(
        found
            .iter()
            .map(|(name, shape)| format!("extra: {name} {shape:?}")),
    );
    lines
}

/// Every fault of the tensor table: differences to the architecture, then sizes and places.
pub(super) fn table_problems(meta: &Meta, table: &[TensorInfo], data_len: u64) -> Vec<String> {
    let mut lines = Vec::new();
    let mut names: Vec<&str> = table.iter().map(|tensor| tensor.name.as_str()).collect();
    names.sort_unstable();
    for pair in names.windows(2).filter(|pair| pair[0] == pair[1]) {
        lines.push(format!("twice in the table: {}", pair[0]));
    }
    lines.extend(differences(
        meta,
        table.iter().map(|t| (t.name.as_str(), t.shape.as_slice())),
    ));

    let mut end = 0;
    for tensor in table {
        let name = &tensor.name;
        if always_f32(meta.kind, name, &tensor.shape) && tensor.precision != Precision::F32 {
            lines.push(format!("{name}: expected f32, got {}", tensor.precision));
        }
        if tensor.layouts.is_empty() {
            lines.push(format!("{name}: has no layout"));
        }
        if tensor.layouts.iter().any(|s| s.layout == Layout::Panels) && !has_panels(name) {
            lines.push(format!("{name}: only matrices of layers have panels"));
        }
        let count = element_count(&tensor.shape);
        if count.is_none() {
            lines.push(format!("{name}: shape {:?} overflows", tensor.shape));
            continue;
        }
        for stored in &tensor.layouts {
            let mut extents = vec![(
                "weights",
                stored.weights,
                stored.layout.weight_bytes(tensor.precision, &tensor.shape),
            )];
            let scales = tensor.precision.scale_bytes(&tensor.shape);
            match (stored.scales, scales) {
                (Some(extent), Some(1..)) => extents.push(("scales", extent, scales)),
                (None, Some(0)) => {}
                (Some(_), _) => lines.push(format!("{name}: {} has no scales", tensor.precision)),
                (None, _) => lines.push(format!("{name}: {} needs scales", tensor.precision)),
            }
            for (what, extent, expected) in extents {
                if expected != Some(extent.len) {
                    lines.push(format!(
                        "{name}: {what}: expected {} bytes for {} {:?}, got {}",
                        expected.map_or_else(|| "fewer".to_owned(), |n| n.to_string()),
                        tensor.precision,
                        tensor.shape,
                        extent.len
                    ));
                }
                if let Some(fault) = misplaced(extent, &mut end, data_len) {
                    lines.push(format!("{name}: {what}: {fault}"));
                }
            }
        }
    }
    lines
}

fn misplaced(extent: Extent, end: &mut u64, data_len: u64) -> Option<String> {
    let Extent { offset, len } = extent;
    if !offset.is_multiple_of(TENSOR_ALIGNMENT) {
        return Some(format!(
            "offset {offset} is not a multiple of {TENSOR_ALIGNMENT}"
        ));
    }
    if offset < *end {
        return Some(format!(
            "offset {offset} lies before the end {end} of its predecessor"
        ));
    }
    match offset.checked_add(len) {
        Some(last) if last <= data_len => {
            *end = last;
            None
        }
        _ => Some(format!(
            "{len} bytes at offset {offset} leave the section `data` of {data_len} bytes"
        )),
    }
}

/// The lines of an error: a heading, then one indented line a problem.
pub(crate) fn listed(heading: &str, problems: &[String]) -> String {
    let mut text = heading.to_owned();
    for problem in problems {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n  {problem}");
    }
    text
}
