//! What a GPU has to do before it serves: add up small numbers, then compute a layer whose answer is known, in the type
//! that it will be used in.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use burn::tensor::Device;

use super::ComputeOptions;
use super::probe::{guarded, probe};
#[cfg(any(feature = "wgpu", feature = "cuda-burn"))]
use super::tuning;
use crate::gpu::{ComputeType, self_test};

/// The types that are tried where none is named, the fastest first.
const PREFERRED: [ComputeType; 3] = [ComputeType::F16, ComputeType::Bf16, ComputeType::F32];

/// What a device came through with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proved {
    /// The type that it computes in.
    pub(super) compute_type: ComputeType,
    /// Why not in a faster one.
    pub(super) notes: Vec<String>,
}

impl Proved {
    /// What to know about the device, for a list.
    pub(super) fn told(&self, note: Option<String>) -> Option<String> {
        let told: Vec<String> = note.into_iter().chain(self.notes.clone()).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }
}

/// How GPUs are tried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trial<'a> {
    precision: Option<ComputeType>,
    burn_alone: bool,
    tuning: Option<&'a Path>,
}

impl<'a> Trial<'a> {
    pub(super) fn new(options: &'a ComputeOptions) -> Self {
        Self {
            precision: options.precision,
            burn_alone: options.burn_alone,
            tuning: options.tuning.as_deref(),
        }
    }

    /// Whether kernels of our own may serve. If not, why, where that is not known.
    pub(super) fn wants_ours(&self) -> Result<(), Option<&'static str>> {
        match self.precision {
            _ if self.burn_alone => Err(None),
            None | Some(ComputeType::F16) => Ok(()),
            Some(_) => Err(Some("our kernels compute in f16 alone")),
        }
    }

    /// Tries a device with Burn. An error says what it did wrong.
    pub(super) fn run(&self, device: &Device) -> Result<Proved, String> {
        #[cfg(any(feature = "wgpu", feature = "cuda-burn"))]
        if let Some(path) = self.tuning {
            tuning::read(path);
        }
        probe(device)?;
        let supports =
            |compute_type: ComputeType| guarded(|| device.supports_dtype(compute_type.dtype()));
        choose(self.precision, supports, |compute_type| {
            tested(device, compute_type)
        })
    }
}

/// The first type that the device has and answers rightly in.
fn choose(
    named: Option<ComputeType>,
    supports: impl Fn(ComputeType) -> Result<bool, String>,
    test: impl Fn(ComputeType) -> Result<(), String>,
) -> Result<Proved, String> {
    let tried = named.map_or(PREFERRED.to_vec(), |named| vec![named]);
    let mut notes = Vec::new();
    for compute_type in tried {
        let outcome = match supports(compute_type) {
            Ok(true) => test(compute_type),
            Ok(false) => Err("the device does not have this type".to_owned()),
            Err(panic) => Err(panic),
        };
        match outcome {
            Ok(()) => {
                return Ok(Proved {
                    compute_type,
                    notes,
                });
            }
            Err(reason) => notes.push(format!("{compute_type}: {reason}")),
        }
    }
    Err(notes.join("; "))
}

/// The self-test, once in the life of the process for each device and type.
fn tested(device: &Device, compute_type: ComputeType) -> Result<(), String> {
    type Outcome = (Device, ComputeType, Result<(), String>);
    static DONE: Mutex<Vec<Outcome>> = Mutex::new(Vec::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    let known = done
        .iter()
        .find(|(tested, of, _)| tested == device && *of == compute_type);
    if let Some((_, _, outcome)) = known {
        return outcome.clone();
    }
    let outcome =
        guarded(|| self_test::self_test(device, compute_type)).and_then(|outcome| outcome);
    done.push((device.clone(), compute_type, outcome.clone()));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRONG: &str = "the self-test answered wrongly";

    #[test]
    fn the_fastest_type_that_answers_rightly_is_taken_and_the_others_are_told() {
        let all = |_| Ok(true);
        let proved = choose(None, all, |_| Ok(())).unwrap();
        assert_eq!(
            (proved.compute_type, proved.notes.len()),
            (ComputeType::F16, 0)
        );

        let half_is_wrong = |compute_type| match compute_type {
            ComputeType::F16 => Err(WRONG.to_owned()),
            _ => Ok(()),
        };
        let no_bf16 = |compute_type| Ok(compute_type != ComputeType::Bf16);
        let proved = choose(None, no_bf16, half_is_wrong).unwrap();
        assert_eq!(proved.compute_type, ComputeType::F32);
        assert_eq!(proved.notes.len(), 2);
        assert!(proved.notes[0].starts_with("f16: ") && proved.notes[0].contains(WRONG));
        assert!(proved.notes[1].starts_with("bf16: "));
    }

    #[test]
    fn a_device_that_is_wrong_in_every_type_is_refused_with_the_reasons() {
        let wrong = choose(None, |_| Ok(true), |_| Err(WRONG.to_owned())).unwrap_err();
        assert_eq!(wrong.matches(WRONG).count(), 3, "{wrong}");
    }

    #[test]
    fn a_type_that_is_named_is_taken_or_nothing() {
        let named = Some(ComputeType::F16);
        let only_f32 = |compute_type| Ok(compute_type == ComputeType::F32);
        assert!(choose(named, only_f32, |_| Ok(())).is_err());
        let panics = |_| Err("lost".to_owned());
        assert_eq!(choose(named, panics, |_| Ok(())).unwrap_err(), "f16: lost");
    }

    #[cfg(feature = "cpu")]
    #[test]
    fn a_device_that_answers_rightly_comes_through() {
        assert_eq!(tested(&Device::flex(), ComputeType::F32), Ok(()));
        assert_eq!(tested(&Device::flex(), ComputeType::F32), Ok(()));
    }
}
