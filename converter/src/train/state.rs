//! What a training writes down so that it can go on after a kill.
//!
//! One safetensors file, replaced whole: the parameters (`now.`), the best so far (`best.`), the optimizer's moments
//! (`first.`, `second.`), and in its metadata where the run is.

use super::tensors::Tensors;
use crate::checkpoint::Checkpoint;
use crate::{Error, Result};
use morelet_models::train::{Moments, Optimizer, Parameters};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Where a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Steps taken.
    pub(crate) step: usize,
    /// Batches of the current epoch, and the sum of their losses.
    pub(crate) batches: usize,
    pub(crate) loss: f64,
    /// The best score so far, and its epoch, from 1; 0 where there is none.
    pub(crate) best: f64,
    pub(crate) best_epoch: usize,
    /// A line for each epoch that is over.
    pub(crate) metrics: Vec<Value>,
}

/// The parameters of one moment, by name.
pub(crate) type Values = HashMap<String, Vec<f32>>;

/// The values of all parameters.
pub(crate) fn values(parameters: &Parameters) -> Result<Values> {
    let names = parameters.shapes().map(|(name, _)| name);
    names
        .map(|name| Ok((name.to_owned(), parameters.values(name)?)))
        .collect()
}

/// Writes everything down.
pub(crate) fn save(
    path: &Path,
    fingerprint: &str,
    position: &Position,
    parameters: &Parameters,
    optimizer: &Optimizer,
    best: &Values,
) -> Result<()> {
    let mut tensors = Tensors::default();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for (name, shape) in parameters.shapes() {
        tensors.add(format!("now.{name}"), shape, &parameters.values(name)?);
        if let Some(best) = best.get(name) {
            tensors.add(format!("best.{name}"), shape, best);
        }
        if let Some(moments) = optimizer.moments(name)? {
            tensors.add(format!("first.{name}"), shape, &moments.first);
            tensors.add(format!("second.{name}"), shape, &moments.second);
            times.insert(name, moments.time);
        }
    }
    let json = |value: serde_json::Result<String>| {
        value.map_err(|error| Error::input(error.to_string()).at(path))
    };
    let metadata = [
        ("fingerprint", fingerprint.to_owned()),
        ("position", json(serde_json::to_string(position))?),
        ("times", json(serde_json::to_string(&times))?),
    ];
    let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
    tensors.write(path, metadata.into_iter().collect())
}

/// Reads a state that was written for the same training; `None` where there is none. Returns where the run is, and the best
/// values so far.
///
/// # Errors
/// Of kind `Input` where the state is of another training, or damaged.
pub(crate) fn load(
    path: &Path,
    fingerprint: &str,
    parameters: &mut Parameters,
    optimizer: &mut Optimizer,
) -> Result<Option<(Position, Values)>> {
    if !path.exists() {
        return Ok(None);
    }
    let mend = "it cannot be gone on with: remove it, or give --restart";
    let bad = |message: String| Error::input(message).at(path).noting(mend);
    let metadata = metadata(path).map_err(|error| error.noting(mend))?;
    if metadata.get("fingerprint").map(String::as_str) != Some(fingerprint) {
        let message = "this is the state of a training with other options, data or weights";
        return Err(bad(message.to_owned()));
    }
    let field = |key: &str| metadata.get(key).map_or("", String::as_str);
    let position: Position =
        serde_json::from_str(field("position")).map_err(|error| bad(error.to_string()))?;
    let times: HashMap<String, usize> =
        serde_json::from_str(field("times")).map_err(|error| bad(error.to_string()))?;
    let checkpoint = Checkpoint::open(path).map_err(|error| error.noting(mend))?;
    let tensors = checkpoint.by_name();
    let read = |name: &str| -> Result<Option<Vec<f32>>> {
        let Some(tensor) = tensors.get(name) else {
            return Ok(None);
        };
        let mut values = Vec::new();
        tensor.values(&mut |chunk| {
            values.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(Some(values))
    };
    let names: Vec<String> = parameters
        .shapes()
        .map(|(name, _)| name.to_owned())
        .collect();
    let mut best = Values::new();
    for name in &names {
        let missing = || bad(format!("there is no tensor now.{name}"));
        parameters.set(name, read(&format!("now.{name}"))?.ok_or_else(missing)?)?;
        if let Some(values) = read(&format!("best.{name}"))? {
            best.insert(name.clone(), values);
        }
        let moments = [format!("first.{name}"), format!("second.{name}")];
        if let ([Some(first), Some(second)], Some(&time)) =
            ([read(&moments[0])?, read(&moments[1])?], times.get(name))
        {
            let moments = Moments {
                time,
                first,
                second,
            };
            optimizer.remember(parameters, name, moments)?;
        }
    }
    Ok(Some((position, best)))
}

/// The metadata of a safetensors file.
pub(super) fn metadata(path: &Path) -> Result<HashMap<String, String>> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes)
        .map_err(|error| Error::input(error.to_string()).at(path))?;
    Ok(header.metadata().clone().unwrap_or_default())
}
