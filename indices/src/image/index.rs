//! An open index of pictures.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use morelet_mapped::{Bytes, Container, Kind, OpenOptions, Slice, decode};

use super::beam::Candidate;
use super::exact::exact;
use super::filter::ImageFilter;
use super::meta::{self, Meta, REVISION};
use super::nodes::Nodes;
use super::recall::Recall;
use super::record::{Damage, Layout};
use super::search::{self, Pool, Scratch};
use super::vectors::Vectors;
use crate::error::{Error, Result};
use crate::hit::{Hit, join_equal_values};
use crate::store::ValueStore;

/// The number of a picture: its place in the order in which pictures were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(pub u32);

/// How many candidates a search keeps unless told otherwise: `ef` in the paper. More finds more of the true nearest
/// neighbours and takes longer.
pub const DEFAULT_EF: usize = 100;

/// A filter makes a search keep more candidates, so that enough of them are wanted. Comparing with every wanted node
/// is cheaper where there are few: following links costs about so many times what comparing in a row does.
const FOLLOWING: f64 = 60.0;

/// How to search for pictures.
#[derive(Clone, Copy, Debug)]
pub struct ImageSearchOptions<'a> {
    /// How many pictures to find.
    pub k: usize,
    /// How many candidates the search keeps; raised to `k` where it is less.
    pub ef: usize,
    /// Compare with every picture: the truth that a recall is measured against.
    pub exact: bool,
    /// Find only these.
    pub filter: Option<&'a ImageFilter>,
}

impl Default for ImageSearchOptions<'_> {
    /// Ten pictures, by [`DEFAULT_EF`] candidates.
    fn default() -> Self {
        ImageSearchOptions {
            k: 10,
            ef: DEFAULT_EF,
            exact: false,
            filter: None,
        }
    }
}

/// An index of pictures, searched from the map. `&self` serves any number of threads.
#[derive(Debug)]
pub struct ImageIndex {
    container: Container,
    meta: Meta,
    layout: Layout,
    records: Bytes,
    centre: Slice<f32>,
    rerank: Option<Bytes>,
    ids: Slice<u32>,
    starts: Slice<u32>,
    values: ValueStore,
    pool: Pool,
}

impl ImageIndex {
    /// Opens an index and checks what [`Container::open`] checks, and that the sections have the lengths that the
    /// counts ask for.
    pub fn open(path: impl AsRef<std::path::Path>, options: OpenOptions) -> Result<ImageIndex> {
        ImageIndex::from_container(Container::open(path, Kind::ImageIndex, options)?)
    }

    /// The index inside a container that is open already.
    pub fn from_container(container: Container) -> Result<ImageIndex> {
        let bytes = container.section(meta::META, REVISION..=REVISION)?;
        let meta: Meta = decode(&bytes)?;
        meta.check().map_err(|message| bytes.corrupt(0, message))?;
        let layout = meta.layout();
        let section = |name, expected: u64| -> Result<Bytes> {
            let bytes = container.section(name, REVISION..=REVISION)?;
            meta::check_len(&bytes, expected)?;
            Ok(bytes)
        };
        let (nodes, dim) = (u64::from(meta.nodes), u64::from(meta.dim));
        let records = section(meta::NODES, nodes * layout.size as u64)?;
        let centre = section(meta::CENTRE, dim * 4)?.typed()?;
        let rerank = match meta.rerank {
            true => Some(section(meta::RERANK, nodes * dim * 2)?),
            false => None,
        };
        Ok(ImageIndex {
            ids: section(meta::IDS, u64::from(meta.pictures) * 4)?.typed()?,
            starts: section(meta::STARTS, (nodes + 1) * 4)?.typed()?,
            values: ValueStore::open(&container, meta.pictures)?,
            layout,
            records,
            centre,
            rerank,
            meta,
            container,
            pool: Pool::default(),
        })
    }

    /// The container that the index lies in.
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// The number of pictures.
    pub fn len(&self) -> u32 {
        self.meta.pictures
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.meta.pictures == 0
    }

    /// The length of a feature.
    pub fn dim(&self) -> usize {
        self.layout.dim
    }

    /// How the features that are searched are kept.
    pub fn vectors(&self) -> Vectors {
        self.meta.vectors
    }

    /// The identity of the CLIP checkpoint that made the features (64 hexadecimal digits): features of another one
    /// cannot be compared with them.
    pub fn clip_identity(&self) -> &str {
        &self.meta.clip_identity
    }

    /// The recall@10 that was measured when the index was made, by ascending `ef`; empty where there were too few
    /// pictures to measure.
    pub fn recall(&self) -> &[Recall] {
        &self.meta.recall
    }

    /// The least `ef` that was measured to find this part of the ten nearest neighbours; `None` where none was.
    pub fn ef_for(&self, recall: f32) -> Option<usize> {
        let mut enough = self.meta.recall.iter().filter(|row| row.recall >= recall);
        enough.next().map(|row| row.ef as usize)
    }

