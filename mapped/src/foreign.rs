//! What a file is when it is not ours: called by its name, with what to do about it.
//!
//! People hand over what they have: the checkpoint instead of the converted weights, the web page that a browser
//! saved in its place, the pointer that Git left. The first 8192 bytes tell these apart.

use std::path::Path;

use crate::error::{Error, ErrorKind};
use crate::header::{self, HEADER_BYTES, MAGIC};

const CONVERT: &str =
    "Convert the checkpoint first: `morelet-convert model CHECKPOINT -o NAME.weights`";
const CONVERT_SOURCE: &str = "Convert the PyTorch or safetensors checkpoint that it was made from: \
                              `morelet-convert model CHECKPOINT -o NAME.weights`";
const UNPACK: &str = "Unpack it first";
const FETCH_AGAIN: &str = "The copy or download did not finish: fetch it again";
const FETCH_FILE: &str = "A page was saved in place of the file: fetch the file itself";
const OTHER_FILE: &str = "Check the path: a Morelet file comes from `morelet-convert`";

/// What the file is, and what the person can do about it.
#[derive(Clone, Copy)]
struct Foreign {
    what: &'static str,
    mend: &'static str,
}

/// Bytes at a fixed place that tell a format. The first that agrees is believed.
const SIGNATURES: &[(usize, &[u8], Foreign)] = &[
    (0, b"GGUF", foreign("a GGUF model", CONVERT_SOURCE)),
    (0, b"version https://git-lfs.github.com/spec/", {
        foreign(
            "a Git-LFS pointer, which stands for the file",
            "Run `git lfs pull` to fetch the file itself",
        )
    }),
    (0, b"\x1f\x8b", foreign("a gzip file", UNPACK)),
    (0, b"\x28\xb5\x2f\xfd", foreign("a Zstandard file", UNPACK)),
    (0, b"\xfd7zXZ\0", foreign("an xz file", UNPACK)),
    (0, b"7z\xbc\xaf\x27\x1c", foreign("a 7z archive", UNPACK)),
    (0, b"BZh", foreign("a bzip2 file", UNPACK)),
    (257, b"ustar", foreign("a tar archive", UNPACK)),
    (
        0,
        b"\x89HDF\r\n\x1a\n",
        foreign("an HDF5 file, as Keras saves models", CONVERT_SOURCE),
    ),
    (0, b"\x93NUMPY", foreign("a NumPy array", OTHER_FILE)),
    (
        0,
        b"\x89PNG\r\n\x1a\n",
        foreign("a PNG picture", OTHER_FILE),
    ),
    (0, b"\xff\xd8\xff", foreign("a JPEG picture", OTHER_FILE)),
    (0, b"GIF8", foreign("a GIF picture", OTHER_FILE)),
    (8, b"WEBP", foreign("a WebP picture", OTHER_FILE)),
    (0, b"%PDF-", foreign("a PDF document", OTHER_FILE)),
    (0, b"\x7fELF", foreign("a program", OTHER_FILE)),
    (
        0,
        b"SQLite format 3\0",
        foreign("an SQLite database", OTHER_FILE),
    ),
    (0, b"PAR1", foreign("a Parquet file", OTHER_FILE)),
];

const fn foreign(what: &'static str, mend: &'static str) -> Foreign {
    Foreign { what, mend }
}

/// The error for a file that does not start with the magic; `head` is the file's first 8192 bytes, or all of it.
pub(crate) fn describe(path: &Path, head: &[u8]) -> Error {
    if !head.is_empty() && MAGIC.starts_with(head) {
        return header::cut(path, HEADER_BYTES as u64, head.len() as u64);
    }
    let magic = hexadecimal(&MAGIC);
    if is_mangled_magic(head) {
        return Error::new(
            ErrorKind::Corrupt,
            "the first bytes of a Morelet file are damaged",
        )
        .at(path)
        .at_offset(0)
        .expecting(magic)
        .finding(hexadecimal(head))
        .mend("A transfer in text mode does this: copy the file again, in binary mode");
    }
    let error = Error::new(ErrorKind::NotThisFormat, "not a Morelet file")
        .at(path)
        .at_offset(0);
    match recognize(head) {
        Some(Foreign { what, mend }) => error
            .expecting("a file from `morelet-convert`")
            .finding(what)
            .mend(mend),
        None => error
            .expecting(format_args!("it to start with {magic}"))
            .finding(hexadecimal(head))
            .mend(OTHER_FILE),
    }
}

