//! Files that torch wrote, and files that nobody should have written.

use super::super::tensor::{SourceFile, SourceTensor};
use crate::{Error, Result};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/torch")
        .join(name)
}

fn read(path: &Path) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    super::tensors(&SourceFile::open(path)?)
}

fn read_bytes(bytes: &[u8]) -> Result<Vec<SourceTensor>> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pytorch_model.bin");
    std::fs::write(&path, bytes).unwrap();
    read(&path).map(|(tensors, _)| tensors)
}

fn values(tensor: &SourceTensor) -> Result<Vec<f32>> {
    let mut all = Vec::new();
    tensor.values(&mut |values| {
        all.extend_from_slice(values);
        Ok(())
    })?;
    Ok(all)
}

/// Compares with the values that torch itself reads.
fn compare(tensors: &[SourceTensor]) {
    let expected = std::fs::read(data("expected.json")).unwrap();
    let expected: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&expected).unwrap();
    assert_eq!(tensors.len(), expected.len());
    for tensor in tensors {
        let expected = &expected[&tensor.name];
        assert_eq!(
            serde_json::json!(tensor.shape),
            expected["shape"],
            "{}",
            tensor.name
        );
        if tensor.name == "integers" {
            let error = values(tensor).unwrap_err().to_string();
            assert!(
                error.contains("tensor `integers` is of type i64"),
                "{error}"
            );
            continue;
        }
        let want: Vec<f32> = expected["values"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_f64().unwrap() as f32)
            .collect();
        assert_eq!(values(tensor).unwrap(), want, "{}", tensor.name);
    }
}

#[test]
fn reads_every_way_to_lie_in_a_storage() {
    for name in ["zip.bin", "zip-protocol-4.bin", "legacy.bin"] {
        compare(&read(&data(name)).unwrap().0);
    }
}

#[test]
fn finds_the_weights_in_what_a_training_loop_saved() {
    let (tensors, others) = read(&data("training-loop.bin")).unwrap();
    compare(&tensors);
    assert_eq!(others, Vec::<String>::new());
}

#[test]
fn reads_deflated_members_and_any_name_of_the_archive() {
    let mut archive = zip::ZipArchive::new(std::fs::File::open(data("zip.bin")).unwrap()).unwrap();
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    for index in 0..archive.len() {
        let mut member = archive.by_index(index).unwrap();
        let name = format!("some/name/{}", member.name().split_once('/').unwrap().1);
        writer
            .start_file(name, options(CompressionMethod::Deflated))
            .unwrap();
        std::io::copy(&mut member, &mut writer).unwrap();
    }
    writer.finish().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("deflated.bin");
    std::fs::write(&path, bytes.into_inner()).unwrap();
    compare(&read(&path).unwrap().0);
}

#[test]
fn refuses_whole_modules_by_the_name_of_their_class() {
    for name in ["whole-module.bin", "whole-module-legacy.bin"] {
        let error = read(&data(name)).unwrap_err().to_string();
        assert!(
            error.contains("torch.nn.modules.linear.Linear") || error.contains("a whole model"),
            "{error}"
        );
        assert!(
            error.contains("torch.save(model.state_dict(), PATH)"),
            "{error}"
        );
    }
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    for name in ["zip.bin", "legacy.bin"] {
        let (_directory, path, file) = writable(name);
        for len in (0..file.metadata().unwrap().len()).rev() {
            file.set_len(len).unwrap();
            assert!(read(&path).is_err(), "{name} cut to {len}");
        }
    }
}

#[test]
fn a_flip_of_any_byte_never_panics() {
    for name in ["zip.bin", "legacy.bin"] {
        let (_directory, path, mut file) = writable(name);
        for (at, byte) in std::fs::read(data(name)).unwrap().into_iter().enumerate() {
            let mut put = |byte: u8| {
                file.seek(SeekFrom::Start(at as u64)).unwrap();
                file.write_all(&[byte]).unwrap();
            };
            put(!byte);
            if let Ok((tensors, _)) = read(&path) {
                tensors.iter().for_each(|tensor| drop(values(tensor)));
            }
            put(byte);
        }
    }
}

/// A copy of a file of the data that may be changed.
fn writable(name: &str) -> (tempfile::TempDir, PathBuf, std::fs::File) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, std::fs::read(data(name)).unwrap()).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    (directory, path, file)
}

fn options(method: CompressionMethod) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(method)
}

/// An archive of torch with these members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    for (name, content) in members {
        writer
            .start_file(*name, options(CompressionMethod::Stored))
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap();
    bytes.into_inner()
}