    /// A filter of these pictures. Those that are not in the index are left out.
    ///
    /// # Errors
    /// A damaged file.
    pub fn filter(&self, images: impl IntoIterator<Item = ImageId>) -> Result<ImageFilter> {
        let mut filter = ImageFilter::none(self.meta.pictures, self.meta.nodes);
        for ImageId(image) in images {
            if image < self.meta.pictures {
                filter.add(image);
            }
        }
        for node in 0..self.meta.nodes {
            if self.pictures(node)?.iter().any(|&image| filter.has(image)) {
                filter.add_node(node);
            }
        }
        Ok(filter)
    }

    /// The `k` pictures whose features have the largest inner product with `feature`, best first, with it; among
    /// equals the one that was added first. `feature` is L2-normalized here. `ef` is raised to `k` where it is less.
    ///
    /// # Errors
    /// A feature of another length, or without a direction; links that point outside the index.
    pub fn search(&self, feature: &[f32], k: usize, ef: usize) -> Result<Vec<(ImageId, f32)>> {
        let options = ImageSearchOptions {
            k,
            ef,
            ..ImageSearchOptions::default()
        };
        self.search_with(feature, &options)
    }

    /// As [`ImageIndex::search`], but compares with every picture: the truth that a recall is measured against.
    pub fn search_exact(&self, feature: &[f32], k: usize) -> Result<Vec<(ImageId, f32)>> {
        let options = ImageSearchOptions {
            k,
            exact: true,
            ..ImageSearchOptions::default()
        };
        self.search_with(feature, &options)
    }

    /// As [`ImageIndex::search`], with all options.
    ///
    /// # Errors
    /// As there; and a filter that was made for another index.
    pub fn search_with(
        &self,
        feature: &[f32],
        options: &ImageSearchOptions<'_>,
    ) -> Result<Vec<(ImageId, f32)>> {
        let mut found = Vec::new();
        self.search_into(feature, options, &mut found)?;
        Ok(found)
    }

    /// As [`ImageIndex::search_with`], into memory that the caller has: searches after the first allocate nothing then.
    pub fn search_into(
        &self,
        feature: &[f32],
        options: &ImageSearchOptions<'_>,
        found: &mut Vec<(ImageId, f32)>,
    ) -> Result<()> {
        found.clear();
        if feature.len() != self.dim() {
            return Err(Error::input(format_args!(
                "the feature has another length than those in the index: expected {}, got {}",
                self.dim(),
                feature.len()
            )));
        }
        let other = |filter: &&ImageFilter| !filter.fits(self.meta.pictures, self.meta.nodes);
        if options.filter.as_ref().is_some_and(other) {
            return Err(Error::input("the filter was made for another index"));
        }
        self.pool.with(|scratch| {
            let nodes = self.nodes();
            scratch.query.set(feature, &nodes)?;
            self.candidates(&nodes, options, scratch)?;
            self.best(&scratch.beam.candidates, options, found)
        })
    }

