//! How a file's bytes come into memory: mapped, or read.

use std::fs::{File, FileType, Metadata};
use std::io::{self, Read};
use std::path::Path;

use memmap2::{Mmap, MmapMut, MmapOptions};

use crate::error::{Error, ErrorKind, Result};
use crate::header;

/// How the file's bytes come into memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Load {
    /// Mapped: opening costs nothing, pages come from the file when they are used, and processes share them.
    /// A file that is cut short while it is mapped ends the process on Unix; one that is overwritten in place changes
    /// under its reader.
    #[default]
    Map,
    /// Read into memory: costs the file's size in time and memory, and what happens to the file later does not matter.
    Copy,
}

/// Opens a regular file and tells its length. Anything else could block (a FIFO), has no length (a device), or
/// cannot be read (a folder).
pub(crate) fn open_regular(path: &Path) -> Result<(File, u64)> {
    let fail = |error| Error::io("cannot be opened", path, error);
    check_regular(path, std::fs::metadata(path).map_err(fail)?)?;
    let mut options = File::options();
    options.read(true);
    // Should the path become a FIFO between the two lines, opening it must not wait for a writer.
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    let len = metadata.len();
    check_regular(path, metadata)?;
    Ok((file, len))
}

fn check_regular(path: &Path, metadata: Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let error = Error::new(ErrorKind::NotThisFormat, "not a Morelet file")
        .at(path)
        .expecting("a regular file")
        .finding(file_type_name(metadata.file_type()));
    Err(if metadata.is_dir() {
        error.mend("If it is a bundle, open it as one, or name one of the files in it")
    } else {
        error.mend("A file must lie on a disk to be mapped: write it to one first")
    })
}

/// What a path leads to, in words.
pub(crate) fn file_type_name(file_type: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if file_type.is_fifo() {
            return "a pipe (FIFO)";
        }
        if file_type.is_socket() {
            return "a socket";
        }
        if file_type.is_char_device() || file_type.is_block_device() {
            return "a device";
        }
    }
    if file_type.is_dir() {
        "a folder"
    } else if file_type.is_file() {
        "a regular file"
    } else {
        "something that is no file"
    }
}

/// Brings the `len` bytes of `file` into memory; `head` are those that were read from it already, and checked.
pub(crate) fn load(
    path: &Path,
    file: &mut File,
    head: &[u8],
    len: u64,
    load: Load,
) -> Result<Mmap> {
    let fail = |doing| move |error| Error::io(doing, path, error);
    let size = usize::try_from(len).map_err(|_| {
        Error::new(
            ErrorKind::Io,
            "too large for the address space of this program",
        )
        .at(path)
        .expecting(format_args!("at most {} bytes", usize::MAX))
        .finding(len)
        .mend("Use a 64-bit build")
    })?;
    match load {
        Load::Map => {
            // SAFETY: the map is read-only, and private, so no write of ours can reach the file and no other process
            // writes into our pages but by writing the file itself. That is the one assumption made here, which
            // `docs/files.md` states: nobody cuts or overwrites a file in place while it is mapped. Our own writer
            // never does, since it replaces files by renaming. Every other reader of the bytes checks what it reads.
            let map = unsafe { MmapOptions::new().len(size).map_copy_read_only(&*file) };
            map.map_err(fail("cannot be mapped"))
        }
        Load::Copy => {
            // Pages of our own rather than a vector: they are aligned like a map of the file, and not getting them is
            // an error instead of the end of the program.
            let mut memory = MmapMut::map_anon(size).map_err(fail("does not fit into memory"))?;
            // Large pages make random reads quicker. Where there are none, small ones serve.
            #[cfg(target_os = "linux")]
            let _ = memory.advise(memmap2::Advice::HugePage);
            let known = head.len().min(size);
            memory[..known].copy_from_slice(&head[..known]);
            match file.read_exact(&mut memory[known..]) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    let now = file.metadata().map_or(0, |metadata| metadata.len());
                    return Err(header::cut(path, len, now));
                }
                other => other.map_err(fail("cannot be read"))?,
            }
            memory.make_read_only().map_err(fail("cannot be protected"))
        }
    }
}
