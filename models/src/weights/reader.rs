//! Opening a `.weights` file and reading tensors from its map.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use morelet_mapped::{Bytes, Container, Hash, Kind, OpenOptions};

use super::check::{listed, table_problems};
use super::meta::Meta;
use super::quantize::{read_f16, read_q8_row};
use super::revision;
use super::table::{Extent, Layout, Precision, Stored, TensorInfo, rows_and_width};
use crate::error::{Error, ErrorKind, Result};

/// The longest section `meta`: thousands of labels have room. Parsed, it takes some times its length.
const MAX_META_BYTES: usize = 4 << 20;

/// An open `.weights` file. A clone shares the map.
#[derive(Clone, Debug)]
pub struct Weights(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    container: Container,
    meta: Meta,
    tokenizer: Option<Bytes>,
    tensors: Vec<TensorInfo>,
    places: HashMap<String, usize>,
    data: Bytes,
}

/// A tensor's weights as they lie in the map.
struct Row<'a> {
    tensor: &'a TensorInfo,
    stored: &'a Stored,
    rows: usize,
    width: usize,
}

/// A matrix as it lies in the map, row-major.
#[derive(Debug)]
pub(crate) struct StoredMatrix {
    /// The type of its weights.
    pub(crate) precision: Precision,
    /// The first dimension.
    pub(crate) rows: usize,
    /// All other dimensions together.
    pub(crate) width: usize,
    /// The weights.
    pub(crate) weights: Bytes,
    /// Their scales, for `q8` and `q4`.
    pub(crate) scales: Option<Bytes>,
}