fn pickled(pickle: &[u8]) -> Error {
    read_bytes(&archive(&[
        ("archive/data.pkl", pickle),
        ("archive/data/0", &[0; 64]),
    ]))
    .unwrap_err()
}

/// A tensor over storage 0: `{'w': _rebuild_tensor_v2(storage(elements), offset, (rows,), (stride,), False, None)}`.
fn one_tensor(elements: i32, offset: i32, rows: i32, stride: i32) -> Vec<u8> {
    let mut pickle = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n\
        X\x01\0\0\x000X\x03\0\0\0cpuJ"
        .to_vec();
    pickle.extend(elements.to_le_bytes());
    pickle.extend(b"tQJ");
    pickle.extend(offset.to_le_bytes());
    for number in [rows, stride] {
        pickle.push(b'J');
        pickle.extend(number.to_le_bytes());
        pickle.push(0x85);
    }
    pickle.extend(b"\x89NtRs.");
    pickle
}

#[test]
fn a_tensor_written_by_hand_is_read() {
    let storage: Vec<u8> = (0..16).flat_map(|n| (n as f32).to_le_bytes()).collect();
    let bytes = archive(&[
        ("x/data.pkl", &one_tensor(16, 1, 3, 5)),
        ("x/data/0", &storage),
    ]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hand.bin");
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(
        values(&read(&path).unwrap().0[0]).unwrap(),
        [1.0, 6.0, 11.0]
    );
}

#[test]
fn refuses_pickles_that_would_do_something() {
    for (pickle, expected) in [
        (
            &b"\x80\x02cos\nsystem\nX\x04\0\0\0echo\x85R."[..],
            "`os.system`",
        ),
        (
            b"\x80\x02cposix\nsystem\nX\x04\0\0\0echo\x85R.",
            "`posix.system`",
        ),
        (
            b"\x80\x02c__builtin__\neval\nX\x01\0\0\x001\x85R.",
            "`__builtin__.eval`",
        ),
        (
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04echo\x85R.",
            "`os.system`",
        ),
        (b"\x80\x02cbuiltins\ngetattr\n.", "`builtins.getattr`"),
        (b"\x80\x02ctorch\nload\n.", "`torch.load`"),
        (
            b"\x80\x02ctorch._utils\n_rebuild_tensor_v2.__globals__\n.",
            "__globals__",
        ),
        (
            b"\x80\x02ctorch.hub\nload_state_dict_from_url\n.",
            "`torch.hub.load_state_dict_from_url`",
        ),
        (b"\x80\x02crunpy\n_run_code\n.", "`runpy._run_code`"),
        (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n.",
            "`numpy.core.multiarray._reconstruct`",
        ),
        // INST, OBJ, NEWOBJ, NEWOBJ_EX, EXT1
        (b"\x80\x02(ios\nsystem\n.", "would make an object"),
        (b"\x80\x02(o.", "would make an object"),
        (
            b"\x80\x02ccollections\nOrderedDict\n)\x81.",
            "would make an object of OrderedDict",
        ),
        (
            b"\x80\x04ccollections\nOrderedDict\n)}\x92.",
            "would make an object",
        ),
        (b"\x80\x02\x82\x01.", "opcode 0x82"),
        // A class of storages is no function, nor is a number.
        (
            b"\x80\x02ctorch\nFloatStorage\nK\x01\x85R.",
            "would call a class",
        ),
        (b"\x80\x02K\x01)R.", "would call an int"),
        // BUILD of a class would change the class.
        (
            b"\x80\x02ccollections\nOrderedDict\n}b.",
            "would set attributes",
        ),
        // A text persistent id, and one that is no storage.
        (b"\x80\x02Pfile:///etc/passwd\n.", "opcode 0x50"),
        (
            b"\x80\x02X\x0b\0\0\0/etc/passwdQ.",
            "a persistent id that is a string",
        ),
        (
            b"\x80\x02(X\x06\0\0\0moduleccollections\nOrderedDict\nX\x01\0\0\0aX\x01\0\0\0bK\x01tQ.",
            "a whole model",
        ),
    ] {
        let error = pickled(pickle).to_string();
        assert!(error.contains(expected), "expected {expected}: {error}");
        assert!(error.contains("data.pkl, offset"), "{error}");
    }
}

#[test]
fn refuses_pickles_that_are_damaged() {
    for (pickle, expected) in [
        (&b""[..], "the pickle ends early"),
        (b"\x80\x09.", "protocol 9"),
        (b".", "the stack empty"),
        (b"t.", "no mark"),
        (b"(.", "the stack empty"),
        (b"N(0.", "below the last mark"),
        (b"\x85.", "more than the stack holds"),
        (b"K\x01(\x86.", "more than the stack holds"),
        (b"K\x01K\x02(\x86.", "below the last mark"),
        (b"h\x05.", "memo 5 was never filled"),
        (b"}K\x01K\x02K\x03s.", "SETITEMS of an int"),
        (b"}(K\x01u.", "a key without a value"),
        (b"NK\x01a.", "APPEND to None"),
        (b"X\xff\xff\xff\xff.", "expected 4294967295 bytes, got 1"),
        (
            b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
            "expected 18446744073709551615 bytes",
        ),
        (b"\x8b\xff\xff\xff\xff.", "expected 4294967295 bytes"),
        (b"X\x01\0\0\0\xff.", "not UTF-8"),
        (b"]].", "expected a dict of tensors, got a list"),
    ] {
        let error = pickled(pickle).to_string();
        assert!(
            error.contains(expected),
            "{pickle:?}: expected {expected}: {error}"
        );
    }
}

#[test]
fn depth_costs_nothing() {
    let mut nested = vec![b'('; 1 << 20];
    nested.extend(vec![b't'; 1 << 20]);
    nested.push(b'.');
    assert!(pickled(&nested).to_string().contains("got a tuple"));
    // A dict that holds itself, as its own weights.
    let error = read_bytes(&archive(&[(
        "a/data.pkl",
        b"}q\0X\x0a\0\0\0state_dicth\0s.",
    )]))
    .unwrap();
    assert!(error.is_empty());
}

#[test]
fn a_pickle_without_end_is_cut_off() {
    // NONE, POP for ever: no growth, but no end.
    let endless = b"N0".repeat((super::pickle::MAX_BYTES as usize) / 2 + 1);
    assert!(
        pickled(&endless)
            .to_string()
            .contains("no checkpoint needs as many")
    );
    let growing = vec![b'N'; 5 << 20];
    assert!(
        pickled(&growing)
            .to_string()
            .contains("no checkpoint needs as many")
    );
}

#[test]
fn a_list_that_is_named_again_and_again_is_not_copied_for_ever() {
    // A list of 300,000 pairs, kept as memo 0, and then a hundred ordered dictionaries made of it.
    let mut dictionaries = b"\x80\x02](".to_vec();
    dictionaries.extend(b"NN\x86".repeat(300_000));
    dictionaries.extend(b"eq\0");
    dictionaries.extend(b"ccollections\nOrderedDict\nh\0\x85R".repeat(100));
    dictionaries.push(b'.');
    let error = pickled(&dictionaries).to_string();
    assert!(error.contains("values copied"), "{error}");
    // A shape of as many dimensions is refused before it is copied.
    let mut shape = b"\x80\x02](".to_vec();
    shape.extend(b"K\x01".repeat(300_000));
    shape.extend(b"eq\0ctorch\nSize\nh\0\x85R.");
    let error = pickled(&shape).to_string();
    assert!(error.contains("torch.Size"), "{error}");
}

#[test]
fn refuses_tensors_outside_their_storage() {
    for (pickle, expected) in [
        (
            one_tensor(16, 0, 17, 1),
            "does not fit its storage of 16 elements",
        ),
        (one_tensor(16, 16, 1, 1), "does not fit"),
        (one_tensor(16, 0, 4, 6), "does not fit"),
        (
            one_tensor(17, 0, 1, 1),
            "member `archive/data/0`: expected 68 bytes, got 64",
        ),
        (one_tensor(-1, 0, 1, 1), "a storage without a size"),
        (one_tensor(16, -1, 1, 1), "a tensor without an offset"),
        (one_tensor(16, 0, -1, 1), "a tensor without a shape"),
        (one_tensor(16, 0, 1, -1), "a tensor without strides"),
        (
            one_tensor(16, 0, i32::MAX, 0),
            "repeated from a storage of 16",
        ),
    ] {
        let error = pickled(&pickle).to_string();
        assert!(error.contains(expected), "expected {expected}: {error}");
    }
}

#[test]
fn refuses_archives_that_are_not_torchs() {
    let pickle = one_tensor(16, 0, 1, 1);
    for (members, expected) in [
        (&[("a/other.txt", &b"x"[..])][..], "not one of torch.save"),
        (
            &[("a/data.pkl", &pickle), ("b/data.pkl", &pickle)],
            "expected one `NAME/data.pkl`",
        ),
        (&[("a/data.pkl", &pickle)], "no member `a/data/0`"),
        (
            &[
                ("a/data.pkl", &pickle),
                ("a/data/0", &[0; 64]),
                ("a/byteorder", b"big"),
            ],
            "expected `little`, got `big`",
        ),
    ] {
        let error = read_bytes(&archive(members)).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected}: {error}");
    }
}

