//! What is found for a query before any expert runs.
//!
//! What the session's cache remembers is not found again; a module that did not run has no time.

use super::{RETRIEVED_KEYS, Run};
use crate::cache::{Cache, Feature};
use crate::manifest::ContextKind;
use crate::prediction::Context;
use crate::query::ImageSource;
use crate::sources::{Source, draw_contexts};
use crate::{Error, Result};
use morelet_indices::{Hit, ImageId, ParagraphId, SearchOptions};
use morelet_mapped::Hash;
use morelet_models::{Clip, Picture, PictureLimits};
use std::borrow::Cow;
use std::sync::Arc;

/// A picture, read.
pub(super) struct Shown {
    /// The hash of its file, where there is a cache.
    key: Option<Hash>,
    view: View,
}

enum View {
    /// As CLIP sees it.
    Picture(Picture),
    /// CLIP has seen it before.
    Feature(Feature),
}

/// What is known of a picture.
#[derive(Default)]
pub(super) struct Seen {
    pub feature: Option<Feature>,
    pub hits: Arc<[Hit]>,
}

impl Run<'_> {
    fn cache(&self) -> Option<&Cache> {
        self.session.cache.as_ref()
    }

    /// What the text index finds, where an expert reads it.
    pub(super) fn text_hits(&self) -> Result<Arc<[Hit]>> {
        let index = match self.session.bundle.text_index() {
            Some(index) if self.sources.contains(&Source::Text) => index,
            _ => return Ok(Arc::default()),
        };
        let text = self.sentence.text();
        let search = || -> Result<Arc<[Hit]>> {
            let options = SearchOptions {
                k: RETRIEVED_KEYS,
                effort: self.session.effort.get(),
                ..SearchOptions::default()
            };
            let found = self
                .clock
                .measure("text_retrieval", || index.search_with(text, &options))?;
            let hits = self
                .clock
                .measure("context", || index.hits(&found, false))?;
            Ok(hits.into())
        };
        match self.cache() {
            Some(cache) => cache.text_hits.get_or(Hash::of(text.as_bytes()), search),
            None => search(),
        }
    }

    /// CLIP's feature of the sentence, where it is needed.
    pub(super) fn clip_text(&self) -> Result<Option<Feature>> {
        let Some(clip) = self.session.clip.as_ref().filter(|_| self.clip_text) else {
            return Ok(None);
        };
        let text = self.sentence.text();
        let see = || -> Result<Feature> {
            let _turn = self.session.turn();
            let feature = self
                .clock
                .measure("clip_text", || clip.text(text, &self.options.cancel))?;
            Ok(feature.into())
        };
        let feature = match self.cache() {
            Some(cache) => cache.clip_text.get_or(Hash::of(text.as_bytes()), see),
            None => see(),
        };
        feature.map(Some)
    }

    /// Reads and decodes the picture, where CLIP has to see it.
    pub(super) fn shown(&self) -> Result<Option<Shown>> {
        let (Some(clip), Some(image)) = (&self.session.clip, &self.query.image) else {
            return Ok(None);
        };
        if !self.clip_image {
            return Ok(None);
        }
        let shown = self
            .clock
            .measure("image_decode", || self.read_picture(clip, image))?;
        Ok(Some(shown))
    }

    fn read_picture(&self, clip: &Clip, image: &ImageSource) -> Result<Shown> {
        let limits = PictureLimits::default();
        let bytes: Cow<'_, [u8]> = match image {
            ImageSource::File(path) => Picture::read(path, &limits)?.into(),
            ImageSource::Bytes(bytes) => (&bytes[..]).into(),
        };
        let key = self.cache().map(|_| Hash::of(&bytes));
        let known = self
            .cache()
            .zip(key)
            .and_then(|(cache, key)| cache.clip_image.get(&key));
        let view = match known {
            Some(feature) => View::Feature(feature),
            None => {
                let picture = Picture::decode(&bytes, clip.preprocess(), &limits);
                View::Picture(picture.map_err(|error| match image {
                    ImageSource::File(path) => Error::from(error).at(path),
                    ImageSource::Bytes(_) => error.into(),
                })?)
            }
        };
        Ok(Shown { key, view })
    }

    /// Shows a picture to CLIP, and finds what resembles it where an expert reads that.
    pub(super) fn seen(&self, shown: Option<Shown>) -> Result<Seen> {
        let (Some(Shown { key, view }), Some(clip)) = (shown, &self.session.clip) else {
            return Ok(Seen::default());
        };
        let memory = self.cache().zip(key);
        let feature = match view {
            View::Feature(feature) => feature,
            View::Picture(picture) => {
                let _turn = self.session.turn();
                let feature: Feature = self
                    .clock
                    .measure("clip_image", || clip.image(&picture, &self.options.cancel))?
                    .into();
                if let Some((cache, key)) = memory {
                    cache.clip_image.insert(key, feature.clone());
                }
                feature
            }
        };
        let hits = match self.session.bundle.image_index() {
            Some(index) if self.sources.contains(&Source::Image) => {
                let search = || -> Result<Arc<[Hit]>> {
                    let hits = self.clock.measure("image_retrieval", || {
                        let found = index.search_with(&feature, &self.session.image_search)?;
                        index.hits(&found, false)
                    })?;
                    Ok(hits.into())
                };
                match memory {
                    Some((cache, key)) => cache.image_hits.get_or(key, search)?,
                    None => search()?,
                }
            }
            _ => Arc::default(),
        };
        Ok(Seen {
            feature: Some(feature),
            hits,
        })
    }

    /// The contexts of an expert, in the order in which it reads them.
    pub(super) fn contexts(&self, source: &Source<'_>, hits: &[Hit]) -> Result<Vec<Context>> {
        let plain = |text: &String| Context {
            id: None,
            score: None,
            text: text.clone(),
        };
        let bundle = &self.session.bundle;
        let draw = |kind: ContextKind, count: u32| {
            let (seed, id) = (bundle.manifest().seed, self.query.id.to_string());
            draw_contexts(seed, kind, &id, count)
        };
        match source {
            Source::Given(texts) => Ok(texts.iter().map(plain).collect()),
            Source::Nothing | Source::Missing(_) => Ok(Vec::new()),
            Source::Text | Source::Image => Ok(hits.iter().map(retrieved).collect()),
            Source::RandomText => {
                let Some(index) = bundle.text_index() else {
                    return Ok(Vec::new());
                };
                let drawn = draw(ContextKind::RandomText, index.paragraphs());
                let read = drawn.into_iter().map(|number| {
                    let paragraph = index.paragraph(ParagraphId(number))?;
                    Ok(Context {
                        id: Some(paragraph.id),
                        score: None,
                        text: paragraph.text,
                    })
                });
                read.collect()
            }
            Source::RandomImage => {
                let Some(index) = bundle.image_index() else {
                    return Ok(Vec::new());
                };
                let drawn = draw(ContextKind::RandomImage, index.len());
                let read = drawn.into_iter().map(|number| {
                    let hit = index.value(ImageId(number))?;
                    Ok(Context {
                        score: None,
                        ..retrieved(&hit)
                    })
                });
                read.collect()
            }
        }
    }
}

fn retrieved(hit: &Hit) -> Context {
    Context {
        id: Some(hit.id.clone()),
        score: Some(hit.score),
        text: hit.value.clone(),
    }
}
