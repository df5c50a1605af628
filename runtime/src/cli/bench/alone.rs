//! Each module of a bundle alone: in the pipeline text and picture are worked on at the same time, and share the processor.

use super::times::micros;
use crate::pipeline::{self, RETRIEVED_KEYS};
use crate::session::Inner;
use crate::sources::{Means, Source, source};
use crate::{Cancel, ImageSource, Named, Query, Result, Sentence};
use morelet_indices::{Hit, SearchOptions};
use morelet_models::{Picture, PictureLimits};
use std::time::Instant;

/// Answers a query module by module and adds the time of each, in µs.
pub(super) fn measure(
    session: &Inner,
    query: &Query,
    cancel: &Cancel,
    samples: &mut Named<Vec<u64>>,
) -> Result<()> {
    let mut add = |module: &str, time: u64| {
        samples.get_mut_or(module, Vec::new).push(time);
    };
    let bundle = &session.bundle;
    let sentence = Sentence::new(&query.words);
    let means = Means {
        text_index: bundle.text_index().is_some(),
        image_index: bundle.image_index().is_some(),
        clip: session.clip.is_some(),
    };
    let experts = &bundle.manifest().experts;
    let sources: Vec<Source<'_>> = experts
        .iter()
        .map(|expert| source(expert, query, means))
        .collect();

    let mut texts: Vec<Hit> = Vec::new();
    if let Some(index) = bundle.text_index()
        && sources.contains(&Source::Text)
    {
        let options = SearchOptions {
            k: RETRIEVED_KEYS,
            effort: session.effort.get(),
            ..SearchOptions::default()
        };
        let start = Instant::now();
        let found = session
            .compute
            .run(|| Ok(index.search_with(sentence.text(), &options)))??;
        add("text_retrieval", micros(start));
        let start = Instant::now();
        texts = index.hits(&found, false)?;
        add("context", micros(start));
    }

    let mut pictures: Vec<Hit> = Vec::new();
    if let (Some(clip), Some(image)) = (&session.clip, &query.image) {
        let start = Instant::now();
        let (preprocess, limits) = (clip.preprocess(), PictureLimits::default());
        let picture = match image {
            ImageSource::File(path) => Picture::open(path, preprocess, &limits),
            ImageSource::Bytes(bytes) => Picture::decode(bytes, preprocess, &limits),
        }?;
        add("image_decode", micros(start));
        let start = Instant::now();
        let feature = clip.image(&picture, cancel)?;
        add("clip_image", micros(start));
        if let Some(index) = bundle.image_index() {
            let start = Instant::now();
            let found = index.search_with(&feature, &session.image_search)?;
            pictures = index.hits(&found, false)?;
            add("image_retrieval", micros(start));
        }
        if session.gate.is_some() {
            let start = Instant::now();
            clip.text(sentence.text(), cancel)?;
            add("clip_text", micros(start));
        }
    }

    for ((entry, expert), source) in experts.iter().zip(&session.experts).zip(&sources) {
        let values = |hits: &[Hit]| hits.iter().map(|hit| hit.value.clone()).collect();
        let contexts: Vec<String> = match source {
            Source::Text => values(&texts),
            Source::Image => values(&pictures),
            Source::Given(texts) => texts.to_vec(),
            Source::Nothing => Vec::new(),
            Source::RandomText | Source::RandomImage | Source::Missing(_) => continue,
        };
        let words = sentence.words();
        let timings = match expert.meta().kind {
            morelet_models::weights::ModelKind::Re => {
                let (subject, object) = pipeline::pair(query, &sentence)?;
                expert
                    .re(words, subject, object, &contexts, cancel)?
                    .timings
            }
            _ => expert.ner(words, &contexts, cancel)?.timings,
        };
        let us = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        add(&format!("tokenize_{}", entry.name), us(timings.tokenizer));
        add(&format!("expert_{}", entry.name), us(timings.encoder));
        add(&format!("decode_{}", entry.name), us(timings.decoder));
    }
    Ok(())
}
