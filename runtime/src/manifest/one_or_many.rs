//! A list that is written as its item where it has one: bundles with one text index are written as they always were.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "`text_index`: expected a file name or a list of them"
)]
enum OneOrMany {
    None(()),
    One(String),
    Many(Vec<String>),
}

pub(super) fn serialize<S: Serializer>(files: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match files {
        [file] => file.serialize(serializer),
        files => files.serialize(serializer),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::None(()) => Vec::new(),
        OneOrMany::One(file) => vec![file],
        OneOrMany::Many(files) => files,
    })
}
