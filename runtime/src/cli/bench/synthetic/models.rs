//! The models. Everything that speaks to [`WeightsWriter`] is in this file.

use super::super::random::normal;
use super::tokenizers::{BPE, TokenizerFile, UNIGRAM};
use crate::Result;
use crate::cli::Console;
use morelet_mapped::Hash;
use morelet_models::weights::{
    Activation, Architecture, ClipConfig, ClipTextConfig, ClipVisionConfig, GateConfig, Meta,
    ModelKind, Pooling, Precision, Preprocess, Resample, Target, WeightsWriter, XlmrConfig,
    expected_tensors,
};
use std::path::Path;

/// The labels of the experts: BIO over four types.
const LABELS: [&str; 9] = [
    "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC",
];

/// The deviation of an initialized transformer.
const DEVIATION: f32 = 0.02;

/// The size of the experts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli::bench) enum Size {
    /// 24 layers of 1024, 560 million weights
    #[value(name = "xlm-r-large")]
    Large,
    /// 12 layers of 768, 278 million weights
    #[value(name = "xlm-r-base")]
    Base,
    /// 2 layers of 64, for trying the command
    #[value(name = "tiny")]
    Tiny,
}

impl Size {
    pub fn name(self) -> &'static str {
        match self {
            Self::Large => "xlm-r-large",
            Self::Base => "xlm-r-base",
            Self::Tiny => "tiny",
        }
    }

    fn xlmr(self) -> XlmrConfig {
        let (hidden, layers, heads) = match self {
            Self::Large => (1024, 24, 16),
            Self::Base => (768, 12, 12),
            Self::Tiny => (64, 2, 4),
        };
        XlmrConfig {
            vocab_size: UNIGRAM as u32,
            hidden_size: hidden,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            intermediate_size: 4 * hidden,
            max_position_embeddings: 514,
            type_vocab_size: 1,
            layer_norm_eps: 1e-5,
            hidden_act: Activation::Gelu,
            pad_token_id: 1,
            bos_token_id: 0,
            eos_token_id: 2,
            unk_token_id: 3,
            max_length: super::FULL as u32,
            pooling: Pooling::First,
            separator: vec![2],
            crf: true,
            head_norm: false,
        }
    }

    /// CLIP ViT-B/32; beside tiny experts a tiny one.
    fn clip(self) -> ClipConfig {
        let tiny = self == Self::Tiny;
        let side = |text: bool| match (tiny, text) {
            (false, true) => (512, 12, 8),
            (false, false) => (768, 12, 12),
            (true, _) => (64, 2, 4),
        };
        let ((text, text_layers, text_heads), (vision, layers, heads)) = (side(true), side(false));
        ClipConfig {
            projection_dim: if tiny { 32 } else { 512 },
            text: ClipTextConfig {
                vocab_size: BPE as u32,
                hidden_size: text,
                num_hidden_layers: text_layers,
                num_attention_heads: text_heads,
                intermediate_size: 4 * text,
                max_position_embeddings: 77,
                layer_norm_eps: 1e-5,
                hidden_act: Activation::QuickGelu,
                bos_token_id: BPE as u32 - 2,
                end_of_text_id: BPE as u32 - 1,
                eos_token_id: BPE as u32 - 1,
            },
            vision: ClipVisionConfig {
                hidden_size: vision,
                num_hidden_layers: layers,
                num_attention_heads: heads,
                intermediate_size: 4 * vision,
                image_size: 224,
                patch_size: 32,
                layer_norm_eps: 1e-5,
                hidden_act: Activation::QuickGelu,
            },
            preprocess: Preprocess {
                resize: 224,
                crop: 224,
                resample: Resample::Bicubic,
                mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
                std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            },
        }
    }
}

/// A model to make.
pub(super) struct Model {
    meta: Meta,
    seed: u64,
}

