//! A tensor of a checkpoint: where its elements lie, and how they become `f32`.
//!
//! Both families of files end here. A safetensors file gives contiguous ranges; a file of PyTorch gives
//! storages, which several tensors may share, and for each tensor an offset and a stride per dimension.
//! Nothing is read before somebody asks for a tensor's values, and then a piece at a time.

use crate::{Error, Result};
use flate2::read::DeflateDecoder;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Elements handed over at once: 4 MiB of `f32`.
const CHUNK: usize = 1 << 20;

/// The most elements of one tensor: the features of 11 million pictures (× 768), which are read in a stream. The
/// largest weight, the embedding table of XLM-R-XXL (250,002 × 4096), has an eighth of that.
const MAX_ELEMENTS: u64 = 1 << 33;

/// The most elements of a tensor that repeats those of its storage (an expanded view), so that a small
/// file cannot ask for a large allocation.
const MAX_EXPANDED: u64 = 1 << 24;

/// The most dimensions of a tensor. PyTorch's own limit is 64; weights have at most 4.
pub(crate) const MAX_DIMENSIONS: usize = 16;

/// Deflate cannot do better than 1032 : 1, so an entry that claims more is a lie or a bomb.
const MAX_INFLATION: u64 = 1040;

/// The type of a tensor's elements. Only the first four can be weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    F64,
    F32,
    F16,
    Bf16,
    /// A type that no weight of ours may have, with its name and size in bytes.
    Other(&'static str, u64),
}

impl Dtype {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Other(_, bytes) => bytes,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::F64 => "f64",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Other(name, _) => name,
        }
    }

    /// Appends the `f32` nearest to each little-endian element of `bytes`.
    fn decode(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Self::F64 => out.extend(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|b| f64::from_le_bytes(*b) as f32),
            ),
            Self::F32 => out.extend(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b))),
            Self::F16 => {
                out.extend(
                    bytes
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| half::f16::from_le_bytes(*b).to_f32()),
                );
            }
            Self::Bf16 => {
                out.extend(
                    bytes
                        .as_chunks()
                        .0
                        .iter()
                        .map(|b| half::bf16::from_le_bytes(*b).to_f32()),
                );
            }
            // `values` refuses these before it reads.
            Self::Other(..) => {}
        }
    }
}

/// A file of weights, open for the whole conversion.
#[derive(Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: PathBuf,
    pub(crate) len: u64,
    file: File,
}

impl SourceFile {
    pub(crate) fn open(path: &Path) -> Result<Arc<Self>> {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        if !metadata.is_file() {
            return Err(Error::input("expected a file, got a directory or a device").at(path));
        }
        Ok(Arc::new(Self {
            path: path.to_owned(),
            len: metadata.len(),
            file,
        }))
    }

    /// A reader from `offset` on. One at a time: readers share the file's position.
    pub(crate) fn from(&self, offset: u64) -> Result<&File> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))
            .map_err(|error| Error::io(&self.path, error))?;
        Ok(file)
    }

    /// The first `len` bytes, or as many as there are.
    pub(crate) fn head(&self, len: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.from(0)?
            .take(len)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io(&self.path, error))?;
        Ok(bytes)
    }

    /// An error about this file at an offset.
    pub(crate) fn corrupt(&self, offset: u64, message: impl std::fmt::Display) -> Error {
        Error::input(format!("at offset {offset}: {message}")).at(&self.path)
    }
}

/// A run of bytes that tensors lie in.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) file: Arc<SourceFile>,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// How many bytes it has, once inflated.
    pub(crate) len: u64,
    /// The compressed length, where it is deflated.
    pub(crate) deflated: Option<u64>,
}

