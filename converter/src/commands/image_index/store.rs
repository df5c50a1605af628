//! The features that were computed, in a file that only grows.
//!
//! ```text
//! MLTFEAT1          8 bytes
//! length            u32, of the plan
//! plan              JSON: what made the features
//! hash              32 bytes, BLAKE3 of the plan
//! records           key (16 bytes), feature (dim × f32), the first 8 bytes of the BLAKE3 of both
//! ```
//!
//! Little-endian. Records are found by the key of their picture (its path in the list, its file's length and time of
//! change) and not by their place in the list: whatever became of the list or of the pictures since, a feature that is
//! found is that of the picture, and all others are computed. A record that is damaged is none, and those at the end
//! (a process was killed while it wrote, a machine lost its power) are cut off.

use crate::{Console, Error, Result};
use morelet_mapped::{Hash, write_file_atomically};
use morelet_models::weights::{Meta, Preprocess};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

const MAGIC: &[u8; 8] = b"MLTFEAT1";
/// The longest plan, in bytes: one has some hundred.
const MAX_PLAN: u32 = 1 << 16;
const KEY: usize = 16;
const CHECK: usize = 8;
/// Bytes read at once.
const BUFFER: usize = 1 << 20;

/// What made the features: where one of these differs, they do too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    clip: String,
    quantization: String,
    dim: usize,
    preprocess: Preprocess,
}

impl Plan {
    /// That of a CLIP.
    pub fn new(meta: &Meta, dim: usize, preprocess: &Preprocess) -> Self {
        Self {
            clip: meta.identity.clone(),
            quantization: meta.quantization.clone(),
            dim,
            preprocess: preprocess.clone(),
        }
    }

    /// What is different in `here`, in words.
    fn differences(&self, here: &Self) -> String {
        let shown = |plan: &Self| {
            [
                ("CLIP", plan.clip.chars().take(16).collect()),
                ("quantization of it", plan.quantization.clone()),
                ("length of features", plan.dim.to_string()),
                ("preparation of pictures", format!("{:?}", plan.preprocess)),
            ]
        };
        let differences = shown(self)
            .into_iter()
            .zip(shown(here))
            .filter(|(a, b)| a != b);
        let told = differences.map(|((name, a), (_, b))| format!("{name} ({a} there, {b} here)"));
        told.collect::<Vec<_>>().join("; another ")
    }

    fn header(&self) -> Result<Vec<u8>> {
        let json = serde_json::to_vec(self).map_err(|error| Error::input(error.to_string()))?;
        let len = (json.len() as u32).to_le_bytes();
        Ok([&MAGIC[..], &len, &json, Hash::of(&json).as_bytes()].concat())
    }
}

/// What a picture is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; KEY]);

impl Key {
    /// That of a picture that the list calls `image`. `None` where the system keeps no times of change.
    pub fn new(image: &str, file: &Metadata) -> Option<Self> {
        let since = file.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH);
        let (before, time) = match since {
            Ok(time) => (0, time),
            Err(error) => (1, error.duration()),
        };
        let bytes = [
            &file.len().to_le_bytes()[..],
            &[before],
            &time.as_nanos().to_le_bytes(),
            image.as_bytes(),
        ];
        Some(Self(shorten(&bytes.concat())))
    }
}

/// Where the record of a picture is. Shared with the threads that look at pictures.
#[derive(Debug, Default)]
pub(super) struct Known(RwLock<HashMap<Key, u64>>);

impl Known {
    /// The number of the record of a picture.
    pub fn find(&self, key: Key) -> Option<u64> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&key).copied()
    }

    fn insert(&self, key: Key, number: u64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, number);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.read().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// The file, being appended to.
pub(super) struct Store {
    path: PathBuf,
    plan: Plan,
    /// Made with the first record.
    file: Option<File>,
    /// Bytes of the header.
    start: u64,
    /// The number of records, damaged ones too.
    len: u64,
    known: Arc<Known>,
    record: Vec<u8>,
}