impl Model {
    /// An expert for entities with a CRF; `which` tells experts apart.
    pub fn expert(size: Size, precision: Precision, seed: u64, which: &str) -> Self {
        let labels = LABELS.map(str::to_owned).to_vec();
        let architecture = Architecture::Xlmr(size.xlmr());
        let name = format!("{} {which}", size.name());
        Self::new(ModelKind::Ner, &name, precision, architecture, labels, seed)
    }

    pub fn clip(size: Size, precision: Precision, seed: u64) -> Self {
        let architecture = Architecture::Clip(size.clip());
        let name = format!("clip of {}", size.name());
        Self::new(
            ModelKind::Clip,
            &name,
            precision,
            architecture,
            Vec::new(),
            seed,
        )
    }

    /// A gate with a row for each label.
    pub fn gate(size: Size, seed: u64) -> Self {
        let dim = size.clip().projection_dim;
        let architecture = Architecture::Gate(GateConfig {
            rows: LABELS.len() as u32,
            text_dim: dim,
            image_dim: dim,
        });
        Self::new(
            ModelKind::Gate,
            "gate",
            Precision::F32,
            architecture,
            Vec::new(),
            seed,
        )
    }

    fn new(
        kind: ModelKind,
        name: &str,
        precision: Precision,
        architecture: Architecture,
        labels: Vec<String>,
        seed: u64,
    ) -> Self {
        // A hash has 64 digits, as an identity has.
        let hash = Hash::of(format!("morelet bench --synthetic: {name}, seed {seed}").as_bytes());
        let identity = hash.to_string();
        // Its first 16 digits are 64 bits.
        let seed = u64::from_str_radix(identity.get(..16).unwrap_or("0"), 16).unwrap_or(seed);
        let meta = Meta {
            kind,
            producer: concat!("morelet bench ", env!("CARGO_PKG_VERSION")).to_owned(),
            identity,
            licence: None,
            attribution: None,
            quantization: precision.to_string(),
            architecture,
            labels,
        };
        Self { meta, seed }
    }

    pub fn identity(&self) -> &str {
        &self.meta.identity
    }

    pub fn labels(&self) -> &[String] {
        &self.meta.labels
    }

    /// The width of CLIP's features.
    pub fn feature_width(&self) -> usize {
        self.meta
            .clip()
            .map_or(0, |clip| clip.projection_dim as usize)
    }

    /// Bytes of the tensors without scales.
    pub fn bytes(&self, precision: Precision) -> u64 {
        let tensors = expected_tensors(&self.meta);
        let bytes = |(_, shape): &(String, Vec<u64>)| precision.weight_bytes(shape).unwrap_or(0);
        tensors.iter().map(bytes).sum()
    }

    /// Draws and writes every tensor.
    pub fn write(
        &self,
        path: &Path,
        precision: Precision,
        target: Target,
        tokenizer: Option<&TokenizerFile>,
        console: &Console,
    ) -> Result<()> {
        let tensors = expected_tensors(&self.meta);
        let mut writer = match tokenizer {
            Some(TokenizerFile {
                json,
                compiled: Some(compiled),
            }) => WeightsWriter::create_compiled(path, &self.meta, json, compiled),
            Some(TokenizerFile { json, .. }) => WeightsWriter::create(path, &self.meta, Some(json)),
            None => WeightsWriter::create(path, &self.meta, None),
        }?;
        writer.target(target);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let bar = console.count_bar(format!("making {name}"), Some(tensors.len() as u64));
        for (number, (name, shape)) in tensors.iter().enumerate() {
            console.check()?;
            let count = shape.iter().product::<u64>() as usize;
            let seed = self.seed.wrapping_add((number as u64) << 32);
            writer.tensor(name, shape, precision, &draw(name, count, seed))?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        writer.finish()?;
        Ok(())
    }
}

/// A tensor of an initialized transformer.
fn draw(name: &str, count: usize, seed: u64) -> Vec<f32> {
    let norm = name.split('.').any(|part| part.starts_with("norm"));
    match (norm, name.ends_with("bias")) {
        (_, true) => vec![0.0; count],
        (true, false) => vec![1.0; count],
        (false, false) => normal(seed, count, DEVIATION),
    }
}