impl Storage {
    /// Checks that the file can hold what this storage claims.
    pub(crate) fn check(&self) -> Result<()> {
        let stored = self.deflated.unwrap_or(self.len);
        let end = self.offset.checked_add(stored);
        if end.is_none_or(|end| end > self.file.len) {
            return Err(self.file.corrupt(
                self.offset,
                format_args!(
                    "expected {stored} bytes of weights, got {}: the file was cut short",
                    self.file.len.saturating_sub(self.offset)
                ),
            ));
        }
        if self
            .deflated
            .is_some_and(|stored| self.len / MAX_INFLATION > stored)
        {
            return Err(self.file.corrupt(
                self.offset,
                format_args!(
                    "{stored} deflated bytes claim to be {}, which no deflate can do",
                    self.len
                ),
            ));
        }
        Ok(())
    }

    /// The bytes from `skip` on.
    fn reader(&self, skip: u64) -> Result<Box<dyn Read + '_>> {
        match self.deflated {
            None => Ok(Box::new(self.file.from(self.offset.saturating_add(skip))?)),
            Some(stored) => {
                let mut inflated = DeflateDecoder::new(self.file.from(self.offset)?.take(stored));
                let skipped = io::copy(&mut inflated.by_ref().take(skip), &mut io::sink());
                if skipped.map_err(|error| self.failed(error))? != skip {
                    return Err(self.failed(io::ErrorKind::UnexpectedEof.into()));
                }
                Ok(Box::new(inflated))
            }
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        self.file
            .corrupt(
                self.offset,
                format_args!("cannot read the weights here: {error}"),
            )
            .caused_by(error)
    }
}

/// One tensor.
#[derive(Clone, Debug)]
pub(crate) struct SourceTensor {
    pub(crate) name: String,
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<u64>,
    /// Elements from one index to the next, for each dimension.
    strides: Vec<u64>,
    /// The first element, counted in elements from the start of the storage.
    offset: u64,
    storage: Arc<Storage>,
}

impl SourceTensor {
    /// A tensor whose range in its storage has been checked.
    ///
    /// # Errors
    /// Where the shape overflows, or an index would lie outside the storage.
    pub(crate) fn new(
        name: String,
        dtype: Dtype,
        shape: Vec<u64>,
        strides: Option<Vec<u64>>,
        offset: u64,
        storage: Arc<Storage>,
    ) -> Result<Self> {
        let fail = |message: String| {
            Error::input(format!("tensor `{name}`: {message}")).at(&storage.file.path)
        };
        if shape.len() > MAX_DIMENSIONS {
            return Err(fail(format!(
                "expected at most {MAX_DIMENSIONS} dimensions, got {}",
                shape.len()
            )));
        }
        let count = shape
            .iter()
            .try_fold(1_u64, |count, dimension| count.checked_mul(*dimension));
        let Some(count) = count.filter(|count| *count <= MAX_ELEMENTS) else {
            return Err(fail(format!(
                "{shape:?} is more than {MAX_ELEMENTS} elements"
            )));
        };
        let strides = strides.unwrap_or_else(|| contiguous(&shape));
        if strides.len() != shape.len() {
            return Err(fail(format!(
                "{} dimensions, but {} strides",
                shape.len(),
                strides.len()
            )));
        }
        let held = storage.len / dtype.bytes();
        let tensor = Self {
            name,
            dtype,
            shape,
            strides,
            offset,
            storage,
        };
        let fail = |message: String| {
            Error::input(format!("tensor `{}`: {message}", tensor.name))
                .at(&tensor.storage.file.path)
        };
        if count > 0 {
            let end = tensor.span().and_then(|span| offset.checked_add(span));
            if end.is_none_or(|end| end > held) {
                return Err(fail(format!(
                    "shape {:?} with strides {:?} from element {offset} on does not fit its storage of {held} elements",
                    tensor.shape, tensor.strides
                )));
            }
            if count > held && count > MAX_EXPANDED {
                return Err(fail(format!(
                    "{count} elements repeated from a storage of {held}"
                )));
            }
        }
        Ok(tensor)
    }

