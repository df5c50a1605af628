//! Files that a release has written are read by every later one, and kept in `tests/data/compat/`.

use morelet_mapped::{Container, Kind, Load, OpenOptions, Verify};

use crate::forge::{DATA, META, write_small};

const VERSION_1: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/data/compat/container-v1.part"
);

#[test]
fn version_1_is_read() {
    for load in [Load::Map, Load::Copy] {
        let options = OpenOptions {
            load,
            verify: Verify::Full,
        };
        let container = Container::open(VERSION_1, Kind::Weights, options).unwrap();
        let sections: Vec<_> = container
            .sections()
            .iter()
            .map(|s| (s.name.as_str(), s.revision, s.bulk, s.offset, s.len))
            .collect();
        let expected = [
            ("meta", 1, false, 8192, 4),
            ("empty", 300, false, 12288, 0),
            ("data", 2, true, 12288, 8),
        ];
        assert_eq!(sections, expected);
        assert_eq!(*container.section("meta", 1..=1).unwrap(), *META);
        assert_eq!(*container.section("data", 2..=2).unwrap(), *DATA);
        // What `blake3` of PyPI gives for the file's bytes 0..32 and 64..197, where its table ends.
        assert_eq!(container.root().to_string(), ROOT);
    }
}

/// While version 1 is what is written, the same content makes the same file, on every machine and in every year.
#[test]
fn version_1_is_written_as_it_always_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.weights");
    assert_eq!(write_small(&path).to_string(), ROOT);
    assert!(std::fs::read(&path).unwrap() == std::fs::read(VERSION_1).unwrap());
}

const ROOT: &str = "50b254420677228ce64b934018c034f4f44f02351a5af8cd1075de962089d62d";
