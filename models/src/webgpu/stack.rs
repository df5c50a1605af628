//! The layers of a model on a device.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::driver::{Answer, Driver, Launch, Memory};
use super::kernels::{self, MOST_PARTS, Scale, Sums, parts};
use super::upload::Matrix;
use crate::error::{Error, Result};
use crate::stack::{
    self, Embeddings, Given, Kind, Names, Order, Rows, Shape, bucket, fill, words_at,
};
use crate::weights::Weights;

/// A stack of layers.
#[derive(Debug)]
pub(crate) struct Stack {
    driver: Arc<Driver>,
    shape: Shape,
    /// Embeddings of ids, and what is added to their words.
    embeddings: Option<(Embeddings, Memory)>,
    /// The norm of the embeddings, of a post-norm stack.
    front: Option<Scale>,
    layers: Vec<Layer>,
    state: Mutex<State>,
}

pub(super) type Layer = stack::Layer<Matrix, Scale>;

/// What a pass works with. One pass runs at a time.
#[derive(Debug)]
struct State {
    buffers: Buffers,
    /// A sequence as it is sent.
    sent: Vec<u8>,
    /// The launches of a pass for each number of rows.
    passes: HashMap<usize, Vec<Launch>>,
}

#[derive(Debug)]
struct Buffers {
    input: Memory,
    /// What runs through the layers, `[rows, d]`.
    x: Memory,
    /// What a product reads, `[rows, d]`, in half precision.
    narrow: Memory,
    qkv: Memory,
    attended: Memory,
    /// Between the matrices of a feed-forward.
    between: Memory,
    /// Sums over parts of K, `[parts, rows, d]`.
    parts: Memory,
    answer: Answer,
}

impl Scale {
    fn load(driver: &Driver, weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            gamma: driver.upload_f32(&weights.f32s(&format!("{name}.weight"))?)?,
            beta: driver.upload_f32(&weights.f32s(&format!("{name}.bias"))?)?,
        })
    }
}

impl Stack {
    /// Uploads the layers with these names.
    pub(crate) fn load(
        driver: &Arc<Driver>,
        weights: &Weights,
        shape: Shape,
        front: Option<&str>,
        names: impl Iterator<Item = Names>,
    ) -> Result<Self> {
        let (embeddings, norm) = match front {
            Some(name) => {
                let (embeddings, table) = Embeddings::load(weights, name)?;
                let norm = Scale::load(driver, weights, &format!("{name}.norm"))?;
                (Some((embeddings, driver.upload_f32(&table)?)), Some(norm))
            }
            None => (None, None),
        };
        let matrix = |block: &str, parts: &[&str]| Matrix::load(driver, weights, block, parts);
        let scale = |name: &str| Scale::load(driver, weights, name);
        let layers = names.map(|names| Layer::load(&names, matrix, scale));
        let layers = layers.collect::<Result<_>>()?;
        Self::new(driver, shape, (embeddings, norm), layers)
    }

