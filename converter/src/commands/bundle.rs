//! `bundle`: parts become one directory that can be copied to a machine with no network.
//!
//! The parts are checked against each other first, then copied into a directory beside the target,
//! which takes the target's place when it is complete. A bundle of that name is replaced; a directory
//! that is no bundle is left alone.

use crate::parts::{ExpertPart, PartFile, Parts};
use crate::{Console, Error, Result};
use clap::ArgGroup;
use indicatif::ProgressBar;
use morelet::{
    ContextKind, Decode, ExpertEntry, Fusion, FusionKind, MANIFEST_FILE, MANIFEST_FORMAT, Manifest,
    Part, PartKind,
};
use morelet_mapped::{AtomicDir, write_file_atomically};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const HELP: &str = "\
The whole of MoRe: --expert text:text:T.weights --expert image:image:I.weights --clip C.weights --gate G.weights \
--text-index text.index --image-index image.index
Its baseline: --expert x:none:X.weights";

/// Arguments of `bundle`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP, group(ArgGroup::new("fusion").args(["gate", "average"])))]
pub struct Args {
    /// The bundle to write, a directory; a bundle that is there already is replaced when the new one is complete
    #[arg(short, long, value_name = "NAME.morelet")]
    output: PathBuf,
    /// An expert: its name in answers, its context (text, image, none, given, random-text, random-image)
    /// and its weights. Once or twice
    #[arg(
        long = "expert",
        value_name = "NAME:CONTEXT:F.weights",
        required = true
    )]
    experts: Vec<ExpertArg>,
    /// CLIP, for pictures to be searched by and for the gate
    #[arg(long, value_name = "F.weights")]
    clip: Option<PathBuf>,
    /// Two experts, weighed by this gate
    #[arg(long, value_name = "F.weights")]
    gate: Option<PathBuf>,
    /// Two experts, weighed equally
    #[arg(long)]
    average: bool,
    /// Paragraphs for the contexts text and random-text. Given several times, the indexes are searched as one
    #[arg(long = "text-index", value_name = "F.index")]
    text_indexes: Vec<PathBuf>,
    /// Pictures for the contexts image and random-image
    #[arg(long, value_name = "F.index")]
    image_index: Option<PathBuf>,
    /// How labels are chosen; viterbi takes one expert with a CRF
    #[arg(long, value_name = "HOW", default_value = "marginals")]
    decode: DecodeArg,
    /// Seed of the contexts random-text and random-image
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
}

/// `NAME:CONTEXT:F.weights`, split at the first two colons.
#[derive(Clone, Debug)]
struct ExpertArg {
    name: String,
    context: ContextKind,
    path: PathBuf,
}

impl FromStr for ExpertArg {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let mut fields = text.splitn(3, ':');
        let (Some(name), Some(context), Some(path)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err("expected NAME:CONTEXT:F.weights".to_owned());
        };
        let is_name = name.starts_with(char::is_alphanumeric)
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || "-_.".contains(c));
        if !is_name {
            return Err(format!(
                "`{name}` cannot be an expert's name: expected letters, digits and any of - _ ."
            ));
        }
        if path.is_empty() {
            return Err(format!(
                "the expert `{name}` has no weights: expected NAME:CONTEXT:F.weights"
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            context: context.parse()?,
            path: path.into(),
        })
    }
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum DecodeArg {
    Marginals,
    Viterbi,
}

/// Checks the parts against each other and writes the bundle.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let fusion = args.fusion()?;
    let parts = args.open(fusion)?;
    parts.check()?;
    let directory = AtomicDir::replace(&args.output, MANIFEST_FILE)?;
    let manifest = write_parts(&parts, args.seed, directory.path(), console)?;
    write_file_atomically(
        directory.path().join(MANIFEST_FILE),
        manifest.to_json().as_bytes(),
    )?;
    // What cannot be opened must not take the place of what can.
    morelet::Bundle::open(directory.path())?;
    directory.commit()?;
    for note in notes(&parts) {
        console.say(note);
    }
    console.say(format_args!(
        "{}: {} files",
        args.output.display(),
        manifest.parts.len() + 1
    ));
    Ok(())
}

impl Args {
    /// How the experts' answers become one, if that many experts can be fused so.
    fn fusion(&self) -> Result<FusionKind> {
        if let [first, second] = self.experts.as_slice()
            && first.name == second.name
        {
            return Err(Error::usage(format!(
                "two experts are called `{}`; each needs a name of its own",
                first.name
            )));
        }
        match (self.experts.len(), &self.gate, self.average) {
            (1, None, false) => Ok(FusionKind::Single),
            (1, _, _) => Err(Error::usage(
                "--gate and --average fuse two experts; got one",
            )),
            (2, None, false) => Err(Error::usage(
                "two experts need a way to become one answer: give --gate F.weights or --average",
            )),
            (2, Some(_), _) if self.clip.is_none() => Err(Error::usage(
                "--gate weighs by the features of CLIP: give its weights with --clip F.weights",
            )),
            (2, Some(_), _) => Ok(FusionKind::Gate),
            (2, None, true) => Ok(FusionKind::Average),
            (n, ..) => Err(Error::usage(format!(
                "a bundle holds one or two experts; got {n}"
            ))),
        }
    }

