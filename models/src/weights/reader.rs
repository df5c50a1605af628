//! Opening a `.weights` file and reading tensors from its map.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use morelet_mapped::{Bytes, Container, Hash, Kind, OpenOptions};

use super::check::{listed, table_problems};
use super::meta::Meta;
use super::revision;
use super::table::{Extent, Layout, TensorInfo};
use crate::error::{Error, Result};
use crate::tokenizer::Tokenizer;

/// The longest section `meta`: thousands of labels have room. Parsed, it takes some times its length.
const MAX_META_BYTES: usize = 4 << 20;

/// An open `.weights` file. A clone shares the map.
#[derive(Clone, Debug)]
pub struct Weights(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    container: Container,
    meta: Meta,
    tokenizer: Option<Bytes>,
    /// The sections `unigram` and `pieces`.
    compiled: Option<[Bytes; 2]>,
    tensors: Vec<TensorInfo>,
    places: HashMap<String, usize>,
    data: Bytes,
}

/// A tensor's weights and scales, where they lie in the map.
pub(crate) struct Parts {
    pub(crate) weights: Bytes,
    pub(crate) scales: Option<Bytes>,
}

impl Weights {
    /// Maps the file and checks its meta and its tensor table. Weights are not touched.
    ///
    /// # Errors
    /// Of kind `File` where the container is damaged, of kind `Model` where its parts do not fit each
    /// other; the message lists every missing, extra, misshapen and misplaced tensor.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<Self> {
        Self::from_container(Container::open(path, Kind::Weights, options)?)
    }

    /// The same over a container that is open already, which must be of kind `Weights`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_container(container: Container) -> Result<Self> {
        if container.kind() != Kind::Weights {
            let message = format!("expected a file of kind weights, got {}", container.kind());
            return Err(Error::model(container.path(), message));
        }
        let bytes = container.section("meta", revision::META)?;
        if bytes.len() > MAX_META_BYTES {
            let message = format!(
                "the section is {} bytes long: expected at most {MAX_META_BYTES}",
                bytes.len()
            );
            return Err(bytes.corrupt(0, message).into());
        }
        let meta: Meta =
            serde_json::from_slice(&bytes).map_err(|error| bytes.corrupt(0, error.to_string()))?;
        let problems = meta.problems();
        if !problems.is_empty() {
            return Err(Error::model(
                container.path(),
                listed("section meta is not sound:", &problems),
            ));
        }
        let tokenizer = container.optional("tokenizer", revision::TOKENIZER)?;
        let compiled = container
            .optional("unigram", revision::UNIGRAM)?
            .map(|head| Ok::<_, Error>([head, container.section("pieces", revision::PIECES)?]))
            .transpose()?;
        let tensors: Vec<TensorInfo> =
            morelet_mapped::decode(&container.section("tensors", revision::TENSORS)?)?;
        let data = container.section("data", revision::DATA)?;
        let problems = table_problems(&meta, &tensors, data.len() as u64);
        if !problems.is_empty() {
            let heading = format!(
                "the tensors do not fit a model of kind {} ({} found):",
                meta.kind,
                tensors.len()
            );
            return Err(Error::model(container.path(), listed(&heading, &problems)));
        }
        let places = tensors
            .iter()
            .enumerate()
            .map(|(at, tensor)| (tensor.name.clone(), at))
            .collect();
        Ok(Self(Arc::new(Inner {
            container,
            meta,
            tokenizer,
            compiled,
            tensors,
            places,
            data,
        })))
    }

    /// The container under the model.
    pub fn container(&self) -> &Container {
        &self.0.container
    }

    /// What the file says about its model.
    pub fn meta(&self) -> &Meta {
        &self.0.meta
    }

    /// The bytes of `tokenizer.json`, where the model has one.
    pub fn tokenizer(&self) -> Option<Bytes> {
        self.0.tokenizer.clone()
    }

    /// The model's tokenizer, where it has one: the compiled one if the file holds it, which costs microseconds
    /// and no memory, or else `tokenizer.json`, parsed.
    ///
    /// # Errors
    /// Of kind `File` where the compiled one is damaged, `Tokenizer` where `tokenizer.json` is.
    pub fn open_tokenizer(&self) -> Result<Option<Tokenizer>> {
        if let Some([head, pieces]) = &self.0.compiled {
            return Tokenizer::mapped(head, pieces.clone()).map(Some);
        }
        let json = self.0.tokenizer.as_ref();
        json.map(|json| Tokenizer::new(json)).transpose()
    }

    /// The hash of the tokenizer's bytes: where two models have the same, one tokenizer serves both.
    pub fn tokenizer_hash(&self) -> Option<Hash> {
        let sections = self.0.container.sections();
        Some(
            sections
                .iter()
                .find(|section| section.name == "tokenizer")?
                .hash,
        )
    }

    /// Every tensor of the file, in the order of their places.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.0.tensors
    }

    /// What the table says about one tensor.
    pub fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.0.places.get(name).map(|&at| &self.0.tensors[at])
    }

    /// A tensor on `device` as `f32`, in its logical shape.
    ///
    /// # Errors
    /// As [`f32s`](Self::f32s); of kind `Model` where the tensor has not D dimensions.
    pub fn tensor<const D: usize>(&self, name: &str, device: &Device) -> Result<Tensor<D>> {
        let values = self.f32s(name)?;
        // `f32s` has found it, and its element count fits in memory.
        let shape = self
            .info(name)
            .map(|info| info.shape.as_slice())
            .unwrap_or_default();
        if shape.len() != D {
            let message = format!("{name}: expected {D} dimensions, got {shape:?}");
            return Err(Error::model(self.0.container.path(), message));
        }
        let shape: Vec<usize> = shape.iter().map(|&side| side as usize).collect();
        Ok(Tensor::from_data(TensorData::new(values, shape), device))
    }

    /// Where a tensor's weights and scales lie in one of its layouts; `None` where it has not that layout.
    pub(crate) fn parts(&self, name: &str, layout: Layout) -> Result<Option<Parts>> {
        let Some(stored) = self.info(name).and_then(|info| info.stored(layout)) else {
            return Ok(None);
        };
        let part = |extent: Extent| self.0.data.slice(extent.offset..extent.offset + extent.len);
        Ok(Some(Parts {
            weights: part(stored.weights)?,
            scales: stored.scales.map(part).transpose()?,
        }))
    }
}
