//! Files that are something else, and paths that lead to no file.

use morelet_mapped::{Container, Error, ErrorKind, Kind, Load, OpenOptions, Verify};

use crate::forge::{Forge, folder_with};

fn refusal(bytes: &[u8]) -> Error {
    let (_folder, path) = folder_with("x.weights", bytes);
    Container::open(&path, Kind::Weights, OpenOptions::default()).unwrap_err()
}

/// The first bytes of each format, from its own specification or from a file that its own tools wrote.
#[test]
fn a_file_that_is_something_else_is_called_by_its_name() {
    let convert = "morelet-convert model";
    let zip = |member: &str| {
        [
            &b"PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00"[..],
            &[0; 12],
            &[member.len() as u8, 0, 0, 0],
            member.as_bytes(),
        ]
        .concat()
    };
    let safetensors = {
        let header = br#"{"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        [&(header.len() as u64).to_le_bytes()[..], header, &[0; 4]].concat()
    };
    let tar = {
        let mut block = vec![0; 512];
        block[..8].copy_from_slice(b"a/b.json");
        block[257..263].copy_from_slice(b"ustar\0");
        block
    };
    // The head of what `torch.save(…, _use_new_zipfile_serialization=False)` writes, and of a plain pickle.
    let torch_pickle = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
    let pickle = b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.";
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 1112197096\n";
    let prose = "Łódź is a town.\n".repeat(1000);
    let cases: [(&[u8], &str, &str); 32] = [
        (b"", "an empty file", "fetch it again"),
        (
            &zip("archive/data.pkl"),
            "a PyTorch checkpoint (a zip archive)",
            convert,
        ),
        (&zip("notes.txt"), "a zip archive", "Unpack"),
        (
            torch_pickle,
            "a PyTorch checkpoint (a pickle, as before version 1.6)",
            convert,
        ),
        (pickle, "a Python pickle", convert),
        (&safetensors, "a safetensors checkpoint", convert),
        (b"GGUF\x03\x00\x00\x00", "a GGUF model", convert),
        (
            b"\x08\x07\x12\x07pytorch\x1a\x052.1.0:",
            "an ONNX model",
            convert,
        ),
        (b"\x08\x08:\xe9\x07\x0a\x05", "an ONNX model", convert),
        (b"\x08\x0a\x12\x0cskl2onnx", "an ONNX model", convert),
        (
            b"<!DOCTYPE html>\n<html>",
            "a web page (HTML)",
            "fetch the file itself",
        ),
        (
            b"\n\n<HTML lang=en>",
            "a web page (HTML)",
            "fetch the file itself",
        ),
        (
            b"\xef\xbb\xbf<!doctype html>",
            "a web page (HTML)",
            "fetch the file itself",
        ),
        (
            b"<?xml version=\"1.0\"?><Error>AccessDenied</Error>",
            "an XML file",
            "morelet-convert",
        ),
        (
            b"<mediawiki xmlns=\"http://www.mediawiki.org/xml/export-0.10/\">",
            "a MediaWiki dump",
            "corpus",
        ),
        (b"{\n  \"format\": 1\n}\n", "a JSON file", "bundle.json"),
        (b"[1, 2]", "a JSON file", "bundle.json"),
        (
            lfs,
            "a Git-LFS pointer, which stands for the file",
            "git lfs pull",
        ),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "a gzip file", "Unpack"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "a Zstandard file", "Unpack"),
        (b"BZh91AY&SY", "a bzip2 file", "Unpack"),
        (b"\xfd7zXZ\0\0\x04", "an xz file", "Unpack"),
        (&tar, "a tar archive", "Unpack"),
        (
            b"\x89HDF\r\n\x1a\n\x00",
            "an HDF5 file, as Keras saves models",
            convert,
        ),
        (b"\x93NUMPY\x01\x00v\x00", "a NumPy array", "path"),
        (
            b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR",
            "a PNG picture",
            "path",
        ),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a JPEG picture", "path"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "a WebP picture", "path"),
        (&[0; 9000], "zeros", "fetch it again"),
        (prose.as_bytes(), "a text file", "path"),
        (b"\x7fELF\x02\x01\x01", "a program", "path"),
        (
            b"\xde\xad\xbe\xef\x00\x01\x02\x03\x04",
            "bytes de ad be ef 00 01 02 03",
            "path",
        ),
    ];
    for (bytes, what, mend) in cases {
        let error = refusal(bytes);
        assert_eq!(error.kind(), ErrorKind::NotThisFormat, "{what}: {error}");
        assert_eq!(error.got(), Some(what), "{error}");
        assert_eq!(error.offset(), Some(0));
        assert!(error.to_string().contains(mend), "{what}: {error}");
    }
}

#[test]
fn our_own_file_after_a_transfer_in_text_mode_is_called_damaged() {
    let sound = Forge::small().bytes();
    let unix: Vec<u8> = without_carriage_returns(&sound);
    let seven_bits: Vec<u8> = sound.iter().map(|byte| byte & 0x7f).collect();
    let latin_to_utf8: Vec<u8> = sound
        .iter()
        .map(|&byte| char::from(byte))
        .collect::<String>()
        .into_bytes();
    let lossy = String::from_utf8_lossy(&sound).into_owned().into_bytes();
    for bytes in [unix, seven_bits, latin_to_utf8, lossy] {
        let error = refusal(&bytes);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert!(error.to_string().contains("binary mode"), "{error}");
    }
}

fn without_carriage_returns(bytes: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    for (at, &byte) in bytes.iter().enumerate() {
        if byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            result.push(byte);
        }
    }
    result
}

const OPTIONS: [OpenOptions; 2] = [
    OpenOptions {
        load: Load::Map,
        verify: Verify::Quick,
    },
    OpenOptions {
        load: Load::Copy,
        verify: Verify::Full,
    },
];

#[test]
fn a_path_to_nothing_is_an_io_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.weights");
    for options in OPTIONS {
        let error = Container::open(&path, Kind::Weights, options).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Io, Some(&*path)));
        assert_eq!(
            error.io_error().unwrap().kind(),
            std::io::ErrorKind::NotFound
        );
    }
}

#[test]
fn a_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for options in OPTIONS {
        let error = Container::open_any(folder.path(), options).unwrap_err();
        assert_eq!(
            (error.kind(), error.got()),
            (ErrorKind::NotThisFormat, Some("a folder")),
            "{error}"
        );
        assert!(error.to_string().contains("bundle"), "{error}");
    }
}

/// Opening a FIFO waits for a writer, reading a device may never end.
#[cfg(unix)]
#[test]
fn a_fifo_and_a_device_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&fifo)
            .status()
            .unwrap()
            .success()
    );
    let cases = [
        (fifo.as_path(), "a pipe (FIFO)"),
        (std::path::Path::new("/dev/zero"), "a device"),
    ];
    for (path, what) in cases {
        for options in OPTIONS {
            let error = Container::open_any(path, options).unwrap_err();
            assert_eq!(
                (error.kind(), error.got()),
                (ErrorKind::NotThisFormat, Some(what)),
                "{error}"
            );
        }
    }
}

#[cfg(unix)]
#[test]
fn a_link_is_followed() {
    let (folder, path) = folder_with("x.weights", &Forge::small().bytes());
    let link = folder.path().join("link.weights");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    Container::open(&link, Kind::Weights, OpenOptions::default()).unwrap();
}
