//! Text files as people have them: plain or compressed, or standard input, read line by line.
//!
//! The compression is told by the first bytes, not by the name, so that `-` may be compressed too.
//! The decoders come with the feature `cli`; without it a compressed file is refused by name.

use crate::{Error, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

/// The longest line that is read, in bytes: what one record may need at most, so that a decompression
/// bomb ends as an error and not in swap.
const LINE_LIMIT: u64 = 256 << 20;

/// As many bytes as tell the compression: a bzip2 header with the first block's magic.
const SNIFF: usize = 10;

/// The first bytes of a zstd frame, and of a gzip member.
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const GZIP: &[u8] = &[0x1f, 0x8b];

/// What follows `BZh` and the level in a bzip2 file: a block, or the end of a stream that has none; the digits of pi and of
/// its root.
const BZIP2_BLOCKS: [&[u8; 6]; 2] = [b"1AY&SY", &[0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];

/// Opens a text for reading: a file, or standard input where `path` is `-`. What is compressed by
/// zstd, gzip or bzip2 (also in several members) comes out plain.
///
/// # Errors
/// `Io` where the file cannot be opened; `Unsupported` for a compressed file in a build without the
/// feature `cli`.
pub fn open_text(path: impl AsRef<Path>) -> Result<Box<dyn BufRead + Send>> {
    let path = path.as_ref();
    let raw: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let metadata = file.metadata().map_err(|error| Error::io(path, error))?;
        if metadata.is_dir() {
            return Err(Error::input("is a directory; expected a file").at(path));
        }
        Box::new(file)
    };
    decompress(raw).map_err(|error| error.at(path))
}

/// The plain text of a stream, whatever it is compressed by.
fn decompress(mut raw: impl Read + Send + 'static) -> Result<Box<dyn BufRead + Send>> {
    let mut head = Vec::with_capacity(SNIFF);
    // No more than is needed to tell: a program at the other end of a pipe may wait for the answer to a short line.
    while head.len() < SNIFF && Compression::may_be(&head) {
        let missing = (SNIFF - head.len()) as u64;
        let mut chunk = [0; SNIFF];
        match raw.by_ref().take(missing).read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => head.extend_from_slice(&chunk[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    let compression = Compression::of(&head);
    let whole = Cursor::new(head).chain(raw);
    match compression {
        None => Ok(Box::new(BufReader::with_capacity(1 << 16, whole))),
        Some(compression) => compression.decoder(whole),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    Zstd,
    Gzip,
    Bzip2,
}

impl Compression {
    /// Whether what begins like this can be compressed, as far as it goes.
    fn may_be(head: &[u8]) -> bool {
        let bzip2 = |block: &[u8; 6]| {
            let fits = |(at, byte): (usize, &u8)| match at {
                0..3 => *byte == b"BZh"[at],
                3 => (b'1'..=b'9').contains(byte),
                at => block.get(at - 4) == Some(byte),
            };
            head.iter().enumerate().all(fits)
        };
        let starts = |magic: &[u8]| head.iter().zip(magic).all(|(a, b)| a == b);
        starts(ZSTD) || starts(GZIP) || BZIP2_BLOCKS.into_iter().any(bzip2)
    }

    fn of(head: &[u8]) -> Option<Self> {
        if head.starts_with(ZSTD) {
            Some(Self::Zstd)
        } else if head.starts_with(GZIP) {
            Some(Self::Gzip)
        } else if head.starts_with(b"BZh")
            && head
                .get(3)
                .is_some_and(|level| (b'1'..=b'9').contains(level))
            && BZIP2_BLOCKS.iter().any(|block| head[4..] == **block)
        {
            Some(Self::Bzip2)
        } else {
            None
        }
    }

    #[cfg(feature = "cli")]
    fn decoder(self, whole: impl Read + Send + 'static) -> Result<Box<dyn BufRead + Send>> {
        let plain: Box<dyn Read + Send> = match self {
            Self::Zstd => Box::new(zstd::Decoder::new(whole)?),
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(whole)),
            Self::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(whole)),
        };
        Ok(Box::new(BufReader::with_capacity(1 << 16, plain)))
    }

    #[cfg(not(feature = "cli"))]
    fn decoder(self, _: impl Read) -> Result<Box<dyn BufRead + Send>> {
        let (name, tool) = match self {
            Self::Zstd => ("zstd", "unzstd"),
            Self::Gzip => ("gzip", "gunzip"),
            Self::Bzip2 => ("bzip2", "bunzip2"),
        };
        Err(Error::unsupported(format!(
            "is compressed by {name}, which this build does not read; use {tool}, or the feature `cli`"
        )))
    }
}

/// The lines of a text with their numbers, for errors that name them.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    path: PathBuf,
    number: u64,
    line: Vec<u8>,
}

impl Lines {
    /// Opens a text as [`open_text`] does.
    ///
    /// # Errors
    /// As [`open_text`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Ok(Self::new(open_text(path)?, path))
    }

    /// Reads what is open already; `path` is for the errors.
    pub fn new(reader: Box<dyn BufRead + Send>, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let path = if path == Path::new("-") {
            Path::new("standard input")
        } else {
            path
        };
        Self {
            reader,
            path: path.to_owned(),
            number: 0,
            line: Vec::new(),
        }
    }

    /// The next line without its end (`\n` or `\r\n`), or `None` at the end. A byte-order mark at the
    /// start of the file is dropped.
    ///
    /// # Errors
    /// `Io`; `Input` where a line is not UTF-8 or longer than 256 MiB.
    pub fn next_line(&mut self) -> Result<Option<&str>> {
        self.line.clear();
        self.number += 1;
        let read = (&mut self.reader)
            .take(LINE_LIMIT + 1)
            .read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            // A damaged compressed stream is bad input, and arrives as an error of reading.
            Err(error) => return Err(self.error(error.to_string())),
        }
        if self.line.len() as u64 > LINE_LIMIT {
            return Err(self.error(format!("the line is longer than {} MiB", LINE_LIMIT >> 20)));
        }
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
            if self.line.last() == Some(&b'\r') {
                self.line.pop();
            }
        }
        let start = if self.number == 1 && self.line.starts_with(b"\xef\xbb\xbf") {
            3
        } else {
            0
        };
        match std::str::from_utf8(&self.line[start..]) {
            Ok(line) => Ok(Some(line)),
            // As every file of `morelet-convert` begins.
            Err(_) if self.number == 1 && self.line.starts_with(b"\x89MRL") => {
                let message =
                    "a part of a bundle, which `morelet inspect` describes: expected a text";
                Err(Error::input(message).at(&self.path))
            }
            Err(error) => Err(Error::input(format!(
                "not UTF-8 from byte {} of the line; convert the file with iconv",
                start + error.valid_up_to()
            ))
            .at(&self.path)
            .on_line(self.number)),
        }
    }

    /// The number of the line that was read last, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// What the lines come from, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An `Input` error at the line that was read last.
    pub fn error(&self, message: impl Into<String>) -> Error {
        Error::input(message).at(&self.path).on_line(self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use std::io::Write as _;

    fn write(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        File::create(&path).unwrap().write_all(bytes).unwrap();
        (folder, path)
    }

    fn lines_of(path: &Path) -> Vec<String> {
        let mut lines = Lines::open(path).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(line.to_owned());
        }
        all
    }

    #[test]
    fn reads_ends_of_lines_of_every_system_and_a_byte_order_mark() {
        let (_folder, path) = write("a.txt", b"\xef\xbb\xbfone\r\ntwo\n\nthree");
        assert_eq!(lines_of(&path), ["one", "two", "", "three"]);
    }

    #[test]
    fn names_the_line_that_is_not_utf_8() {
        let (_folder, path) = write("a.txt", b"fine\nb\xffd\n");
        let mut lines = Lines::open(&path).unwrap();
        lines.next_line().unwrap();
        let error = lines.next_line().unwrap_err();
        assert_eq!((error.kind(), error.line()), (ErrorKind::Input, Some(2)));
        assert!(
            error.to_string().contains("a.txt:2: not UTF-8 from byte 1"),
            "{error}"
        );
    }

    #[test]
    fn a_part_of_a_bundle_is_called_by_its_name() {
        let (_folder, path) = write("text.index", b"\x89MRL\r\n\x1a\n\x01");
        let error = Lines::open(&path).unwrap().next_line().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input);
        let told = error.to_string();
        assert!(told.contains("text.index: a part of a bundle"), "{told}");
    }

    /// Gives one byte at a time, and fails where more is read than there is: a pipe would wait.
    struct Pipe(&'static [u8]);

    impl Read for Pipe {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let (first, rest) = self.0.split_first().ok_or(io::ErrorKind::WouldBlock)?;
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn a_short_line_is_read_before_the_next_one_comes() {
        for line in [&b"a\n"[..], b"B\n", b"BZh\n", b"BZh91AZ\n", b"(\n"] {
            let mut read = String::new();
            let mut text = decompress(Pipe(line)).unwrap();
            text.read_line(&mut read).unwrap();
            assert_eq!(read.as_bytes(), line);
        }
    }

    #[test]
    fn refuses_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Lines::open(folder.path()).is_err());
    }

    // `printf 'a\nb\n' | gzip -n`, the same by bzip2 and zstd.
    const GZIPPED: &[u8] = &[
        0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0x4b, 0xe4, 0x4a, 0xe2, 0x02, 0x00, 0x97, 0x2a,
        0x57, 0x18, 0x04, 0, 0, 0,
    ];

    #[cfg(feature = "cli")]
    #[test]
    fn reads_what_is_compressed_whatever_its_name() {
        let zstd = zstd::encode_all(&b"a\nb\n"[..], 3).unwrap();
        let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        bzip2.write_all(b"a\nb\n").unwrap();
        let bzip2 = bzip2.finish().unwrap();
        for bytes in [GZIPPED.to_vec(), zstd, bzip2] {
            let twice = [bytes.as_slice(), bytes.as_slice()].concat();
            let (_folder, path) = write("a", &twice);
            assert_eq!(lines_of(&path), ["a", "b", "a", "b"]);
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_compressed_file_cut_short_is_bad_input() {
        let (_folder, path) = write("a.gz", &GZIPPED[..GZIPPED.len() - 6]);
        let mut lines = Lines::open(&path).unwrap();
        let error = std::iter::from_fn(|| lines.next_line().map(|l| l.map(str::len)).transpose())
            .find_map(std::result::Result::err)
            .unwrap();
        assert_eq!(error.kind(), ErrorKind::Input);
    }

    #[cfg(not(feature = "cli"))]
    #[test]
    fn refuses_what_it_cannot_decompress_by_name() {
        let (_folder, path) = write("a.gz", GZIPPED);
        let error = Lines::open(&path).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("gzip"), "{error}");
    }
}