impl Weights {
    /// Maps the file and checks its meta and its tensor table. Weights are not touched.
    ///
    /// # Errors
    /// Of kind `File` where the container is damaged, of kind `Model` where its parts do not fit each
    /// other; the message lists every missing, extra, misshapen and misplaced tensor.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        Self::from_container(Container::open(path, Kind::Weights, options)?)
    }

    /// The same over a container that is open already, which must be of kind `Weights`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_container(container: Container) -> Result<Self> {
        if container.kind() != Kind::Weights {
            let message = format!("expected a file of kind weights, got {}", container.kind());
            return Err(Error::model(container.path(), message));
        }
        let bytes = container.section("meta", revision::META)?;
        if bytes.len() > MAX_META_BYTES {
            let message = format!(
                "the section is {} bytes long: expected at most {MAX_META_BYTES}",
                bytes.len()
            );
            return Err(bytes.corrupt(0, message).into());
        }
        let meta: Meta =
            serde_json::from_slice(&bytes).map_err(|error| bytes.corrupt(0, error.to_string()))?;
        let problems = meta.problems();
        if !problems.is_empty() {
            return Err(Error::model(
                container.path(),
                listed("section meta is not sound:", &problems),
            ));
        }
        let tokenizer = container.optional("tokenizer", revision::TOKENIZER)?;
        let tensors: Vec<TensorInfo> =
            morelet_mapped::decode(&container.section("tensors", revision::TENSORS)?)?;
        let data = container.section("data", revision::DATA)?;
        let problems = table_problems(&meta, &tensors, data.len() as u64);
        if !problems.is_empty() {
            let heading = format!(
                "the tensors do not fit a model of kind {} ({} found):",
                meta.kind,
                tensors.len()
            );
            return Err(Error::model(container.path(), listed(&heading, &problems)));
        }
        let places = tensors
            .iter()
            .enumerate()
            .map(|(at, tensor)| (tensor.name.clone(), at))
            .collect();
        Ok(Self(Arc::new(Inner {
            container,
            meta,
            tokenizer,
            tensors,
            places,
            data,
        })))
    }

    /// The container under the model.
    pub fn container(&self) -> &Container {
        &self.0.container
    }

    /// What the file says about its model.
    pub fn meta(&self) -> &Meta {
        &self.0.meta
    }

    /// The bytes of `tokenizer.json`, where the model has one.
    pub fn tokenizer(&self) -> Option<Bytes> {
        self.0.tokenizer.clone()
    }

    /// The hash of the tokenizer's bytes: where two models have the same, one tokenizer serves both.
    pub fn tokenizer_hash(&self) -> Option<Hash> {
        let sections = self.0.container.sections();
        Some(
            sections
                .iter()
                .find(|section| section.name == "tokenizer")?
                .hash,
        )
    }

    /// Every tensor of the file, in the order of their places.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.0.tensors
    }

    /// What the table says about one tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.0.places.get(name).map(|&at| &self.0.tensors[at])
    }

    /// All values of a tensor, row-major, dequantized.
    ///
    /// # Errors
    /// Of kind `Model` where there is no such tensor; of kind `File` where a scale is not finite.
    pub fn f32s(&self, name: &str) -> Result<Vec<f32>> {
        let row = self.row_major(name)?;
        let mut out = Vec::with_capacity(row.rows.saturating_mul(row.width));
        self.read(&row, 0..row.rows, &mut out)?;
        Ok(out)
    }

    /// Rows of a matrix, dequantized, one after the other: `[ids.len(), width]`. This is how embeddings
    /// are read: only the pages that hold these rows are touched.
    ///
    /// # Errors
    /// As [`f32s`](Self::f32s); of kind `Input` where an id is not a row.
    pub fn rows(&self, name: &str, ids: &[u32]) -> Result<Vec<f32>> {
        let row = self.row_major(name)?;
        let mut out = Vec::with_capacity(ids.len().saturating_mul(row.width));
        for &id in ids {
            let at = id as usize;
            if at >= row.rows {
                let message = format!("id {id} is not a row of {name}, which has {}", row.rows);
                return Err(Error::input(message));
            }
            self.read(&row, at..at + 1, &mut out)?;
        }
        Ok(out)
    }

    /// A tensor on `device` as `f32`, in its logical shape.
    ///
    /// # Errors
    /// As [`f32s`](Self::f32s); of kind `Model` where the tensor has not D dimensions.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        let values = self.f32s(name)?;
        // `f32s` has found it, and its element count fits in memory.
        let shape = self
            .info(name)
            .map(|info| info.shape.as_slice())
            .unwrap_or_default();
        if shape.len() != D {
            let message = format!("{name}: expected {D} dimensions, got {shape:?}");
            return Err(Error::model(self.0.container.path(), message));
        }
        let shape: Vec<usize> = shape.iter().map(|&side| side as usize).collect();
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// A tensor's bytes, row-major, for a device that computes with them as they are.
    ///
    /// # Errors
    /// Of kind `Model` where there is no such tensor; of kind `File` where its place is outside the file.
    pub(crate) fn matrix(&self, name: &str) -> Result<StoredMatrix> {
        let row = self.row_major(name)?;
        let bytes = |extent: Extent| self.part(extent, 0, extent.len);
        Ok(StoredMatrix {
            precision: row.tensor.precision,
            rows: row.rows,
            width: row.width,
            weights: bytes(row.stored.weights)?,
            scales: row.stored.scales.map(bytes).transpose()?,
        })
    }

    fn row_major(&self, name: &str) -> Result<Row<'_>> {
        let missing = || {
            Error::model(
                self.0.container.path(),
                format!("there is no tensor {name}"),
            )
        };
        let tensor = self.info(name).ok_or_else(missing)?;
        let stored = tensor.stored(Layout::RowMajor).ok_or_else(missing)?;
        let (rows, width) = rows_and_width(&tensor.shape).ok_or_else(missing)?;
        let too_large = |_| {
            Error::model(
                self.0.container.path(),
                format!("{name} does not fit in memory"),
            )
        };
        Ok(Row {
            tensor,
            stored,
            rows: usize::try_from(rows).map_err(too_large)?,
            width: usize::try_from(width).map_err(too_large)?,
        })
    }

    /// Appends a range of rows to `out`. The range lies inside the matrix.
    fn read(&self, row: &Row<'_>, range: std::ops::Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        let (from, count) = (range.start as u64, range.len() as u64);
        let width = row.width as u64;
        match row.tensor.precision {
            Precision::F32 => {
                let bytes = self.part(row.stored.weights, from * width * 4, count * width * 4)?;
                out.extend_from_slice(&bytes.typed::<f32>()?);
            }
            Precision::F16 => {
                let bytes = self.part(row.stored.weights, from * width * 2, count * width * 2)?;
                read_f16(bytes.typed::<u16>()?.iter().copied(), out);
            }
            Precision::Q8 => {
                let bytes = self.part(row.stored.weights, from * width, count * width)?;
                let weights = bytes.typed::<i8>()?;
                let extent = row.stored.scales.unwrap_or(Extent { offset: 0, len: 0 });
                let bytes = self.part(extent, from * 4, count * 4)?;
                for (at, &scale) in bytes.typed::<f32>()?.iter().enumerate() {
                    if !scale.is_finite() {
                        let name = &row.tensor.name;
                        let offset = extent.offset + (from + at as u64) * 4;
                        let message =
                            format!("{name}: a scale is {scale}, expected a finite number");
                        return Err(self.0.data.corrupt(offset, message).into());
                    }
                    read_q8_row(&weights[at * row.width..(at + 1) * row.width], scale, out);
                }
            }
            Precision::Q4 => {
                let message = format!(
                    "{}: {} is stored as q4, which this version cannot read: convert it to f32, f16 or q8",
                    self.0.container.path().display(),
                    row.tensor.name
                );
                return Err(Error::new(ErrorKind::Model, message));
            }
        }
        Ok(())
    }

    fn part(&self, extent: Extent, from: u64, len: u64) -> Result<Bytes> {
        let start = extent.offset + from;
        Ok(self.0.data.slice(start..start + len)?)
    }
}
