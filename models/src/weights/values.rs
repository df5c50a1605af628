//! The values of a tensor, whatever it is stored in.

use std::ops::Range;

use half::f16;
use morelet_mapped::{Bytes, Plain, Slice};

use super::quantize::{q4_integers, read_f16, read_q4_row, read_q8_row};
use super::reader::{Parts, Weights};
use super::table::{Layout, Precision, Q4_BLOCK, rows_and_width};
use crate::error::{Error, Result};
use crate::kernels::{Number, panels};

/// A tensor seen as a matrix.
struct Rows {
    name: String,
    precision: Precision,
    layout: Layout,
    parts: Parts,
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
    /// A tensor's bytes, row-major, for a device that computes with them as they are; `None` where the file has
    /// it only in panels.
    ///
    /// # Errors
    /// Of kind `Model` where there is no such tensor.
    pub(crate) fn stored_matrix(&self, name: &str) -> Result<Option<StoredMatrix>> {
        let rows = self.matrix(name)?;
        Ok((rows.layout == Layout::RowMajor).then_some(StoredMatrix {
            precision: rows.precision,
            rows: rows.rows,
            width: rows.width,
            weights: rows.parts.weights,
            scales: rows.parts.scales,
        }))
    }

    /// All values of a tensor, row-major, dequantized.
    ///
    /// # Errors
    /// Of kind `Model` where there is no such tensor; of kind `File` where a scale is not finite.
    pub fn f32s(&self, name: &str) -> Result<Vec<f32>> {
        let rows = self.matrix(name)?;
        let mut out = Vec::with_capacity(rows.rows.saturating_mul(rows.width));
        rows.read(0..rows.rows, &mut out)?;
        Ok(out)
    }

    /// Rows of a matrix, dequantized, one after the other: `[ids.len(), width]`. This is how embeddings
    /// are read: only the pages that hold these rows are touched.
    ///
    /// # Errors
    /// As [`f32s`](Self::f32s); of kind `Input` where an id is not a row.
    pub fn rows(&self, name: &str, ids: &[u32]) -> Result<Vec<f32>> {
        let rows = self.matrix(name)?;
        let mut out = Vec::with_capacity(ids.len().saturating_mul(rows.width));
        // Neighbours, as positions are, are read at once.
        for run in ids.chunk_by(|&a, &b| a.checked_add(1) == Some(b)) {
            let range = run[0] as usize..run[0] as usize + run.len();
            if range.end > rows.rows {
                let id = run[0].max(rows.rows as u32);
                let message = format!("id {id} is not a row of {name}, which has {}", rows.rows);
                return Err(Error::input(message));
            }
            rows.read(range, &mut out)?;
        }
        Ok(out)
    }

    fn matrix(&self, name: &str) -> Result<Rows> {
        let fail = |message: String| Error::model(self.container().path(), message);
        let missing = || fail(format!("there is no tensor {name}"));
        let info = self.info(name).ok_or_else(missing)?;
        // A row-major layout can be read by rows; another is unpacked whole.
        let mut found = None;
        for layout in [Layout::RowMajor, Layout::Panels] {
            if found.is_none() {
                found = self.parts(name, layout)?.map(|parts| (layout, parts));
            }
        }
        let (layout, parts) = found.ok_or_else(missing)?;
        let (rows, width) = rows_and_width(&info.shape).ok_or_else(missing)?;
        let too_large = |_| fail(format!("{name} does not fit in memory"));
        Ok(Rows {
            name: name.to_owned(),
            precision: info.precision,
            layout,
            parts,
            rows: usize::try_from(rows).map_err(too_large)?,
            width: usize::try_from(width).map_err(too_large)?,
        })
    }
}

