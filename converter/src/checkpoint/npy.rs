//! An array of NumPy: a `.npy` file.
//!
//! ```text
//! 0x93 NUMPY       6 bytes
//! 1 0 | 2 0 | 3 0  version: versions 2 and 3 have the longer length, 3 also names beyond ASCII
//! length           u16 (version 1) or u32, little-endian, of what comes next
//! header           {'descr': '<f4', 'fortran_order': False, 'shape': (3, 512), }, spaces, a line break
//! values           row by row
//! ```
//!
//! The header is a literal of Python, of which only this much is understood; nothing is evaluated, and an array of
//! objects, whose values are a pickle, is refused. NumPy's specification: `numpy/lib/_format_impl.py`.

use super::tensor::{Dtype, MAX_DIMENSIONS, SourceFile, SourceTensor, Storage};
use crate::{Error, Result};
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header, in bytes: that of a matrix has about a hundred, and NumPy itself reads no more than 10,000
/// unless told to.
const MAX_HEADER: u64 = 10_000;

/// Whether a file begins as a `.npy` file does.
pub(crate) fn is_npy(file: &SourceFile) -> Result<bool> {
    Ok(file.head(MAGIC.len() as u64)? == MAGIC)
}

/// The array of a `.npy` file, as a tensor without a name of its own.
///
/// # Errors
/// Where the header is damaged or says what no row of numbers can be, and where the file is longer or shorter than it
/// says.
pub(crate) fn array(file: &Arc<SourceFile>) -> Result<SourceTensor> {
    let (text, start) = header_text(file)?;
    let header = Header::parse(&text).map_err(|message| {
        file.corrupt(start - text.len() as u64, format_args!("header: {message}"))
    })?;
    let dtype = dtype(&header.descr).map_err(|message| Error::input(message).at(&file.path))?;
    if header.fortran_order {
        return Err(Error::input(
            "its values lie column by column (fortran_order): expected row by row; save it again with np.save(FILE, np.ascontiguousarray(x))",
        )
        .at(&file.path));
    }
    let count = header
        .shape
        .iter()
        .try_fold(dtype.bytes(), |bytes, &size| bytes.checked_mul(size));
    let held = file.len - start;
    let len = count.filter(|&len| len == held).ok_or_else(|| {
        let expected = count.map_or("more than any file has".to_owned(), |count| {
            count.to_string()
        });
        let why = match count.is_some_and(|count| count < held) {
            true => "something follows the array",
            false => "the file was cut short",
        };
        file.corrupt(
            start,
            format_args!(
                "a {} array of shape {:?} has {expected} bytes, got {held}: {why}",
                dtype.name(),
                header.shape
            ),
        )
    })?;
    let storage = Storage {
        file: file.clone(),
        offset: start,
        len,
        deflated: None,
    };
    SourceTensor::new(
        "array".to_owned(),
        dtype,
        header.shape,
        None,
        0,
        Arc::new(storage),
    )
}

/// The text of the header, and where the values begin.
fn header_text(file: &SourceFile) -> Result<(Vec<u8>, u64)> {
    let head = file.head(12)?;
    let short = || file.corrupt(file.len, "the file ends within the header of the array");
    let version = head.get(6..8).ok_or_else(short)?;
    let (start, len) = match version {
        [1, 0] => {
            let len = head.get(8..10).and_then(|len| len.try_into().ok());
            (10, u64::from(u16::from_le_bytes(len.ok_or_else(short)?)))
        }
        [2 | 3, 0] => {
            let len = head.get(8..12).and_then(|len| len.try_into().ok());
            (12, u64::from(u32::from_le_bytes(len.ok_or_else(short)?)))
        }
        other => {
            return Err(file.corrupt(
                6,
                format_args!(
                    "version of the format: expected 1.0, 2.0 or 3.0, got {}.{}",
                    other[0], other[1]
                ),
            ));
        }
    };
    if len > MAX_HEADER {
        let message = format!("length of the header: expected at most {MAX_HEADER}, got {len}");
        return Err(file.corrupt(8, message));
    }
    let mut text = Vec::new();
    file.from(start)?
        .take(len)
        .read_to_end(&mut text)
        .map_err(|error| Error::io(&file.path, error))?;
    if text.len() as u64 != len {
        return Err(short());
    }
    Ok((text, start + len))
}

