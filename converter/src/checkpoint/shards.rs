//! Weights spread over several files, with an index that says which tensor is in which.

use super::json;
use super::tensor::{SourceFile, SourceTensor};
use crate::{Error, Result};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// More than any index: a thousand tensors take 100 kB.
const MAX_INDEX: u64 = 64 << 20;

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, Value>,
}

/// Reads one shard.
type Read = fn(&Arc<SourceFile>) -> Result<(Vec<SourceTensor>, Vec<String>)>;

/// Every tensor of the shards that the index at `path` names, which lie beside it.
pub(super) fn tensors(path: &Path, read: Read) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    let index: Index = json::read(path, MAX_INDEX)?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut shards = BTreeSet::new();
    for (tensor, shard) in &index.weight_map {
        let shard = shard.as_str().ok_or_else(|| {
            Error::input(format!(
                "weight_map: tensor `{tensor}`: expected the name of a file, got {shard}"
            ))
            .at(path)
        })?;
        if !is_file_name(shard) {
            let message = format!(
                "weight_map: tensor `{tensor}`: expected the name of a file beside the index, got `{shard}`, which \
                 leads elsewhere"
            );
            return Err(Error::input(message).at(path));
        }
        shards.insert(shard);
    }
    if shards.is_empty() {
        return Err(
            Error::input("weight_map: expected the files of some tensors, got none").at(path),
        );
    }
    let mut found: BTreeMap<String, SourceTensor> = BTreeMap::new();
    let mut others = Vec::new();
    for shard in shards {
        let (tensors, entries) = read(&SourceFile::open(&directory.join(shard))?)?;
        others.extend(entries);
        for tensor in tensors {
            if let Some(first) = found.get(&tensor.name) {
                let message = format!(
                    "tensor `{}` is in {} too",
                    tensor.name,
                    first.path().display()
                );
                return Err(Error::input(message).at(tensor.path()));
            }
            found.insert(tensor.name.clone(), tensor);
        }
    }
    let absent: Vec<_> = index
        .weight_map
        .keys()
        .filter(|name| !found.contains_key(*name))
        .collect();
    if !absent.is_empty() {
        let names = absent
            .iter()
            .map(|name| format!("\n  {name}"))
            .collect::<String>();
        return Err(Error::input(format!(
            "weight_map: tensors that their files do not hold:{names}"
        ))
        .at(path));
    }
    Ok((found.into_values().collect(), others))
}

/// Whether `name` is one plain component on any system: it cannot lead out of the directory.
fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_a_plain_file_name() {
        assert!(is_file_name("model-00001-of-00002.safetensors"));
        for name in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "../x",
            "a/b",
            r"..\x",
            r"C:\x",
            "C:x",
            "a\0b",
        ] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
