//! The header of a safetensors file: 8 bytes of length, JSON, then the tensors with no gap.
//!
//! Read here and not by the crate of that name, which wants the whole file in memory or mapped; mapping is
//! `morelet_mapped`'s alone, and tensors are read one at a time anyway.

use super::json;
use super::tensor::{Dtype, SourceFile, SourceTensor, Storage};
use crate::{Error, Result};
use serde::Deserialize;
use std::io::Read as _;
use std::sync::Arc;

/// The format's own limit on the header.
const MAX_HEADER: u64 = 100_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: [u64; 2],
}

/// Every tensor of a safetensors file.
pub(super) fn tensors(file: &Arc<SourceFile>) -> Result<Vec<SourceTensor>> {
    let mut len = [0; 8];
    if file.from(0)?.read_exact(&mut len).is_err() {
        return Err(super::foreign::refuse(file, "a safetensors file"));
    }
    let len = u64::from_le_bytes(len);
    if len > MAX_HEADER || len > file.len - 8 {
        // A length that cannot be is more often another kind of file than a damaged one.
        let head = file.head(9)?;
        if head.get(8) != Some(&b'{') {
            return Err(super::foreign::refuse(file, "a safetensors file"));
        }
        let most = MAX_HEADER.min(file.len - 8);
        return Err(file.corrupt(
            0,
            format_args!("header length: expected at most {most}, got {len}"),
        ));
    }
    let mut header = vec![0; len as usize];
    file.from(8)?
        .read_exact(&mut header)
        .map_err(|error| Error::io(&file.path, error))?;
    if header.first() != Some(&b'{') {
        return Err(super::foreign::refuse(file, "a safetensors file"));
    }
    let header = json::parse::<json::Entries>(&header, &file.path).map_err(|error| {
        file.corrupt(8, format_args!("header: {error}"))
            .caused_by(error)
    })?;
    let start = 8 + len;
    let mut ranges = Vec::new();
    let mut tensors = Vec::new();
    for (name, entry) in header.0 {
        if name == "__metadata__" {
            continue;
        }
        let fail =
            |message: String| file.corrupt(8, format_args!("header: tensor `{name}`: {message}"));
        let entry = Entry::deserialize(entry).map_err(|error| fail(error.to_string()))?;
        let [from, to] = entry.data_offsets;
        let end = start
            .checked_add(to)
            .filter(|end| *end <= file.len && from <= to);
        if end.is_none() {
            return Err(fail(format!(
                "expected a range inside the file's {} bytes of tensors, got {from}..{to}: the file is cut short or \
                 damaged",
                file.len - start
            )));
        }
        let storage = Storage {
            file: file.clone(),
            offset: start + from,
            len: to - from,
            deflated: None,
        };
        let dtype =
            dtype(&entry.dtype).ok_or_else(|| fail(format!("unknown type `{}`", entry.dtype)))?;
        let count = entry
            .shape
            .iter()
            .try_fold(1_u64, |count, dimension| count.checked_mul(*dimension));
        let bytes = count.and_then(|count| count.checked_mul(dtype.bytes()));
        // Types of less than a byte have no whole size here, and no weight has them.
        if bytes != Some(to - from)
            && !entry.dtype.starts_with("F4")
            && !entry.dtype.starts_with("F6")
        {
            let (shape, got) = (&entry.shape, to - from);
            let expected = bytes.map_or("fewer".to_owned(), |bytes| bytes.to_string());
            return Err(fail(format!(
                "{} {shape:?}: expected {expected} bytes, got {got}",
                entry.dtype
            )));
        }
        ranges.push((from, to, name.clone()));
        if bytes == Some(to - from) {
            tensors.push(SourceTensor::new(
                name,
                dtype,
                entry.shape,
                None,
                0,
                Arc::new(storage),
            )?);
        }
    }
    ranges.sort();
    let mut at = 0;
    for (from, to, name) in ranges {
        if from != at {
            let message = format!(
                "header: tensor `{name}`: expected to begin at {at}, got {from}: a gap or an overlap"
            );
            return Err(file.corrupt(8, message));
        }
        at = to;
    }
    if start + at != file.len {
        let message = format!(
            "expected the tensors to end at {}, got {}: bytes that belong to none",
            file.len,
            start + at
        );
        return Err(file.corrupt(start + at, message));
    }
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tensors)
}

