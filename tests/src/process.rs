//! Running the two commands, and how a run ended.

use serde_json::Value;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The two commands, as files. [`tools!`](crate::tools) finds them.
#[derive(Clone, Debug)]
pub struct Tools {
    /// `morelet`.
    pub morelet: PathBuf,
    /// `morelet-convert`.
    pub convert: PathBuf,
}

/// The commands as built for these tests.
#[macro_export]
macro_rules! tools {
    () => {
        $crate::Tools {
            morelet: env!("CARGO_BIN_EXE_tested-morelet").into(),
            convert: env!("CARGO_BIN_EXE_tested-morelet-convert").into(),
        }
    };
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// The command line, for messages.
    pub line: String,
    /// The exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Tools {
    /// Runs `morelet`.
    pub fn morelet<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        run(self.command(&self.morelet, args), None)
    }

    /// Runs `morelet` with something on its standard input.
    pub fn morelet_reading<A: AsRef<OsStr>>(
        &self,
        input: &[u8],
        args: impl IntoIterator<Item = A>,
    ) -> Run {
        run(self.command(&self.morelet, args), Some(input))
    }

    /// Runs `morelet-convert`.
    pub fn convert<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        run(self.command(&self.convert, args), None)
    }

    /// Runs `morelet-convert` with something on its standard input.
    pub fn convert_reading<A: AsRef<OsStr>>(
        &self,
        input: &[u8],
        args: impl IntoIterator<Item = A>,
    ) -> Run {
        run(self.command(&self.convert, args), Some(input))
    }

    /// A command that is not started yet: `program` is one of the two.
    pub fn command<A: AsRef<OsStr>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut command = Command::new(program);
        command.args(args);
        // What the user of this machine has set must not decide a test.
        for variable in ["RUST_LOG", "BURN_DEVICE", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command
    }
}

fn run(mut command: Command, input: Option<&[u8]>) -> Run {
    let line = format!("{command:?}");
    command
        .stdin(if input.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
    let mut pipe = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let (Some(pipe), Some(input)) = (&mut pipe, input) {
                // A command that refuses its input early closes the pipe.
                let _ = pipe.write_all(input);
            }
        });
        child.wait_with_output()
    });
    Run::new(line, output.expect("the child is ours"))
}

impl Run {
    /// A run from its output; `line` is for messages.
    pub fn new(line: String, output: Output) -> Self {
        let run = Self {
            line,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
        };
        assert!(
            !run.stderr.contains("panicked"),
            "{} panicked:\n{}",
            run.line,
            run.stderr
        );
        run
    }

    /// Asserts that the command ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "{}\nstdout: {}\nstderr: {}",
            self.line,
            self.stdout,
            self.stderr
        );
        self
    }

    /// Asserts that the command was refused: this exit code, nothing on standard output, and a message on
    /// standard error that has every one of `parts`, in any case.
    #[track_caller]
    pub fn refused(self, code: i32, parts: &[&str]) -> Self {
        let run = self.exits(code);
        assert_eq!(run.stdout, "", "{}: data on standard output", run.line);
        let message = run.stderr.to_lowercase();
        assert!(!message.trim().is_empty(), "{}: no message", run.line);
        for part in parts {
            assert!(
                message.contains(&part.to_lowercase()),
                "{}: expected {part:?} in\n{}",
                run.line,
                run.stderr
            );
        }
        run
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{}: {e} in\n{}", self.line, self.stdout))
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| {
                serde_json::from_str(line)
                    .unwrap_or_else(|e| panic!("{}: {e} in {line:?}", self.line))
            })
            .collect()
    }
}
