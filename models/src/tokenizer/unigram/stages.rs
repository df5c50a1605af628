//! The stages around the model, read from a `tokenizer.json`: those that we have, and a refusal of all others.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use tokenizers::{NormalizedString, Normalizer};

use super::added::{Added, AddedToken};
use super::charsmap::{Charsmap, longest};
use super::compile::Section;
use super::double_array::double_array;
use super::normalizer::Step;
use super::{Metaspace, Prepend};
use crate::tokenizer::{Kind, Tokenizer};

/// The result of reading a stage: the refusal says what of it is not supported.
type Read<T> = std::result::Result<T, String>;

/// The texts of added tokens, and what each becomes.
type List = (BTreeMap<Vec<u8>, u32>, Vec<AddedToken>);

/// The regular expressions that are supported: whether they match any white space or only spaces, and the
/// shortest run.
const RUNS: [(&str, bool, u32); 7] = [
    (" {2,}", false, 2),
    ("  +", false, 2),
    (" +", false, 1),
    (r"\s{2,}", true, 2),
    (r"\s\s+", true, 2),
    (r"\s+", true, 1),
    (" ", false, 1),
];

/// The parts of a `tokenizer.json` that `tokenizers` does not give back.
#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    added_tokens: Vec<FileToken>,
    model: FileModel,
}

#[derive(Deserialize, PartialEq, Eq, Hash)]
struct FileToken {
    content: String,
    single_word: bool,
    lstrip: bool,
    rstrip: bool,
    normalized: bool,
    special: bool,
}

#[derive(Deserialize)]
struct FileModel {
    unk_id: Option<u32>,
}

impl File {
    pub(super) fn parse(json: &[u8]) -> Read<Self> {
        serde_json::from_slice(json).map_err(|error| error.to_string())
    }

    pub(super) fn unk(&self) -> Read<u32> {
        let unk = self.model.unk_id;
        unk.ok_or_else(|| "the model has no unknown piece (`unk_id`)".to_owned())
    }

    /// The added tokens that are found in a text as it came, and those found in the normalized one.
    ///
    /// `tokenizers` looks for special ones first, each content once, then for the others; the id is the one of
    /// the content, and how it is matched says the last token of that id.
    pub(super) fn added(&self, reference: &Tokenizer, section: &mut Section) -> Read<[Added; 2]> {
        let library = library(reference)?;
        let known = library.get_added_tokens_decoder();
        let filled = || self.added_tokens.iter().filter(|t| !t.content.is_empty());
        let mut contents = HashSet::new();
        let special = filled().filter(|t| t.special);
        let special: Vec<_> = special.filter(|t| contents.insert(&t.content)).collect();
        let others = filled().filter(|t| !contents.contains(&t.content));
        let mut lists: [List; 2] = Default::default();
        for token in special.into_iter().chain(others) {
            let content = &token.content;
            let id = library
                .token_to_id(content)
                .ok_or_else(|| format!("the added token `{content}` has no id"))?;
            let matched = known
                .get(&id)
                .ok_or_else(|| format!("the added token `{content}` is not known"))?;
            if matched.single_word {
                return Err(format!("the added token `{content}` is of a single word"));
            }
            let text = if token.normalized {
                let mut text = NormalizedString::from(content.as_str());
                if let Some(normalizer) = library.get_normalizer() {
                    let normalized = normalizer.normalize(&mut text);
                    normalized.map_err(|error| format!("`{content}`: {error}"))?;
                }
                text.get().to_owned()
            } else {
                content.clone()
            };
            let (texts, tokens) = &mut lists[usize::from(token.normalized)];
            // Of two equal texts the first counts.
            texts.entry(text.into_bytes()).or_insert_with(|| {
                tokens.push(AddedToken {
                    id,
                    lstrip: matched.lstrip,
                    rstrip: matched.rstrip,
                });
                tokens.len() as u32 - 1
            });
        }
        let mut added: [Added; 2] = Default::default();
        for ((texts, tokens), added) in lists.into_iter().zip(&mut added) {
            if tokens.is_empty() {
                continue;
            }
            let keys = texts.iter().map(|(text, at)| (text.as_slice(), *at));
            let units = double_array(&keys.collect())
                .map_err(|error| format!("the added tokens: {error}"))?;
            added.longest = texts.keys().map(Vec::len).max().unwrap_or(0) as u32;
            added.trie = section.put_units(&units);
            added.tokens = tokens;
        }
        Ok(added)
    }
}

/// The steps of the normalizer.
pub(super) fn steps(reference: &Tokenizer, section: &mut Section) -> Read<Vec<Step>> {
    let normalizer = serde_json::to_value(library(reference)?.get_normalizer());
    let mut steps = Vec::new();
    put_steps(
        &normalizer.map_err(|error| error.to_string())?,
        &mut steps,
        section,
    )?;
    Ok(steps)
}

