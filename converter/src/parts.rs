//! The part files of a bundle, opened, and whether they belong together.

use crate::{Error, Result};
use morelet::{ContextKind, Decode, FusionKind, PartKind, Task};
use morelet_indices::{ImageIndex, TextIndex};
use morelet_mapped::{Container, Kind, OpenOptions};
use morelet_models::weights::{Meta, ModelKind, Weights};
use std::path::{Path, PathBuf};

/// One file, and what it is.
pub struct PartFile {
    /// Where it lies now.
    pub path: PathBuf,
    /// What it is.
    pub kind: PartKind,
    /// Its container.
    pub container: Container,
    /// What weights say of themselves.
    pub meta: Option<Meta>,
}

/// An expert, and the part that it plays.
pub struct ExpertPart {
    /// Its name in answers.
    pub name: String,
    /// Where its context comes from.
    pub context: ContextKind,
    /// Its weights.
    pub file: PartFile,
    meta: Meta,
}

/// Everything that goes into a bundle.
pub struct Parts {
    /// One or two.
    pub experts: Vec<ExpertPart>,
    /// How their answers become one.
    pub fusion: FusionKind,
    /// The gate's weights.
    pub gate: Option<PartFile>,
    /// CLIP's weights.
    pub clip: Option<PartFile>,
    /// The text indexes, which are searched as one.
    pub text_indexes: Vec<PartFile>,
    /// The image index, and the identity of the CLIP that made it.
    pub image_index: Option<(PartFile, String)>,
    /// How labels are chosen.
    pub decode: Decode,
}

impl PartFile {
    fn weights(path: &Path) -> Result<(Self, Meta)> {
        let weights = Weights::open(path, OpenOptions::default())?;
        let meta = weights.meta().clone();
        let kind = match meta.kind {
            ModelKind::Ner => PartKind::Ner,
            ModelKind::Re => PartKind::Re,
            ModelKind::Clip => PartKind::Clip,
            ModelKind::Gate => PartKind::Gate,
            ModelKind::Encoder => PartKind::Encoder,
        };
        let file = Self {
            path: path.to_owned(),
            kind,
            container: weights.container().clone(),
            meta: Some(meta.clone()),
        };
        Ok((file, meta))
    }

    /// Opens weights that an option `flag` takes only of one kind.
    pub fn weights_of(path: &Path, kind: PartKind, flag: &str) -> Result<Self> {
        let (file, _) = Self::weights(path)?;
        if file.kind == kind {
            Ok(file)
        } else {
            Err(Error::input(format!(
                "expected weights of kind `{kind}` for {flag}, got `{}`",
                file.kind
            ))
            .at(path))
        }
    }

    /// Opens text indexes that are to be searched as one: all different, of one analyzer, k1 and b.
    pub fn text_indexes(paths: &[PathBuf]) -> Result<Vec<Self>> {
        let mut files: Vec<Self> = Vec::new();
        for path in paths {
            let container = Container::open(path, Kind::TextIndex, OpenOptions::default())?;
            let root = container.root();
            if let Some(same) = files.iter().find(|file| file.container.root() == root) {
                return Err(Error::input(format!(
                    "is the same text index as {}; each may be given once",
                    same.path.display()
                ))
                .at(path));
            }
            files.push(Self {
                path: path.to_owned(),
                kind: PartKind::TextIndex,
                container,
                meta: None,
            });
        }
        if !files.is_empty() {
            let containers = files.iter().map(|file| file.container.clone());
            TextIndex::from_containers(containers.collect())?;
        }
        Ok(files)
    }

    /// Opens an image index; with it comes the identity of the CLIP that made it.
    pub fn image_index(path: &Path) -> Result<(Self, String)> {
        let index = ImageIndex::open(path, OpenOptions::default())?;
        let file = Self {
            path: path.to_owned(),
            kind: PartKind::ImageIndex,
            container: index.container().clone(),
            meta: None,
        };
        Ok((file, index.clip_identity().to_owned()))
    }
}

impl ExpertPart {
    /// Opens the weights of an expert.
    pub fn open(name: &str, context: ContextKind, path: &Path) -> Result<Self> {
        let (file, meta) = PartFile::weights(path)?;
        match file.kind {
            PartKind::Ner | PartKind::Re => {}
            PartKind::Encoder => {
                return Err(Error::input(format!(
                    "the expert `{name}` is an encoder with no head, which answers nothing; \
                     expected weights of kind `ner` or `re`"
                ))
                .at(path));
            }
            other => {
                return Err(Error::input(format!(
                    "the expert `{name}` is of kind `{other}`; expected `ner` or `re`"
                ))
                .at(path));
            }
        }
        Ok(Self {
            name: name.to_owned(),
            context,
            file,
            meta,
        })
    }
}