impl Store {
    /// The one at `path`, or none yet.
    ///
    /// # Errors
    /// Where it was begun by another plan, or its header is damaged: it cannot be gone on with.
    pub fn open(path: PathBuf, plan: Plan, console: &Console) -> Result<Self> {
        let mut store = Self {
            start: plan.header()?.len() as u64,
            path,
            plan,
            file: None,
            len: 0,
            known: Arc::default(),
            record: Vec::new(),
        };
        let options = File::options().read(true).write(true).open(&store.path);
        match options {
            Ok(file) => store.resume(file, console)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&store.path, error)),
        }
        Ok(store)
    }

    /// The pictures that it has features of.
    pub fn known(&self) -> &Arc<Known> {
        &self.known
    }

    fn record_bytes(&self) -> usize {
        KEY + self.plan.dim * 4 + CHECK
    }

    fn fail(&self, error: std::io::Error) -> Error {
        Error::io(&self.path, error)
    }

    fn resume(&mut self, file: File, console: &Console) -> Result<()> {
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let plan = read_plan(&mut reader).map_err(|message| {
            Error::input(format!("cannot be gone on with: {message}")).at(&self.path)
        })?;
        if plan != self.plan {
            return Err(Error::input(format!(
                "was begun with another {}",
                plan.differences(&self.plan)
            ))
            .at(&self.path));
        }
        // The same plan, but perhaps written otherwise.
        self.start = reader.stream_position().map_err(|error| self.fail(error))?;
        let mut record = vec![0; self.record_bytes()];
        for number in 0.. {
            if number % 4096 == 0 {
                console.check()?;
            }
            match reader.read_exact(&mut record) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
                Err(error) => return Err(self.fail(error)),
            }
            if let Some(key) = check(&record) {
                self.known.insert(key, number);
                self.len = number + 1;
            }
        }
        let mut file = reader.into_inner();
        let end = self.start + self.len * record.len() as u64;
        file.set_len(end)
            .and_then(|()| file.seek(SeekFrom::Start(end)))
            .map_err(|error| self.fail(error))?;
        self.file = Some(file);
        Ok(())
    }

    /// Appends the feature of a picture. Gives the number of its record.
    pub fn append(&mut self, key: Key, feature: &[f32]) -> Result<u64> {
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                // Whole or not there: nobody finds half a header.
                write_file_atomically(&self.path, &self.plan.header()?)?;
                let file = File::options().append(true).open(&self.path);
                file.map_err(|error| self.fail(error))?
            }
        };
        self.record.clear();
        self.record.extend_from_slice(&key.0);
        self.record
            .extend(feature.iter().flat_map(|value| value.to_le_bytes()));
        let check: [u8; CHECK] = shorten(&self.record);
        self.record.extend_from_slice(&check);
        let written = file.write_all(&self.record);
        if written.is_err() {
            // What was written of it; where this fails too, whoever goes on cuts it off.
            let _ = file.set_len(self.start + self.len * self.record.len() as u64);
        }
        self.file = Some(file);
        written.map_err(|error| self.fail(error))?;
        let number = self.len;
        self.len += 1;
        self.known.insert(key, number);
        Ok(number)
    }

    /// Ends the appending; the features can be read back.
    pub fn reader(self) -> Result<Option<StoreReader>> {
        if self.file.is_none() {
            return Ok(None);
        }
        let file = File::open(&self.path).map_err(|error| self.fail(error))?;
        Ok(Some(StoreReader {
            record: vec![0; self.record_bytes()],
            reader: BufReader::with_capacity(BUFFER, file),
            at: 0,
            start: self.start,
            path: self.path,
        }))
    }
}

/// The file, being read.
pub(super) struct StoreReader {
    reader: BufReader<File>,
    path: PathBuf,
    start: u64,
    /// Where the reader is.
    at: u64,
    record: Vec<u8>,
}

impl StoreReader {
    /// Reads the feature of record `number` into `feature`. Quick where numbers ascend.
    pub fn read(&mut self, number: u64, feature: &mut Vec<f32>) -> Result<()> {
        let place = self.start + number * self.record.len() as u64;
        let read = self
            .reader
            .seek_relative(place.cast_signed() - self.at.cast_signed())
            .and_then(|()| self.reader.read_exact(&mut self.record));
        read.map_err(|error| Error::io(&self.path, error))?;
        self.at = place + self.record.len() as u64;
        if check(&self.record).is_none() {
            return Err(Error::input(format!(
                "at offset {place}: the record was damaged since it was written; the same command computes it anew"
            ))
            .at(&self.path));
        }
        let values = &self.record[KEY..self.record.len() - CHECK];
        feature.clear();
        feature.extend(
            values
                .as_chunks()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes)),
        );
        Ok(())
    }
}

/// The plan at the beginning of a file.
fn read_plan(reader: &mut impl Read) -> std::result::Result<Plan, String> {
    let mut take = |len: usize| {
        let mut bytes = vec![0; len];
        let read = reader.read_exact(&mut bytes);
        read.map(|()| bytes)
            .map_err(|error| format!("its header cannot be read: {error}"))
    };
    if take(MAGIC.len())? != MAGIC {
        return Err("it was not written by this version of image-index".to_owned());
    }
    let len = take(4)?.try_into().map_or(0, u32::from_le_bytes);
    if len > MAX_PLAN {
        return Err(format!("its header is damaged: a length of {len}"));
    }
    let json = take(len as usize)?;
    if take(Hash::BYTES)? != Hash::of(&json).as_bytes() {
        return Err("its header is damaged".to_owned());
    }
    serde_json::from_slice(&json).map_err(|error| format!("its header is another: {error}"))
}

/// The key of a record that is whole.
fn check(record: &[u8]) -> Option<Key> {
    let (content, check) = record.split_last_chunk::<CHECK>()?;
    (shorten(content) == *check).then(|| content.first_chunk().copied().map(Key))?
}

/// The first bytes of a hash.
fn shorten<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let hash = Hash::of(bytes);
    let mut short = [0; N];
    short.copy_from_slice(&hash.as_bytes()[..N]);
    short
}
