//! `--features`: what somebody else's CLIP said, a row for each line of the list.

use super::entries::Entries;
use super::tally::Tally;
use crate::checkpoint::{Checkpoint, SourceTensor, npy};
use crate::records::{ImageRecord, Records};
use crate::shard::Shard;
use crate::{Console, Error, Result};
use morelet_indices::feature_fault;
use std::path::{Path, PathBuf};

/// An array of features, `[pictures, dim]`, read in a stream as often as it is asked for.
pub(super) struct Features {
    tensor: SourceTensor,
    path: PathBuf,
    dim: usize,
}

impl Features {
    /// The array of a `.npy` file; or the tensor of a safetensors file, the only one or that called `features`.
    ///
    /// # Errors
    /// Where the file is damaged, or holds anything but rows of `dim` numbers.
    pub fn open(path: &Path, dim: usize) -> Result<Self> {
        if path.extension().is_some_and(|extension| extension == "npz") {
            return Err(Error::input(
                "an archive of arrays: expected one array; take it out with unzip and give the .npy file",
            )
            .at(path));
        }
        let file = npy::open(path)?;
        let tensor = match npy::is_npy(&file)? {
            true => npy::array(&file)?,
            false => tensor(path)?,
        };
        if tensor.shape.len() != 2 || tensor.shape[1] != dim as u64 {
            return Err(Error::input(format!(
                "`{}`: expected the shape [pictures, {dim}], as this CLIP's features have, got {:?}",
                tensor.name, tensor.shape
            ))
            .at(path));
        }
        Ok(Self {
            tensor,
            path: path.to_owned(),
            dim,
        })
    }

    /// The number of rows.
    pub fn len(&self) -> u64 {
        self.tensor.shape[0]
    }

    /// Hands over each row with its number.
    pub fn rows(&self, take: &mut dyn FnMut(u64, &[f32]) -> Result<()>) -> Result<()> {
        let mut number = 0;
        let mut row = Vec::with_capacity(self.dim);
        self.tensor.values(&mut |mut values: &[f32]| {
            while !values.is_empty() {
                let (now, later) = values.split_at(values.len().min(self.dim - row.len()));
                row.extend_from_slice(now);
                values = later;
                if row.len() == self.dim {
                    take(number, &row)?;
                    number += 1;
                    row.clear();
                }
            }
            Ok(())
        })
    }

    /// Goes through rows and lines side by side, and takes the lines of the shard whose features can be compared. Gives
    /// the number of lines.
    pub fn check(
        &self,
        mut list: Records<ImageRecord>,
        shard: Shard,
        entries: &mut Entries,
        tally: &mut Tally<'_>,
        console: &Console,
    ) -> Result<u64> {
        let name = self.path.display();
        let too_many = |lines: u64| {
            let message = format!(
                "holds {} rows, but the list of pictures {lines} lines",
                self.len()
            );
            Error::input(message).at(&self.path)
        };
        self.rows(&mut |number, row| {
            console.check()?;
            if !shard.has(number) {
                return match list.pass()? {
                    true => Ok(()),
                    false => Err(too_many(number)),
                };
            }
            let record = list.next_record()?.ok_or_else(|| too_many(number))?;
            tally.count();
            match feature_fault(row) {
                None => entries.push(number, record),
                Some(message) => {
                    tally.tell(&list.place(), &format!("row {number} of {name}: {message}"));
                    Ok(())
                }
            }
        })?;
        match list.pass()? {
            false => Ok(self.len()),
            true => Err(list.error(format!(
                "a picture without a feature: {name} holds only {} rows",
                self.len()
            ))),
        }
    }
}

fn tensor(path: &Path) -> Result<SourceTensor> {
    let checkpoint = Checkpoint::open(path)?;
    let tensor = match checkpoint.tensors() {
        [only] => Some(only),
        several => several.iter().find(|tensor| tensor.name == "features"),
    };
    tensor.cloned().ok_or_else(|| {
        let tensors = checkpoint.tensors().iter();
        let names: Vec<&str> = tensors.map(|tensor| tensor.name.as_str()).collect();
        Error::input(format!(
            "expected one tensor, or one called `features`; got {}",
            names.join(", ")
        ))
        .at(path)
    })
}