    fn open(&self, fusion: FusionKind) -> Result<Parts> {
        let weights = |path: &Option<PathBuf>, kind: PartKind, flag: &str| {
            path.as_deref()
                .map(|path| PartFile::weights_of(path, kind, flag))
                .transpose()
        };
        let experts = self
            .experts
            .iter()
            .map(|expert| ExpertPart::open(&expert.name, expert.context, &expert.path));
        Ok(Parts {
            experts: experts.collect::<Result<_>>()?,
            fusion,
            gate: weights(&self.gate, PartKind::Gate, "--gate")?,
            clip: weights(&self.clip, PartKind::Clip, "--clip")?,
            text_indexes: PartFile::text_indexes(&self.text_indexes)?,
            image_index: self
                .image_index
                .as_deref()
                .map(PartFile::image_index)
                .transpose()?,
            decode: match self.decode {
                DecodeArg::Marginals => Decode::Marginals,
                DecodeArg::Viterbi => Decode::Viterbi,
            },
        })
    }
}

/// Copies the parts into `directory` and describes them.
fn write_parts(parts: &Parts, seed: u64, directory: &Path, console: &Console) -> Result<Manifest> {
    let bar = console.byte_bar(
        "bundle",
        parts.files().map(|file| file.container.len()).sum(),
    );
    let mut written: Vec<Part> = Vec::new();
    let mut add = |file: &PartFile, name: String| -> Result<String> {
        let root = file.container.root().to_string();
        // Two experts may be the same weights with different contexts.
        if let Some(same) = written.iter().find(|part| part.root == root) {
            return Ok(same.file.clone());
        }
        copy(&file.path, &directory.join(&name), &bar, console)?;
        written.push(Part {
            file: name.clone(),
            kind: file.kind,
            length: file.container.len(),
            root,
            licence: file.meta.as_ref().and_then(|meta| meta.licence.clone()),
            attribution: file.meta.as_ref().and_then(|meta| meta.attribution.clone()),
            architecture: file
                .meta
                .as_ref()
                .and_then(|meta| serde_json::to_value(&meta.architecture).ok()),
            extra: serde_json::Map::new(),
        });
        Ok(name)
    };
    let mut experts = Vec::new();
    for expert in &parts.experts {
        experts.push(ExpertEntry {
            name: expert.name.clone(),
            model: add(&expert.file, format!("expert-{}.weights", expert.name))?,
            context: expert.context,
            extra: serde_json::Map::new(),
        });
    }
    let mut add_optional = |file: Option<&PartFile>, name: &str| {
        file.map(|file| add(file, name.to_owned())).transpose()
    };
    let gate = add_optional(parts.gate.as_ref(), "gate.weights")?;
    let clip = add_optional(parts.clip.as_ref(), "clip.weights")?;
    let mut text_index = Vec::new();
    for (i, file) in parts.text_indexes.iter().enumerate() {
        text_index.extend(add_optional(Some(file), &text_index_name(i))?);
    }
    let image_index = parts.image_index.as_ref().map(|(file, _)| file);
    let image_index = add_optional(image_index, "image.index")?;
    let manifest = Manifest {
        format_version: MANIFEST_FORMAT,
        producer: concat!("morelet-convert ", env!("CARGO_PKG_VERSION")).to_owned(),
        task: parts.task(),
        labels: parts.labels().to_vec(),
        experts,
        fusion: Fusion {
            kind: parts.fusion,
            weights: gate,
            extra: serde_json::Map::new(),
        },
        decode: parts.decode,
        seed,
        clip,
        text_index,
        image_index,
        parts: written,
        extra: serde_json::Map::new(),
    };
    bar.finish_and_clear();
    Ok(manifest)
}

/// `text.index`, `text-2.index`, …
fn text_index_name(index: usize) -> String {
    match index {
        0 => "text.index".to_owned(),
        index => format!("text-{}.index", index + 1),
    }
}

fn copy(from: &Path, to: &Path, bar: &ProgressBar, console: &Console) -> Result<()> {
    let mut source = File::open(from).map_err(|error| Error::io(from, error))?;
    let mut target = File::create_new(to).map_err(|error| Error::io(to, error))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        console.check()?;
        let read = source
            .read(&mut buffer)
            .map_err(|error| Error::io(from, error))?;
        if read == 0 {
            return Ok(());
        }
        target
            .write_all(&buffer[..read])
            .map_err(|error| Error::io(to, error))?;
        bar.inc(read as u64);
    }
}

/// What the bundle will not be able to do by itself.
fn notes(parts: &Parts) -> Vec<String> {
    let needs = |expert: &&ExpertPart| match expert.context {
        ContextKind::Text => parts.text_indexes.is_empty().then_some("--text-index"),
        ContextKind::RandomText => parts.text_indexes.is_empty().then_some("--text-index"),
        ContextKind::Image if parts.image_index.is_some() => {
            parts.clip.is_none().then_some("--clip")
        }
        ContextKind::Image | ContextKind::RandomImage => {
            parts.image_index.is_none().then_some("--image-index")
        }
        ContextKind::None | ContextKind::Given => None,
    };
    let missing = parts
        .experts
        .iter()
        .filter_map(|expert| Some((expert, needs(&expert)?)));
    missing
        .map(|(expert, flag)| {
            format!(
                "note: the expert `{}` has the context `{}`, but there is no {flag}: it will run only where its context is given",
                expert.name, expert.context,
            )
        })
        .collect()
}
