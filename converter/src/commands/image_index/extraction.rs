//! CLIP looks at pictures, and each feature is kept as soon as it is there.

use super::entries::Entries;
use super::pictures::{Look, Pictures, Seen};
use super::store::{Key, Plan, Store};
use super::tally::Tally;
use crate::records::{ImageRecord, Records};
use crate::shard::Shard;
use crate::{Console, Error, Result};
use morelet_indices::feature_fault;
use morelet_models::device::{Compute, ComputeOptions, DeviceRequest};
use morelet_models::weights::{Preprocess, Weights};
use morelet_models::{Cancel, Clip, Picture};
use std::path::Path;

/// The most lines that wait while a batch becomes full, those whose pictures are known already among them.
const MOST_PENDING: usize = 4096;

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
        let mut batch = Batch {
            clip: LazyClip::File(Some(self.weights), self.device, self.threads),
            store,
            entries,
            tally,
            pending: Vec::new(),
            new: 0,
        };
        pictures.for_each(list, console, &mut |seen| match seen {
            Some(seen) => batch.add(seen),
            None => batch.look(),
        })
    }
}

/// Pictures on their way to CLIP together, with those between them that need not go there.
struct Batch<'a, 'b> {
    clip: LazyClip,
    store: &'a mut Store,
    entries: &'a mut Entries,
    tally: &'a mut Tally<'b>,
    pending: Vec<Pending>,
    /// How many of them have to be looked at.
    new: usize,
}

/// A line, in which place of the list, and its picture.
struct Pending {
    place: String,
    record: ImageRecord,
    picture: Waiting,
}

enum Waiting {
    Known(u64),
    New(Key, Picture),
}

/// CLIP, loaded for the first picture that has to be looked at: there may be none.
enum LazyClip {
    File(Option<Weights>, DeviceRequest, usize),
    Loaded(Box<Clip>),
}

impl LazyClip {
    /// The most pictures that wait for CLIP.
    fn batch(&self) -> usize {
        match self {
            Self::File(..) => 1,
            Self::Loaded(clip) => clip.batch(),
        }
    }

    fn images(&mut self, pictures: &[&Picture]) -> Result<Vec<Vec<f32>>> {
        if let Self::File(weights, device, threads) = self
            && let Some(weights) = weights.take()
        {
            let options = ComputeOptions {
                device: *device,
                threads: Some(*threads),
                ..Default::default()
            };
            let compute = Compute::for_models(&options, [weights.meta()])?;
            *self = Self::Loaded(Box::new(Clip::load(weights, &compute)?));
        }
        match self {
            Self::Loaded(clip) => Ok(clip.images(pictures, &Cancel::new())?),
            // Loading it failed, which has ended the work.
            Self::File(..) => Err(Error::device("CLIP could not be loaded")),
        }
    }
}

impl Batch<'_, '_> {
    fn add(&mut self, seen: Seen) -> Result<()> {
        self.tally.count();
        let picture = match seen.picture {
            Look::Known(number) => Waiting::Known(number),
            Look::New(key, picture) => Waiting::New(key, picture),
            Look::Bad(message) => {
                self.tally.tell(&seen.place, &message);
                return Ok(());
            }
        };
        self.new += usize::from(matches!(picture, Waiting::New(..)));
        self.pending.push(Pending {
            place: seen.place,
            record: seen.record,
            picture,
        });
        match self.new >= self.clip.batch() || self.pending.len() >= MOST_PENDING {
            true => self.look(),
            false => Ok(()),
        }
    }

    /// Looks at what waits.
    fn look(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.new = 0;
        // The same file may be in several lines, and have been on its way more than once.
        let mut new: Vec<(Key, &Picture)> = Vec::new();
        for line in &pending {
            if let Waiting::New(key, picture) = &line.picture
                && self.store.known().find(*key).is_none()
                && new.iter().all(|(other, _)| other != key)
            {
                new.push((*key, picture));
            }
        }
        let mut zeros = Vec::new();
        if !new.is_empty() {
            let pictures: Vec<&Picture> = new.iter().map(|&(_, picture)| picture).collect();
            let features = self.clip.images(&pictures)?;
            for ((key, _), feature) in new.iter().zip(features) {
                match feature_fault(&feature) {
                    Some(message) => zeros.push((*key, message)),
                    None => drop(self.store.append(*key, &feature)?),
                }
            }
        }
        for line in pending {
            let found = match line.picture {
                Waiting::Known(number) => Ok(number),
                Waiting::New(key, _) => self.store.known().find(key).ok_or_else(|| {
                    let zero = zeros.iter().find(|(zero, _)| *zero == key);
                    zero.map_or("CLIP gave no feature", |&(_, message)| message)
                }),
            };
            match found {
                Ok(number) => self.entries.push(number, line.record)?,
                Err(message) => {
                    let message = format!("{}: {message}", line.record.image);
                    self.tally.tell(&line.place, &message);
                }
            }
        }
        Ok(())
    }
}
