//! The layers of a model on a device.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use cudarc::driver::PinnedHostSlice;

use super::driver::{Driver, Memory, Recorded};
use super::failed;
use super::input::Input;
use super::kernels::{Attention, Embed, Norm, Scale};
use super::product::{Product, Sums};
use super::tile::MOST_PARTS;
use super::upload::Matrix;
use crate::error::{Error, Result};
use crate::stack::{self, Embeddings, Given, Halves, Kind, Names, Order, Rows, Shape, bucket};
use crate::weights::Weights;

/// A stack of layers.
#[derive(Debug)]
pub(crate) struct Stack {
    driver: Arc<Driver>,
    shape: Shape,
    /// Embeddings of ids, and what is added to their words.
    embeddings: Option<(Embeddings, Memory<f32>)>,
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
    /// A recording for each number of rows, with the kernels in it, which must live as long.
    recorded: HashMap<usize, (Recorded, Plan)>,
}

#[derive(Debug)]
struct Buffers {
    input: Input,
    /// What runs through the layers, `[rows, d]`.
    x: Memory<f32>,
    /// What a product reads, `[rows, d]`.
    narrow: Memory<u16>,
    qkv: Memory<u16>,
    attended: Memory<u16>,
    /// Between the matrices of a feed-forward.
    between: Memory<u16>,
    /// Sums over parts of K, `[parts, rows, d]`.
    parts: Memory<f32>,
    /// The bias where nothing is added.
    nothing: Memory<f32>,
    answer: PinnedHostSlice<f32>,
}

/// The kernels of a pass over so many rows.
#[derive(Debug)]
struct Plan {
    embed: Embed,
    first: Norm,
    qkv: Product,
    attention: Attention,
    output: Product,
    attention_norm: Norm,
    up: Product,
    down: Product,
    feed_forward_norm: Norm,
    last: Norm,
}

impl Scale {
    pub(super) fn load(driver: &Driver, weights: &Weights, name: &str) -> Result<Self> {
        Ok(Self {
            gamma: driver.upload(&weights.f32s(&format!("{name}.weight"))?)?,
            beta: driver.upload(&weights.f32s(&format!("{name}.bias"))?)?,
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
                (Some((embeddings, driver.upload(&table)?)), Some(norm))
            }
            None => (None, None),
        };
        let matrix = |block: &str, parts: &[&str]| {
            Matrix::new(driver, &Halves::read(weights, block, parts)?)
        };
        let scale = |name: &str| Scale::load(driver, weights, name);
        let layers = names.map(|names| Layer::load(&names, matrix, scale));
        let layers = layers.collect::<Result<_>>()?;
        Self::new(driver, shape, (embeddings, norm), layers)
    }

