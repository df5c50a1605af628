//! Files of `torch.save`: a pickle that describes the tensors, and the storages that they lie in.
//!
//! ```text
//! zip form (PyTorch 1.6 and later)        legacy form (before)
//! NAME/data.pkl     the pickle            pickle: a magic number
//! NAME/byteorder    "little"              pickle: 1001, the protocol
//! NAME/data/0       a storage             pickle: the system's byte order and sizes
//! NAME/data/1       …                     pickle: the tensors
//! NAME/version                            pickle: the keys of the storages, in order
//!                                         for each: its length (8 bytes), its bytes
//! ```
//!
//! The members of the zip are stored as they are, so that a storage is a range of the file; deflated ones,
//! which other tools write, are read too. `NAME` may be anything.

mod archive;
mod legacy;
mod pickle;
mod rebuild;
#[cfg(test)]
mod tests;
mod value;

use super::tensor::{Dtype, SourceFile, SourceTensor, Storage};
use crate::{Error, Result};
use pickle::Pickle;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use value::{Arena, Ref, StorageRef, Value};

/// How to mend a checkpoint that holds more than tensors.
const RESAVE: &str =
    "save the weights alone, by `torch.save(model.state_dict(), PATH)` or as safetensors";

/// The most levels of dicts that are looked through for the weights.
const MAX_NESTING: usize = 4;

/// Every tensor of a file of `torch.save`, and the entries that are none.
pub(super) fn tensors(file: &Arc<SourceFile>) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    let head = file.head(4)?;
    if head.starts_with(b"PK") {
        archive::tensors(file)
    } else if head.first() == Some(&0x80) {
        legacy::tensors(file)
    } else {
        Err(super::foreign::refuse(file, "a file of torch.save"))
    }
}

/// Finds the storage that a pickle names; given how many bytes are needed.
type FindStorage<'a> = dyn FnMut(&StorageRef, u64) -> Result<Arc<Storage>> + 'a;

/// The tensors of the state dict in `pickle`.
fn state_dict(
    file: &Arc<SourceFile>,
    pickle: &Pickle,
    find: &mut FindStorage<'_>,
) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    let mut items = items(&pickle.arena, pickle.root).ok_or_else(|| {
        let what = pickle.arena.get(pickle.root).what();
        Error::input(format!("expected a dict of tensors, got {what}; {RESAVE}")).at(&file.path)
    })?;
    // What training loops save keeps the weights under a name of its own.
    for _ in 0..MAX_NESTING {
        if items
            .values()
            .any(|at| matches!(pickle.arena.get(*at), Value::Tensor(_)))
        {
            break;
        }
        let inner = ["state_dict", "model_state_dict", "model"]
            .iter()
            .find_map(|name| items.get(*name));
        match inner.and_then(|at| self::items(&pickle.arena, *at)) {
            Some(inner) => items = inner,
            None => break,
        }
    }
    let (mut tensors, mut others) = (Vec::new(), Vec::new());
    for (name, at) in items {
        let Value::Tensor(tensor) = pickle.arena.get(at) else {
            others.push(name.to_string());
            continue;
        };
        let overflow = || {
            Error::input(format!("tensor `{name}`: its storage's size overflows")).at(&file.path)
        };
        let needed = tensor.storage.bytes().ok_or_else(overflow)?;
        let storage = find(&tensor.storage, needed)?;
        // A view's offset counts in its own storage's elements, which are the tensor's.
        let offset = tensor
            .storage
            .view_offset
            .checked_add(tensor.offset)
            .ok_or_else(overflow)?;
        let (shape, strides) = (tensor.shape.clone(), tensor.strides.clone());
        tensors.push(SourceTensor::new(
            name.to_string(),
            tensor.dtype,
            shape,
            Some(strides),
            offset,
            storage,
        )?);
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    others.sort();
    Ok((tensors, others))
}

/// The entries of a dict that have a string for a key; a later one replaces an earlier one.
fn items(arena: &Arena, at: Ref) -> Option<HashMap<Rc<str>, Ref>> {
    let Value::Dict(items) = arena.get(at) else {
        return None;
    };
    Some(
        items
            .iter()
            .filter_map(|(key, value)| Some((arena.str(*key)?.clone(), *value)))
            .collect(),
    )
}

fn pickle_error(file: &SourceFile, name: &str, offset: u64, error: pickle::PickleError) -> Error {
    let at = offset.saturating_add(error.offset);
    Error::input(format!("pickle {name}, offset {at}: {}", error.message)).at(&file.path)
}