impl Parts {
    /// What the bundle answers.
    pub fn task(&self) -> Task {
        match self.experts.first().map(|expert| expert.file.kind) {
            Some(PartKind::Re) => Task::Re,
            _ => Task::Ner,
        }
    }

    /// The labels of the experts.
    pub fn labels(&self) -> &[String] {
        self.experts
            .first()
            .map_or(&[], |expert| &expert.meta.labels)
    }

    /// Every file, once.
    pub fn files(&self) -> impl Iterator<Item = &PartFile> {
        let experts = self.experts.iter().map(|expert| &expert.file);
        let image_index = self.image_index.as_ref().map(|(file, _)| file);
        experts
            .chain(&self.gate)
            .chain(&self.clip)
            .chain(&self.text_indexes)
            .chain(image_index)
    }

    /// Whether the parts belong together.
    ///
    /// # Errors
    /// Of kind `Input`, with the two parts that do not.
    pub fn check(&self) -> Result<()> {
        if let [first, second] = self.experts.as_slice() {
            check_experts(first, second)?;
        }
        self.check_gate()?;
        self.check_image_index()?;
        self.check_decode()
    }

    fn check_gate(&self) -> Result<()> {
        let Some(gate) = &self.gate else {
            return Ok(());
        };
        let (Some(shape), Some(clip)) = (
            gate.meta.as_ref().and_then(Meta::gate),
            self.clip
                .as_ref()
                .and_then(|file| Some((file, file.meta.as_ref()?.clip()?))),
        ) else {
            return Err(Error::input(
                "a gate weighs by the features of CLIP; give its weights with --clip",
            )
            .at(&gate.path));
        };
        let (clip_file, clip) = clip;
        if (shape.text_dim, shape.image_dim) != (clip.projection_dim, clip.projection_dim) {
            return Err(Error::input(format!(
                "the gate reads features of width {} (text) and {} (image), but those of {} have width {}",
                shape.text_dim,
                shape.image_dim,
                clip_file.path.display(),
                clip.projection_dim,
            ))
            .at(&gate.path));
        }
        let labels = self.labels().len();
        if shape.rows != 1 && shape.rows as usize != labels {
            return Err(Error::input(format!(
                "the gate has {} rows; expected 1, or {labels}, one for each label of the experts",
                shape.rows,
            ))
            .at(&gate.path));
        }
        Ok(())
    }

    fn check_image_index(&self) -> Result<()> {
        let (Some((index, made_by)), Some(clip)) = (&self.image_index, &self.clip) else {
            return Ok(());
        };
        let identity = clip.meta.as_ref().map_or("", |meta| meta.identity.as_str());
        if made_by == identity {
            return Ok(());
        }
        Err(Error::input(format!(
            "the image index was made by the CLIP with identity {made_by}, but {} has identity {identity}; \
             make the index again with --clip {}",
            clip.path.display(),
            clip.path.display(),
        ))
        .at(&index.path))
    }

    fn check_decode(&self) -> Result<()> {
        if self.decode != Decode::Viterbi {
            return Ok(());
        }
        match self.experts.as_slice() {
            [expert] if expert.meta.xlmr().is_some_and(|config| config.crf) => Ok(()),
            [expert] => Err(Error::input(format!(
                "--decode viterbi takes an expert with a CRF, which the expert `{}` has not; use marginals",
                expert.name
            ))
            .at(&expert.file.path)),
            _ => Err(Error::usage("--decode viterbi takes one expert; with two, use marginals")),
        }
    }
}

fn check_experts(first: &ExpertPart, second: &ExpertPart) -> Result<()> {
    if first.file.kind != second.file.kind {
        return Err(Error::input(format!(
            "the expert `{}` is of kind `{}`, but the expert `{}` ({}) of kind `{}`; a bundle answers one task",
            second.name,
            second.file.kind,
            first.name,
            first.file.path.display(),
            first.file.kind,
        ))
        .at(&second.file.path));
    }
    let (ours, theirs) = (&first.meta.labels, &second.meta.labels);
    if ours == theirs {
        return Ok(());
    }
    let difference = match ours.iter().zip(theirs).position(|(a, b)| a != b) {
        Some(index) => format!(
            "label {index} is `{}` in the one and `{}` in the other",
            theirs[index], ours[index]
        ),
        None => format!(
            "{} in the one and {} in the other",
            theirs.len(),
            ours.len()
        ),
    };
    Err(Error::input(format!(
        "the expert `{}` has other labels than the expert `{}` ({}): {difference}; two experts need the same labels in the same order",
        second.name,
        first.name,
        first.file.path.display(),
    ))
    .at(&second.file.path))
}
