//! A bundle: its parts mapped, and found to belong together.

use crate::manifest::{MANIFEST_FILE, Manifest, Part, PartKind};
use crate::{Error, ErrorKind, Result, Session, SessionOptions};
use morelet_indices::{ImageIndex, TextIndex};
use morelet_mapped::{Container, Kind, OpenOptions};
use morelet_models::weights::{ModelKind, Weights};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open bundle. Clones share the maps.
///
/// Opening maps the parts and checks them against each other and against `bundle.json`; it takes milliseconds, whatever their
/// size, and loads no weights. A part must not be overwritten while it is open: a bundle is replaced by renaming.
#[derive(Clone, Debug)]
pub struct Bundle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    manifest: Manifest,
    experts: Vec<Weights>,
    gate: Option<Weights>,
    clip: Option<Weights>,
    text_index: Option<Arc<TextIndex>>,
    image_index: Option<Arc<ImageIndex>>,
}

impl Bundle {
    /// Opens the bundle in a directory.
    ///
    /// # Errors
    /// `Io`; `Bundle` where the manifest or a part is damaged, of another kind than the manifest says, or does not belong to the
    /// others: by its length or root, its labels, or the CLIP that it was made with.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(directory, OpenOptions::default())
    }

    /// Opens the bundle in a directory, copied into memory or with every hash checked first, as the options say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(directory: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        let directory = directory.as_ref();
        let _span = tracing::debug_span!("open", bundle = %directory.display()).entered();
        let manifest = Manifest::read(directory)?;
        let opener = Opener {
            directory,
            manifest: &manifest,
            options,
        };
        let weights =
            |file: &Option<String>| file.as_deref().map(|file| opener.weights(file)).transpose();
        let experts: Vec<Weights> = manifest
            .experts
            .iter()
            .map(|expert| opener.weights(&expert.model))
            .collect::<Result<_>>()?;
        let inner = Inner {
            directory: directory.to_owned(),
            experts,
            gate: weights(&manifest.fusion.weights)?,
            clip: weights(&manifest.clip)?,
            text_index: opener.text_index(&manifest.text_index)?,
            image_index: manifest
                .image_index
                .as_deref()
                .map(|file| opener.image_index(file))
                .transpose()?,
            manifest,
        };
        inner
            .check()
            .map_err(|error| error.at(directory.join(MANIFEST_FILE)))?;
        Ok(Self(Arc::new(inner)))
    }

    /// Loads the models onto a device.
    ///
    /// # Errors
    /// `Device` where the device that was asked for cannot serve; `Bundle` where a part turns out to be damaged.
    pub fn session(&self, options: &SessionOptions) -> Result<Session> {
        Session::new(self, options)
    }

    /// Where tuning results for GPUs are looked for when a session starts: a file beside the directory, `news.tuning` for
    /// `news.morelet`. It is no part of the bundle, which stays as it was written.
    pub fn tuning_file(&self) -> PathBuf {
        self.directory().with_extension("tuning")
    }

    /// Where the bundle is.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// What `bundle.json` says.
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// The labels of every expert, in the order of the columns of marginals.
    pub fn labels(&self) -> &[String] {
        // `Manifest::check` has counted at least one expert.
        self.0
            .experts
            .first()
            .map_or(&[], |weights| &weights.meta().labels)
    }

    /// The weights of the experts, in the order of the manifest.
    pub fn experts(&self) -> &[Weights] {
        &self.0.experts
    }

    /// The weights of the gate.
    pub fn gate(&self) -> Option<&Weights> {
        self.0.gate.as_ref()
    }

    /// The weights of CLIP.
    pub fn clip(&self) -> Option<&Weights> {
        self.0.clip.as_ref()
    }

    /// The text index: all those of the bundle, searched as one.
    pub fn text_index(&self) -> Option<&Arc<TextIndex>> {
        self.0.text_index.as_ref()
    }

    /// Whether there is a text index and an expert that reads what it finds.
    #[cfg(feature = "cli")]
    pub(crate) fn reads_text_index(&self) -> bool {
        let mut experts = self.manifest().experts.iter();
        self.text_index().is_some()
            && experts.any(|expert| expert.context == crate::ContextKind::Text)
    }

    /// Whether there is an image index and an expert that reads what it finds.
    pub(crate) fn reads_image_index(&self) -> bool {
        let mut experts = self.manifest().experts.iter();
        self.image_index().is_some()
            && experts.any(|expert| expert.context == crate::ContextKind::Image)
    }

    /// The image index.
    pub fn image_index(&self) -> Option<&Arc<ImageIndex>> {
        self.0.image_index.as_ref()
    }

    /// Checks every hash of every part, and that the directory holds no file that `bundle.json` does not list. Reads the
    /// whole bundle. `progress` is told the part, its bytes done and its bytes in all.
    ///
    /// # Errors
    /// `Bundle`, with the first part that is damaged, or with every file that is not listed.
    pub fn verify(&self, progress: &mut dyn FnMut(&Part, u64, u64)) -> Result<()> {
        let manifest = self.manifest();
        let listed: BTreeSet<PathBuf> = manifest
            .parts
            .iter()
            .map(Part::path)
            .collect::<Result<_>>()?;
        let mut strangers = Vec::new();
        let mut folders = vec![PathBuf::new()];
        while let Some(folder) = folders.pop() {
            let path = self.directory().join(&folder);
            let read = fs::read_dir(&path).map_err(|error| Error::io(&path, error))?;
            for entry in read {
                let entry = entry.map_err(|error| Error::io(&path, error))?;
                let name = folder.join(entry.file_name());
                let kind = entry
                    .file_type()
                    .map_err(|error| Error::io(entry.path(), error))?;
                if kind.is_dir() {
                    folders.push(name);
                } else if !listed.contains(&name) && name != Path::new(MANIFEST_FILE) {
                    strangers.push(name.display().to_string());
                }
            }
        }
        if !strangers.is_empty() {
            strangers.sort();
            return Err(Error::bundle(format!(
                "holds what {MANIFEST_FILE} does not list: {}; move it away, or make the bundle again",
                strangers.join(", ")
            ))
            .at(self.directory()));
        }
        for part in &manifest.parts {
            let opener = Opener {
                directory: self.directory(),
                manifest,
                options: OpenOptions::default(),
            };
            opener
                .container(&part.file)?
                .verify(&mut |done, total| progress(part, done, total))?;
        }
        Ok(())
    }
}

