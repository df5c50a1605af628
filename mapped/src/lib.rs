//! The container of Morelet's part files: write, map, check.

#[cfg(target_endian = "big")]
compile_error!(
    "Morelet's files are mapped as they are, in little-endian order: big-endian machines cannot use them"
);

mod atomic;
mod bytes;
mod codec;
mod container;
mod error;
mod foreign;
mod hash;
mod header;
mod table;
mod writer;

pub use atomic::{AtomicDir, write_file_atomically};
pub use bytes::{Bytes, Plain, Slice};
pub use codec::{decode, encode};
pub use container::{Container, Load, OpenOptions, Verify};
pub use error::{Error, ErrorKind, Result};
pub use hash::{Hash, Hasher};
pub use header::Kind;
pub use table::Section;
pub use writer::{SectionWriter, Suspended, Writer};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.weights");
        let mut writer = Writer::create(&path, Kind::Weights).unwrap();
        let mut section = writer.section("meta", 1, false).unwrap();
        section.put(&encode(&vec![1u64, 2, 300]).unwrap()).unwrap();
        section.finish().unwrap();
        writer.section("empty", 1, false).unwrap().finish().unwrap();
        let mut section = writer.section("data", 2, true).unwrap();
        section.put(&[1]).unwrap();
        section.align(64).unwrap();
        section.put(&1.5f32.to_le_bytes()).unwrap();
        section.finish().unwrap();
        let root = writer.finish().unwrap();
        for load in [Load::Map, Load::Copy] {
            let options = OpenOptions {
                load,
                verify: Verify::Full,
            };
            let container = Container::open(&path, Kind::Weights, options).unwrap();
            assert_eq!(container.root(), root);
            let meta: Vec<u64> = decode(&container.section("meta", 1..=1).unwrap()).unwrap();
            assert_eq!(meta, [1, 2, 300]);
            let data = container.section("data", 1..=2).unwrap();
            let floats = data.slice(64..68).unwrap().typed::<f32>().unwrap();
            assert_eq!(*floats, [1.5]);
            assert_eq!(
                container.section("data", 1..=1).unwrap_err().kind(),
                ErrorKind::Version
            );
            assert_eq!(
                container.section("dato", 1..=1).unwrap_err().kind(),
                ErrorKind::Missing
            );
            container.verify(&mut |_, _| {}).unwrap();
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
