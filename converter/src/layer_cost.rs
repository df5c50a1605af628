//! Which layers quantization hurts most, and which of them to store wider.
//!
//! A layer is what `--keep` names in one pattern: the attention of a layer, its feed-forward block, the embeddings, the head. Each is
//! stored wider by itself, all else as it is asked for, and the divergence that this takes away is what the layer costs. That
//! ranks them. Then as many of the first are kept as it takes, each number tried as a file of its own.

use crate::conversion::{Conversion, Storage, Written};
use crate::keep::Keep;
use crate::quantization_cost::{Cost, Measuring};
use crate::{Console, Result};
use morelet_models::weights::{Precision, always_f32};
use serde::{Serialize, Serializer};

/// Layers are ranked on at most so many sentences: each has a conversion and a run of its own.
const RANKED_ON: usize = 200;

/// What it brings to store one layer wider, and nothing else.
#[derive(Debug, Serialize)]
pub(crate) struct LayerCost {
    #[serde(serialize_with = "text")]
    pub(crate) keep: Keep,
    /// The mean divergence from `f32` that is left, in nats.
    divergence: f64,
    /// The part of the divergence that is gone; below 0 where it has grown.
    pub(crate) share: f64,
}

/// Some layers stored wider.
#[derive(Debug, Serialize)]
pub(crate) struct Mending {
    #[serde(serialize_with = "texts")]
    pub(crate) keep: Vec<Keep>,
    pub(crate) cost: Cost,
    /// Whether it is enough.
    pub(crate) mends: bool,
}

/// The layers that are stored narrower than they might be, from the one that hurts most to the one that hurts least.
///
/// # Errors
/// As [`Measuring::measure`].
pub(crate) fn rank(
    measuring: &Measuring<'_>,
    conversion: &Conversion<'_>,
    storage: &Storage,
    written: &Written,
    console: &Console,
) -> Result<Vec<LayerCost>> {
    let wider = wider(conversion, written);
    let bar = console.count_bar("ranking layers", wider.len() as u64 + 1);
    let before = measuring.divergence(storage, RANKED_ON)?;
    bar.inc(1);
    let mut layers = Vec::new();
    for keep in wider {
        let kept = storage.keeping(std::slice::from_ref(&keep));
        let divergence = measuring.divergence(&kept, RANKED_ON)?;
        let gone = (before - divergence) / before;
        layers.push(LayerCost {
            keep,
            divergence,
            share: if before > 0.0 { gone } else { 0.0 },
        });
        bar.inc(1);
    }
    bar.finish_and_clear();
    layers.sort_by(|a, b| b.share.total_cmp(&a.share));
    Ok(layers)
}

/// Keeps as many of the first layers as `is_enough` asks for: one, two, four and so on, then between the last two. `None`
/// where there is no layer; all of them where even that is not enough.
///
/// # Errors
/// As [`Measuring::measure`].
pub(crate) fn mend(
    measuring: &Measuring<'_>,
    storage: &Storage,
    layers: &[LayerCost],
    is_enough: impl Fn(&Cost) -> bool,
) -> Result<Option<Mending>> {
    let keep: Vec<Keep> = layers.iter().map(|layer| layer.keep.clone()).collect();
    let with = |count: usize| -> Result<Mending> {
        let keep = &keep[..count];
        let cost = measuring.measure(&storage.keeping(keep))?;
        Ok(Mending {
            keep: keep.to_vec(),
            mends: is_enough(&cost),
            cost,
        })
    };
    if keep.is_empty() {
        return Ok(None);
    }
    let (mut too_few, mut count) = (0, 1);
    let mut best = loop {
        let tried = with(count)?;
        if tried.mends || count == keep.len() {
            break tried;
        }
        too_few = count;
        count = (2 * count).min(keep.len());
    };
    while best.mends && best.keep.len() - too_few > 1 {
        let count = too_few.midpoint(best.keep.len());
        let tried = with(count)?;
        match tried.mends {
            true => best = tried,
            false => too_few = count,
        }
    }
    Ok(Some(best))
}

/// For each layer with tensors that were narrowed, what widens them: to `f16`, or to `f32` where that is no widening, or
/// some value is too large for it.
fn wider(conversion: &Conversion<'_>, written: &Written) -> Vec<Keep> {
    let kind = conversion.plan.meta.kind;
    let mut layers: Vec<(String, bool, bool)> = Vec::new();
    for line in &written.lines {
        if always_f32(kind, &line.name, &line.shape) {
            continue;
        }
        let pattern = pattern(&line.name);
        let at = layers.iter().position(|(known, ..)| *known == pattern);
        let at = at.unwrap_or_else(|| {
            layers.push((pattern, false, false));
            layers.len() - 1
        });
        let (_, narrowed, needs_f32) = &mut layers[at];
        *narrowed |= line.precision != Precision::F32;
        *needs_f32 |= matches!(line.precision, Precision::F32 | Precision::F16)
            || written.too_large.contains(&line.name);
    }
    layers.retain(|(_, narrowed, _)| *narrowed);
    let keep = layers.into_iter().map(|(pattern, _, needs_f32)| {
        let precision = match needs_f32 {
            true => Precision::F32,
            false => Precision::F16,
        };
        Keep::new(pattern, precision)
    });
    keep.collect()
}

/// The pattern of a tensor's layer: `layers.3.ffn.*` of `layers.3.ffn.up.weight`, `head.*` of `head.weight`.
fn pattern(name: &str) -> String {
    let parts: Vec<&str> = name.split('.').collect();
    let depth = match parts.first() {
        Some(&"layers") => 3,
        _ => 1,
    };
    format!("{}.*", parts[..depth.min(parts.len())].join("."))
}

fn text<S: Serializer>(keep: &Keep, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_str(keep)
}

fn texts<S: Serializer>(keep: &[Keep], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(keep.iter().map(Keep::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_a_layers_block() {
        for (name, expected) in [
            ("layers.3.ffn.up.weight", "layers.3.ffn.*"),
            ("layers.13.attention.query.weight", "layers.13.attention.*"),
            ("embeddings.word", "embeddings.*"),
            ("head.weight", "head.*"),
        ] {
            assert_eq!(pattern(name), expected);
            assert!(Keep::new(pattern(name), Precision::F16).matches(name));
        }
    }
}