    /// Searches for many features on `threads` threads (0: as many as the machine has). The answers are those of
    /// [`ImageIndex::search_with`], in order.
    pub fn search_batch(
        &self,
        features: &[&[f32]],
        options: &ImageSearchOptions<'_>,
        threads: usize,
    ) -> Result<Vec<Vec<(ImageId, f32)>>> {
        let threads = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::with_capacity(features.len()));
        let work = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(feature) = features.get(place) else {
                    break;
                };
                let answer = self.search_with(feature, options);
                let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                answers.push((place, answer));
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(features.len()) {
                scope.spawn(work);
            }
            work();
        });
        let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
        answers.sort_unstable_by_key(|&(place, _)| place);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    /// The best `k` keys with their values; pictures with equal values are returned once, unless `keys`.
    pub fn retrieve(&self, feature: &[f32], k: usize, keys: bool) -> Result<Vec<Hit>> {
        self.hits(&self.search(feature, k, DEFAULT_EF)?, keys)
    }

    /// The values of what was found; pictures with equal values are returned once, unless `keys`.
    pub fn hits(&self, found: &[(ImageId, f32)], keys: bool) -> Result<Vec<Hit>> {
        let hits = found.iter().enumerate().map(|(place, &(image, score))| {
            let hit = self.value(image)?;
            Ok(Hit {
                rank: place + 1,
                score,
                ..hit
            })
        });
        let hits = hits.collect::<Result<Vec<Hit>>>()?;
        Ok(if keys { hits } else { join_equal_values(hits) })
    }

    /// The value of a picture, as a hit of rank 0 and score 0.
    pub fn value(&self, image: ImageId) -> Result<Hit> {
        let value = self.values.get(image.0)?;
        Ok(Hit {
            rank: 0,
            score: 0.0,
            key: value.id.clone(),
            value: join_title(&value.title, &value.text),
            id: value.id,
            title: value.title,
        })
    }

    /// Calls `act` with the id of every picture, in order; each block of values is read once.
    ///
    /// # Errors
    /// A damaged file.
    pub fn for_each_id(&self, mut act: impl FnMut(ImageId, &str)) -> Result<()> {
        let mut unreadable = None;
        self.values
            .for_each_id(|number, id| match str::from_utf8(id) {
                Ok(id) => act(ImageId(number), id),
                Err(_) => unreadable = Some(number),
            })?;
        match unreadable {
            None => Ok(()),
            Some(number) => Err(Error::input(format_args!(
                "{}: the id of picture {number} is damaged: copy the file again",
                self.container.path().display()
            ))),
        }
    }

    /// The nodes, to search or to read.
    pub(super) fn nodes(&self) -> Nodes<'_> {
        Nodes {
            layout: &self.layout,
            records: &self.records,
            centre: &self.centre,
            rerank: self.rerank.as_deref().unwrap_or_default(),
            len: self.meta.nodes,
            entries: self.meta.entries,
        }
    }

    /// The values of the pictures.
    #[cfg(feature = "build")]
    pub(super) fn values(&self) -> &ValueStore {
        &self.values
    }

    /// What cannot be in the records.
    pub(super) fn damaged(&self, damage: Damage) -> Error {
        let at = u64::from(damage.node) * self.layout.size as u64 + damage.offset as u64;
        self.records.corrupt(at, damage.message).into()
    }

    /// Puts the nodes that an answer may be of into the candidates, best first.
    fn candidates(
        &self,
        nodes: &Nodes<'_>,
        options: &ImageSearchOptions<'_>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let k = options.k.min(self.ids.len());
        let mut ef = options.ef.max(k);
        if let Some(filter) = options.filter {
            let wanted = f64::from(filter.nodes()) / f64::from(nodes.len.max(1));
            if options.exact || wanted * wanted * f64::from(nodes.len) < FOLLOWING * ef as f64 {
                exact(nodes, k, |node| filter.has_node(node), scratch);
                return Ok(());
            }
            ef = (ef as f64 / wanted).ceil() as usize;
        } else if options.exact {
            exact(nodes, k, |_| true, scratch);
            return Ok(());
        }
        let ef = ef.min(nodes.len as usize);
        search::nearest(nodes, ef, None, scratch).map_err(|damage| self.damaged(damage))?;
        if let Some(filter) = options.filter {
            let candidates = &mut scratch.beam.candidates;
            candidates.retain(|candidate| filter.has_node(candidate.node()));
        }
        search::rerank(nodes, k, scratch);
        Ok(())
    }

    /// The best `k` pictures of the candidates, which are in order.
    fn best(
        &self,
        candidates: &[Candidate],
        options: &ImageSearchOptions<'_>,
        best: &mut Vec<(ImageId, f32)>,
    ) -> Result<()> {
        let k = options.k;
        for candidate in candidates {
            let (score, node) = (candidate.score, candidate.node());
            // Nodes of equal score go together: the pictures of the later one may have been added first.
            if best.len() >= k && best.last().is_none_or(|&(_, worst)| worst != score) {
                break;
            }
            let wanted = |image: &&u32| options.filter.is_none_or(|filter| filter.has(**image));
            for &image in self.pictures(node)?.iter().filter(wanted).take(k) {
                if image >= self.meta.pictures {
                    let message = format!(
                        "picture {image} is outside the index of {}",
                        self.meta.pictures
                    );
                    return Err(self.wrong(meta::IDS, node, message));
                }
                best.push((ImageId(image), score));
            }
            if best.len() > self.ids.len() {
                let message = "the pictures of different nodes overlap".to_owned();
                return Err(self.wrong(meta::STARTS, node, message));
            }
        }
        best.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best.truncate(k);
        Ok(())
    }

    /// The numbers of the pictures of a node, which must be one.
    pub(super) fn pictures(&self, node: u32) -> Result<&[u32]> {
        let place = node as usize;
        let (start, end) = (self.starts[place], self.starts[place + 1]);
        self.ids.get(start as usize..end as usize).ok_or_else(|| {
            let message = format!(
                "node {node} has pictures {start} to {end} of {}",
                self.meta.pictures
            );
            self.wrong(meta::STARTS, node, message)
        })
    }

    /// What a section says of `node` cannot be.
    fn wrong(&self, section: &str, node: u32, message: String) -> Error {
        match self.container.section(section, REVISION..=REVISION) {
            Ok(bytes) => bytes.corrupt(u64::from(node) * 4, message).into(),
            Err(error) => error.into(),
        }
    }
}

/// The context that an expert reads: title and introduction.
fn join_title(title: &str, intro: &str) -> String {
    match (title.is_empty(), intro.is_empty()) {
        (true, _) => intro.to_owned(),
        (_, true) => title.to_owned(),
        _ => format!("{title} {intro}"),
    }
}
