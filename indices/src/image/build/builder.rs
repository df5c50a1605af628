//! From the first picture to the finished file.

use std::path::{Path, PathBuf};

use morelet_mapped::{Hash, Kind, Writer, encode};

use super::connect::connect;
use super::features::Features;
use super::groups::Groups;
use super::hnsw;
use super::links::Links;
use super::measure::measure;
use super::options::{ImageEntry, ImageOptions};
use super::order::order;
use super::refine::refine;
use super::rows::GraphRows;
use super::work::Work;
use super::write::{Parts, write_nodes, write_pictures, write_section};
use crate::error::{Error, Result};
use crate::image::meta::{CENTRE, MAX_PICTURES, META, Meta, NODES, RERANK};
use crate::image::nodes::Nodes;
use crate::store::ValueWriter;

/// As [`ImageIndexBuilder::shard_rows`], unless a test says otherwise.
const SHARD_ROWS: u32 = 16_384;
/// Where the rest is at most this part of what comes from one index, the nodes of that are not asked to look for neighbours again.
const FEW: u32 = 4;
/// What the crate looks at, and then the passes, in hundredths of `ef_construction`. What the crate makes is only the beginning,
/// and its candidates cost ten times what those of a pass do.
const CRATE: usize = 50;
const PASSES: [usize; 3] = [100, 100, 200];

/// Writes an image index. Values go to the file as they come, features to a scratch file beside it; a build takes less
/// than 700 bytes of memory a feature beside what is mapped.
pub struct ImageIndexBuilder {
    pub(super) writer: Writer,
    pub(super) values: ValueWriter,
    pub(super) options: ImageOptions,
    pub(super) features: Features,
    /// The row of each picture.
    pub(super) pictures: Vec<u32>,
    /// The links of rows that came with a graph.
    pub(super) graph: Links,
    /// Which rows came from each finished index: the first, and how many.
    pub(super) sources: Vec<(u32, u32)>,
    /// The crate makes graphs of about so many rows.
    pub(in crate::image) shard_rows: u32,
    /// The folder of the file.
    folder: PathBuf,
}

impl ImageIndexBuilder {
    /// Begins an index at `path`, with what is temporary beside it.
    ///
    /// # Errors
    /// Options that no index can have; a folder that cannot be written to.
    pub fn create(path: impl AsRef<Path>, options: ImageOptions) -> Result<ImageIndexBuilder> {
        let folder = match path.as_ref().parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        ImageIndexBuilder::create_in(folder, path, options)
    }

    /// Begins an index at `path`, with what is temporary in `folder`, which must be on the same disk: a process that is killed
    /// leaves a file `.morelet-….tmp` there.
    ///
    /// # Errors
    /// As [`ImageIndexBuilder::create`].
    pub fn create_in(
        folder: impl AsRef<Path>,
        path: impl AsRef<Path>,
        options: ImageOptions,
    ) -> Result<ImageIndexBuilder> {
        options.check()?;
        let folder = folder.as_ref().to_owned();
        let mut writer = Writer::create_in(&folder, &path, Kind::ImageIndex)?;
        let values = ValueWriter::begin(&mut writer)?;
        Ok(ImageIndexBuilder {
            features: Features::create_in(&folder, options.dim)?,
            graph: Links::none(options.most_links(u32::MAX)),
            writer,
            values,
            options,
            pictures: Vec::new(),
            sources: Vec::new(),
            shard_rows: SHARD_ROWS,
            folder,
        })
    }

    /// The number of pictures so far.
    pub fn len(&self) -> u32 {
        // `add` takes no more than a u32 can count.
        self.pictures.len() as u32
    }

    /// Whether no picture was added.
    pub fn is_empty(&self) -> bool {
        self.pictures.is_empty()
    }

    /// Adds a picture and its feature, which is L2-normalized here.
    ///
    /// # Errors
    /// A feature of another length, or without a direction (zero, NaN, infinity); a full disk.
    pub fn add(&mut self, entry: ImageEntry<'_>, feature: &[f32]) -> Result<()> {
        if feature.len() != self.features.dim() {
            return Err(Error::input(format_args!(
                "the feature of {:?} has another length than those before: expected {}, got {}",
                entry.id,
                self.features.dim(),
                feature.len()
            )));
        }
        self.check_room(1)?;
        // What can be refused is asked first: a picture is added whole or not at all.
        self.features.prepare(feature)?;
        self.values
            .add(&mut self.writer, entry.id, entry.title, entry.intro)?;
        self.pictures.push(self.features.put()?);
        Ok(())
    }