    pub(super) fn new(
        driver: &Arc<Driver>,
        shape: Shape,
        (embeddings, front): (Option<(Embeddings, Memory<f32>)>, Option<Scale>),
        layers: Vec<Layer>,
    ) -> Result<Self> {
        if layers.is_empty() {
            return Err(Error::device("a stack without layers".to_owned()));
        }
        let (rows, width) = (bucket(shape.longest), shape.width);
        let state = State {
            buffers: Buffers {
                input: Input::new(driver, rows, width)?,
                x: driver.zeros(rows * width)?,
                narrow: driver.zeros(rows * width)?,
                qkv: driver.zeros(rows * 3 * width)?,
                attended: driver.zeros(rows * width)?,
                between: driver.zeros(rows * shape.between)?,
                parts: driver.zeros(MOST_PARTS * rows * width)?,
                nothing: driver.zeros(width)?,
                answer: driver.pinned(rows * width)?,
            },
            recorded: HashMap::new(),
        };
        Ok(Self {
            driver: driver.clone(),
            shape,
            embeddings,
            front,
            layers,
            state: Mutex::new(state),
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
                "CUDA: {n} rows of which {last} is read"
            )));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { buffers, recorded } = &mut *state;
        let embeddings = self.embeddings.as_ref().map(|(embeddings, _)| embeddings);
        buffers.input.fill(given, embeddings, padded)?;
        let (recording, _) = match recorded.entry(padded) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.record(padded, buffers)?),
        };
        let answer = (buffers.answer.as_mut_slice()).map_err(failed("pinned memory"))?;
        let start = first * width;
        let answer = &mut answer[start..(last + 1) * width];
        let sent = buffers.input.sent()?;
        let held = out.len();
        // The system finds pages for them while the device is at work.
        let room = || out.resize(held + rows.len() * width, 0.0);
        let passed = driver.pass(sent, recording, (&buffers.x, start), answer, room);
        if let Err(error) = passed {
            out.truncate(held);
            return Err(error);
        }
        if rows.len() == last + 1 - first {
            out[held..].copy_from_slice(answer);
            return Ok(());
        }
        for (out, row) in out[held..].chunks_exact_mut(width).zip(rows) {
            out.copy_from_slice(&answer[row * width - start..][..width]);
        }
        Ok(())
    }

    /// Records a pass over a sequence like the one that has been put together.
    fn record(&self, rows: usize, buffers: &mut Buffers) -> Result<(Recorded, Plan)> {
        let driver = &*self.driver;
        let plan = self.plan(rows)?;
        let (from, to) = buffers.input.sent()?;
        driver.send(from, to)?;
        // Once as it is, because the driver loads a kernel with its first launch.
        self.run(driver, &plan, rows, buffers)?;
        driver.wait()?;
        let recorded = driver.record(|apart| self.run(apart, &plan, rows, buffers))?;
        Ok((recorded, plan))
    }

    fn plan(&self, rows: usize) -> Result<Plan> {
        let (driver, shape) = (&*self.driver, &self.shape);
        let (width, between) = (shape.width, shape.between);
        let inner = match shape.order {
            Order::PreNorm => Kind::Before,
            Order::PostNorm => Kind::After,
        };
        // Of a post-norm stack without a norm of its embeddings they go on as they are, as the last sum of a pre-norm stack does.
        let first = match (&self.front, shape.order) {
            (None, Order::PostNorm) => Kind::Plain,
            _ => inner,
        };
        let norm = |parts, kind| Norm::build(driver, (width, parts), kind, shape.eps);
        let output = Product::parted(driver, (rows, width, width))?;
        let down = Product::parted(driver, (rows, width, between))?;
        let activation = Some(shape.activation);
        let (sent, positions) = match &self.embeddings {
            Some((embeddings, _)) => (embeddings.rows(), embeddings.positions()),
            None => (Rows::F32, 0),
        };
        Ok(Plan {
            embed: Embed::build(driver, width, sent, positions)?,
            first: norm(0, first)?,
            qkv: Product::activated(driver, (rows, 3 * width, width), None)?,
            attention: Attention::build(driver, width, shape.heads, shape.causal)?,
            attention_norm: norm(output.parts(), inner)?,
            output,
            up: Product::activated(driver, (rows, between, width), activation)?,
            feed_forward_norm: norm(down.parts(), inner)?,
            last: norm(down.parts(), Kind::Plain)?,
            down,
        })
    }

    /// Launches a pass over `rows` rows of what was sent, on `driver` or where it records.
    fn run(&self, driver: &Driver, plan: &Plan, rows: usize, buffers: &mut Buffers) -> Result<()> {
        let Buffers {
            input,
            x,
            narrow,
            qkv,
            attended,
            between,
            parts,
            nothing,
            ..
        } = buffers;
        let table = self.embeddings.as_ref().map(|(_, table)| table);
        plan.embed.launch(driver, rows, input, table, x)?;
        let pre = self.shape.order == Order::PreNorm;
        let first = self
            .front
            .as_ref()
            .unwrap_or(&self.layers[0].attention_norm);
        let added = (&*parts, &*nothing);
        (plan.first).launch(driver, rows, (x, narrow), added, first)?;
        for (at, layer) in self.layers.iter().enumerate() {
            (plan.qkv).launch(driver, narrow, &layer.qkv, Sums::Half(qkv))?;
            plan.attention.launch(driver, rows, qkv, input, attended)?;
            (plan.output).launch(driver, attended, &layer.output, Sums::Parts(parts))?;
            let scale = match pre {
                true => &layer.feed_forward_norm,
                false => &layer.attention_norm,
            };
            let added = (&*parts, &layer.output.bias);
            (plan.attention_norm).launch(driver, rows, (x, narrow), added, scale)?;
            (plan.up).launch(driver, narrow, &layer.up, Sums::Half(between))?;
            (plan.down).launch(driver, between, &layer.down, Sums::Parts(parts))?;
            let added = (&*parts, &layer.down.bias);
            // A pre-norm layer's sum is normalized as the next one wants it.
            let (norm, scale) = match (pre, self.layers.get(at + 1)) {
                (false, _) => (&plan.feed_forward_norm, &layer.feed_forward_norm),
                (true, Some(next)) => (&plan.feed_forward_norm, &next.attention_norm),
                (true, None) => (&plan.last, &layer.feed_forward_norm),
            };
            norm.launch(driver, rows, (x, narrow), added, scale)?;
        }
        Ok(())
    }
}