/// A member whose header claims more bytes than deflate can make of it.
#[test]
fn refuses_a_zip_bomb_before_it_inflates() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    writer
        .start_file("a/data.pkl", options(CompressionMethod::Stored))
        .unwrap();
    writer
        .write_all(&one_tensor(1 << 28, 0, 1 << 28, 1))
        .unwrap();
    writer
        .start_file("a/data/0", options(CompressionMethod::Deflated))
        .unwrap();
    writer.write_all(&[0; 4096]).unwrap();
    writer.finish().unwrap();
    let mut bytes = bytes.into_inner();
    // The uncompressed size in the central directory (offset 24 of the second entry) becomes 1 GiB.
    let entry = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x01\x02")
        .nth(1)
        .unwrap()
        .0;
    bytes[entry + 24..entry + 28].copy_from_slice(&(1_u32 << 30).to_le_bytes());
    let error = read_bytes(&bytes).unwrap_err().to_string();
    assert!(error.contains("no deflate can do"), "{error}");

    // The pickle itself: 64 MiB of NONE in 64 kB.
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    writer
        .start_file("a/data.pkl", options(CompressionMethod::Deflated))
        .unwrap();
    for _ in 0..64 {
        writer.write_all(&vec![b'N'; 1 << 20]).unwrap();
    }
    writer.finish().unwrap();
    let error = read_bytes(&bytes.into_inner()).unwrap_err().to_string();
    assert!(error.contains("no checkpoint needs as many"), "{error}");
}

