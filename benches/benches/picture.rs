//! From the bytes of a picture's file to what CLIP's vision tower takes, by us and by Pillow.
//!
//! ```text
//! cargo bench -p morelet-benches --bench picture -- PICTURE|FOLDER… [--passes 9] [--pillow PYTHON]
//! ```
//!
//! A row for each picture, or for all pictures of a folder. With `--pillow`, a Python that has Pillow and NumPy runs
//! `benches/peers/picture_pillow.py` beside this, and both take turns picture by picture. Times are processor time of the
//! thread; of each picture the median of its passes counts, after one that does not, and a row has the mean over its
//! pictures. *The same* says of how many pictures the 224 × 224 pixels are equal to the byte.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use morelet_benches::Result;
use morelet_models::weights::{Preprocess, Resample};
use morelet_models::{Picture, PictureLimits};
use rustix::time::{ClockId, clock_gettime};

const USAGE: &str = "usage: picture PICTURE|FOLDER… [--passes 9] [--pillow PYTHON]";

/// That of every published CLIP.
const PREPROCESS: Preprocess = Preprocess {
    resize: 224,
    crop: 224,
    resample: Resample::Bicubic,
    mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
    std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
};

fn main() -> Result<()> {
    let (mut passes, mut pillow, mut paths) = (9, None, Vec::new());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            // What `cargo bench` adds.
            "--bench" => {}
            "--passes" => passes = args.next().ok_or(USAGE)?.parse()?,
            "--pillow" => pillow = Some(Pillow::start(&args.next().ok_or(USAGE)?)?),
            _ => paths.push(PathBuf::from(arg)),
        }
    }
    if paths.is_empty() || passes == 0 {
        // Run with the other benchmarks, without arguments: nothing to measure.
        println!("{USAGE}");
        return Ok(());
    }
    println!("Milliseconds of processor time.\n");
    print!("| | pictures | decode + resize | normalize | all |");
    if pillow.is_some() {
        print!(
            " Pillow: decode | convert | resize | normalize | all | share | without convert | the same |"
        );
    }
    println!(
        "\n|---|{}",
        "---:|".repeat(if pillow.is_some() { 12 } else { 4 })
    );
    for path in &paths {
        row(path, passes, pillow.as_mut())?;
    }
    Ok(())
}

/// Measures a picture or a folder of them and prints its row.
fn row(path: &Path, passes: usize, mut pillow: Option<&mut Pillow>) -> Result<()> {
    let pictures = pictures(path)?;
    let (mut ours, mut theirs) = ([0.0; 2], [0.0; 4]);
    let mut same = 0;
    for path in &pictures {
        let bytes = std::fs::read(path)?;
        let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
        let mut equal = true;
        for pass in 0..=passes {
            let start = clock();
            let picture = Picture::decode(&bytes, &PREPROCESS, &PictureLimits::default())?;
            let decoded = clock();
            std::hint::black_box(picture.normalized(&PREPROCESS));
            let times = [decoded - start, clock() - decoded];
            if pass > 0 {
                our_times.push(times);
            }
            if let Some(pillow) = &mut pillow {
                let (times, checksum) = pillow.ask(path)?;
                equal &= checksum == adler32(picture.rgb());
                if pass > 0 {
                    their_times.push(times);
                }
            }
        }
        same += usize::from(equal);
        add_medians(&mut ours, our_times);
        add_medians(&mut theirs, their_times);
    }
    let n = pictures.len();
    let ours = ours.map(|time| time / n as f64);
    let theirs = theirs.map(|time| time / n as f64);
    let all: f64 = ours.iter().sum();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    print!(
        "| {name} | {n} | {:.3} | {:.3} | {all:.3} |",
        ours[0], ours[1]
    );
    if pillow.is_some() {
        let [decode, convert, resize, normalize] = theirs;
        let their_all: f64 = theirs.iter().sum();
        let (share, lean) = (all / their_all, all / (their_all - convert));
        print!(" {decode:.3} | {convert:.3} | {resize:.3} | {normalize:.3} | {their_all:.3} |");
        print!(" {share:.3} | {lean:.3} | {same} of {n} |");
    }
    println!();
    Ok(())
}

/// The pictures of a folder, or the one picture.
fn pictures(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut pictures = Vec::new();
    for entry in std::fs::read_dir(path)? {
        pictures.push(entry?.path());
    }
    pictures.retain(|path| path.is_file());
    pictures.sort();
    match pictures.is_empty() {
        true => Err(format!("{}: there is no picture in this folder", path.display()).into()),
        false => Ok(pictures),
    }
}

fn add_medians<const N: usize>(sums: &mut [f64; N], passes: Vec<[f64; N]>) {
    for (i, sum) in sums.iter_mut().enumerate() {
        let mut times: Vec<f64> = passes.iter().map(|times| times[i]).collect();
        times.sort_by(f64::total_cmp);
        *sum += times.get(times.len() / 2).copied().unwrap_or(0.0);
    }
}

/// Processor time of this thread in milliseconds.
fn clock() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// The checksum of zlib, which Python has.
fn adler32(bytes: &[u8]) -> u32 {
    let (mut a, mut b) = (1, 0);
    for &byte in bytes {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    b << 16 | a
}

/// The other process. It reads a path a line, and writes four times in milliseconds and a checksum of the pixels.
struct Pillow {
    child: Child,
    paths: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Pillow {
    fn start(python: &str) -> Result<Self> {
        let mut child = Command::new(python)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/peers/picture_pillow.py"
            ))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let paths = child.stdin.take().ok_or("no input of Python's")?;
        let answers = child.stdout.take().ok_or("no output of Python's")?;
        Ok(Self {
            child,
            paths,
            answers: BufReader::new(answers),
        })
    }

    fn ask(&mut self, path: &Path) -> Result<([f64; 4], u32)> {
        writeln!(self.paths, "{}", path.display())?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let mut word = || words.next().ok_or("Pillow did not answer");
        let mut times = [0.0; 4];
        for time in &mut times {
            *time = word()?.parse()?;
        }
        Ok((times, word()?.parse()?))
    }
}

impl Drop for Pillow {
    fn drop(&mut self) {
        // It waits for a path that does not come.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
