//! The zip form.

use super::super::tensor::{SourceFile, SourceTensor, Storage};
use super::pickle;
use crate::{Error, Result};
use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::sync::Arc;
use zip::{CompressionMethod, ZipArchive};

/// The most members of an archive: a tensor each, and a few more.
const MAX_MEMBERS: usize = 1 << 20;

/// Where a member's bytes are.
struct Member {
    offset: u64,
    stored: u64,
    len: u64,
    method: CompressionMethod,
}

pub(super) fn tensors(file: &Arc<SourceFile>) -> Result<(Vec<SourceTensor>, Vec<String>)> {
    let members = members(file)?;
    let mut pickles = members
        .keys()
        .filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
    let (Some(name), None) = (pickles.next(), pickles.next()) else {
        let message =
            "expected one `NAME/data.pkl` in the archive: it is a zip, but not one of torch.save";
        return Err(Error::input(message).at(&file.path));
    };
    let prefix = name.trim_end_matches("data.pkl");
    if let Some(order) = members.get(&format!("{prefix}byteorder")) {
        let mut text = Vec::new();
        open(file, order)?
            .take(16)
            .read_to_end(&mut text)
            .map_err(|error| Error::io(&file.path, error))?;
        match text.trim_ascii() {
            b"little" => {}
            other => {
                let order = String::from_utf8_lossy(other);
                let message = format!(
                    "{prefix}byteorder: expected `little`, got `{order}`: the file comes from a machine of another \
                     byte order; load and save it on a little-endian one"
                );
                return Err(Error::input(message).at(&file.path));
            }
        }
    }
    // `name` was taken from the keys.
    let Some(member) = members.get(name) else {
        return Err(Error::input("no data.pkl").at(&file.path));
    };
    let pickle = pickle::read(BufReader::new(open(file, member)?))
        .map_err(|error| super::pickle_error(file, name, 0, error))?;
    let mut storages: HashMap<String, Arc<Storage>> = HashMap::new();
    super::state_dict(file, &pickle, &mut |storage, needed| {
        let name = format!("{prefix}data/{}", storage.key);
        if let Some(known) = storages.get(&name) {
            return Ok(known.clone());
        }
        let Some(member) = members.get(&name) else {
            return Err(Error::input(format!(
                "the archive has no member `{name}`, which a tensor lies in"
            ))
            .at(&file.path));
        };
        if member.len < needed {
            let message = format!(
                "member `{name}`: expected {needed} bytes, got {}",
                member.len
            );
            return Err(Error::input(message).at(&file.path));
        }
        let storage = Arc::new(member.storage(file, &name)?);
        storages.insert(name, storage.clone());
        Ok(storage)
    })
}

impl Member {
    fn storage(&self, file: &Arc<SourceFile>, name: &str) -> Result<Storage> {
        let deflated = match self.method {
            CompressionMethod::Stored if self.stored == self.len => None,
            CompressionMethod::Deflated => Some(self.stored),
            method => {
                let message =
                    format!("member `{name}` is packed by {method:?}: expected stored or deflated");
                return Err(Error::input(message).at(&file.path));
            }
        };
        let storage = Storage {
            file: file.clone(),
            offset: self.offset,
            len: self.len,
            deflated,
        };
        storage.check()?;
        Ok(storage)
    }
}

/// The bytes of a small member.
fn open<'a>(file: &'a SourceFile, member: &Member) -> Result<Box<dyn Read + 'a>> {
    let raw = file.from(member.offset)?.take(member.stored);
    Ok(match member.method {
        CompressionMethod::Deflated => Box::new(flate2::read::DeflateDecoder::new(raw)),
        _ => Box::new(raw),
    })
}

fn members(file: &SourceFile) -> Result<HashMap<String, Member>> {
    let damaged = |error: zip::result::ZipError| {
        Error::input(format!("a damaged zip, perhaps cut short: {error}"))
            .at(&file.path)
            .caused_by(error)
    };
    let mut archive = ZipArchive::new(BufReader::new(file.from(0)?)).map_err(damaged)?;
    if archive.len() > MAX_MEMBERS {
        let message = format!(
            "expected at most {MAX_MEMBERS} members, got {}",
            archive.len()
        );
        return Err(Error::input(message).at(&file.path));
    }
    let mut members = HashMap::new();
    for index in 0..archive.len() {
        let member = archive.by_index_raw(index).map_err(damaged)?;
        if member.encrypted() {
            let message = format!("member `{}` is encrypted", member.name());
            return Err(Error::input(message).at(&file.path));
        }
        let place = Member {
            offset: member.data_start(),
            stored: member.compressed_size(),
            len: member.size(),
            method: member.compression(),
        };
        members.insert(member.name().to_owned(), place);
    }
    Ok(members)
}