#[test]
fn refuses_a_deflated_member_that_ends_before_its_size() {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut writer = ZipWriter::new(&mut bytes);
    writer
        .start_file("a/data.pkl", options(CompressionMethod::Stored))
        .unwrap();
    writer.write_all(&one_tensor(2048, 0, 2048, 1)).unwrap();
    writer
        .start_file("a/data/0", options(CompressionMethod::Deflated))
        .unwrap();
    writer.write_all(&[0; 4096]).unwrap();
    writer.finish().unwrap();
    let mut bytes = bytes.into_inner();
    let entry = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, window)| *window == b"PK\x01\x02")
        .nth(1)
        .unwrap()
        .0;
    bytes[entry + 24..entry + 28].copy_from_slice(&8192_u32.to_le_bytes());
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("short.bin");
    std::fs::write(&path, bytes).unwrap();
    let error = read(&path)
        .and_then(|(tensors, _)| values(&tensors[0]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot read the weights here") || error.contains("no deflate can do"),
        "{error}"
    );
}

#[test]
fn refuses_a_legacy_file_of_another_byte_order_or_protocol() {
    let good = std::fs::read(data("legacy.bin")).unwrap();
    let order = good
        .windows(13)
        .position(|window| window == b"little_endian")
        .unwrap();
    let flag = order + good[order..].iter().position(|byte| *byte == 0x88).unwrap();
    let mut big = good.clone();
    big[flag] = 0x89;
    assert!(
        read_bytes(&big)
            .unwrap_err()
            .to_string()
            .contains("big-endian")
    );

    let protocol = good
        .windows(3)
        .position(|window| window == b"M\xe9\x03")
        .unwrap();
    let mut other = good.clone();
    other[protocol + 1] = 0xe8;
    assert!(
        read_bytes(&other)
            .unwrap_err()
            .to_string()
            .contains("expected protocol 1001, got 1000")
    );

    let mut other = good;
    other[6] ^= 1;
    assert!(
        read_bytes(&other)
            .unwrap_err()
            .to_string()
            .contains("not one of torch.save")
    );
}

#[test]
fn names_files_that_are_something_else() {
    for (bytes, expected) in [
        (
            &b"version https://git-lfs.github.com/spec/v1\n"[..],
            "git lfs pull",
        ),
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"<html>", "a web page"),
        (b"", "an empty file"),
        (b"PK\x03\x04", "a damaged zip"),
    ] {
        let error = read_bytes(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected}: {error}");
    }
}