    /// The file that holds it.
    pub(crate) fn path(&self) -> &Path {
        &self.storage.file.path
    }

    /// How many elements it has.
    pub(crate) fn count(&self) -> u64 {
        self.shape.iter().product()
    }

    /// Elements from the first to one past the last; `None` on overflow.
    fn span(&self) -> Option<u64> {
        let steps = self.shape.iter().zip(&self.strides);
        steps
            .into_iter()
            .try_fold(1_u64, |span, (dimension, stride)| {
                span.checked_add(dimension.saturating_sub(1).checked_mul(*stride)?)
            })
    }

    fn is_contiguous(&self) -> bool {
        let strides = self
            .strides
            .iter()
            .zip(contiguous(&self.shape))
            .zip(&self.shape);
        strides
            .into_iter()
            .all(|((got, want), dimension)| *dimension == 1 || *got == want)
    }

    /// Hands over all values in row-major order, at most [`CHUNK`] at once.
    ///
    /// # Errors
    /// Where the type cannot be a weight or the file cannot be read, and what `take` returns.
    pub(crate) fn values(&self, take: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        if let Dtype::Other(name, _) = self.dtype {
            let message = format!(
                "tensor `{}` is of type {name}; weights are f32, f64, f16 or bf16",
                self.name
            );
            return Err(Error::input(message).at(self.path()));
        }
        match self.count() {
            0 => Ok(()),
            count if self.is_contiguous() => self.sequential(count, take),
            _ => self.strided(take),
        }
    }

    fn sequential(&self, count: u64, take: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let size = self.dtype.bytes();
        let mut reader = self.storage.reader(self.offset * size)?;
        let mut left = count;
        let (mut bytes, mut values) = (Vec::new(), Vec::new());
        while left > 0 {
            let now = left.min(CHUNK as u64);
            bytes.resize((now * size) as usize, 0);
            reader
                .read_exact(&mut bytes)
                .map_err(|error| self.storage.failed(error))?;
            values.clear();
            self.dtype.decode(&bytes, &mut values);
            take(&values)?;
            left -= now;
        }
        Ok(())
    }

    /// Reads the whole window that the strides reach into, then walks it.
    fn strided(&self, take: &mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()> {
        let size = self.dtype.bytes();
        let span = self.span().unwrap_or(0);
        let mut window = Vec::new();
        let mut left = span;
        let mut reader = self.storage.reader(self.offset * size)?;
        let mut bytes = Vec::new();
        while left > 0 {
            let now = left.min(CHUNK as u64);
            bytes.resize((now * size) as usize, 0);
            reader
                .read_exact(&mut bytes)
                .map_err(|error| self.storage.failed(error))?;
            self.dtype.decode(&bytes, &mut window);
            left -= now;
        }
        let mut values = Vec::with_capacity(CHUNK.min(self.count() as usize));
        let mut index = vec![0_u64; self.shape.len()];
        let mut at = 0_u64;
        loop {
            values.push(window[at as usize]);
            if values.len() == CHUNK {
                take(&values)?;
                values.clear();
            }
            // The next index, as an odometer turns: last dimension first.
            let mut dimension = self.shape.len();
            loop {
                if dimension == 0 {
                    return if values.is_empty() {
                        Ok(())
                    } else {
                        take(&values)
                    };
                }
                dimension -= 1;
                index[dimension] += 1;
                at += self.strides[dimension];
                if index[dimension] < self.shape[dimension] {
                    break;
                }
                at -= self.strides[dimension] * self.shape[dimension];
                index[dimension] = 0;
            }
        }
    }
}

/// The strides of a row-major tensor. Saturates; a shape that large is refused by its count.
fn contiguous(shape: &[u64]) -> Vec<u64> {
    let mut strides = vec![1_u64; shape.len()];
    for dimension in (1..shape.len()).rev() {
        strides[dimension - 1] = strides[dimension].saturating_mul(shape[dimension].max(1));
    }
    strides
}
