//! Writing a `.weights` file, a tensor at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use morelet_mapped::{Hash, Kind, Suspended, Writer};

use super::check::{differences, listed};
use super::meta::Meta;
use super::quantize::{Difference, f16_bytes, q8_row, read_f16, read_q8_row};
use super::revision;
use super::schema::{always_f32, expected_tensors};
use super::table::{
    Extent, Layout, Precision, Stored, TENSOR_ALIGNMENT, TensorInfo, rows_and_width,
};
use crate::error::{Error, Result};
use crate::tokenizer::Compiled;

/// Writes a `.weights` file: tensors are quantized and streamed as they come, in any order, and only
/// those that the architecture has are accepted.
pub struct WeightsWriter {
    path: PathBuf,
    meta: Meta,
    writer: Writer,
    data: Suspended,
    expected: HashMap<String, Vec<u64>>,
    table: Vec<TensorInfo>,
}

impl std::fmt::Debug for WeightsWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, written) = (self.path.display(), self.table.len());
        write!(f, "WeightsWriter({path}, {written} tensors written)")
    }
}

/// What storing a tensor cost.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct TensorReport {
    /// The type that it was stored in: `f32` for those that always are.
    pub precision: Precision,
    /// Its bytes in the file, scales included.
    pub bytes: u64,
    /// ‖w − v‖ / ‖w‖, where v is what a reader gets.
    pub relative_error: f64,
    /// The cosine between w and v.
    pub cosine: f64,
}

impl WeightsWriter {
    /// Begins a file, in a temporary file beside `path`.
    ///
    /// # Errors
    /// Of kind `Model` where `meta` is not sound.
    pub fn create(path: impl AsRef<Path>, meta: &Meta, tokenizer: Option<&[u8]>) -> Result<Self> {
        Self::begin(path.as_ref(), meta, tokenizer, None)
    }