impl Part {
    /// What `bundle.json` says about a part file: `path` on this machine, `file` below the bundle.
    ///
    /// # Errors
    /// `Io`; `Bundle` where it is no part file.
    pub fn describe(path: impl AsRef<Path>, file: impl Into<String>) -> Result<Self> {
        let container = Container::open_any(path.as_ref(), OpenOptions::default())?;
        let mut part = Self {
            file: file.into(),
            kind: PartKind::TextIndex,
            length: container.len(),
            root: container.root().to_string(),
            licence: None,
            attribution: None,
            architecture: None,
            extra: serde_json::Map::new(),
        };
        match container.kind() {
            Kind::TextIndex => {}
            Kind::ImageIndex => part.kind = PartKind::ImageIndex,
            Kind::Weights => {
                let weights = Weights::from_container(container)?;
                let meta = weights.meta();
                part.kind = part_kind(meta.kind);
                part.licence = meta.licence.clone();
                part.attribution = meta.attribution.clone();
                part.architecture = serde_json::to_value(&meta.architecture).ok();
            }
        }
        part.path()?;
        Ok(part)
    }
}

fn part_kind(kind: ModelKind) -> PartKind {
    match kind {
        ModelKind::Ner => PartKind::Ner,
        ModelKind::Re => PartKind::Re,
        ModelKind::Clip => PartKind::Clip,
        ModelKind::Gate => PartKind::Gate,
        ModelKind::Encoder => PartKind::Encoder,
    }
}

/// Opens parts and compares them with what the manifest says about them.
struct Opener<'a> {
    directory: &'a Path,
    manifest: &'a Manifest,
    options: OpenOptions,
}

