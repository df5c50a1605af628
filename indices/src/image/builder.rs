//! Building an index of pictures.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;

use half::f16;
use instant_distance::{Builder, Heuristic, Point};
use morelet_mapped::{Hash, Kind, Writer, encode};

use super::graph::{LINKS, UPPER};
use super::meta::{IDS, MAX_DIM, META, Meta, REVISION, STARTS};
use super::relay;
use super::vectors::{SCALES, VECTORS, Vectors, dot, normalize, quantize, stride};
use crate::error::{Error, Result};
use crate::store::ValueWriter;

/// The seed of the layers that nodes are put into: the same pictures make the same file.
const SEED: u64 = 0x4d6f_5265;

/// How an index is built.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// The identity of the CLIP checkpoint that makes the features (64 hexadecimal digits).
    pub clip_identity: String,
    /// The length of a feature.
    pub dim: usize,
    /// How features are kept.
    pub vectors: Vectors,
    /// How many candidates an insertion looks at: `efConstruction` in the paper.
    pub ef_construction: usize,
    /// Whether features of half precision are kept beside the `i8` ones, for the last candidates of a search.
    pub rerank: bool,
    /// The most links of a node, from 4 to 64.
    pub links: usize,
    /// Threads that insert. With one, the default, the same pictures in the same order make the same bytes;
    /// `instant-distance` loses some links to races with more.
    pub threads: usize,
}

impl ImageOptions {
    /// The defaults for features of one CLIP.
    pub fn new(clip_identity: impl Into<String>, dim: usize) -> ImageOptions {
        ImageOptions {
            clip_identity: clip_identity.into(),
            dim,
            vectors: Vectors::default(),
            ef_construction: 100,
            rerank: true,
            links: 32,
            threads: 1,
        }
    }
}

/// One picture of the encyclopedia.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageEntry<'a> {
    /// The key.
    pub id: &'a str,
    /// The title of the article that the picture belongs to.
    pub title: &'a str,
    /// The introduction of that article.
    pub intro: &'a str,
}

/// Writes an image index. Values go to the file as they come; features and graph stay in memory until
/// [`ImageIndexBuilder::finish`]: 4 bytes a dimension and about 1 KB for each feature that differs from the others.
pub struct ImageIndexBuilder {
    writer: Writer,
    values: ValueWriter,
    options: ImageOptions,
    /// The features as they will be read back, one after the other, each once.
    rows: Vec<f32>,
    /// By a hash of its bits, a row.
    seen: HashMap<u64, u32>,
    /// The row of each picture.
    pictures: Vec<u32>,
}

impl ImageIndexBuilder {
    /// Begins an index at `path`.
    pub fn create(path: impl AsRef<Path>, options: ImageOptions) -> Result<ImageIndexBuilder> {
        if options.dim == 0 || options.dim > MAX_DIM as usize {
            return Err(Error::input(format_args!(
                "a feature is 1 to {MAX_DIM} long, not {}",
                options.dim
            )));
        }
        if options.ef_construction == 0 || options.threads == 0 {
            return Err(Error::input("neither candidates nor threads can be none"));
        }
        let mut writer = Writer::create(path, Kind::ImageIndex)?;
        let values = ValueWriter::begin(&mut writer)?;
        Ok(ImageIndexBuilder {
            writer,
            values,
            options,
            rows: Vec::new(),
            seen: HashMap::new(),
            pictures: Vec::new(),
        })
    }

    /// Adds all pictures of a finished index, with its graph. `keep` is asked for each picture by its id, and those that it
    /// does not want are left out.
    pub fn add_index(&mut self, index: &super::ImageIndex, keep: &mut dyn FnMut(&str) -> bool) -> Result<()> {
        for number in 0..index.len() {
            let hit = index.value(super::ImageId(number))?;
            if keep(&hit.id) { unimplemented!() }
        }
        Ok(())
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
        if feature.len() != self.options.dim {
            return Err(Error::input(format_args!(
                "the feature of {:?} has another length than those before: expected {}, got {}",
                entry.id,
                self.options.dim,
                feature.len()
            )));
        }
        let row = normalize(feature)?;
        if self.len() == u32::MAX - 1 {
            return Err(Error::too_large("more than 4,294,967,294 pictures"));
        }
        self.values
            .add(&mut self.writer, entry.id, entry.title, entry.intro)?;
        // The graph is built over what will be searched. Adding zero makes −0 a plain 0.
        let row: Vec<f32> = match self.options.vectors {
            Vectors::F16 => row
                .iter()
                .map(|&value| f16::from_f32(value).to_f32() + 0.0)
                .collect(),
            Vectors::I8 => {
                let (integers, scale) = quantize(&row);
                integers
                    .iter()
                    .map(|&integer| f32::from(integer) * scale)
                    .collect()
            }
        };
        let row = self.place(&row);
        self.pictures.push(row);
        Ok(())
    }

    /// The number of `row`, which is appended if it is new. (One that is new and has the hash of another is appended
    /// each time it comes.)
    fn place(&mut self, row: &[f32]) -> u32 {
        let dim = self.options.dim;
        let mut hasher = DefaultHasher::new();
        for value in row {
            hasher.write_u32(value.to_bits());
        }
        let next = (self.rows.len() / dim) as u32;
        let number = *self.seen.entry(hasher.finish()).or_insert(next);
        let known = self.rows.get(number as usize * dim..);
        if number < next && known.is_some_and(|known| known.starts_with(row)) {
            return number;
        }
        self.rows.extend_from_slice(row);
        next
    }

