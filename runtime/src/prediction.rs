//! What a session answers, and its form in JSON.
//!
//! The JSON keys are those of the fields. A key that does not apply is absent: an answer to a NER bundle
//! has no `relation`, one to a bundle with a single expert has no `gate`.

use crate::query::QueryId;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// A list of named values in a fixed order; a JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<T>(Vec<(String, T)>);

impl<T> Named<T> {
    /// An empty list.
    pub fn new() -> Self {
        Self(Vec::new())
    }

    /// Appends a value. Names are expected to differ.
    pub fn push(&mut self, name: impl Into<String>, value: T) {
        self.0.push((name.into(), value));
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get_mut_or(&mut self, name: &str, value: impl FnOnce() -> T) -> &mut T {
        let i = match self.0.iter().position(|(key, _)| key == name) {
            Some(i) => i,
            None => {
                self.push(name, value());
                self.0.len() - 1
            }
        };
        &mut self.0[i].1
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<(String, T)> for Named<T> {
    fn from_iter<I: IntoIterator<Item = (String, T)>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// A named entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Entity {
    /// Its type, the label without its prefix.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its first word.
    pub start: usize,
    /// The word after its last.
    pub end: usize,
    /// Its words as people write them.
    pub text: String,
    /// The mean over its words of the probability of the word's label, in 0..=1.
    pub score: f64,
    /// Where it lies in the text, if the sentence came as text.
    #[serde(flatten)]
    pub offsets: Option<Offsets>,
}

/// Where an entity lies in the text of its query; ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Offsets {
    /// In characters (Unicode scalar values).
    pub start_char: usize,
    /// In characters.
    pub end_char: usize,
    /// In bytes of UTF-8.
    pub start_byte: usize,
    /// In bytes of UTF-8.
    pub end_byte: usize,
}

/// The relation between subject and object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Relation {
    /// Its label.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its probability, divided by the sum over the labels; 0 where no expert could read the markers.
    pub score: f64,
}

/// A context that an expert read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Context {
    /// The id of the article or picture; none where the caller brought the text.
    pub id: Option<String>,
    /// The score of the retrieval: BM25, or the inner product of CLIP features.
    pub score: Option<f32>,
    /// The text.
    pub text: String,
}

/// What one expert saw and said.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ExpertDetail {
    /// The ids of its input, from `<s>` to `</s>`.
    pub input_ids: Vec<u32>,
    /// The emissions before the CRF, `[n, t]` (NER).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emissions: Option<Vec<Vec<f32>>>,
    /// P(y_i), `[n, t]` (NER).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marginals: Option<Vec<Vec<f64>>>,
    /// The logits before the softmax, `[t]` (RE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logits: Option<Vec<f32>>,
    /// The likeliest label of each word by the marginals (NER).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The likeliest sequence (NER with a CRF).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub viterbi: Option<Vec<String>>,
    /// The likeliest relation (RE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// The contexts in the order in which it read them, whether or not all of them fitted.
    pub contexts: Vec<Context>,
}

/// The probabilities that the answer was read from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Mixture {
    /// Of each word, `[n, t]` (NER).
    Words(Vec<Vec<f64>>),
    /// Of the relation, `[t]` (RE).
    Relation(Vec<f64>),
}

/// The answer to one query.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// The name of the query.
    pub id: QueryId,
    /// The words that a text was split into; none where the caller split it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Vec<String>>,
    /// A label for each word (NER).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The entities (NER).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<Vec<Entity>>,
    /// The relation (RE).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<Relation>,
    /// The weight of each expert at the predicted label (NER: its mean over words), where two were mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<Named<f64>>,
    /// What a reader of the answer should know: `truncated`, an expert that did not run, …
    pub notes: Vec<String>,
    /// Time by module, in µs. Modules overlap where text and picture are worked on at the same time, so that they may
    /// sum to more than `total`. In a batch a shared pass is shared out by the ids of each input, and `total` is the time from start to
    /// answer, in which others are answered too. What the session remembered has no entry; `image_decode` then is reading the file.
    pub timings_us: Named<u64>,
    /// With [`Detail::Full`](crate::Detail::Full): the probabilities before the argmax.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// With `Detail::Full`: the weight of the first expert by label, `[t]`, where two were mixed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_text: Option<Vec<f64>>,
    /// With `Detail::Full`: CLIP's feature of the sentence, L2-normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_text: Option<Vec<f32>>,
    /// With `Detail::Full`: CLIP's feature of the picture, L2-normalized.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_image: Option<Vec<f32>>,
    /// With `Detail::Labels` or `Detail::Full`: each expert that ran, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub experts: Option<Named<ExpertDetail>>,
}

impl Prediction {
    /// The answer as one line of JSON, without the line's end. Floats are written so that they read back
    /// exactly.
    pub fn to_json(&self) -> String {
        // Strings, numbers, lists and maps with string keys: nothing here can fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether a relation's label says that there is none: `None`, `none` or `no_relation`, in any case.
pub fn is_no_relation(label: &str) -> bool {
    ["none", "no_relation"]
        .iter()
        .any(|none| label.eq_ignore_ascii_case(none))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn absent_keys_are_absent_and_floats_read_back() {
        let score = 0.1 + 0.2;
        let feature = 1.0f32 / 3.0;
        let prediction = Prediction {
            id: "q".into(),
            labels: Some(vec!["B-PER".into()]),
            entities: Some(vec![Entity {
                kind: "PER".into(),
                start: 0,
                end: 1,
                text: "Kolo".into(),
                score,
                offsets: Some(Offsets {
                    start_char: 0,
                    end_char: 4,
                    start_byte: 0,
                    end_byte: 4,
                }),
            }]),
            gate: Some(
                [("text".to_owned(), 0.25), ("a".to_owned(), 0.75)]
                    .into_iter()
                    .collect(),
            ),
            clip_text: Some(vec![feature]),
            ..Prediction::default()
        };
        let json = prediction.to_json();
        assert!(
            json.find("\"text\":0.25").unwrap() < json.find("\"a\":0.75").unwrap(),
            "{json}"
        );
        let read: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(read["entities"][0]["type"], "PER");
        assert_eq!(read["entities"][0]["end_byte"], 4);
        assert_eq!(read["entities"][0]["score"].as_f64().unwrap(), score);
        assert_eq!(read["clip_text"][0].as_f64().unwrap() as f32, feature);
        assert_eq!(
            (&read["notes"], &read["timings_us"]),
            (&json!([]), &json!({}))
        );
        for absent in ["relation", "mixture", "experts", "tokens", "gate_text"] {
            assert_eq!(read.get(absent), None, "{absent}");
        }
    }

    #[test]
    fn knows_the_names_of_no_relation() {
        for label in ["None", "none", "NONE", "no_relation", "No_Relation"] {
            assert!(is_no_relation(label), "{label}");
        }
        assert!(!is_no_relation("/per/per/peer") && !is_no_relation("nonexistent"));
    }
}
