//! Writing a `.weights` file, a tensor at a time.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use morelet_mapped::{Hash, Kind, Suspended, Writer};

use super::check::{differences, listed};
use super::meta::Meta;
use super::quantize::f16_bytes;
use super::revision;
use super::schema::{always_f32, expected_tensors, has_panels};
use super::storing::Storing;
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
    target: Target,
    table: Vec<TensorInfo>,
}

impl std::fmt::Debug for WeightsWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, written) = (self.path.display(), self.table.len());
        write!(f, "WeightsWriter({path}, {written} tensors written)")
    }
}

/// Which device the weights are laid out for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Any: row-major. The CPU packs the matrices of the layers into memory when a session starts.
    #[default]
    Any,
    /// The CPU: those matrices in [panels](Layout::Panels), which are read from the map. A GPU unpacks them
    /// when a session starts.
    Cpu,
    /// A GPU: row-major.
    Gpu,
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
            target: Target::Any,
            table: Vec::new(),
        })
    }

    /// Lays out what is stored from now on for one device.
    pub fn target(&mut self, target: Target) {
        self.target = target;
    }

    /// Stores one tensor, given row-major, in `precision`; a tensor that is [always `f32`](always_f32) is
    /// stored so whatever was asked, and only the matrices of layers become `q4`: others become `q8` instead.
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
        let precision = match precision {
            _ if always_f32(self.meta.kind, name, shape) => Precision::F32,
            // Embeddings and heads are few bytes next to what they decide, or are read a row at a time.
            Precision::Q4 if !has_panels(name) => Precision::Q8,
            precision => precision,
        };
        let width = self
            .admit(name, shape, precision, values)
            .map_err(|message| Error::model(&self.path, format!("{name}: {message}")))?;

        let layout = if self.target == Target::Cpu && has_panels(name) {
            Layout::Panels
        } else {
            Layout::RowMajor
        };
        let mut section = self.writer.resume(&self.data)?;
        section.align(TENSOR_ALIGNMENT)?;
        let offset = section.position();
        let mut stored = Storing::new(precision, layout == Layout::Panels);
        for row in values.chunks(width.max(1)) {
            section.put(stored.row(row))?;
        }
        let rows = values.len().checked_div(width).unwrap_or(0);
        section.put(&stored.panels(rows, width))?;
        let weights = Extent {
            offset,
            len: section.position() - offset,
        };
        let scales = if stored.scales.is_empty() {
            None
        } else {
            section.align(TENSOR_ALIGNMENT)?;
            let offset = section.position();
            section.put(&stored.scales)?;
            Some(Extent {
                offset,
                len: section.position() - offset,
            })
        };
        let difference = stored.difference;
        let info = TensorInfo {
            name: name.to_owned(),
            shape: shape.to_vec(),
            precision,
            layouts: vec![Stored {
                layout,
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