/// The type of elements that `descr` stands for, or why it is none of a feature.
fn dtype(descr: &str) -> std::result::Result<Dtype, String> {
    Err(match descr {
        "<f4" => return Ok(Dtype::F32),
        "<f2" => return Ok(Dtype::F16),
        "<f8" => return Ok(Dtype::F64),
        _ if descr.contains('O') => "holds Python objects, which are stored as a pickle and never read: save numbers, with np.save(FILE, np.stack(x).astype('<f4'))".to_owned(),
        _ if descr.starts_with('>') => format!("its values are big-endian ({descr}): expected <f4, <f2 or <f8; save it again with np.save(FILE, x.astype('<f4'))"),
        _ => format!("its values are of type {descr}: expected <f4, <f2 or <f8; save it again with np.save(FILE, x.astype('<f4'))"),
    })
}

/// What a header says.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

type Parsed<T> = std::result::Result<T, String>;

impl Header {
    fn parse(text: &[u8]) -> Parsed<Self> {
        let mut literal = Literal { text, at: 0 };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        literal.expect(b'{')?;
        while !literal.takes(b'}') {
            let key = literal.string()?;
            literal.expect(b':')?;
            let twice = match key.as_str() {
                "descr" => descr.replace(literal.descr()?).is_some(),
                "fortran_order" => fortran_order.replace(literal.boolean()?).is_some(),
                "shape" => shape.replace(literal.tuple()?).is_some(),
                _ => return Err(format!("unknown key '{key}'")),
            };
            if twice {
                return Err(format!("'{key}' comes twice"));
            }
            if !literal.takes(b',') {
                literal.expect(b'}')?;
                break;
            }
        }
        literal.end()?;
        let missing = |key| move || format!("'{key}' is missing");
        Ok(Self {
            descr: descr.ok_or_else(missing("descr"))?,
            fortran_order: fortran_order.ok_or_else(missing("fortran_order"))?,
            shape: shape.ok_or_else(missing("shape"))?,
        })
    }
}

/// A literal of Python that is being read.
struct Literal<'a> {
    text: &'a [u8],
    at: usize,
}

impl Literal<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    /// Takes this character if it is the next.
    fn takes(&mut self, wanted: u8) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, wanted: u8) -> Parsed<()> {
        match self.takes(wanted) {
            true => Ok(()),
            false => Err(self.wrong(format_args!("`{}`", char::from(wanted)))),
        }
    }

    fn wrong(&mut self, expected: impl std::fmt::Display) -> String {
        let got = self.peek().map_or("its end".to_owned(), |byte| {
            format!("`{}`", byte.escape_ascii())
        });
        format!("expected {expected} at byte {}, got {got}", self.at)
    }

    /// A text in quotes of either kind. One with a backslash is none of ours.
    fn string(&mut self) -> Parsed<String> {
        let quote = self.peek().filter(|byte| matches!(byte, b'\'' | b'"'));
        let Some(quote) = quote else {
            return Err(self.wrong("a text in quotes"));
        };
        let rest = &self.text[self.at + 1..];
        let len = rest.iter().position(|&byte| byte == quote || byte == b'\\');
        match len.map(|len| (len, rest[len])) {
            Some((len, end)) if end == quote => {
                self.at += len + 2;
                Ok(String::from_utf8_lossy(&rest[..len]).into_owned())
            }
            _ => Err(format!("the text at byte {} does not end", self.at)),
        }
    }

    /// The type of the elements. That of a structured array is a list of fields.
    fn descr(&mut self) -> Parsed<String> {
        match self.peek() {
            Some(b'[' | b'(') => Err(
                "a structured array: expected a plain one of <f4, <f2 or <f8; save one of its fields".to_owned(),
            ),
            _ => self.string(),
        }
    }

    fn boolean(&mut self) -> Parsed<bool> {
        self.peek();
        let rest = &self.text[self.at..];
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.wrong("True or False"))
    }

    /// Whole numbers in parentheses.
    fn tuple(&mut self) -> Parsed<Vec<u64>> {
        self.expect(b'(')?;
        let mut numbers = Vec::new();
        while !self.takes(b')') {
            numbers.push(self.number()?);
            if numbers.len() > MAX_DIMENSIONS {
                return Err(format!("more than {MAX_DIMENSIONS} dimensions"));
            }
            if !self.takes(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(numbers)
    }

    fn number(&mut self) -> Parsed<u64> {
        self.peek();
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = std::str::from_utf8(&rest[..len]).unwrap_or_default();
        let Ok(number) = digits.parse() else {
            return Err(self.wrong("a whole number"));
        };
        self.at += len;
        // Python 2 wrote long numbers so.
        self.takes(b'L');
        Ok(number)
    }

    fn end(&mut self) -> Parsed<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.wrong("nothing more")),
        }
    }
}

/// Opens a file to read tensors from, if it is a file: a pipe would be waited for.
pub(crate) fn open(path: &Path) -> Result<Arc<SourceFile>> {
    let kind = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if !kind.is_file() {
        return Err(Error::input("expected a file, got a directory, a pipe or a device").at(path));
    }
    SourceFile::open(path)
}
