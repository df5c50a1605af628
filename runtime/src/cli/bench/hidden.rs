//! Hidden states compared with those of another program.
//!
//! A folder holds pairs of files: `NAME.json`, `{"ids": [...], "shape": [n, d]}`, and `NAME.f32`, the states, little-endian, row
//! by row. `benches/peers/models --hidden-states` writes them with PyTorch.

use crate::{Cancel, Error, Result};
use morelet_models::xlmr::Encoder;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// How near the hidden states of one input are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Nearness {
    pub name: String,
    pub tokens: usize,
    /// The least cosine of a position.
    pub worst_cosine: f64,
    /// The mean of the cosines.
    pub mean_cosine: f64,
    /// ‖ours − theirs‖ / ‖theirs‖ over all positions.
    pub relative_error: f64,
}

#[derive(Deserialize)]
struct Described {
    ids: Vec<u32>,
    shape: [usize; 2],
}

/// Compares every input of a folder.
pub(super) fn compare(folder: &Path, encoder: &Encoder, cancel: &Cancel) -> Result<Vec<Nearness>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|error| Error::io(folder, error))?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    if files.is_empty() {
        return Err(Error::input("there is no NAME.json with ids").at(folder));
    }
    files
        .iter()
        .map(|path| {
            let read = |path: &Path| std::fs::read(path).map_err(|error| Error::io(path, error));
            let described: Described = serde_json::from_slice(&read(path)?).map_err(|error| {
                Error::input(format!("expected `ids` and `shape`: {error}")).at(path)
            })?;
            let states = path.with_extension("f32");
            let theirs = floats(&read(&states)?, described.shape).ok_or_else(|| {
                Error::input(format!("expected f32 of shape {:?}", described.shape)).at(&states)
            })?;
            let ours = encoder.forward(&described.ids, cancel)?.to_vec()?;
            if ours.len() != theirs.len() {
                let (got, expected) = (theirs.len(), ours.len());
                let message = format!("the model gives {expected} numbers, the file has {got}");
                return Err(Error::input(message).at(&states));
            }
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            Ok(nearness(
                name.into_owned(),
                &ours,
                &theirs,
                described.shape[1],
            ))
        })
        .collect()
}

/// `None` where there are not as many as the shape says, or none.
fn floats(bytes: &[u8], [rows, width]: [usize; 2]) -> Option<Vec<f32>> {
    let count = rows.checked_mul(width)?;
    (count > 0 && Some(bytes.len()) == count.checked_mul(4)).then(|| {
        let chunks = bytes.chunks_exact(4);
        chunks
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect()
    })
}

fn nearness(name: String, ours: &[f32], theirs: &[f32], width: usize) -> Nearness {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(&a, &b)| f64::from(a) * f64::from(b))
            .sum()
    };
    let rows = ours.chunks_exact(width).zip(theirs.chunks_exact(width));
    let cosines: Vec<f64> = rows
        .map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt())
        .collect();
    let difference: f64 = ours
        .iter()
        .zip(theirs)
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    Nearness {
        name,
        tokens: cosines.len(),
        worst_cosine: cosines.iter().copied().fold(1.0, |worst, cosine| {
            // A NaN must not look like agreement, wherever it stands.
            if worst.is_nan() || cosine >= worst {
                worst
            } else {
                cosine
            }
        }),
        mean_cosine: cosines.iter().sum::<f64>() / cosines.len().max(1) as f64,
        relative_error: (difference / dot(theirs, theirs)).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_are_of_positions_and_the_worst_is_told() {
        let theirs = [3.0, 4.0, 0.0, 1.0];
        let near = nearness("x".into(), &[3.0, 4.0, 1.0, 1.0], &theirs, 2);
        assert!((near.worst_cosine - 0.5_f64.sqrt()).abs() < 1e-12);
        assert!((near.mean_cosine - (1.0 + 0.5_f64.sqrt()) / 2.0).abs() < 1e-12);
        assert!((near.relative_error - (1.0_f64 / 26.0).sqrt()).abs() < 1e-12);
        let broken = nearness("x".into(), &[f32::NAN, 4.0, 0.0, 1.0], &theirs, 2);
        assert!(broken.worst_cosine.is_nan());
    }

    #[test]
    fn a_file_of_another_size_is_refused() {
        assert_eq!(floats(&1.5_f32.to_le_bytes(), [1, 1]), Some(vec![1.5]));
        assert_eq!(floats(&[0; 8], [1, 1]), None);
        assert_eq!(floats(&[], [0, 4]), None);
        assert_eq!(floats(&[0; 8], [usize::MAX, 2]), None);
    }
}
