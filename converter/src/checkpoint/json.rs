//! JSON as Python wrote it, with errors that say what to do.

use crate::{Error, Result};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// Reads a JSON file of at most `limit` bytes.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<T> {
    parse(&read_bytes(path, limit)?, path).map_err(|error| error.at(path))
}

/// The bytes of a file of at most `limit` bytes, without the mark that Windows' editors put in front.
pub(crate) fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    let mut bytes = Vec::new();
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::input(format!("expected at most {limit} bytes, got more")).at(path));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

/// Parses JSON; the error says where, and knows the literals that only Python writes. It names no file.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], path: &Path) -> Result<T> {
    if bytes.starts_with(b"version https://git-lfs") {
        let message = "a Git-LFS pointer, not the file itself: fetch it by `git lfs pull`";
        return Err(Error::input(message).at(path));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let literal = literal_at(bytes, error.line(), error.column());
        let hint = literal.map_or(String::new(), |literal| {
            format!(": `{literal}` is Python's, JSON has no such number; write one or `null`")
        });
        let what = if error.is_data() {
            "not as expected"
        } else {
            "not JSON"
        };
        Error::input(format!("{what}: {error}{hint}"))
    })
}

/// The literal of Python, not of JSON, on which a parser stopped.
fn literal_at(bytes: &[u8], line: usize, column: usize) -> Option<&'static str> {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .nth(line.checked_sub(1)?)?;
    // The parser stops at or just after the first letter that cannot be.
    let at = line.get(column.saturating_sub(3)..)?;
    ["NaN", "-Infinity", "Infinity"]
        .into_iter()
        .find(|literal| {
            let len = (literal.len() + 3).min(at.len());
            at[..len]
                .windows(literal.len())
                .any(|window| window == literal.as_bytes())
        })
}

/// The entries of an object in their order, refusing a key that appears twice.
pub(super) struct Entries(pub(super) Vec<(String, Value)>);

impl<'de> serde::Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Entries;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Entries, M::Error> {
                let mut seen = std::collections::HashSet::new();
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, Value>()? {
                    if !seen.insert(key.clone()) {
                        return Err(serde::de::Error::custom(format_args!(
                            "`{key}` appears twice"
                        )));
                    }
                    entries.push((key, value));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}
