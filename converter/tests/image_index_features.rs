//! `image-index --features`: arrays of NumPy and tensors that somebody else computed, whole and damaged.

mod album;

use album::{Album, DIM, line, numbers};
use std::fs;

fn arguments(features: &str) -> Vec<&str> {
    vec![
        "images.jsonl",
        "-o",
        "image.index",
        "--clip",
        "clip.weights",
        "--features",
        features,
    ]
}

fn value(row: usize, column: usize) -> f64 {
    // Exact in half precision.
    f64::from(((row * 37 + column * 11) % 64) as u8) / 64.0 - 0.4375
}

fn rows(count: usize) -> impl Iterator<Item = f64> {
    (0..count * DIM).map(|at| value(at / DIM, at % DIM))
}

/// A `.npy` file as `numpy.lib.format` writes it.
fn npy(version: u8, header: &str, values: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let len_bytes = if version == 1 { 2 } else { 4 };
    let unpadded = 8 + len_bytes + header.len() + 1;
    let header = format!(
        "{header}{}\n",
        " ".repeat(unpadded.next_multiple_of(64) - unpadded)
    );
    bytes.extend(&(header.len() as u32).to_le_bytes()[..len_bytes]);
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

fn header(descr: &str, fortran_order: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': {fortran_order}, 'shape': {shape}, }}")
}

fn f4(count: usize) -> Vec<u8> {
    rows(count)
        .flat_map(|value| (value as f32).to_le_bytes())
        .collect()
}

#[test]
#[cfg(unix)]
fn a_device_is_no_target_and_is_refused_at_once() {
    let album = Album::new(1);
    let arguments = [
        "images.jsonl",
        "-o",
        "/dev/null",
        "--clip",
        "nowhere.weights",
    ];
    let said = album.fails(&arguments);
    assert!(said.contains("/dev/null: is a device"), "{said}");
    assert!(!std::path::Path::new("/dev/null.building").exists());
}

#[test]
fn arrays_of_every_version_and_type_are_read() {
    let album = Album::new(0);
    let lines: Vec<String> = (0..5).map(line).collect();
    album.list(&lines);
    let f2: Vec<u8> = rows(5)
        .flat_map(|value| half::f16::from_f64(value).to_le_bytes())
        .collect();
    let f8: Vec<u8> = rows(5).flat_map(f64::to_le_bytes).collect();
    let files = [
        npy(1, &header("'<f4'", "False", "(5, 32)"), &f4(5)),
        npy(2, &header("'<f4'", "False", "(5, 32)"), &f4(5)),
        npy(3, &header("'<f4'", "False", "(5, 32)"), &f4(5)),
        npy(1, &header("'<f2'", "False", "(5, 32)"), &f2),
        npy(1, &header("'<f8'", "False", "(5, 32)"), &f8),
        // Python 2, another order, other spaces.
        npy(
            1,
            "{\"shape\":(5L,32L),'fortran_order':False,'descr':'<f4'}",
            &f4(5),
        ),
        npy(
            1,
            "{'shape': (5, 32,) , 'descr' : '<f4', 'fortran_order': False }",
            &f4(5),
        ),
    ];
    let mut expected = None;
    for bytes in files {
        fs::write(album.at("f.npy"), &bytes).unwrap();
        let mut arguments = arguments("f.npy");
        arguments.extend(["--threads", "1"]);
        album.succeeds(&arguments);
        assert_eq!(album.ids("image.index"), numbers(0..5));
        let index = fs::read(album.at("image.index")).unwrap();
        assert!(*expected.get_or_insert(index.clone()) == index);
        let query: Vec<f32> = (0..DIM).map(|column| value(3, column) as f32).collect();
        let found = album.open("image.index").search_exact(&query, 1).unwrap();
        assert_eq!(found[0].0.0, 3);
        assert!((found[0].1 - 1.0).abs() < 0.01, "{}", found[0].1);
    }
    assert_eq!(
        album.names(),
        ["clip.weights", "f.npy", "image.index", "images.jsonl"]
    );
}

#[test]
fn arrays_that_are_damaged_or_no_rows_of_numbers_are_refused() {
    let album = Album::new(0);
    let lines: Vec<String> = (0..5).map(line).collect();
    album.list(&lines);
    let good = npy(1, &header("'<f4'", "False", "(5, 32)"), &f4(5));
    let of = |header: &str| npy(1, header, &f4(5));
    let changed = |at: usize, to: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let mut longer = good.clone();
    longer.extend(&good);
    let mut long_header = npy(2, "", b"");
    long_header[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let nested = format!("{{'descr': '<f4', 'shape': ({}", "1,".repeat(4000));
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (good[..5].to_vec(), "f.npy"),
        (good[..7].to_vec(), "ends within the header"),
        (good[..9].to_vec(), "ends within the header"),
        (good[..60].to_vec(), "ends within the header"),
        (
            good[..good.len() - 1].to_vec(),
            "got 639: the file was cut short",
        ),
        (longer, "something follows the array"),
        (changed(6, &[4]), "got 4.0"),
        (changed(7, &[1]), "got 1.1"),
        (changed(8, &[0xFF, 0xFF]), "at most 10000, got 65535"),
        (long_header, "at most 10000, got 4294967295"),
        (of(&header("'>f4'", "False", "(5, 32)")), "big-endian"),
        (of(&header("'|O'", "False", "(5, 32)")), "pickle"),
        (of(&header("'O'", "False", "(5,)")), "pickle"),
        (of(&header("'<i4'", "False", "(5, 32)")), "of type <i4"),
        (of(&header("'<U8'", "False", "(5, 32)")), "of type <U8"),
        (
            of(&header("[('x', '<f4', (32,))]", "False", "(5,)")),
            "structured",
        ),
        (
            of(&header("'<f4'", "True", "(5, 32)")),
            "np.ascontiguousarray",
        ),
        (of(&header("'<f4'", "false", "(5, 32)")), "True or False"),
        (of(&header("'<f4'", "False", "(5, -32)")), "a whole number"),
        (of(&header("'<f4'", "False", "[5, 32]")), "expected `(`"),
        (
            of(&header("'<f4'", "False", "(5, 32")),
            "a whole number at byte 58, got `}`",
        ),
        (of(&header("'<f4", "False", "(5, 32)")), "expected"),
        (of("{'descr': '<f4"), "does not end"),
        (
            of("{'descr': '<f\\x34', 'fortran_order': False, 'shape': (5, 32)}"),
            "does not end",
        ),
        (
            of(&header("'<f4'", "False", "(5, 18446744073709551616)")),
            "a whole number",
        ),
        (
            of(&header("'<f4'", "False", "(4611686018427387904, 32)")),
            "more than any file has",
        ),
        (
            of(&header("'<f4'", "False", "(500000000, 32)")),
            "cut short",
        ),
        (
            of(&header("'<f4'", "False", "(160,)")),
            "[pictures, 32], as this CLIP's features have, got [160]",
        ),
        (of(&header("'<f4'", "False", "(10, 16)")), "got [10, 16]"),
        (
            of(&header("'<f4'", "False", "(5, 32, 1)")),
            "got [5, 32, 1]",
        ),
        (
            of("{'descr': '<f4', 'shape': (5, 32)}"),
            "'fortran_order' is missing",
        ),
        (
            of("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (5, 32)}"),
            "comes twice",
        ),
        (
            of("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 32), 'x': 1}"),
            "unknown key 'x'",
        ),
        (
            of("{'descr': '<f4', 'fortran_order': False, 'shape': (5, 32)} + 1"),
            "expected nothing more",
        ),
        (of("__import__('os').system('true')"), "expected `{`"),
        (of(""), "expected `{`"),
        (of(&nested), "more than 16 dimensions"),
        (
            npy(1, &header("'<f4'", "False", "(4, 32)"), &f4(4)),
            "images.jsonl:5: a picture without a feature",
        ),
        (
            npy(1, &header("'<f4'", "False", "(6, 32)"), &f4(6)),
            "holds 6 rows",
        ),
        (
            npy(1, &header("'<f4'", "False", "(0, 32)"), b""),
            "without a feature",
        ),
    ];
    for (bytes, says) in cases {
        fs::write(album.at("f.npy"), &bytes).unwrap();
        let said = album.fails(&arguments("f.npy"));
        assert!(
            said.contains("f.npy") && said.contains(says),
            "{says}: {said}"
        );
        assert!(!said.contains("panicked"), "{said}");
        assert_eq!(
            album.names(),
            ["clip.weights", "f.npy", "images.jsonl"],
            "{says}"
        );
    }
    fs::rename(album.at("f.npy"), album.at("f.npz")).unwrap();
    let said = album.fails(&arguments("f.npz"));
    assert!(said.contains("an archive of arrays"), "{said}");
    fs::create_dir(album.at("folder")).unwrap();
    let said = album.fails(&arguments("folder"));
    assert!(said.contains("folder: expected a file"), "{said}");
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_waited_for() {
    let album = Album::new(0);
    let made = std::process::Command::new("mkfifo")
        .arg(album.at("pipe"))
        .status();
    assert!(made.unwrap().success());
    let said = album.fails(&arguments("pipe"));
    assert!(said.contains("pipe: expected a file"), "{said}");
}

#[test]
fn rows_without_a_direction_are_bad_pictures_and_shards_take_their_rows() {
    let album = Album::new(0);
    let lines: Vec<String> = (0..150).map(line).collect();
    album.list(&lines);
    let mut values: Vec<f32> = rows(150).map(|value| value as f32).collect();
    values[3 * DIM..4 * DIM].fill(0.0);
    values[70 * DIM + 5] = f32::NAN;
    values[149 * DIM] = f32::INFINITY;
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    fs::write(
        album.at("f.npy"),
        npy(1, &header("'<f4'", "False", "(150, 32)"), &bytes),
    )
    .unwrap();
    let said = album.fails(&arguments("f.npy"));
    for says in [
        "images.jsonl:4: row 3 of f.npy: the feature is zero",
        "images.jsonl:71: row 70 of f.npy: the feature holds a value that is not a number",
        "images.jsonl:150: row 149 of f.npy",
        "3 of 150 pictures are bad",
        "--skip-bad",
    ] {
        assert!(said.contains(says), "{says}: {said}");
    }
    assert!(!said.contains("kept in"), "{said}");
    let mut skipping = arguments("f.npy");
    skipping.push("--skip-bad");
    album.succeeds(&skipping);
    let good = |range: std::ops::Range<u32>| numbers(range.filter(|n| ![3, 70, 149].contains(n)));
    assert_eq!(album.ids("image.index"), good(0..150));
    skipping.extend(["--shard", "2/3"]);
    album.succeeds(&skipping);
    assert_eq!(album.ids("image.index"), good(64..128));
    let query: Vec<f32> = (0..DIM).map(|column| value(65, column) as f32).collect();
    let found = album.open("image.index").search_exact(&query, 64).unwrap();
    assert!(
        found
            .iter()
            .any(|(image, score)| image.0 == 1 && *score > 0.99)
    );
}
