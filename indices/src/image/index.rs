//! An open index of pictures.

use morelet_mapped::{Bytes, Container, Hash, Kind, OpenOptions, Slice, decode};

use super::candidate::Candidate;
use super::exact::exact;
use super::filter::ImageFilter;
use super::meta::{self, Meta, REVISION};
use super::nodes::Nodes;
use super::recall::Recall;
use super::record::{Damage, Layout};
use super::search::{self, Pool, Scratch};
use super::vectors::Vectors;
use crate::error::{Error, Result};
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
    pub(super) values: ValueStore,
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
            true => Some(section(meta::RERANK, nodes * layout.row as u64)?),
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

    /// Whether there is, for the last candidates of a search, what rows of `i8` leave.
    pub fn reranks(&self) -> bool {
        self.meta.rerank
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
        let mut filter = ImageFilter::none(self.meta.pictures, self.meta.nodes, self.root());
        for ImageId(image) in images {
            if image < self.meta.pictures {
                filter.add(image);
            }
        }
        self.each_node(|node, pictures| {
            if pictures.iter().any(|&image| filter.has(image)) {
                filter.add_node(node);
            }
            Ok(())
        })?;
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
        let mut found = Vec::with_capacity(options.k.min(self.ids.len()));
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
        let other = |filter: &&ImageFilter| !filter.fits(self.root());
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
            Some(number) => {
                let message = format!("the id of picture {number} is no text");
                Err(self.wrong("values", 0, message))
            }
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
            // Where what is wanted lies far from the query, links lead elsewhere.
            if candidates.len() < k.min(filter.nodes() as usize) {
                exact(nodes, k, |node| filter.has_node(node), scratch);
                return Ok(());
            }
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
        let mut looked_at = 0;
        for candidate in candidates {
            let (score, node) = (candidate.score(), candidate.node());
            // Nodes of equal score go together: the pictures of the later one may have been added first.
            if best.len() >= k && best.last().is_none_or(|&(_, worst)| worst != score) {
                break;
            }
            let wanted = |image: &&u32| options.filter.is_none_or(|filter| filter.has(**image));
            let pictures = self.pictures(node)?;
            looked_at += pictures.len();
            if looked_at > self.ids.len() {
                let message = "the pictures of different nodes overlap".to_owned();
                return Err(self.wrong(meta::STARTS, node, message));
            }
            for &image in pictures.iter().filter(wanted).take(k) {
                if image >= self.meta.pictures {
                    return Err(self.outside(node, image));
                }
                best.push((ImageId(image), score));
            }
        }
        best.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        best.truncate(k);
        Ok(())
    }

    /// What tells this index from others.
    fn root(&self) -> Hash {
        self.container.root()
    }

    /// Calls `act` with every node and its pictures, each of which is one and comes once.
    pub(super) fn each_node(&self, mut act: impl FnMut(u32, &[u32]) -> Result<()>) -> Result<()> {
        let mut end = 0;
        for node in 0..self.meta.nodes {
            if self.starts[node as usize] != end {
                let message = format!("the pictures of node {node} do not follow those before");
                return Err(self.wrong(meta::STARTS, node, message));
            }
            let pictures = self.pictures(node)?;
            end = self.starts[node as usize + 1];
            if let Some(&image) = pictures.iter().find(|&&image| image >= self.meta.pictures) {
                return Err(self.outside(node, image));
            }
            act(node, pictures)?;
        }
        Ok(())
    }

    /// A picture that no node has.
    #[cfg(feature = "build")]
    pub(super) fn lost(&self, image: u32) -> Error {
        self.wrong(meta::IDS, 0, format!("picture {image} is of no node"))
    }

    /// A picture that there is not.
    fn outside(&self, node: u32, image: u32) -> Error {
        let message = format!(
            "picture {image} is outside the index of {}",
            self.meta.pictures
        );
        self.wrong(meta::IDS, node, message)
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
