//! Steps as processes, some at a time.

use crate::{Console, Error, Result};
use morelet_mapped::write_file_atomically;
use std::ffi::OsString;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often the processes are looked at.
const PAUSE: Duration = Duration::from_millis(50);

/// Commands of this program to run, each with what it leaves behind.
pub(crate) struct Jobs<'a> {
    /// How many run at a time.
    pub(crate) at_once: usize,
    /// The folder that everything is made in. In its `logs` is what the commands say, and for each target how it was made.
    pub(crate) work: PathBuf,
    pub(crate) console: &'a Console,
}

/// One command.
pub(crate) struct Job {
    /// What it leaves behind: where this is there already, made in the same way, it is not run.
    target: PathBuf,
    arguments: Vec<OsString>,
}

impl Job {
    pub(crate) fn new(
        target: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Self {
        Self {
            target: target.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
        }
    }

    /// The same with more arguments.
    pub(crate) fn with(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    fn line(&self) -> String {
        let words = self.arguments.iter().map(|word| word.to_string_lossy());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A command that runs.
struct Running {
    job: Job,
    child: Child,
    log: PathBuf,
    started: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already needs neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Jobs<'_> {
    /// Runs all of them that have not been run. They are started in their order.
    ///
    /// # Errors
    /// Of kind `Input` where one of them fails, with the end of what it said, or was run with other arguments before;
    /// `Interrupted`. The others are stopped.
    pub(crate) fn run(&self, jobs: Vec<Job>) -> Result<()> {
        let mut waiting = Vec::new();
        for job in jobs {
            if !self.is_made(&job.target, &job.line())? {
                waiting.push(job);
            }
        }
        let mut waiting = waiting.into_iter();
        let mut running: Vec<Running> = Vec::new();
        loop {
            while running.len() < self.at_once {
                let Some(job) = waiting.next() else {
                    break;
                };
                running.push(self.start(job)?);
            }
            if running.is_empty() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
            self.console.check()?;
            let mut still = Vec::with_capacity(running.len());
            for mut one in running {
                let ended = one
                    .child
                    .try_wait()
                    .map_err(|error| Error::io(&one.log, error))?;
                match ended {
                    None => still.push(one),
                    Some(status) if status.success() => {
                        let seconds = one.started.elapsed().as_secs_f64();
                        let line = one.job.line();
                        self.console
                            .say(format_args!("{seconds:6.1} s  morelet-convert {line}"));
                    }
                    Some(status) => {
                        let said = std::fs::read_to_string(&one.log).unwrap_or_default();
                        let end: Vec<&str> = said.lines().rev().take(5).collect();
                        let end: Vec<&str> = end.into_iter().rev().collect();
                        return Err(Error::input(format!(
                            "morelet-convert {}: {status}\n  {}",
                            one.job.line(),
                            end.join("\n  ")
                        )));
                    }
                }
            }
            running = still;
        }
    }

    /// Whether `target` is there already. Where it is not, how it will be made is written down; one of which nothing is
    /// written down somebody has put there, and it is taken as it is.
    ///
    /// # Errors
    /// Of kind `Input` where it was made otherwise than `how` says.
    pub(crate) fn is_made(&self, target: &Path, how: &str) -> Result<bool> {
        let kept = self.log(target)?.with_extension("how");
        if !target.exists() {
            write_file_atomically(&kept, how.as_bytes())?;
            return Ok(false);
        }
        match std::fs::read_to_string(&kept) {
            Ok(was) if was != how => {
                let message =
                    format!("was made by `{was}`, not by `{how}`; give this run another --work");
                Err(Error::input(message).at(target))
            }
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&kept, error)),
            _ => Ok(true),
        }
    }

    /// Where what the command says is kept that makes `target`: by the path within the folder.
    fn log(&self, target: &Path) -> Result<PathBuf> {
        let logs = self.work.join("logs");
        std::fs::create_dir_all(&logs).map_err(|error| Error::io(&logs, error))?;
        let within = target.strip_prefix(&self.work).unwrap_or(target);
        let parts: Vec<_> = within.iter().map(|part| part.to_string_lossy()).collect();
        Ok(logs.join(format!("{}.log", parts.join("-"))))
    }

    fn start(&self, job: Job) -> Result<Running> {
        let program =
            std::env::current_exe().map_err(|error| Error::io("morelet-convert", error))?;
        let log = self.log(&job.target)?;
        let create = |path: &Path| File::create(path).map_err(|error| Error::io(path, error));
        let file = create(&log)?;
        let errors = file.try_clone().map_err(|error| Error::io(&log, error))?;
        if let Some(parent) = job.target.parent() {
            std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
        }
        let child = Command::new(&program)
            .args(&job.arguments)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .map_err(|error| Error::io(&program, error))?;
        Ok(Running {
            job,
            child,
            log,
            started: Instant::now(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_otherwise_is_refused_and_what_nobody_knows_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let jobs = Jobs {
            at_once: 1,
            work: folder.path().to_owned(),
            console: &Console::quiet(),
        };
        let target = folder.path().join("target");
        assert!(!jobs.is_made(&target, "one way").unwrap());
        // Stopped before it was there, and begun otherwise.
        assert!(!jobs.is_made(&target, "another").unwrap());
        std::fs::write(&target, "made").unwrap();
        assert!(jobs.is_made(&target, "another").unwrap());
        let error = jobs.is_made(&target, "one way").unwrap_err().to_string();
        assert!(
            error.contains("another") && error.contains("--work"),
            "{error}"
        );
        for how in ["one way", "another"] {
            let foreign = folder.path().join("foreign");
            std::fs::write(&foreign, "from elsewhere").unwrap();
            assert!(jobs.is_made(&foreign, how).unwrap());
        }
        // Two worlds have files of one name.
        for (world, how) in [("7", "one way"), ("11", "another"), ("7", "one way")] {
            let target = folder.path().join(world).join("ner/none-1");
            let made = jobs.is_made(&target, how).unwrap();
            std::fs::create_dir_all(&target).unwrap();
            assert_eq!(made, world == "7" && folder.path().join("11").exists());
        }
    }
}
