//! A folder with pictures, their list and a CLIP, for the tests of `image-index`.
// Each test file uses some of this.
#![allow(dead_code)]

use morelet_indices::{ImageId, ImageIndex};
use morelet_mapped::{OpenOptions, Verify};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// The length of a feature of the sample's CLIP.
pub const DIM: usize = 32;

pub struct Album {
    folder: TempDir,
}

/// A directory with the sample, made once per process.
fn sample() -> &'static Path {
    static SAMPLE: OnceLock<PathBuf> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let name = concat!(env!("CARGO_CRATE_NAME"), ".sample");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        convert(&["sample", "-o", folder.to_str().unwrap()]);
        folder
    })
}

/// Runs a command line.
fn convert(arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_morelet-convert"));
    let output = command.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

impl Album {
    /// With `pictures` pictures, named `p0.png` and so on, whose ids are their numbers.
    pub fn new(pictures: u32) -> Self {
        let album = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::copy(
            sample().join("parts/clip.weights"),
            album.at("clip.weights"),
        )
        .unwrap();
        let lines: Vec<String> = (0..pictures).map(line).collect();
        album.list(&lines);
        for number in 0..pictures {
            album.draw(number);
        }
        album
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn list(&self, lines: &[impl AsRef<str>]) {
        let text: String = lines
            .iter()
            .map(|line| format!("{}\n", line.as_ref()))
            .collect();
        fs::write(self.at("images.jsonl"), text).unwrap();
    }

    /// Draws a picture of its own.
    pub fn draw(&self, number: u32) {
        let side = 24 + number % 40;
        let mut state = 0x9E37_79B9_u32.wrapping_mul(number + 1);
        let pixels: Vec<u8> = (0..side * side * 3)
            .map(|at| {
                if at % 97 == 0 {
                    state ^= state << 13;
                    state ^= state >> 17;
                    state ^= state << 5;
                }
                (state >> (at % 3 * 8)) as u8
            })
            .collect();
        let file = fs::File::create(self.at(&format!("p{number}.png"))).unwrap();
        let mut encoder = png::Encoder::new(file, side, side);
        encoder.set_color(png::ColorType::Rgb);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&pixels)
            .unwrap();
    }

    /// The same CLIP in another precision.
    pub fn quantized_clip(&self, name: &str) {
        let (checkpoint, output) = (sample().join("checkpoints/clip"), self.at(name));
        let (checkpoint, output) = (checkpoint.to_str().unwrap(), output.to_str().unwrap());
        convert(&["model", checkpoint, "-o", output, "--quantize", "q8"]);
    }

    /// The command `image-index` with these arguments, in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_morelet-convert"));
        command
            .arg("image-index")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub fn succeeds(&self, arguments: &[&str]) -> String {
        self.ends(arguments, 0)
    }

    /// What the command says where it fails with exit code 1.
    pub fn fails(&self, arguments: &[&str]) -> String {
        self.ends(arguments, 1)
    }

    /// What the command says where it ends with this exit code.
    pub fn ends(&self, arguments: &[&str], code: i32) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        said
    }

    /// The names of what is in the folder and is no picture.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.ends_with(".png"))
            .collect();
        names.sort();
        names
    }

    pub fn open(&self, name: &str) -> ImageIndex {
        let options = OpenOptions {
            verify: Verify::Full,
            ..OpenOptions::default()
        };
        ImageIndex::open(self.at(name), options).unwrap()
    }

    /// The ids of an index, in order.
    pub fn ids(&self, name: &str) -> Vec<String> {
        let index = self.open(name);
        let id = |image| index.value(ImageId(image)).unwrap().id;
        (0..index.len()).map(id).collect()
    }
}

/// A line of the list.
pub fn line(number: u32) -> String {
    format!(
        "{{\"id\": {number}, \"title\": \"Title {number}\", \"intro\": \"Of {number}.\", \"image\": \"p{number}.png\"}}"
    )
}

/// Numbers as ids.
pub fn numbers(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect()
}
