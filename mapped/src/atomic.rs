//! Replacing files and folders whole: written beside the target, synced, renamed into place.
//!
//! A program that dies in between leaves the old file untouched and, if it was killed outright, a file or folder
//! named `.morelet-….tmp` beside it, which may be deleted.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use crate::error::{Error, ErrorKind, Result};
use crate::load::file_type_name;

/// Writes a small file so that at every moment either the old or the new one is there, whole.
pub fn write_file_atomically(path: impl AsRef<Path>, bytes: &[u8]) -> Result<()> {
    let path = path.as_ref();
    let mut file = temporary_beside(path)?;
    file.as_file_mut()
        .write_all(bytes)
        .map_err(|error| Error::io("cannot be written", path, error))?;
    persist(file, path)
}

/// A file that is written beside its target and renamed into place. Dropped before that, it is removed, and what was at
/// the target is untouched. For text that is not a container: a [`Writer`](crate::Writer) does the same for those.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let target = folder.path().join("answers.jsonl");
/// use std::io::Write as _;
///
/// let mut file = morelet_mapped::AtomicFile::create(&target)?;
/// writeln!(file, "{{}}")?;
/// assert!(!target.exists());
/// file.commit()?;
/// assert_eq!(std::fs::read(&target)?, b"{}\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicFile {
    file: NamedTempFile,
    target: PathBuf,
}

/// What the names of temporary files begin and end with.
const PREFIX: &str = ".morelet-";
const SUFFIX: &str = ".tmp";

/// Removes the temporary files in a folder that a killed process has left there. Nobody else may be writing into it. What
/// cannot be removed stays.
pub fn remove_temporary_files(folder: impl AsRef<Path>) {
    let temporary = |name: &str| name.starts_with(PREFIX) && name.ends_with(SUFFIX);
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(temporary)) {
        let _ = std::fs::remove_file(entry.path());
    }
}

impl AtomicFile {
    /// Begins a file for `target`, which must be a regular file or nothing.
    pub fn create(target: impl AsRef<Path>) -> Result<AtomicFile> {
        let target = target.as_ref();
        Ok(AtomicFile {
            file: temporary_beside(target)?,
            target: target.to_owned(),
        })
    }

    /// Where the bytes go until [`AtomicFile::commit`].
    pub fn temporary_path(&self) -> &Path {
        self.file.path()
    }

    /// Syncs the file and renames it to its target.
    pub fn commit(self) -> Result<()> {
        persist(self.file, &self.target)
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.as_file_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// A folder that is filled beside its target and renamed into place. Dropped before that, it is removed.
///
/// ```
/// # let folder = tempfile::tempdir()?;
/// # let target = folder.path().join("news.morelet");
/// use morelet_mapped::{AtomicDir, write_file_atomically};
///
/// let new = AtomicDir::replace(&target, "bundle.json")?;
/// write_file_atomically(new.path().join("bundle.json"), b"{}")?;
/// new.commit()?;
/// assert_eq!(std::fs::read(target.join("bundle.json"))?, b"{}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AtomicDir {
    target: PathBuf,
    folder: TempDir,
    marker: Option<String>,
}

impl AtomicDir {
    /// Begins a folder for `target`, which must not be there yet, or be an empty folder.
    pub fn create(target: impl AsRef<Path>) -> Result<AtomicDir> {
        AtomicDir::begin(target.as_ref(), None)
    }

    /// Begins a folder for `target`. A folder that is there already is replaced if it is empty or holds a file named
    /// `marker`, which tells that it is one of ours; any other is left alone, whatever was asked for.
    pub fn replace(target: impl AsRef<Path>, marker: &str) -> Result<AtomicDir> {
        AtomicDir::begin(target.as_ref(), Some(marker.to_owned()))
    }

    fn begin(target: &Path, marker: Option<String>) -> Result<AtomicDir> {
        check_replaceable(target, marker.as_deref())?;
        let folder = temporary_folder(target)
            .map_err(|error| Error::io("no folder can be made beside it", target, error))?;
        Ok(AtomicDir {
            target: target.to_owned(),
            folder,
            marker,
        })
    }