fn dtype(name: &str) -> Option<Dtype> {
    Some(match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "I64" => Dtype::Other("i64", 8),
        "U64" => Dtype::Other("u64", 8),
        "I32" => Dtype::Other("i32", 4),
        "U32" => Dtype::Other("u32", 4),
        "I16" => Dtype::Other("i16", 2),
        "U16" => Dtype::Other("u16", 2),
        "I8" => Dtype::Other("i8", 1),
        "U8" => Dtype::Other("u8", 1),
        "BOOL" => Dtype::Other("bool", 1),
        "F8_E4M3" | "F8_E5M2" | "F8_E8M0" => Dtype::Other("f8", 1),
        "F4" | "F6_E2M3" | "F6_E3M2" => Dtype::Other("f4 or f6", 1),
        "C64" => Dtype::Other("complex64", 8),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<SourceTensor>> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        std::fs::write(&path, bytes).unwrap();
        tensors(&SourceFile::open(&path)?)
    }

    fn file(header: &str, data: usize) -> Vec<u8> {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0; data]);
        bytes
    }

    #[test]
    fn reads_what_the_crate_of_that_name_writes() {
        let values: Vec<u8> = [1.5_f32, -2.0, 0.25]
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let view =
            ::safetensors::tensor::TensorView::new(::safetensors::Dtype::F32, vec![3], &values)
                .unwrap();
        let bytes = ::safetensors::serialize([("weight", view)], None).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.safetensors");
        std::fs::write(&path, bytes).unwrap();
        let tensors = tensors(&SourceFile::open(&path).unwrap()).unwrap();
        let mut got = Vec::new();
        tensors[0]
            .values(&mut |values| {
                got.extend_from_slice(values);
                Ok(())
            })
            .unwrap();
        assert_eq!(
            (tensors[0].name.as_str(), got.as_slice()),
            ("weight", &[1.5, -2.0, 0.25][..])
        );
    }

    #[test]
    fn refuses_each_malformed_header() {
        let cases: &[(&str, Vec<u8>, &str)] = &[
            ("empty", Vec::new(), "an empty file"),
            ("a few bytes", b"abc".to_vec(), "got something else"),
            (
                "a length past the end",
                {
                    let mut bytes = file("{}", 0);
                    bytes[0] = 99;
                    bytes
                },
                "header length: expected at most 2, got 99",
            ),
            (
                "a length past every file",
                file("{}", 0)
                    .iter()
                    .enumerate()
                    .map(|(i, b)| if i < 8 { 255 } else { *b })
                    .collect(),
                "header length",
            ),
            (
                "a pointer of Git-LFS",
                b"version https://git-lfs.github.com/spec/v1\noid".to_vec(),
                "Git-LFS pointer",
            ),
            (
                "a zip",
                b"PK\x03\x04\0\0\0\0\0\0\0\0".to_vec(),
                "should be named pytorch_model.bin",
            ),
            (
                "a web page",
                b"<!DOCTYPE html><html></html>".to_vec(),
                "a web page",
            ),
            ("no JSON", file("{\"a\":", 0), "not JSON"),
            ("a list", file("[1,2]", 0), "got something else"),
            (
                "twins",
                file(
                    r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                    2,
                ),
                "`a` appears twice",
            ),
            (
                "past the end",
                file(
                    r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
                    15,
                ),
                "expected a range inside the file's 15 bytes",
            ),
            (
                "backwards",
                file(
                    r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[4,0]}}"#,
                    4,
                ),
                "expected a range",
            ),
            (
                "wrapping",
                file(
                    r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,18446744073709551615]}}"#,
                    16,
                ),
                "expected a range",
            ),
            (
                "shape of another size",
                file(
                    r#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}"#,
                    16,
                ),
                "expected 12 bytes, got 16",
            ),
            (
                "shape that overflows",
                file(
                    r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}"#,
                    16,
                ),
                "expected fewer bytes",
            ),
            (
                "negative shape",
                file(
                    r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,16]}}"#,
                    16,
                ),
                "tensor `a`",
            ),
            (
                "unknown type",
                file(
                    r#"{"a":{"dtype":"F128","shape":[1],"data_offsets":[0,16]}}"#,
                    16,
                ),
                "unknown type `F128`",
            ),
            (
                "a gap",
                file(
                    r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#,
                    2,
                ),
                "a gap or an overlap",
            ),
            (
                "an overlap",
                file(
                    r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                    3,
                ),
                "a gap or an overlap",
            ),
            (
                "bytes of nobody",
                file(
                    r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#,
                    9,
                ),
                "bytes that belong to none",
            ),
            (
                "an unknown key",
                file(
                    r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"file":"/etc/passwd"}}"#,
                    1,
                ),
                "unknown field",
            ),
        ];
        for (name, bytes, expected) in cases {
            let error = read(bytes)
                .map(|tensors| tensors.len())
                .unwrap_err()
                .to_string();
            assert!(error.contains(expected), "{name}: {error}");
            assert!(error.contains("model.safetensors"), "{name}: {error}");
        }
    }

    #[test]
    fn truncation_at_every_byte_is_an_error() {
        let bytes = file(
            r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#,
            16,
        );
        assert!(read(&bytes).is_ok());
        for len in 0..bytes.len() {
            assert!(read(&bytes[..len]).is_err(), "{len}");
        }
    }
}
