//! Which format a picture has, by its first bytes.

use std::fmt;

use super::Decoded;

/// The formats that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    WebP,
    Gif,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
        })
    }
}

/// What else people hand in, so that the message can call it by its name.
const OTHERS: &[(&[u8], &str)] = &[
    (b"BM", "a BMP picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"\0\0\x01\0", "an icon"),
    (b"8BPS", "a Photoshop document"),
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"<svg", "an SVG drawing"),
    (b"<?xml", "an XML document, perhaps an SVG drawing"),
    (b"<!DOCTYPE", "an HTML page"),
    (b"<!doctype", "an HTML page"),
    (b"<html", "an HTML page"),
    (b"version https://git-lfs", "a Git-LFS pointer"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
];

const EXPECTED: &str = "expected a JPEG, PNG, WebP or GIF picture";

impl Format {
    pub(super) fn of(bytes: &[u8]) -> Decoded<Self> {
        if bytes.is_empty() {
            return Err(format!("the file is empty; {EXPECTED}"));
        }
        if bytes.starts_with(b"\xff\xd8") {
            return Ok(Self::Jpeg);
        }
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            return Ok(Self::Png);
        }
        if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
            return Ok(Self::Gif);
        }
        if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            return Ok(Self::WebP);
        }
        if bytes.get(4..8) == Some(b"ftyp") {
            let brand = String::from_utf8_lossy(bytes.get(8..12).unwrap_or_default());
            let name = match &*brand {
                "avif" | "avis" => "an AVIF picture",
                "heic" | "heix" | "mif1" | "msf1" => "a HEIC picture",
                _ => "a film",
            };
            return Err(format!("this is {name}; {EXPECTED}"));
        }
        match OTHERS.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            Some((_, name)) => Err(format!("this is {name}; {EXPECTED}")),
            None => {
                let head = &bytes[..bytes.len().min(8)];
                Err(format!(
                    "{EXPECTED}, got a file that begins with {head:02x?}"
                ))
            }
        }
    }
}