    /// Where the files go until [`AtomicDir::commit`].
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Syncs everything in the folder and renames it to its target. The folder that was there is then deleted.
    ///
    /// On Linux the two folders change places in one step. Elsewhere the old one is moved away first, so for a moment
    /// there is none.
    pub fn commit(self) -> Result<()> {
        let AtomicDir {
            target,
            folder,
            marker,
        } = self;
        let fail = |error| Error::io("cannot be put into place", &target, error);
        sync_tree(folder.path()).map_err(fail)?;
        check_replaceable(&target, marker.as_deref())?;
        // Renaming replaces an empty folder by itself.
        let occupied = fs::read_dir(&target).is_ok_and(|mut entries| entries.next().is_some());
        if !occupied {
            fs::rename(folder.path(), &target).map_err(fail)?;
            // It is no longer where the guard would look for it.
            let _ = folder.keep();
        } else if exchange(folder.path(), &target).map_err(fail)? {
            // The guard now holds the old folder, and removes it.
            drop(folder);
        } else {
            swap(folder, &target).map_err(fail)?;
        }
        sync_folder(parent(&target)).map_err(fail)
    }
}

/// Refuses to put a folder over a file, or over a folder that is not empty and has no `marker` in it.
fn check_replaceable(target: &Path, marker: Option<&str>) -> Result<()> {
    let metadata = match fs::metadata(target) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io("cannot be examined", target, error)),
    };
    let refuse = |got: &str| {
        Error::new(ErrorKind::Invalid, "cannot be replaced")
            .at(target)
            .finding(got)
            .mend("Give another path, or move it away")
    };
    if !metadata.is_dir() {
        return Err(refuse(file_type_name(metadata.file_type())).expecting("a folder, or nothing"));
    }
    let mut entries =
        fs::read_dir(target).map_err(|error| Error::io("cannot be examined", target, error))?;
    match marker {
        _ if entries.next().is_none() => Ok(()),
        Some(marker) if target.join(marker).is_file() => Ok(()),
        Some(marker) => Err(refuse("a folder with other files")
            .expecting(format_args!("an empty folder, or one with a {marker}"))),
        None => Err(refuse("a folder with files in it").expecting("an empty folder, or nothing")),
    }
}

/// Lets the two change places in one step; false where the system or the file system cannot.
#[cfg(target_os = "linux")]
fn exchange(new: &Path, target: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, new, CWD, target, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_new: &Path, _target: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Puts `new` in the place of `target` in two steps, and back if the second fails.
fn swap(new: TempDir, target: &Path) -> io::Result<()> {
    let away = temporary_folder(target)?;
    let old = away.path().join("old");
    fs::rename(target, &old)?;
    if let Err(error) = fs::rename(new.path(), target) {
        if fs::rename(&old, target).is_err() {
            // Deleting what is left of the old folder would be worse than leaving it behind.
            let _ = away.keep();
        }
        return Err(error);
    }
    let _ = new.keep();
    Ok(())
}

/// A temporary file in the folder of `path`, removed when dropped.
fn temporary_beside(path: &Path) -> Result<NamedTempFile> {
    temporary_for(path, None)
}

/// A temporary file that will be `path`, in `folder` or else beside it, removed when dropped.
pub(crate) fn temporary_for(path: &Path, folder: Option<&Path>) -> Result<NamedTempFile> {
    if let Ok(metadata) = fs::metadata(path)
        && !metadata.is_file()
    {
        return Err(Error::new(ErrorKind::Invalid, "cannot be replaced")
            .at(path)
            .expecting("a regular file, or nothing")
            .finding(file_type_name(metadata.file_type()))
            .mend("Give another path"));
    }
    builder()
        .tempfile_in(folder.unwrap_or_else(|| parent(path)))
        .map_err(|error| Error::io("no file can be made beside it", path, error))
}

/// Syncs the file, renames it to `path` and syncs the folder.
pub(crate) fn persist(file: NamedTempFile, path: &Path) -> Result<()> {
    let fail = |error| Error::io("cannot be put into place", path, error);
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    sync_folder(parent(path)).map_err(fail)
}

/// Temporary files are private by default; ours become files for everybody, as the umask has it.
fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
}

fn temporary_folder(target: &Path) -> io::Result<TempDir> {
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = builder();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(parent(target))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn sync_tree(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let file_type = entry.file_type()?;
        if file_type.is_dir() {
            sync_tree(&entry.path())?;
        } else if file_type.is_file() {
            // Windows syncs only what is open for writing.
            File::options()
                .read(true)
                .write(cfg!(windows))
                .open(entry.path())?
                .sync_all()?;
        }
    }
    sync_folder(folder)
}

/// Makes a rename in `folder` last. Some file systems cannot sync a folder, and some folders can be written and not
/// read; the rename was done all the same.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(not(unix)) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::InvalidInput
                    | io::ErrorKind::Unsupported
                    | io::ErrorKind::PermissionDenied
            ) =>
        {
            Err(error)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done where two folders cannot change places in one step.
    #[test]
    fn swapping_in_two_steps_replaces_and_a_failure_puts_the_old_folder_back() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("news.morelet");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("old"), "").unwrap();

        let vanished = temporary_folder(&target).unwrap();
        fs::remove_dir(vanished.path()).unwrap();
        swap(vanished, &target).unwrap_err();
        assert!(target.join("old").exists());

        let new = temporary_folder(&target).unwrap();
        fs::write(new.path().join("new"), "").unwrap();
        swap(new, &target).unwrap();
        assert!(target.join("new").exists() && !target.join("old").exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
