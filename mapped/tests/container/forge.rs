//! Files made byte by byte from the format's description, so that they can break any one rule of it. Nothing here
//! calls the crate's writer: what the two make alike, they make by agreeing on the description.

use std::path::{Path, PathBuf};

use morelet_mapped::{Hash, Kind, Writer};

/// A section as the table is to tell of it.
#[derive(Clone)]
pub struct Entry {
    pub name: &'static str,
    pub revision: u64,
    pub bulk: u8,
    pub offset: u64,
    pub len: u64,
    pub hash: Hash,
}

/// A file to be: by default sound, with a field for each thing that can be wrong.
#[derive(Clone)]
pub struct Forge {
    pub magic: [u8; 8],
    pub endian_mark: [u8; 4],
    pub version: u16,
    pub header_len: u16,
    pub kind: u32,
    /// In place of the table's length.
    pub table_len: Option<u32>,
    /// In place of the file's length.
    pub file_len: Option<u64>,
    /// In place of the right hash.
    pub root: Option<Hash>,
    /// In place of the number of entries.
    pub count: Option<u64>,
    pub entries: Vec<Entry>,
    /// In place of the table.
    pub table: Option<Vec<u8>>,
    /// What follows the last entry in the table.
    pub table_tail: Vec<u8>,
    /// The file from byte 8192 on.
    pub body: Vec<u8>,
    /// What stands between table and first section.
    pub padding: u8,
}

/// The contents of the three sections of the small file: `meta`, `empty` and the bulk section `data`.
pub const META: &[u8] = b"\x03one";
pub const DATA: &[u8] = &[0x00, 0x00, 0xc0, 0x3f, 0x00, 0x00, 0x20, 0xc0];

impl Forge {
    /// A sound weights file with three sections.
    pub fn small() -> Forge {
        let mut body = META.to_vec();
        body.resize(4096, 0);
        body.extend_from_slice(DATA);
        let entry = |name, revision, bulk, offset, content: &[u8]| Entry {
            name,
            revision,
            bulk,
            offset,
            len: content.len() as u64,
            hash: Hash::of(content),
        };
        Forge {
            magic: *b"\x89MRL\x0d\x0a\x1a\x0a",
            endian_mark: [0x04, 0x03, 0x02, 0x01],
            version: 1,
            header_len: 64,
            kind: 1,
            table_len: None,
            file_len: None,
            root: None,
            count: None,
            entries: vec![
                entry("meta", 1, 0, 8192, META),
                entry("empty", 300, 0, 12288, b""),
                entry("data", 2, 1, 12288, DATA),
            ],
            table: None,
            table_tail: Vec::new(),
            body,
            padding: 0,
        }
    }

    pub fn bytes(&self) -> Vec<u8> {
        let table = self.table.clone().unwrap_or_else(|| {
            let mut table = Vec::new();
            number(&mut table, self.count.unwrap_or(self.entries.len() as u64));
            for entry in &self.entries {
                number(&mut table, entry.name.len() as u64);
                table.extend_from_slice(entry.name.as_bytes());
                number(&mut table, entry.revision);
                table.push(entry.bulk);
                number(&mut table, entry.offset);
                number(&mut table, entry.len);
                table.extend_from_slice(entry.hash.as_bytes());
            }
            table.extend_from_slice(&self.table_tail);
            table
        });
        let mut file = Vec::new();
        file.extend_from_slice(&self.magic);
        file.extend_from_slice(&self.endian_mark);
        file.extend_from_slice(&self.version.to_le_bytes());
        file.extend_from_slice(&self.header_len.to_le_bytes());
        file.extend_from_slice(&self.kind.to_le_bytes());
        file.extend_from_slice(&self.table_len.unwrap_or(table.len() as u32).to_le_bytes());
        let file_len = 8192 + self.body.len() as u64;
        file.extend_from_slice(&self.file_len.unwrap_or(file_len).to_le_bytes());
        let root = Hash::of(&[&file[..], &table].concat());
        file.extend_from_slice(self.root.unwrap_or(root).as_bytes());
        file.extend_from_slice(&table);
        file.resize(8192, self.padding);
        file.extend_from_slice(&self.body);
        file
    }
}

/// bincode's variable-length integer.
pub fn number(to: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => to.push(value as u8),
        251..=0xffff => {
            to.push(251);
            to.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            to.push(252);
            to.extend_from_slice(&(value as u32).to_le_bytes());
        }
        _ => {
            to.push(253);
            to.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// The small file, written by the crate.
pub fn write_small(path: &Path) -> Hash {
    let mut writer = Writer::create(path, Kind::Weights).unwrap();
    for (name, revision, bulk, content) in [
        ("meta", 1, false, META),
        ("empty", 300, false, b""),
        ("data", 2, true, DATA),
    ] {
        let mut section = writer.section(name, revision, bulk).unwrap();
        section.put(content).unwrap();
        section.finish().unwrap();
    }
    writer.finish().unwrap()
}

/// A folder for one test, with a file in it.
pub fn folder_with(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}
