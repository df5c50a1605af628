//! Views on parts of an open file, which keep it open.

use std::marker::PhantomData;
use std::ops::{Deref, Range};
use std::sync::Arc;

use crate::container::Inner;
use crate::error::{Error, ErrorKind, Result};
use crate::header::COPY_AGAIN;

/// A view on part of an open file. Cloning is cheap, and the file stays mapped as long as a view on it lives.
#[derive(Clone)]
pub struct Bytes {
    file: Arc<Inner>,
    section: usize,
    start: usize,
    end: usize,
}

impl Bytes {
    pub(crate) fn of_section(file: Arc<Inner>, section: usize) -> Bytes {
        // Both fit a usize: the table's checks placed them inside the map.
        let (start, end) = (
            file.sections[section].offset as usize,
            file.sections[section].end() as usize,
        );
        Bytes {
            file,
            section,
            start,
            end,
        }
    }

    /// The section's name.
    pub fn name(&self) -> &str {
        &self.file.sections[self.section].name
    }

    /// The file's path.
    pub fn path(&self) -> &std::path::Path {
        &self.file.path
    }

    /// Where the view starts, in bytes from the start of the file.
    pub fn offset(&self) -> u64 {
        self.start as u64
    }

    /// The length of the file that this is a view on, in bytes.
    pub(crate) fn file_len(&self) -> usize {
        self.file.map.len()
    }

    /// A part of this view; the range counts from the view's start.
    pub fn slice(&self, range: Range<u64>) -> Result<Bytes> {
        let len = (self.end - self.start) as u64;
        if range.start > range.end || range.end > len {
            return Err(self
                .corrupt(range.start.min(len), "a range points outside its section")
                .expecting(format_args!("a range inside 0..{len}"))
                .finding(format_args!("{}..{}", range.start, range.end)));
        }
        // Neither is longer than the view, whose length is a usize.
        let (start, end) = (
            self.start + range.start as usize,
            self.start + range.end as usize,
        );
        Ok(Bytes {
            file: self.file.clone(),
            section: self.section,
            start,
            end,
        })
    }

    /// The view as numbers. Its start must be aligned for them and its length a multiple of their size.
    pub fn typed<T: Plain>(&self) -> Result<Slice<T>> {
        let (size, bytes) = (size_of::<T>(), self.as_ref());
        if !bytes.len().is_multiple_of(size) {
            return Err(self
                .corrupt(0, "the length is not that of whole numbers")
                .expecting(format_args!("a multiple of {size} bytes"))
                .finding(bytes.len()));
        }
        if !bytes.as_ptr().cast::<T>().is_aligned() {
            return Err(self
                .corrupt(0, "numbers are not aligned")
                .expecting(format_args!(
                    "a start that is a multiple of {}",
                    align_of::<T>()
                ))
                .finding(self.start));
        }
        Ok(Slice {
            bytes: self.clone(),
            of: PhantomData,
        })
    }

    /// The error for bytes that contradict what the caller knows; `offset` counts from the view's start.
    pub fn corrupt(&self, offset: u64, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Corrupt, message)
            .at(self.path())
            .in_section(self.name())
            .at_offset((self.start as u64).saturating_add(offset))
            .mend(COPY_AGAIN)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.file.map[self.start..self.end]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Bytes({}, section {}, {}..{})",
            self.path().display(),
            self.name(),
            self.start,
            self.end
        )
    }
}

/// Numbers of which every bit pattern is one, without padding.
///
/// # Safety
/// Any `size_of::<Self>()` initialized bytes, suitably aligned, must be a valid value.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

macro_rules! plain {
    ($($number:ty)*) => {$(
        // SAFETY: an integer or a float takes any bits and has no padding.
        unsafe impl Plain for $number {}
    )*};
}
plain!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

/// Numbers in an open file, which it keeps open.
#[derive(Clone)]
pub struct Slice<T> {
    bytes: Bytes,
    of: PhantomData<T>,
}

impl<T: Plain> Deref for Slice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        let bytes: &[u8] = &self.bytes;
        // SAFETY: `Bytes::typed` checked alignment and length; `Plain` allows any bits; the map outlives the borrow.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) }
    }
}

impl<T: Plain> AsRef<[T]> for Slice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<T: Plain> std::fmt::Debug for Slice<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slice({} numbers of {:?})", self.len(), self.bytes)
    }
}