impl Opener<'_> {
    fn part(&self, file: &str) -> Result<&Part> {
        self.manifest
            .part(file)
            .ok_or_else(|| Error::bundle(format!("`parts` does not list {file}")))
    }

    fn container(&self, file: &str) -> Result<Container> {
        let part = self.part(file)?;
        let path = self.directory.join(part.path()?);
        let kind = match part.kind {
            PartKind::TextIndex => Kind::TextIndex,
            PartKind::ImageIndex => Kind::ImageIndex,
            _ => Kind::Weights,
        };
        let container = Container::open(&path, kind, self.options)?;
        let differs = |what: &str,
                       expected: &dyn std::fmt::Display,
                       got: &dyn std::fmt::Display| {
            Error::bundle(format!(
                "is not the part that {MANIFEST_FILE} lists: expected {what} {expected}, got {got}. \
                 It was exchanged or converted again; make the bundle again"
            ))
            .at(&path)
        };
        if container.len() != part.length {
            return Err(differs("length", &part.length, &container.len()));
        }
        let root = container.root().to_string();
        if root != part.root {
            return Err(differs("root", &part.root, &root));
        }
        Ok(container)
    }

    fn weights(&self, file: &str) -> Result<Weights> {
        let part = self.part(file)?;
        let weights = Weights::from_container(self.container(file)?)?;
        let meta = weights.meta();
        let path = weights.container().path();
        let kind = part_kind(meta.kind);
        if kind != part.kind {
            return Err(Error::bundle(format!(
                "is of kind `{kind}`, but {MANIFEST_FILE} says `{}`",
                part.kind
            ))
            .at(path));
        }
        let truth = serde_json::to_value(&meta.architecture).unwrap_or_default();
        if part
            .architecture
            .as_ref()
            .is_some_and(|told| *told != truth)
        {
            return Err(Error::bundle(format!(
                "has other hyper-parameters than {MANIFEST_FILE} says: expected {}, got {truth}",
                part.architecture.as_ref().unwrap_or(&truth)
            ))
            .at(path));
        }
        Ok(weights)
    }

    /// Several files as one index; those that cannot be searched as one are no bundle.
    fn text_index(&self, files: &[String]) -> Result<Option<Arc<TextIndex>>> {
        if files.is_empty() {
            return Ok(None);
        }
        let containers = files.iter().map(|file| self.container(file));
        let index = TextIndex::from_containers(containers.collect::<Result<_>>()?);
        let index = index.map_err(|error| match Error::from(error) {
            error if error.kind() == ErrorKind::Input => {
                Error::from_below(ErrorKind::Bundle, error)
            }
            error => error,
        })?;
        Ok(Some(Arc::new(index)))
    }

    fn image_index(&self, file: &str) -> Result<Arc<ImageIndex>> {
        let container = self.container(file)?;
        Ok(Arc::new(ImageIndex::from_container(container)?))
    }
}

impl Inner {
    /// Whether the parts belong together.
    fn check(&self) -> Result<()> {
        self.check_labels()?;
        self.check_clip()?;
        let viterbi = self.manifest.decode == crate::Decode::Viterbi;
        let crf = self
            .experts
            .iter()
            .all(|weights| weights.meta().xlmr().is_some_and(|config| config.crf));
        if viterbi && !crf {
            return Err(Error::bundle(
                "`decode` is `viterbi`, but the expert has no CRF; use `marginals`",
            ));
        }
        Ok(())
    }

    fn check_labels(&self) -> Result<()> {
        let manifest = &self.manifest;
        let names = || manifest.experts.iter().map(|expert| expert.name.as_str());
        let mut labels = names().zip(self.experts.iter().map(|weights| &weights.meta().labels));
        let Some((first, expected)) = labels.next() else {
            return Ok(());
        };
        for (name, labels) in labels {
            if labels != expected {
                return Err(Error::bundle(format!(
                    "the experts `{first}` and `{name}` do not have the same labels in the same order: {expected:?} and {labels:?}"
                )));
            }
        }
        if !manifest.labels.is_empty() && manifest.labels != *expected {
            return Err(Error::bundle(format!(
                "`labels` are not those of the experts: expected {expected:?}, got {:?}",
                manifest.labels
            )));
        }
        let t = expected.len();
        let config = self.gate.as_ref().and_then(|weights| weights.meta().gate());
        if let Some(config) = config
            && config.rows != 1
            && config.rows as usize != t
        {
            return Err(Error::bundle(format!(
                "the gate has {} rows; expected 1, or one for each of the {t} labels",
                config.rows
            )));
        }
        Ok(())
    }

    fn check_clip(&self) -> Result<()> {
        let clip = self.clip.as_ref().map(Weights::meta);
        let width = clip
            .and_then(|meta| meta.clip())
            .map(|config| config.projection_dim);
        let gate = self.gate.as_ref().and_then(|weights| weights.meta().gate());
        if let (Some(gate), Some(width)) = (gate, width)
            && (gate.text_dim, gate.image_dim) != (width, width)
        {
            return Err(Error::bundle(format!(
                "the gate reads features of {} and {} values, but this CLIP makes {width}: it was trained with another",
                gate.text_dim, gate.image_dim
            )));
        }
        if let (Some(index), Some(clip)) = (&self.image_index, clip)
            && index.clip_identity() != clip.identity
        {
            return Err(Error::bundle(format!(
                "the image index was made with another CLIP: expected identity {}, got {}. \
                 Build it again with this CLIP",
                clip.identity,
                index.clip_identity()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
