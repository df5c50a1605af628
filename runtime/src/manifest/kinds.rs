//! The words that `bundle.json` uses: tasks, contexts, fusions, kinds of parts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a bundle answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Named entities.
    Ner,
    /// The relation between two given entities.
    Re,
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ner => "ner",
            Self::Re => "re",
        })
    }
}

/// Where an expert's context comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContextKind {
    /// Paragraphs retrieved by the sentence.
    Text,
    /// Titles and introductions retrieved by the picture.
    Image,
    /// Nothing: the paper's baseline.
    None,
    /// What the caller brings: captions, OCR, tags.
    Given,
    /// Paragraphs drawn at random (Table 5 of the paper).
    RandomText,
    /// Titles and introductions drawn at random.
    RandomImage,
}

impl ContextKind {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 6] = [
        Self::Text,
        Self::Image,
        Self::None,
        Self::Given,
        Self::RandomText,
        Self::RandomImage,
    ];

    /// The kind as `bundle.json` and `--expert` spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::None => "none",
            Self::Given => "given",
            Self::RandomText => "random-text",
            Self::RandomImage => "random-image",
        }
    }
}

impl fmt::Display for ContextKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for ContextKind {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| {
                let all = Self::ALL.map(Self::as_str).join(", ");
                format!("unknown context `{text}`: expected one of {all}")
            })
    }
}

/// How the answers of the experts become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FusionKind {
    /// Two experts, weighed by the gate.
    Gate,
    /// Two experts, weighed equally.
    Average,
    /// One expert.
    Single,
}

/// How labels are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decode {
    /// The likeliest label of each word.
    #[default]
    Marginals,
    /// The likeliest sequence; for one NER expert with a CRF.
    Viterbi,
}

/// What a part file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// An expert for entities.
    Ner,
    /// An expert for relations.
    Re,
    /// CLIP.
    Clip,
    /// A gate.
    Gate,
    /// XLM-R with no head.
    Encoder,
    /// A text index.
    TextIndex,
    /// An image index.
    ImageIndex,
}

impl PartKind {
    /// The kind as `bundle.json` spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ner => "ner",
            Self::Re => "re",
            Self::Clip => "clip",
            Self::Gate => "gate",
            Self::Encoder => "encoder",
            Self::TextIndex => "text-index",
            Self::ImageIndex => "image-index",
        }
    }
}

impl fmt::Display for PartKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