fn put_steps(value: &Value, steps: &mut Vec<Step>, section: &mut Section) -> Read<()> {
    let text = |key: &str| value[key].as_str().unwrap_or_default();
    match text("type") {
        "" if value.is_null() => {}
        "Sequence" => {
            for step in value["normalizers"].as_array().into_iter().flatten() {
                put_steps(step, steps, section)?;
            }
        }
        "Precompiled" => {
            let bytes = base64(text("precompiled_charsmap"))
                .ok_or("the map of characters is not base64")?;
            steps.push(charsmap(&bytes, section)?);
        }
        "Strip" => {
            let side = |key: &str| value[key].as_bool() == Some(true);
            steps.push(Step::Strip {
                left: side("strip_left"),
                right: side("strip_right"),
            });
        }
        "Replace" => {
            let put = text("content").to_owned();
            let pattern = &value["pattern"];
            let step = if let Some(find) = pattern["String"].as_str().filter(|t| !t.is_empty()) {
                let find = find.to_owned();
                Step::Literal { find, put }
            } else {
                let regex = pattern["Regex"].as_str();
                let run = RUNS.iter().find(|(text, ..)| Some(*text) == regex);
                let (_, any, least) = *run.ok_or_else(|| {
                    format!("the normalizer Replace of {pattern} is not supported")
                })?;
                Step::Run { any, least, put }
            };
            steps.push(step);
        }
        other => return Err(format!("the normalizer {other} is not supported")),
    }
    Ok(())
}

/// A map of characters: the length of its trie in bytes, the trie, the replacements.
fn charsmap(bytes: &[u8], section: &mut Section) -> Read<Step> {
    let short = || "the map of characters is cut short".to_owned();
    let (len, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    // As `tokenizers` reads it: whole units.
    let len = u32::from_le_bytes(*len) as usize / 4 * 4;
    let (units, text) = rest.split_at_checked(len).ok_or_else(short)?;
    let mut map = Charsmap {
        units: units.as_chunks().0,
        units_at: 0,
        text,
        text_at: 0,
        longest: longest(text),
        plain: [0; 2],
    };
    map.plain = map
        .plain_ascii()
        .map_err(|damage| damage.message.to_owned())?;
    let (longest, plain) = (map.longest as u32, map.plain);
    Ok(Step::Charsmap {
        units: section.put(units),
        text: section.put(text),
        longest,
        plain,
    })
}

/// How words are split: whether at white space, and by which marks.
pub(super) fn words(reference: &Tokenizer) -> Read<(bool, Option<Metaspace>)> {
    let value = serde_json::to_value(library(reference)?.get_pre_tokenizer());
    let value = value.map_err(|error| error.to_string())?;
    let mut stages = Vec::new();
    flatten(&value, &mut stages);
    let white = |stage: &Value| stage["type"] == "WhitespaceSplit";
    match stages[..] {
        [] => Ok((false, None)),
        [stage] if white(stage) => Ok((true, None)),
        [stage] => Ok((false, Some(metaspace(stage)?))),
        [first, second] if white(first) => Ok((true, Some(metaspace(second)?))),
        _ => {
            let names = stages.iter().map(|stage| stage["type"].to_string());
            let names = names.collect::<Vec<_>>().join(", ");
            Err(format!(
                "the pre-tokenizers {names} are not supported together"
            ))
        }
    }
}

fn flatten<'a>(value: &'a Value, stages: &mut Vec<&'a Value>) {
    if value["type"] == "Sequence" {
        let inner = value["pretokenizers"].as_array();
        inner
            .into_iter()
            .flatten()
            .for_each(|stage| flatten(stage, stages));
    } else if !value.is_null() {
        stages.push(value);
    }
}

fn metaspace(value: &Value) -> Read<Metaspace> {
    let unsupported = || format!("the pre-tokenizer {} is not supported", value["type"]);
    if value["type"] != "Metaspace" {
        return Err(unsupported());
    }
    let mut mark = value["replacement"].as_str().unwrap_or_default().chars();
    let (Some(mark), None) = (mark.next(), mark.next()) else {
        return Err(unsupported());
    };
    let prepend = match value["prepend_scheme"].as_str() {
        Some("always") => Prepend::Always,
        Some("first") => Prepend::First,
        Some("never") => Prepend::Never,
        _ => return Err(unsupported()),
    };
    let split = value["split"].as_bool().ok_or_else(unsupported)?;
    Ok(Metaspace {
        mark,
        prepend,
        split,
    })
}

fn library(reference: &Tokenizer) -> Read<&tokenizers::Tokenizer> {
    match &reference.0 {
        Kind::Library(library) => Ok(library),
        Kind::Unigram(_) => Err("the tokenizer is compiled already".to_owned()),
    }
}

/// The bytes of a base64 text (RFC 4648, with `=` at its end).
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}