    pub(super) fn new(
        driver: &Arc<Driver>,
        shape: Shape,
        (embeddings, front): (Option<(Embeddings, Memory)>, Option<Scale>),
        layers: Vec<Layer>,
    ) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::device("a stack without layers".to_owned()));
        }
        let (rows, width) = (bucket(shape.longest), shape.width);
        let given = words_at(rows) + rows * width * 4;
        let buffers = Buffers {
            input: driver.zeros(given)?,
            x: driver.zeros(rows * width * 4)?,
            narrow: driver.zeros(rows * width * 2)?,
            qkv: driver.zeros(rows * 3 * width * 2)?,
            attended: driver.zeros(rows * width * 2)?,
            between: driver.zeros(rows * shape.between * 2)?,
            parts: driver.zeros(MOST_PARTS * rows * width * 4)?,
            answer: driver.answer(rows * width * 4)?,
        };
        Ok(Self {
            driver: driver.clone(),
            shape,
            embeddings,
            front,
            layers,
            state: Mutex::new(State {
                buffers,
                sent: vec![0; given],
                passes: HashMap::new(),
            }),
        })
    }

    /// As [`stack::Stack::forward`](crate::stack::Stack::forward).
    pub(crate) fn forward(
        &self,
        given: Given<'_>,
        rows: &[usize],
        out: &mut Vec<f32>,
    ) -> Result<()> {
        let (driver, width) = (&*self.driver, self.shape.width);
        let n = given.rows(width);
        let padded = bucket(n);
        let (Some(&first), Some(&last)) = (rows.first(), rows.last()) else {
            return Ok(());
        };
        if n > self.shape.longest || last >= n {
            return Err(Error::device(format!(
                "wgpu: {n} rows of which {last} is read"
            )));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State {
            buffers,
            sent,
            passes,
        } = &mut *state;
        let embeddings = self.embeddings.as_ref().map(|(embeddings, _)| embeddings);
        let filled = fill(sent, given, embeddings, (padded, width))?;
        let launches = match passes.entry(padded) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.launches(padded, buffers)?),
        };
        driver.write(&buffers.input, &sent[..filled]);
        let held = out.len();
        let out = std::cell::RefCell::new(out);
        // The system finds pages for them while the device is at work.
        let room = || out.borrow_mut().resize(held + rows.len() * width, 0.0);
        let bytes = width * 4;
        let read = |answer: &[u8]| {
            let mut out = out.borrow_mut();
            for (out, row) in out[held..].chunks_exact_mut(width).zip(rows) {
                let row = &answer[(row - first) * bytes..][..bytes];
                for (out, number) in out.iter_mut().zip(row.chunks_exact(4)) {
                    *out = f32::from_ne_bytes(number.try_into().unwrap_or_default());
                }
            }
        };
        let answer = (&buffers.x, first * bytes, (last + 1) * bytes);
        let passed = driver.pass(launches, answer, &buffers.answer, room, read);
        if passed.is_err() {
            out.borrow_mut().truncate(held);
        }
        passed
    }

    /// The launches of a pass over `rows` rows.
    fn launches(&self, rows: usize, buffers: &Buffers) -> Result<Vec<Launch>> {
        let (driver, shape) = (&*self.driver, &self.shape);
        let (width, between) = (shape.width, shape.between);
        let Buffers {
            input,
            x,
            narrow,
            qkv,
            attended,
            parts: sums,
            ..
        } = buffers;
        let pre = shape.order == Order::PreNorm;
        let inner = if pre { Kind::Before } else { Kind::After };
        let norm = |kind, scale, added| {
            kernels::norm(
                driver,
                rows,
                (width, shape.eps, kind),
                (x, narrow),
                scale,
                added,
            )
        };
        let (sent, table) = match &self.embeddings {
            Some((embeddings, table)) => (embeddings.rows(), Some(table)),
            None => (Rows::F32, None),
        };
        // Of a post-norm stack without a norm of its embeddings they go on as they are, as the last sum of a pre-norm stack does.
        let first = match (&self.front, pre) {
            (None, false) => Kind::Plain,
            _ => inner,
        };
        let scale = self
            .front
            .as_ref()
            .unwrap_or(&self.layers[0].attention_norm);
        let mut launches = vec![
            kernels::embed(driver, rows, (width, sent), (input, x), table)?,
            norm(first, scale, None)?,
        ];
        let product = |from, matrix, to| kernels::product(driver, rows, from, matrix, &to);
        let heads = (width, shape.heads, shape.causal);
        for (at, layer) in self.layers.iter().enumerate() {
            launches.push(product(narrow, &layer.qkv, Sums::Half(qkv, None))?);
            launches.push(kernels::attention(
                driver,
                rows,
                heads,
                (qkv, input, attended),
            )?);
            launches.push(product(attended, &layer.output, Sums::Parts(sums))?);
            let scale = match pre {
                true => &layer.feed_forward_norm,
                false => &layer.attention_norm,
            };
            let added = Some((
                parts(driver, (rows, width, width)),
                sums,
                &layer.output.bias,
            ));
            launches.push(norm(inner, scale, added)?);
            let activated = Sums::Half(&buffers.between, Some(shape.activation));
            launches.push(product(narrow, &layer.up, activated)?);
            launches.push(product(&buffers.between, &layer.down, Sums::Parts(sums))?);
            let added = Some((
                parts(driver, (rows, width, between)),
                sums,
                &layer.down.bias,
            ));
            // A pre-norm layer's sum is normalized as the next one wants it.
            let (kind, scale) = match (pre, self.layers.get(at + 1)) {
                (false, _) => (inner, &layer.feed_forward_norm),
                (true, Some(next)) => (inner, &next.attention_norm),
                (true, None) => (Kind::Plain, &layer.feed_forward_norm),
            };
            launches.push(norm(kind, scale, added)?);
        }
        Ok(launches)
    }
}