    /// The same, with the compiled form of the tokenizer beside its `tokenizer.json`, which is then kept for
    /// other tools and not read.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_compiled(
        path: impl AsRef<Path>,
        meta: &Meta,
        tokenizer: &[u8],
        compiled: &Compiled,
    ) -> Result<Self> {
        Self::begin(path.as_ref(), meta, Some(tokenizer), Some(compiled))
    }

    fn begin(
        path: &Path,
        meta: &Meta,
        tokenizer: Option<&[u8]>,
        compiled: Option<&Compiled>,
    ) -> Result<Self> {
        let problems = meta.problems();
        if !problems.is_empty() {
            let heading = "the model's hyper-parameters are not sound:";
            return Err(Error::model(path, listed(heading, &problems)));
        }
        let mut writer = Writer::create(path, Kind::Weights)?;
        let mut section = writer.section("meta", *revision::META.end(), false)?;
        let json = serde_json::to_vec_pretty(meta)
            .map_err(|error| Error::model(path, format!("section meta: {error}")))?;
        section.put(&json)?;
        section.finish()?;
        if let Some(bytes) = tokenizer {
            let bulk = compiled.is_some();
            let mut section = writer.section("tokenizer", *revision::TOKENIZER.end(), bulk)?;
            section.put(bytes)?;
            section.finish()?;
        }
        if let Some(compiled) = compiled {
            let mut section = writer.section("unigram", *revision::UNIGRAM.end(), false)?;
            section.put(&compiled.head()?)?;
            section.finish()?;
            let mut section = writer.section("pieces", *revision::PIECES.end(), true)?;
            section.put(compiled.pieces())?;
            section.finish()?;
        }
        let data = writer
            .section("data", *revision::DATA.end(), true)?
            .suspend();
        Ok(Self {
            path: path.to_owned(),
            meta: meta.clone(),
            writer,
            data,
            expected: expected_tensors(meta).into_iter().collect(),
            table: Vec::new(),
        })
    }

    /// Stores one tensor, given row-major, in `precision`; a tensor that is
    /// [always `f32`](always_f32) is stored so whatever was asked.
    ///
    /// # Errors
    /// Of kind `Model` where the architecture has no such tensor, its shape differs, it has been given
    /// already, or a value is NaN, infinite or too large for `precision`.
    pub fn tensor(
        &mut self,
        name: &str,
        shape: &[u64],
        precision: Precision,
        values: &[f32],
    ) -> Result<TensorReport> {
        let precision = if always_f32(self.meta.kind, name, shape) {
            Precision::F32
        } else {
            precision
        };
        let width = self
            .admit(name, shape, precision, values)
            .map_err(|message| Error::model(&self.path, format!("{name}: {message}")))?;

        let mut section = self.writer.resume(&self.data)?;
        section.align(TENSOR_ALIGNMENT)?;
        let offset = section.position();
        let mut difference = Difference::default();
        let mut scales: Vec<f32> = Vec::new();
        let (mut bytes, mut quantized, mut back) = (Vec::new(), Vec::new(), Vec::new());
        for row in values.chunks(width.max(1)) {
            bytes.clear();
            back.clear();
            match precision {
                Precision::F32 => bytes.extend(row.iter().flat_map(|w| w.to_le_bytes())),
                Precision::F16 => {
                    // `admit` has refused what is too large.
                    bytes.extend(row.iter().filter_map(|&w| f16_bytes(w)).flatten());
                    let bits = bytes
                        .chunks_exact(2)
                        .map(|b| u16::from_le_bytes([b[0], b[1]]));
                    read_f16(bits, &mut back);
                }
                Precision::Q8 | Precision::Q4 => {
                    quantized.clear();
                    let scale = q8_row(row, &mut quantized);
                    scales.push(scale);
                    bytes.extend(quantized.iter().map(|&q| q as u8));
                    read_q8_row(&quantized, scale, &mut back);
                }
            }
            section.put(&bytes)?;
            difference.add(
                row,
                if precision == Precision::F32 {
                    row
                } else {
                    &back
                },
            );
        }
        let weights = Extent {
            offset,
            len: section.position() - offset,
        };
        let scales = if scales.is_empty() {
            None
        } else {
            section.align(TENSOR_ALIGNMENT)?;
            let offset = section.position();
            for scale in &scales {
                section.put(&scale.to_le_bytes())?;
            }
            Some(Extent {
                offset,
                len: section.position() - offset,
            })
        };
        let info = TensorInfo {
            name: name.to_owned(),
            shape: shape.to_vec(),
            precision,
            layouts: vec![Stored {
                layout: Layout::RowMajor,
                weights,
                scales,
            }],
        };
        let bytes = info.bytes();
        self.expected.remove(name);
        self.table.push(info);
        Ok(TensorReport {
            precision,
            bytes,
            relative_error: difference.relative_error(),
            cosine: difference.cosine(),
        })
    }

    /// Checks that no tensor is missing, writes the table, syncs, and renames the file into place.
    ///
    /// # Errors
    /// Of kind `Model` with the list of all that is missing.
    pub fn finish(mut self) -> Result<Hash> {
        let shapes = self
            .table
            .iter()
            .map(|t| (t.name.as_str(), t.shape.as_slice()));
        let missing = differences(&self.meta, shapes);
        if !missing.is_empty() {
            let heading = format!("a model of kind {} is not complete:", self.meta.kind);
            return Err(Error::model(&self.path, listed(&heading, &missing)));
        }
        self.writer.resume(&self.data)?.finish()?;
        let mut section = self
            .writer
            .section("tensors", *revision::TENSORS.end(), false)?;
        section.put(&morelet_mapped::encode(&self.table)?)?;
        section.finish()?;
        Ok(self.writer.finish()?)
    }

    /// Checks a tensor before a byte of it is written, and gives the width of its rows.
    fn admit(
        &self,
        name: &str,
        shape: &[u64],
        precision: Precision,
        values: &[f32],
    ) -> std::result::Result<usize, String> {
        match self.expected.get(name) {
            Some(expected) if expected == shape => {}
            Some(expected) => return Err(format!("expected shape {expected:?}, got {shape:?}")),
            None if self.table.iter().any(|tensor| tensor.name == name) => {
                return Err("has been written already".to_owned());
            }
            None => {
                return Err(format!(
                    "a model of kind {} has no such tensor",
                    self.meta.kind
                ));
            }
        }
        let sides = rows_and_width(shape).and_then(|(rows, width)| {
            let (rows, width) = (usize::try_from(rows).ok()?, usize::try_from(width).ok()?);
            (rows.checked_mul(width)? == values.len()).then_some(width)
        });
        let Some(width) = sides else {
            return Err(format!(
                "expected the values of a {shape:?}, got {}",
                values.len()
            ));
        };
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(format!(
                "value {at} is {}, expected a finite number",
                values[at]
            ));
        }
        if precision == Precision::Q4 {
            return Err("q4 is not written by this version: use f32, f16 or q8".to_owned());
        }
        if precision == Precision::F16
            && let Some(value) = values.iter().find(|&&value| f16_bytes(value).is_none())
        {
            return Err(format!(
                "{value} is larger than f16 can hold (65504): keep this tensor with --keep {name}=f32"
            ));
        }
        Ok(width)
    }
}
