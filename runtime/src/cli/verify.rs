//! `verify`: every hash of a bundle, or of part files.

use super::table::{bytes, table};
use super::{Console, Failure, Outcome, print, print_json};
use crate::{Bundle, Error, MANIFEST_FILE, OpenOptions, Result};
use indicatif::ProgressBar;
use morelet_indices::{ImageIndex, TextIndex};
use morelet_mapped::{Container, Kind};
use morelet_models::weights::Weights;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `verify`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bundles and part files
    #[arg(required = true, value_name = "FILE|BUNDLE")]
    paths: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A file that was found whole.
#[derive(Serialize)]
struct Verified {
    file: String,
    kind: String,
    length: u64,
    root: String,
}

pub(super) fn run(args: &Args, console: &Console) -> Outcome {
    let (mut verified, mut failed) = (Vec::new(), None);
    for path in &args.paths {
        let found = if path.is_dir() {
            verify_bundle(path, console, &mut verified)
        } else {
            verify_file(path, console).map(|file| verified.push(file))
        };
        // One that is damaged says nothing about the next. The last is told by whoever ends the program.
        if let Err(failure) = found
            && let Some(earlier) = failed.replace(failure)
        {
            console.fail(&earlier);
        }
        console.check()?;
    }
    let shown = show(verified, args, console);
    // That nobody reads the table does not make the files whole.
    failed.map_or(shown, Err)
}

fn show(verified: Vec<Verified>, args: &Args, console: &Console) -> Outcome {
    if args.json {
        return print_json(&verified, console);
    }
    if verified.is_empty() {
        return Ok(());
    }
    let rows: Vec<Vec<String>> = verified
        .into_iter()
        .map(|file| {
            vec![
                "ok".to_owned(),
                file.file,
                file.kind,
                bytes(file.length),
                file.root,
            ]
        })
        .collect();
    print(&table(
        &["", "file", "kind", "length", "root"],
        &[0, 1, 2, 4],
        &rows,
    ))
}

fn verify_bundle(path: &Path, console: &Console, verified: &mut Vec<Verified>) -> Outcome {
    let bundle = Bundle::open(path)?;
    let bar = console.byte_bar("verifying", 0);
    let result = bundle.verify(&mut |part, done, total| tell(&bar, &part.file, done, total));
    bar.finish_and_clear();
    console.check()?;
    result?;
    for part in &bundle.manifest().parts {
        verified.push(Verified {
            file: path.join(&part.file).display().to_string(),
            kind: part.kind.to_string(),
            length: part.length,
            root: part.root.clone(),
        });
    }
    tracing::debug!(bundle = %path.display(), "agrees with its {MANIFEST_FILE}");
    Ok(())
}

fn verify_file(path: &Path, console: &Console) -> std::result::Result<Verified, Failure> {
    let container = Container::open_any(path, OpenOptions::default()).map_err(Error::from)?;
    let bar = console.byte_bar("verifying", container.len());
    let name = path.display().to_string();
    let result = container.verify(&mut |done, total| tell(&bar, &name, done, total));
    bar.finish_and_clear();
    console.check()?;
    result.map_err(Error::from)?;
    let kind = understand(&container)?;
    Ok(Verified {
        file: name,
        kind,
        length: container.len(),
        root: container.root().to_string(),
    })
}

/// Opens the file as what it is, so that its content is checked too. Returns its kind.
fn understand(container: &Container) -> Result<String> {
    Ok(match container.kind() {
        Kind::Weights => Weights::from_container(container.clone())?
            .meta()
            .kind
            .to_string(),
        Kind::TextIndex => {
            TextIndex::from_container(container.clone())?;
            container.kind().to_string()
        }
        Kind::ImageIndex => {
            ImageIndex::from_container(container.clone())?;
            container.kind().to_string()
        }
    })
}

fn tell(bar: &ProgressBar, name: &str, done: u64, total: u64) {
    if bar.length() != Some(total) {
        bar.set_length(total);
        bar.set_message(name.to_owned());
    }
    bar.set_position(done);
}