impl Rows {
    /// Appends a range of rows, which lies inside the matrix, to `out`.
    fn read(&self, range: Range<usize>, out: &mut Vec<f32>) -> Result<()> {
        match self.precision {
            Precision::F32 => self.floats::<f32>(&range, |floats| out.extend_from_slice(floats))?,
            Precision::F16 => self.floats::<u16>(&range, |bits| read_f16(bits, out))?,
            Precision::Q8 => {
                let scales = self.scales::<f32>(&range, 1, f32::is_finite)?;
                self.integers(&range, |integers| {
                    for (row, &scale) in integers.chunks_exact(self.width.max(1)).zip(&*scales) {
                        read_q8_row(row, scale, out);
                    }
                })?;
            }
            Precision::Q4 => {
                let blocks = self.width.div_ceil(Q4_BLOCK as usize);
                let finite = |bits| f16::from_bits(bits).is_finite();
                let scales = self.scales::<u16>(&range, blocks, finite)?;
                self.integers(&range, |integers| {
                    let rows = integers.chunks_exact(self.width.max(1));
                    for (row, scales) in rows.zip(scales.chunks_exact(blocks.max(1))) {
                        read_q4_row(row, scales, out);
                    }
                })?;
            }
        }
        Ok(())
    }

    /// Hands over the quantized integers of a range of rows, where they lie if they lie so.
    fn integers(&self, range: &Range<usize>, read: impl FnOnce(&[i8])) -> Result<()> {
        let (packed, rows, width) = (&self.parts.weights, self.rows, self.width);
        let all = match (self.layout, self.precision) {
            (Layout::RowMajor, Precision::Q4) => {
                let row_bytes = width.div_ceil(Q4_BLOCK as usize) * Q4_BLOCK as usize / 2;
                let bytes = part(packed, range, row_bytes)?;
                let mut integers = Vec::with_capacity(range.len() * width);
                for row in bytes.chunks_exact(row_bytes.max(1)) {
                    q4_integers(row, width, &mut integers);
                }
                read(&integers);
                return Ok(());
            }
            (Layout::RowMajor, _) => {
                read(&part(packed, range, width)?.typed::<i8>()?);
                return Ok(());
            }
            (Layout::Panels, Precision::Q4) => panels::unpack_q4(packed, rows, width),
            (Layout::Panels, _) => panels::unpack_q8(packed, rows, width),
        };
        read(&all[range.start * width..range.end * width]);
        Ok(())
    }

    /// Hands over a range of rows of floats, or of their bits.
    fn floats<T: Plain + Number>(
        &self,
        range: &Range<usize>,
        read: impl FnOnce(&[T]),
    ) -> Result<()> {
        if self.layout == Layout::RowMajor {
            let bytes = part(&self.parts.weights, range, self.width * size_of::<T>())?;
            read(&bytes.typed::<T>()?);
            return Ok(());
        }
        let packed = self.parts.weights.typed::<T>()?;
        let all = panels::unpack_floats(&packed, self.rows, self.width);
        read(&all[range.start * self.width..range.end * self.width]);
        Ok(())
    }

    /// The scales of a range of rows, so many for each.
    fn scales<T: Plain>(
        &self,
        range: &Range<usize>,
        each: usize,
        is_finite: impl Fn(T) -> bool,
    ) -> Result<Vec<T>> {
        let Some(scales) = &self.parts.scales else {
            return Ok(Vec::new());
        };
        let scales = part(scales, range, each * size_of::<T>())?;
        finite(&scales, &self.name, is_finite)?;
        Ok(scales.typed::<T>()?.to_vec())
    }
}

/// A range of rows of so many bytes.
fn part(bytes: &Bytes, range: &Range<usize>, row: usize) -> Result<Bytes> {
    let (start, end) = (
        range.start as u64 * row as u64,
        range.end as u64 * row as u64,
    );
    Ok(bytes.slice(start..end)?)
}

/// Scales of a tensor as numbers.
///
/// # Errors
/// Of kind `File` where one is not finite.
pub(crate) fn finite<T: Plain>(
    scales: &Bytes,
    name: &str,
    is_finite: impl Fn(T) -> bool,
) -> Result<Slice<T>> {
    let numbers = scales.typed::<T>()?;
    if let Some(at) = numbers.iter().position(|&scale| !is_finite(scale)) {
        let message = format!("{name}: a scale is not a finite number");
        return Err(scales.corrupt((at * size_of::<T>()) as u64, message).into());
    }
    Ok(numbers)
}
