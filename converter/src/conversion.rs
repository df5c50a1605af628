//! One way to store a checkpoint, and the file that it makes.

use crate::keep::Keep;
use crate::plan::Plan;
use crate::quantize_report::Line;
use crate::{Console, Result};
use indicatif::ProgressBar;
use morelet_mapped::Hash;
use morelet_models::CompiledTokenizer;
use morelet_models::weights::{Precision, Target, WeightsWriter};
use std::path::Path;

/// Room for so many values of a tensor is made at once: 256 MiB.
const FIRST_RESERVED: usize = 1 << 26;

/// The largest number of half precision.
const F16_MAX: f32 = 65504.0;

/// In which type each tensor is stored: one for all, and patterns that say otherwise, of which the last that matches
/// counts.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) precision: Precision,
    pub(crate) keep: Vec<Keep>,
}

impl Storage {
    /// One type for all that may have it.
    pub(crate) fn of(precision: Precision) -> Self {
        Self {
            precision,
            keep: Vec::new(),
        }
    }

    /// The same, with some tensors otherwise.
    pub(crate) fn keeping(&self, keep: &[Keep]) -> Self {
        let mut storage = self.clone();
        storage.keep.extend_from_slice(keep);
        storage
    }

    /// The type that a tensor is to have; it may get another, as a bias does.
    fn of_tensor(&self, name: &str) -> Precision {
        let keep = self.keep.iter().rev().find(|keep| keep.matches(name));
        keep.map_or(self.precision, Keep::precision)
    }
}

/// How a file was quantized, for people: `q8 (head.*=f32)`.
impl std::fmt::Display for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.precision.fmt(f)?;
        if self.keep.is_empty() {
            return Ok(());
        }
        let keep: Vec<String> = self.keep.iter().map(Keep::to_string).collect();
        write!(f, " ({})", keep.join(", "))
    }
}

/// A checkpoint that is ready to be written, in whatever types.
pub(crate) struct Conversion<'a> {
    pub(crate) plan: &'a Plan<'a>,
    /// The tokenizer's compiled form, where there is one.
    pub(crate) compiled: Option<&'a CompiledTokenizer>,
    pub(crate) target: Target,
}

/// What became of the tensors.
pub(crate) struct Written {
    /// The file's root hash.
    pub(crate) root: Hash,
    pub(crate) lines: Vec<Line>,
    /// Names of the tensors with values that half precision cannot hold.
    pub(crate) too_large: Vec<String>,
}

impl Conversion<'_> {
    /// How much a bar over one [`write`](Self::write) has to show, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let tensors = self.plan.tensors.iter();
        tensors.map(|(_, tensor)| tensor.count() * 4).sum()
    }

    /// Writes the file, whole or not at all. One tensor at a time is in memory.
    ///
    /// # Errors
    /// Of kind `Input` where the checkpoint is damaged, or a value is too large for its type; `Io`, `Interrupted`.
    pub(crate) fn write(
        &self,
        storage: &Storage,
        path: &Path,
        bar: &ProgressBar,
        console: &Console,
    ) -> Result<Written> {
        let plan = self.plan;
        let mut meta = plan.meta.clone();
        meta.quantization = storage.to_string();
        let mut writer = match (&plan.tokenizer, self.compiled) {
            (Some(tokenizer), Some(compiled)) => {
                WeightsWriter::create_compiled(path, &meta, &tokenizer.json, compiled)
            }
            (Some(tokenizer), None) => WeightsWriter::create(path, &meta, Some(&tokenizer.json)),
            (None, _) => WeightsWriter::create(path, &meta, None),
        }?;
        writer.target(self.target);
        let mut lines = Vec::new();
        let mut too_large = Vec::new();
        let mut values = Vec::new();
        for (name, tensor) in &plan.tensors {
            values.clear();
            // The tensor's count is bounded by its storage in the file, which may be compressed: it is not believed before
            // that much was read.
            values.reserve((tensor.count() as usize).min(FIRST_RESERVED));
            tensor.values(&mut |chunk| {
                values.extend_from_slice(chunk);
                bar.inc(4 * chunk.len() as u64);
                console.check()
            })?;
            let wanted = storage.of_tensor(name);
            let report = writer.tensor(name, &tensor.shape, wanted, &values)?;
            if values.iter().any(|value| value.abs() > F16_MAX) {
                too_large.push(name.clone());
            }
            lines.push(Line::new(
                name,
                &tensor.name,
                tensor.dtype.name(),
                &tensor.shape,
                &report,
            ));
        }
        Ok(Written {
            root: writer.finish()?,
            lines,
            too_large,
        })
    }
}
