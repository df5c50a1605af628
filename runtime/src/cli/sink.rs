//! Where the lines of a command go: standard output, or a file that appears when it is whole.

use super::{Console, Failure};
use crate::Error;
use morelet_mapped::AtomicFile;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Takes a command's output line by line.
pub(crate) struct Sink {
    target: Target,
    console: Console,
}

enum Target {
    /// Each line is flushed, so that a program at the other end has it at once.
    Stdout(io::Stdout),
    /// Replaced whole by `finish`.
    File {
        file: BufWriter<AtomicFile>,
        path: PathBuf,
        temporary: PathBuf,
    },
    /// A device or a pipe, which cannot be replaced.
    Special {
        file: BufWriter<File>,
        path: PathBuf,
    },
}

impl Sink {
    /// Opens a file, or standard output where there is none or it is `-`.
    pub(crate) fn open(path: Option<&Path>, console: &Console) -> Result<Self, Failure> {
        let target = match path {
            None => Target::Stdout(io::stdout()),
            Some(path) if path == Path::new("-") => Target::Stdout(io::stdout()),
            Some(path) if is_special(path) => {
                let file = File::options().write(true).open(path);
                let file = file.map_err(|error| Error::io(path, error))?;
                Target::Special {
                    file: BufWriter::new(file),
                    path: path.to_owned(),
                }
            }
            Some(path) => {
                let file = AtomicFile::create(path).map_err(Error::from)?;
                let temporary = file.temporary_path().to_owned();
                console.remember(&temporary);
                Target::File {
                    file: BufWriter::new(file),
                    path: path.to_owned(),
                    temporary,
                }
            }
        };
        Ok(Self {
            target,
            console: console.clone(),
        })
    }

    /// Writes one line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), Failure> {
        self.text(line)?;
        self.text("\n")?;
        if let Target::Stdout(stdout) = &mut self.target {
            stdout.lock().flush()?;
        }
        Ok(())
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        let bytes = text.as_bytes();
        match &mut self.target {
            Target::Stdout(stdout) => Ok(stdout.lock().write_all(bytes)?),
            Target::File { file, path, .. } => at(path, file.write_all(bytes)),
            Target::Special { file, path } => at(path, file.write_all(bytes)),
        }
    }

    /// Makes what was written the content of the file. Without it the old file stays.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.target {
            Target::Stdout(stdout) => Ok(stdout.lock().flush()?),
            Target::Special { mut file, path } => at(&path, file.flush()),
            Target::File {
                file,
                path,
                temporary,
            } => {
                let file = file.into_inner().map_err(io::IntoInnerError::into_error);
                let done = file
                    .map_err(|error| Error::io(&path, error))
                    .and_then(|file| Ok(file.commit()?));
                self.console.forget(&temporary);
                Ok(done?)
            }
        }
    }
}

fn at(path: &Path, result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| Failure::from(Error::io(path, error)))
}

/// Whether something is there that is neither a file nor a directory.
fn is_special(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, "old").unwrap();
        let console = Console::silent();
        let mut sink = Sink::open(Some(&path), &console).unwrap();
        sink.line("new").unwrap();
        drop(sink);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        let mut sink = Sink::open(Some(&path), &console).unwrap();
        sink.line("new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        sink.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn refuses_a_directory() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Sink::open(Some(folder.path()), &Console::silent()).is_err());
    }
}
