//! Checkpoints, weights and bundles, put together in a temporary directory.

use crate::Tools;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A path under `tests/data/golden`, or under the directory that `MORELET_GOLDEN` names: `make.py` makes
/// others with other weights.
pub fn golden(path: impl AsRef<Path>) -> PathBuf {
    let root = match std::env::var_os("MORELET_GOLDEN") {
        Some(root) => PathBuf::from(root),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("data/golden"),
    };
    root.join(path)
}

/// A JSON file.
#[track_caller]
pub fn read_json(path: impl AsRef<Path>) -> Value {
    let path = path.as_ref();
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A file of JSON lines.
#[track_caller]
pub fn lines(path: impl AsRef<Path>) -> Vec<Value> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect()
}

/// Writes JSON lines.
pub fn write_lines(path: impl AsRef<Path>, values: &[Value]) {
    let text: String = values.iter().map(|value| format!("{value}\n")).collect();
    fs::write(path, text).expect("the temporary directory is writable");
}

/// A temporary directory with what a test has built in it, and the tools to build more.
pub struct Workshop {
    /// The commands.
    pub tools: Tools,
    directory: TempDir,
    weights: BTreeMap<String, PathBuf>,
}

impl Workshop {
    /// An empty one.
    pub fn new(tools: Tools) -> Self {
        Self {
            tools,
            directory: TempDir::new().expect("a temporary directory"),
            weights: BTreeMap::new(),
        }
    }

    /// A path in the temporary directory.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A checkpoint directory as people have it: a golden checkpoint's configuration, its weights in one file
    /// form, and a tokenizer.
    pub fn checkpoint(&self, name: &str, form: &str, tokenizer: &str) -> PathBuf {
        let target = self.path(format!("{name}.{form}.{tokenizer}"));
        if !target.exists() {
            fs::create_dir(&target).expect("a new directory");
            let home = golden("checkpoints").join(name);
            for source in [home.join(form), home, golden("tokenizers").join(tokenizer)] {
                copy_files(&source, &target);
            }
        }
        target
    }

    /// The `.weights` file of a part of `case.json`, converted once for each `quantize`.
    #[track_caller]
    pub fn weights(&mut self, part: &Value, quantize: &str) -> PathBuf {
        let text = |key: &str| part[key].as_str().expect("case.json has the key");
        let args: Vec<String> = part["args"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|arg| arg.as_str().expect("an argument").to_owned())
            .collect();
        let key = format!(
            "{}-{}-{}-{quantize}-{}",
            text("checkpoint"),
            text("form"),
            text("tokenizer"),
            args.join("_")
        );
        if let Some(path) = self.weights.get(&key) {
            return path.clone();
        }
        let checkpoint = self.checkpoint(text("checkpoint"), text("form"), text("tokenizer"));
        let output = self.path(format!("{}.weights", self.weights.len()));
        let mut line = vec!["model".to_owned(), display(&checkpoint)];
        line.extend(["-o".to_owned(), display(&output)]);
        line.extend(["--quantize".to_owned(), quantize.to_owned()]);
        line.extend(args);
        self.tools.convert(&line).ok();
        self.weights.insert(key, output.clone());
        output
    }

    /// The gate of a golden file.
    #[track_caller]
    pub fn gate(&mut self, name: &str) -> PathBuf {
        let key = format!("gate {name}");
        if let Some(path) = self.weights.get(&key) {
            return path.clone();
        }
        let source = golden(format!("gates/{name}.safetensors"));
        let output = self.path(format!("{}.weights", self.weights.len()));
        self.tools
            .convert([Path::new("model"), &source, Path::new("-o"), &output])
            .ok();
        self.weights.insert(key, output.clone());
        output
    }

    /// The bundle of a golden case; its weights, except the gate, are quantized. Arguments in `more` go to
    /// `morelet-convert bundle`.
    #[track_caller]
    pub fn bundle(&mut self, case: &str, quantize: &str, more: &[&str]) -> PathBuf {
        let described = read_json(golden("cases").join(case).join("case.json"));
        let target =
            self.path(format!("{case}-{quantize}{}.morelet", more.concat()).replace('/', "_"));
        let mut line = vec!["bundle".to_owned(), "-o".to_owned(), display(&target)];
        for expert in described["experts"].as_array().expect("experts") {
            let (name, context) = (&expert["name"], &expert["context"]);
            let (name, context) = (
                name.as_str().expect("a name"),
                context.as_str().expect("a kind"),
            );
            let file = self.weights(expert, quantize);
            line.extend([
                "--expert".to_owned(),
                format!("{name}:{context}:{}", file.display()),
            ]);
        }
        if !described["clip"].is_null() {
            let file = self.weights(&described["clip"], quantize);
            line.extend(["--clip".to_owned(), display(&file)]);
        }
        if let Some(gate) = described["gate"].as_str() {
            let file = self.gate(gate);
            line.extend(["--gate".to_owned(), display(&file)]);
        }
        if described["average"] == true {
            line.push("--average".to_owned());
        }
        line.extend(more.iter().map(|arg| (*arg).to_owned()));
        self.tools.convert(&line).ok();
        target
    }

    /// What `morelet predict --detail full` says to the queries of a golden case, by a bundle.
    #[track_caller]
    pub fn predict(&self, bundle: &Path, queries: &Path, device: &str) -> Vec<Value> {
        let args = [
            "predict".to_owned(),
            display(bundle),
            "--input".to_owned(),
            display(queries),
            "--detail".to_owned(),
            "full".to_owned(),
            "--device".to_owned(),
            device.to_owned(),
        ];
        self.tools.morelet(&args).ok().json_lines()
    }
}

/// A path as an argument: those of this folder and of temporary directories are UTF-8.
fn display(path: &Path) -> String {
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// Copies the files of a directory that the target does not have yet; what is a directory stays behind.
fn copy_files(from: &Path, to: &Path) {
    let entries = fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display()));
    for entry in entries {
        let path = entry.expect("a readable directory").path();
        let target = to.join(path.file_name().expect("a file has a name"));
        if path.is_file() && !target.exists() {
            fs::copy(&path, &target).expect("the temporary directory is writable");
        }
    }
}
