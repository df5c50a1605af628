//! The bytes that an index takes, by what they are for.

use std::collections::BTreeMap;
use std::path::Path;

use morelet_benches::Result;

/// The bytes of the files in folder `index`, by extension.
pub fn of_folder(index: &Path) -> Result<BTreeMap<String, u64>> {
    let mut parts = BTreeMap::new();
    for entry in std::fs::read_dir(index)? {
        let entry = entry?;
        let path = entry.path();
        let name = path.extension().or(path.file_name()).unwrap_or_default();
        *parts.entry(name.to_string_lossy().into()).or_insert(0) += entry.metadata()?.len();
    }
    Ok(parts)
}

/// A sum of the `parts` with these names.
pub fn sum(parts: &BTreeMap<String, u64>, names: &[&str]) -> u64 {
    names.iter().filter_map(|name| parts.get(*name)).sum()
}