    /// Refuses more pictures than an index can hold.
    pub(super) fn check_room(&self, more: u32) -> Result<()> {
        match self.len().checked_add(more) {
            Some(pictures) if pictures <= MAX_PICTURES => Ok(()),
            _ => Err(Error::too_large(format_args!(
                "more than {MAX_PICTURES} pictures"
            ))),
        }
    }

    /// Builds the graph, measures what it finds, and ends the file. `progress` is told what is being done, how much of it is,
    /// and of how much; where it answers `true`, the build stops with an error of kind `Stopped`, and no file is written.
    ///
    /// # Errors
    /// A full disk; a stop; no threads. What was at the path before is still there then.
    pub fn finish(self, progress: &mut dyn FnMut(&str, u64, u64) -> bool) -> Result<Hash> {
        let ImageIndexBuilder {
            mut writer,
            values,
            options,
            features,
            pictures,
            mut graph,
            sources,
            shard_rows,
            folder,
        } = self;
        values.finish(&mut writer)?;
        let mut work = Work::new(options.threads, progress)?;
        let work = &mut work;
        let features = features.finish()?;
        let rows = GraphRows::new(&features, options.dim, &folder, work)?;
        graph.resize(rows.len(), options.most_links(rows.len()))?;
        let groups = Groups::new(&rows, work)?;
        let shards = groups.shards(&rows, shard_rows);
        let links = build_graph(&rows, &groups, &shards, graph, &sources, &options, work)?;
        let order = order(&groups, &shards);
        let mut nodes = vec![0; order.len()];
        for (node, &row) in (0..).zip(&order) {
            nodes[row as usize] = node;
        }
        let mut meta = Meta {
            clip_identity: options.clip_identity.clone(),
            dim: options.dim as u32,
            nodes: rows.len(),
            pictures: pictures.len() as u32,
            vectors: options.vectors,
            rerank: options.reranks(),
            links: links.most() as u32,
            entries: groups.medoids.len() as u32,
            recall: Vec::new(),
        };
        let layout = meta.layout();
        let parts = Parts {
            layout: &layout,
            features: &features,
            rows: &rows,
            links: &links,
            order: &order,
            nodes: &nodes,
        };
        let written = write_nodes(&parts, meta.rerank, &folder, work)?;
        let measured = Nodes {
            layout: &layout,
            records: &written.records,
            centre: &rows.centre,
            rerank: &written.rerank,
            len: meta.nodes,
            entries: meta.entries,
        };
        meta.recall = measure(&measured, &features, &order, work)?;
        write_section(&mut writer, NODES, true, &written.records)?;
        let centre = rows.centre.iter().flat_map(|value| value.to_le_bytes());
        write_section(&mut writer, CENTRE, false, &centre.collect::<Vec<u8>>())?;
        if meta.rerank {
            write_section(&mut writer, RERANK, true, &written.rerank)?;
        }
        write_pictures(&mut writer, &pictures, &nodes)?;
        meta.check().map_err(Error::input)?;
        write_section(&mut writer, META, false, &encode(&meta)?)?;
        Ok(writer.finish()?)
    }
}

/// The graph of all rows: of what came with one, and of the rest.
fn build_graph(
    rows: &GraphRows,
    groups: &Groups,
    shards: &[Vec<u32>],
    mut links: Links,
    sources: &[(u32, u32)],
    options: &ImageOptions,
    work: &mut Work<'_>,
) -> Result<Links> {
    let came = |row: u32| {
        let mut sources = sources.iter();
        sources.any(|&(first, count)| (first..first + count).contains(&row))
    };
    let new: Vec<Vec<u32>> = shards
        .iter()
        .map(|shard| shard.iter().copied().filter(|&row| !came(row)).collect())
        .filter(|shard: &Vec<u32>| !shard.is_empty())
        .collect();
    let ef = |hundredths: usize| (options.ef_construction * hundredths).div_ceil(100);
    hnsw::build(rows, &new, ef(CRATE), &mut links, work)?;
    let largest = sources.iter().max_by_key(|(_, count)| *count);
    let settled = largest.filter(|&&(_, count)| rows.len() - count <= count / FEW);
    let searching: Option<Vec<bool>> = settled.map(|&(first, count)| {
        let settled = first..first + count;
        (0..rows.len()).map(|row| !settled.contains(&row)).collect()
    });
    for pass in PASSES {
        links = refine(rows, links, groups, ef(pass), searching.as_deref(), work)?;
    }
    connect(rows, &mut links, groups);
    Ok(links)
}

impl std::fmt::Debug for ImageIndexBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageIndexBuilder")
            .field("options", &self.options)
            .field("pictures", &self.pictures.len())
            .finish_non_exhaustive()
    }
}
