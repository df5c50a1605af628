//! Matrices as NumPy saves them (`.npy`, format 1.0 to 3.0), read row by row.
//!
//! What the benchmarks exchange with Python: features and queries as `<f4`, numbers of true neighbours as `<i4`, all of two
//! dimensions, row after row. The format: `numpy/lib/_format_impl.py`.

use std::fs::File;
use std::io::{BufReader, Read};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use crate::Result;

/// What an element is. In the file it has four bytes, the lowest first.
pub trait Element: Copy {
    /// NumPy's name of it.
    const DESCR: &'static str;
    /// From its bytes.
    fn of(bytes: [u8; 4]) -> Self;
}

impl Element for f32 {
    const DESCR: &'static str = "<f4";
    fn of(bytes: [u8; 4]) -> f32 {
        f32::from_le_bytes(bytes)
    }
}

impl Element for i32 {
    const DESCR: &'static str = "<i4";
    fn of(bytes: [u8; 4]) -> i32 {
        i32::from_le_bytes(bytes)
    }
}

/// A matrix in a file. One row is in memory at a time.
pub struct Npy<T> {
    path: PathBuf,
    reader: BufReader<File>,
    rows: usize,
    columns: usize,
    left: usize,
    bytes: Vec<u8>,
    row: Vec<T>,
    element: PhantomData<T>,
}

impl<T: Element> Npy<T> {
    /// Opens a matrix of `T`.
    pub fn open(path: impl AsRef<Path>) -> Result<Npy<T>> {
        let path = path.as_ref();
        let named = |error: crate::Error| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(|error| named(error.into()))?;
        let len = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 20, file);
        let (header, start) = header(&mut reader).map_err(named)?;
        let (rows, columns) = shape::<T>(&header).map_err(named)?;
        let expected = (rows as u64)
            .checked_mul(columns as u64)
            .and_then(|elements| elements.checked_mul(4)?.checked_add(start))
            .ok_or_else(|| named("too large".into()))?;
        if len != expected {
            let message =
                format!("{rows} rows of {columns} take {expected} bytes, the file has {len}");
            return Err(named(message.into()).into());
        }
        Ok(Npy {
            path: path.to_owned(),
            reader,
            rows,
            columns,
            left: rows,
            bytes: vec![0; columns * 4],
            row: Vec::with_capacity(columns),
            element: PhantomData,
        })
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The length of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The next row; `None` after the last.
    #[expect(
        clippy::should_implement_trait,
        reason = "a row lives until the next one is read"
    )]
    pub fn next(&mut self) -> Result<Option<&[T]>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.reader
            .read_exact(&mut self.bytes)
            .map_err(|error| format!("{}: {error}", self.path.display()))?;
        let (elements, _) = self.bytes.as_chunks::<4>();
        self.row.clear();
        self.row.extend(elements.iter().map(|bytes| T::of(*bytes)));
        Ok(Some(&self.row))
    }

    /// All rows.
    pub fn all(mut self) -> Result<Vec<Vec<T>>> {
        let mut rows = Vec::with_capacity(self.rows);
        while let Some(row) = self.next()? {
            rows.push(row.to_vec());
        }
        Ok(rows)
    }
}

/// The header, a Python dictionary, and how long it is with what stands before it.
fn header(reader: &mut impl Read) -> Result<(String, u64)> {
    let mut start = [0; 8];
    reader.read_exact(&mut start)?;
    let [magic @ .., major, _] = start;
    if magic != *b"\x93NUMPY" {
        return Err("not a .npy file".into());
    }
    let (len, before) = match major {
        1 => {
            let mut len = [0; 2];
            reader.read_exact(&mut len)?;
            (u64::from(u16::from_le_bytes(len)), 10)
        }
        2 | 3 => {
            let mut len = [0; 4];
            reader.read_exact(&mut len)?;
            (u64::from(u32::from_le_bytes(len)), 12)
        }
        _ => return Err(format!("version {major} of .npy is not known").into()),
    };
    let mut header = String::new();
    reader.take(len).read_to_string(&mut header)?;
    if header.len() as u64 != len {
        return Err("the header ends early".into());
    }
    Ok((header, before + len))
}

/// Rows and columns, of a header that says `{'descr': '<f4', 'fortran_order': False, 'shape': (100, 512), }`.
fn shape<T: Element>(header: &str) -> Result<(usize, usize)> {
    let value = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let expected = format!("expected {} in rows, got {}", T::DESCR, header.trim());
    let descr = value("descr").is_some_and(|descr| descr.starts_with(&format!("'{}'", T::DESCR)));
    let by_rows = value("fortran_order").is_some_and(|order| order.starts_with("False"));
    let sizes = value("shape").and_then(|shape| shape.strip_prefix('(')?.split_once(')'));
    let (true, true, Some((sizes, _))) = (descr, by_rows, sizes) else {
        return Err(expected.into());
    };
    let sizes: Vec<usize> = sizes
        .split(',')
        .map(str::trim)
        .filter(|size| !size.is_empty())
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    match sizes[..] {
        [rows, columns] if columns > 0 => Ok((rows, columns)),
        _ => Err(expected.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as NumPy 2 writes it: the header is padded with spaces to a multiple of 64 and ends a line.
    fn file(name: &str, header: &str, data: &[u8]) -> PathBuf {
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{header:<117}\n").bytes());
        bytes.extend(data);
        let path = std::env::temp_dir().join(format!("morelet-npy-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        path
    }

    #[test]
    fn reads_what_numpy_saves() {
        let data: Vec<u8> = [1.0f32, -2.5, 0.0, 4.0, 5.0, 6.0]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let path = file("good", header, &data);
        let npy = Npy::<f32>::open(&path).unwrap();
        assert_eq!((npy.rows(), npy.columns()), (2, 3));
        assert_eq!(npy.all().unwrap(), [[1.0, -2.5, 0.0], [4.0, 5.0, 6.0]]);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn refuses_what_is_not_a_matrix_of_the_type() {
        let cases = [
            (
                "descr",
                "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }",
                8,
            ),
            (
                "order",
                "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1), }",
                4,
            ),
            (
                "vector",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
                4,
            ),
            (
                "short",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }",
                4,
            ),
            (
                "huge",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 9), }",
                4,
            ),
            ("nothing", "", 4),
        ];
        for (name, header, len) in cases {
            let path = file(name, header, &vec![0; len]);
            assert!(Npy::<f32>::open(&path).is_err(), "{name}");
            std::fs::remove_file(path).unwrap();
        }
    }
}
