//! Files that are not what their name says, called by what they are.

use super::tensor::SourceFile;
use crate::Error;

/// How such a file begins, what it is, and how to mend it.
const SIGNATURES: &[(&[u8], &str)] = &[
    (
        b"version https://git-lfs",
        "a Git-LFS pointer, not the file itself: fetch it by `git lfs pull`",
    ),
    (
        b"PK\x03\x04",
        "a zip archive, as torch.save writes: it should be named pytorch_model.bin",
    ),
    (
        b"GGUF",
        "a GGUF file: convert from the checkpoint that it was made of",
    ),
    (
        b"\x89HDF",
        "an HDF5 file of TensorFlow: save the model from PyTorch, or as safetensors",
    ),
    (b"\x89MRL", "a file of Morelet, converted already"),
    (
        b"\x80",
        "a pickle, as torch.save writes: it should be named pytorch_model.bin",
    ),
    (b"\x1f\x8b", "a gzip file: unpack it first"),
    (b"<", "a web page or XML: the download went wrong"),
    (b"{", "JSON"),
];

/// The refusal of `file`, which should have been `expected`.
pub(super) fn refuse(file: &SourceFile, expected: &str) -> Error {
    let head = match file.head(512) {
        Ok(head) => head,
        Err(error) => return error,
    };
    let got = if head.is_empty() {
        "an empty file"
    } else if head.get(257..262) == Some(b"ustar") {
        "a tar archive, as PyTorch wrote before 0.1.10: load it there and save it again"
    } else {
        let known = SIGNATURES
            .iter()
            .find(|(signature, _)| head.starts_with(signature));
        known.map_or("something else", |(_, what)| *what)
    };
    Error::input(format!("expected {expected}, got {got}")).at(&file.path)
}