/// Whether this was the magic before a text-mode transfer, a 7-bit channel, a change of encoding or a flipped bit.
fn is_mangled_magic(head: &[u8]) -> bool {
    let start = head.get(..MAGIC.len()).unwrap_or(head);
    let agreeing = start
        .iter()
        .zip(MAGIC)
        .filter(|&(&byte, magic)| byte == magic)
        .count();
    let name = &MAGIC[1..4];
    let mangled_first = [&b"\x09"[..], b"?", b"\xc2\x89", b"\xef\xbf\xbd"];
    agreeing + 1 >= MAGIC.len()
        || start.starts_with(&MAGIC[..4])
        || mangled_first.iter().any(|first| {
            head.strip_prefix(*first)
                .is_some_and(|rest| rest.starts_with(name))
        })
}

fn recognize(head: &[u8]) -> Option<Foreign> {
    if head.is_empty() {
        return Some(foreign("an empty file", FETCH_AGAIN));
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        let torch = contains(head, b"data.pkl") || contains(head, b"/version");
        let what = if torch {
            "a PyTorch checkpoint (a zip archive)"
        } else {
            "a zip archive"
        };
        return Some(foreign(what, if torch { CONVERT } else { UNPACK }));
    }
    // The pickle protocol's opcode; PyTorch's older files start with a number of theirs, as a LONG1 of ten bytes.
    if let [0x80, 2..=5, rest @ ..] = head {
        let torch = rest.starts_with(b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19");
        let what = if torch {
            "a PyTorch checkpoint (a pickle, as before version 1.6)"
        } else {
            "a Python pickle"
        };
        return Some(foreign(what, if torch { CONVERT } else { CONVERT_SOURCE }));
    }
    if is_safetensors(head) {
        return Some(foreign("a safetensors checkpoint", CONVERT));
    }
    let signed = SIGNATURES
        .iter()
        .find(|(at, bytes, _)| head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)));
    if let Some((_, _, found)) = signed {
        return Some(*found);
    }
    if is_onnx(head) {
        return Some(foreign("an ONNX model", CONVERT_SOURCE));
    }
    if head.iter().all(|&byte| byte == 0) {
        return Some(foreign("zeros", FETCH_AGAIN));
    }
    text(head)
}

/// A safetensors file starts with the length of its JSON header, which its own reader limits to 100 MB.
fn is_safetensors(head: &[u8]) -> bool {
    let Some((len, rest)) = head.split_first_chunk::<8>() else {
        return false;
    };
    (2..=100_000_000).contains(&u64::from_le_bytes(*len)) && rest.first() == Some(&b'{')
}

/// An ONNX file is a protobuf `ModelProto`: its first field is the small number `ir_version`, then come the name of
/// its producer, the graph or the operator sets.
fn is_onnx(head: &[u8]) -> bool {
    match head {
        [0x08, 1..=32, 0x12, len, rest @ ..] => {
            let name = rest.get(..usize::from(*len)).unwrap_or(rest);
            name.iter().all(|byte| (b' '..=b'~').contains(byte))
        }
        [0x08, 1..=32, 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42, ..] => true,
        _ => false,
    }
}

fn text(head: &[u8]) -> Option<Foreign> {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        // The last character may be cut where the head ends.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    if valid
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\x0c'))
    {
        return None;
    }
    let start: String = valid
        .trim_start()
        .chars()
        .take(15)
        .collect::<String>()
        .to_ascii_lowercase();
    Some(
        if start.starts_with("<!doctype html") || start.starts_with("<html") {
            foreign("a web page (HTML)", FETCH_FILE)
        } else if start.starts_with("<mediawiki") {
            foreign(
                "a MediaWiki dump",
                "Make a corpus of it first: `morelet-convert corpus DUMP.xml -o DIR`",
            )
        } else if start.starts_with('<') {
            foreign("an XML file", OTHER_FILE)
        } else if start.starts_with('{') || start.starts_with('[') {
            foreign(
                "a JSON file",
                "If it is a `bundle.json`, give the folder that it lies in",
            )
        } else {
            foreign("a text file", OTHER_FILE)
        },
    )
}

fn contains(head: &[u8], needle: &[u8]) -> bool {
    head.windows(needle.len()).any(|window| window == needle)
}

/// The first eight bytes, for a person to compare.
fn hexadecimal(head: &[u8]) -> String {
    let digits: Vec<String> = head
        .iter()
        .take(MAGIC.len())
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("bytes {}", digits.join(" "))
}