    /// Builds the graph and ends the file. `progress` is told what is being done.
    pub fn finish(self, progress: &mut dyn FnMut(&str, u64, u64) -> bool) -> Result<Hash> {
        let ImageIndexBuilder {
            mut writer,
            values,
            options,
            rows,
            pictures,
            ..
        } = self;
        values.finish(&mut writer)?;
        progress("building the graph", 0, 1);
        let len = (rows.len() / options.dim) as u32;
        let (hnsw, nodes) = build(&rows, len, &options)?;
        progress("writing the graph", 1, 1);
        // Which row stands at each node.
        let mut order = vec![0; len as usize];
        for (row, node) in (0..).zip(&nodes) {
            order[node.into_inner() as usize] = row;
        }
        write_rows(&mut writer, &rows, &order, &options)?;
        let nodes: Vec<u32> = nodes.iter().map(|node| node.into_inner()).collect();
        write_pictures(&mut writer, &pictures, &nodes)?;
        let mut section = writer.section(LINKS, REVISION, true)?;
        let upper = relay::relay(&hnsw, len, &mut section)?;
        section.finish()?;
        let mut section = writer.section(UPPER, REVISION, true)?;
        section.put(&upper.links)?;
        section.finish()?;
        let meta = Meta {
            clip_identity: options.clip_identity,
            dim: options.dim as u32,
            nodes: len,
            pictures: pictures.len() as u32,
            vectors: options.vectors,
            upper: upper.sizes,
        };
        let mut section = writer.section(META, REVISION, false)?;
        section.put(&encode(&meta)?)?;
        section.finish()?;
        Ok(writer.finish()?)
    }
}

/// Writes the rows in the order of the nodes.
fn write_rows(
    writer: &mut Writer,
    rows: &[f32],
    order: &[u32],
    options: &ImageOptions,
) -> Result<()> {
    let dim = options.dim;
    let row = |row: u32| &rows[row as usize * dim..(row as usize + 1) * dim];
    let mut section = writer.section(VECTORS, REVISION, true)?;
    let mut scales = Vec::new();
    let mut bytes = Vec::with_capacity(stride(dim) * 2);
    for &number in order {
        bytes.clear();
        match options.vectors {
            Vectors::F16 => bytes.extend(
                row(number)
                    .iter()
                    .flat_map(|&value| f16::from_f32(value).to_le_bytes()),
            ),
            Vectors::I8 => {
                // Exactly the integers that the row was made of: its largest magnitude is 127 times the scale.
                let (integers, scale) = quantize(row(number));
                bytes.extend(integers.iter().map(|&integer| integer.cast_unsigned()));
                bytes.resize(stride(dim), 0);
                scales.extend(scale.to_le_bytes());
            }
        }
        section.put(&bytes)?;
    }
    section.finish()?;
    if options.vectors == Vectors::I8 {
        let mut section = writer.section(SCALES, REVISION, true)?;
        section.put(&scales)?;
        section.finish()?;
    }
    Ok(())
}

/// Writes which pictures each node stands for. `pictures` has the row of each picture, `nodes` the node of each row.
fn write_pictures(writer: &mut Writer, pictures: &[u32], nodes: &[u32]) -> Result<()> {
    let node = |&row: &u32| nodes[row as usize];
    let mut starts = vec![0_u32; nodes.len() + 1];
    for row in pictures {
        starts[node(row) as usize + 1] += 1;
    }
    for place in 1..starts.len() {
        starts[place] += starts[place - 1];
    }
    let mut next = starts.clone();
    let mut ids = vec![0_u32; pictures.len()];
    for (image, row) in (0..).zip(pictures) {
        let place = &mut next[node(row) as usize];
        ids[*place as usize] = image;
        *place += 1;
    }
    for (name, numbers) in [(IDS, ids), (STARTS, starts)] {
        let mut section = writer.section(name, REVISION, true)?;
        for number in numbers {
            section.put(&number.to_le_bytes())?;
        }
        section.finish()?;
    }
    Ok(())
}

/// A node as `instant-distance` sees it: a number, and where the rows are. It copies all of its points once, so a
/// point must not hold a row.
#[derive(Clone)]
struct Handle<'a> {
    row: u32,
    rows: &'a [f32],
    dim: usize,
}

impl Handle<'_> {
    fn values(&self) -> &[f32] {
        &self.rows[self.row as usize * self.dim..][..self.dim]
    }
}

impl Point for Handle<'_> {
    fn distance(&self, other: &Self) -> f32 {
        1.0 - dot(self.values(), other.values())
    }
}

impl serde::Serialize for Handle<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

type Built<'a> = (
    instant_distance::Hnsw<Handle<'a>>,
    Vec<instant_distance::PointId>,
);

/// The graph, and the node of each row.
fn build<'a>(rows: &'a [f32], len: u32, options: &ImageOptions) -> Result<Built<'a>> {
    let dim = options.dim;
    let handles = (0..len).map(|row| Handle { row, rows, dim }).collect();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|error| {
            Error::input(format_args!("no threads to build the graph with: {error}"))
        })?;
    // `extend_candidates` would wait for a lock that its own thread holds.
    let heuristic = Heuristic {
        extend_candidates: false,
        keep_pruned: true,
    };
    let builder = Builder::default()
        .seed(SEED)
        .ef_construction(options.ef_construction)
        .select_heuristic(Some(heuristic));
    Ok(pool.install(|| builder.build_hnsw(handles)))
}
