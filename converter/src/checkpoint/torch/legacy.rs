//! The legacy form: pickles one after the other, then the storages.

use super::super::tensor::{SourceFile, SourceTensor, Storage};
use super::pickle::{self, Pickle};
use super::value::{Arena, Ref, Value};
use crate::{Error, Result};
use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::sync::Arc;

/// The number that begins such a file, as a pickled integer's bytes.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The only version of this form that there has been.
const PROTOCOL: i64 = 1001;

pub(super) fn tensors(file: &Arc<SourceFile>) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    let mut at = 0;
    let mut next = |name: &str| -> Result<Pickle> {
        let pickle = pickle::read(BufReader::new(file.from(at)?))
            .map_err(|error| super::pickle_error(file, name, at, error))?;
        at += pickle.len;
        Ok(pickle)
    };
    let magic = next("of the magic number")?;
    if !matches!(magic.arena.get(magic.root), Value::Long(bytes) if **bytes == MAGIC) {
        let message = format!(
            "it begins with a pickle, but not one of torch.save; {}",
            super::RESAVE
        );
        return Err(Error::input(message).at(&file.path));
    }
    let protocol = next("of the protocol")?;
    match protocol.arena.get(protocol.root) {
        Value::Int(PROTOCOL) => {}
        Value::Int(other) => {
            return Err(
                Error::input(format!("expected protocol {PROTOCOL}, got {other}")).at(&file.path),
            );
        }
        _ => return Err(Error::input("expected a protocol number").at(&file.path)),
    }
    let system = next("of the system")?;
    if let Some(items) = super::items(&system.arena, system.root)
        && let Some(order) = items.get("little_endian")
        && !matches!(system.arena.get(*order), Value::Bool(true))
    {
        let message =
            "the file comes from a big-endian machine; load and save it on a little-endian one";
        return Err(Error::input(message).at(&file.path));
    }
    let pickle = next("of the tensors")?;
    let keys = next("of the storages' keys")?;
    let places = places(file, &pickle, &keys, at)?;
    super::state_dict(file, &pickle, &mut |storage, needed| {
        let Some(place) = places.get(&*storage.key) else {
            let message = format!(
                "the file has no storage `{}`, which a tensor lies in",
                storage.key
            );
            return Err(Error::input(message).at(&file.path));
        };
        if place.len < needed {
            return Err(file.corrupt(
                place.offset,
                format_args!("expected {needed} bytes, got {}", place.len),
            ));
        }
        Ok(place.clone())
    })
}

/// Where each storage is: after the last pickle, in the order of `keys`, each behind its length.
fn places(
    file: &Arc<SourceFile>,
    pickle: &Pickle,
    keys: &Pickle,
    mut at: u64,
) -> Result<HashMap<String, Arc<Storage>>> {
    let sizes = element_sizes(&pickle.arena);
    let Value::List(list) = keys.arena.get(keys.root) else {
        return Err(Error::input("expected a list of the storages' keys").at(&file.path));
    };
    let mut places = HashMap::new();
    for key in list {
        let Some(key) = key_text(&keys.arena, *key) else {
            return Err(Error::input("expected a string for a storage's key").at(&file.path));
        };
        let Some(size) = sizes.get(&key) else {
            return Err(Error::input(format!("no tensor lies in storage `{key}`")).at(&file.path));
        };
        let mut count = [0; 8];
        file.from(at)?.read_exact(&mut count).map_err(|_| {
            file.corrupt(
                at,
                format_args!("expected the length of storage `{key}`: the file was cut short"),
            )
        })?;
        let len = u64::from_le_bytes(count).checked_mul(*size);
        let len = len.ok_or_else(|| file.corrupt(at, "the length of a storage overflows"))?;
        let storage = Storage {
            file: file.clone(),
            offset: at + 8,
            len,
            deflated: None,
        };
        storage.check()?;
        at = storage.offset + len;
        places.insert(key, Arc::new(storage));
    }
    Ok(places)
}

/// Bytes an element, by storage: the length in the file counts elements.
fn element_sizes(arena: &Arena) -> HashMap<String, u64> {
    let storages = arena.values().filter_map(|value| match value {
        Value::Storage(storage) => Some((
            storage.key.to_string(),
            storage.dtype.map_or(1, super::Dtype::bytes),
        )),
        _ => None,
    });
    storages.collect()
}

fn key_text(arena: &Arena, at: Ref) -> Option<String> {
    arena
        .str(at)
        .map(|text| text.to_string())
        .or_else(|| arena.count(at).map(|number| number.to_string()))
}
