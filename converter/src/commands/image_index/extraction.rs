//! CLIP looks at pictures, and each feature is kept as soon as it is there.

use super::entries::Entries;
use super::pictures::{Look, Pictures, Seen};
use super::store::{Plan, Store};
use super::tally::{Tally, fault};
use crate::records::{ImageRecord, Records};
use crate::shard::Shard;
use crate::{Console, Result};
use morelet_models::device::{Compute, DeviceRequest};
use morelet_models::weights::{Preprocess, Weights};
use morelet_models::{Cancel, Clip};
use std::path::Path;

/// What looks at pictures.
pub(super) struct Extraction<'a> {
    pub weights: Weights,
    pub preprocess: &'a Preprocess,
    pub device: DeviceRequest,
    /// What the paths of the list are relative to.
    pub folder: &'a Path,
    pub shard: Shard,
    /// Threads that decode, and on which CLIP runs if it does on the CPU.
    pub threads: usize,
}

impl Extraction<'_> {
    /// What makes these features.
    pub fn plan(&self, dim: usize) -> Plan {
        Plan::new(self.weights.meta(), dim, self.preprocess)
    }

    /// Looks at the pictures of the shard, except at those in `store`. Gives the number of lines, those of other shards
    /// too.
    pub fn run(
        self,
        list: Records<ImageRecord>,
        store: &mut Store,
        entries: &mut Entries,
        tally: &mut Tally<'_>,
        console: &Console,
    ) -> Result<u64> {
        let known = store.known().clone();
        let pictures = Pictures {
            folder: self.folder,
            shard: self.shard,
            threads: self.threads,
            preprocess: self.preprocess,
            known: &known,
        };
        // CLIP is loaded for the first picture that has to be looked at: there may be none.
        let mut weights = Some(self.weights);
        let mut loaded: Option<Clip> = None;
        pictures.for_each(list, console, &mut |seen: Seen| {
            tally.count();
            let number = match seen.picture {
                Look::Known(number) => number,
                Look::Bad(message) => {
                    tally.tell(&seen.place, &message);
                    return Ok(());
                }
                // The same file may be in several lines, and have been on its way more than once.
                Look::New(key, picture) => match known.find(key) {
                    Some(number) => number,
                    None => {
                        if let Some(weights) = weights.take() {
                            let compute = Compute::with_threads(self.device, Some(self.threads))?;
                            loaded = Some(Clip::load(weights, &compute)?);
                        }
                        // Loaded just now, or before: an error above has ended this.
                        let Some(clip) = &loaded else { return Ok(()) };
                        let feature = clip.image(&picture, &Cancel::new())?;
                        if let Some(message) = fault(&feature) {
                            tally.tell(&seen.place, &format!("{}: {message}", seen.record.image));
                            return Ok(());
                        }
                        store.append(key, &feature)?
                    }
                },
            };
            entries.push(number, seen.record)
        })
    }
}
