//! Pictures of finished indexes into a new one, with their graphs.

use half::f16;

use super::builder::ImageIndexBuilder;
use crate::error::{Error, Result};
use crate::image::index::ImageIndex;
use crate::image::record::Damage;
use crate::image::vectors::{FINER, Vectors, stored_integer};

/// How many nodes are read between two questions whether to stop.
const ASKED_EVERY: u32 = 1024;

impl ImageIndexBuilder {
    /// Adds the pictures of a finished index that `keep` wants; it is asked about each once, in order, by its id. Features come
    /// as exact as the index has them. Where most of the new index comes from one, its graph is gone on with, which is much
    /// quicker than making it again.
    ///
    /// Features come back rounded, to about 1e-6 where the index has remainders: a picture whose equal is in another index is then a
    /// node of its own.
    ///
    /// `progress` is told how many features are read, and of how many; where it answers `true`, that is all, with an error of kind
    /// `Stopped`. Reading ids before and copying texts after, in which there is much less to do, are not stopped. After an error
    /// there is nothing to do with the builder but drop it.
    ///
    /// # Errors
    /// An index of another CLIP or dimension; a damaged file; a stop.
    pub fn add_index(
        &mut self,
        index: &ImageIndex,
        keep: &mut dyn FnMut(&str) -> bool,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<()> {
        let path = index.container().path().display();
        if index.dim() != self.options.dim {
            return Err(Error::input(format_args!(
                "{path}: expected features of {} values, as those before have, got {}",
                self.options.dim,
                index.dim()
            )));
        }
        if index.clip_identity() != self.options.clip_identity {
            return Err(Error::input(format_args!(
                "{path}: expected features of the CLIP {}, got those of {}",
                self.options.clip_identity,
                index.clip_identity()
            )));
        }
        let mut kept = vec![false; index.len() as usize];
        self.check_room(index.len())?;
        index.for_each_id(|image, id| {
            if let Some(kept) = kept.get_mut(image.0 as usize) {
                *kept = keep(id);
            }
        })?;
        // The row of each node of which a picture is kept, and of each picture.
        let nodes = index.nodes();
        let mut rows = vec![None; nodes.len as usize];
        let mut row_of: Vec<Option<u32>> = vec![None; index.len() as usize];
        let (first, mut feature) = (self.features.len(), Vec::new());
        index.each_node(|node, pictures| {
            if node % ASKED_EVERY == 0 && progress(u64::from(node), u64::from(nodes.len)) {
                return Err(Error::stopped());
            }
            if !pictures.iter().any(|&image| kept[image as usize]) {
                return Ok(());
            }
            read(index, node, &mut feature);
            let prepared = self.features.prepare(&feature);
            prepared.map_err(|error| {
                let message = format!("node {node}: {error}");
                index.damaged(Damage {
                    node,
                    offset: 0,
                    message,
                })
            })?;
            let row = self.features.put()?;
            rows[node as usize] = Some(row);
            for &image in pictures {
                row_of[image as usize] = Some(row);
            }
            Ok(())
        })?;
        if progress(u64::from(nodes.len), u64::from(nodes.len)) {
            return Err(Error::stopped());
        }
        let numbers = (0..index.len()).filter(|&number| kept[number as usize]);
        let row_of = numbers.map(|number| {
            let row = row_of[number as usize];
            row.ok_or_else(|| index.lost(number))
        });
        self.pictures.extend(row_of.collect::<Result<Vec<u32>>>()?);
        let added = self.features.len() - first;
        self.graph.resize(self.features.len(), self.graph.most())?;
        let mut links = Vec::new();
        for node in 0..nodes.len {
            let Some(row) = rows[node as usize].filter(|&row| row >= first) else {
                continue;
            };
            links.clear();
            nodes
                .links(node, &mut links)
                .map_err(|damage| index.damaged(damage))?;
            let linked = links.iter().filter_map(|&link| rows[link as usize]);
            self.graph.set(row, linked.filter(|&link| link != row));
        }
        self.sources.push((first, added));
        self.values.copy(&mut self.writer, &index.values, |number| {
            kept.get(number as usize).copied().unwrap_or(false)
        })
    }
}

/// The feature of a node, as exactly as the index has it.
fn read(index: &ImageIndex, node: u32, feature: &mut Vec<f32>) {
    let nodes = index.nodes();
    let (layout, place) = (nodes.layout, node as usize);
    feature.clear();
    let row = layout.rows(nodes.records).row(node);
    match layout.vectors {
        Vectors::F16 => feature.extend(halves(row)),
        Vectors::F32 => {
            let floats = row.as_chunks::<4>().0.iter();
            feature.extend(floats.map(|&bits| f32::from_le_bytes(bits)));
        }
        Vectors::I8 => {
            let (scale, _) = layout.scale(nodes.records, node);
            let values = row[..layout.dim].iter();
            feature.extend(values.map(|&byte| f32::from(stored_integer(byte)) * scale));
        }
    }
    if !nodes.rerank.is_empty() {
        let (scale, _) = layout.scale(nodes.records, node);
        let left = &nodes.rerank[place * layout.row..][..layout.dim];
        for (value, &byte) in feature.iter_mut().zip(left) {
            *value += f32::from(stored_integer(byte)) * (scale / FINER);
        }
    }
    for (value, &c) in feature.iter_mut().zip(nodes.centre) {
        *value += c;
    }
}

fn halves(row: &[u8]) -> impl Iterator<Item = f32> {
    let (halves, _) = row.as_chunks::<2>();
    halves.iter().map(|&bits| f16::from_le_bytes(bits).to_f32())
}
