//! One prediction, from the query to what every expert says.
//!
//! ```text
//! branch of the sentence:  text retrieval ──► experts that read text ─┐
//!                          CLIP of the sentence (for the gate) ───────┤
//! branch of the picture:   decode ──► CLIP ──► image retrieval ──► experts that read images ─┴─► fuse
//! ```
//!
//! The two branches run at the same time. On the CPU they share the session's pool of threads; on a GPU the passes take
//! turns, and retrieval and decoding go on beside them.

use crate::clock::{Clock, expert_module};
use crate::fusion::{self, Outputs};
use crate::manifest::{ContextKind, Task};
use crate::prediction::{Context, Prediction};
use crate::query::{ImageSource, Query};
use crate::session::{Detail, Inner, RunOptions};
use crate::sources::{Means, Source, draw, source, unread_keys};
use crate::words::Sentence;
use crate::{Error, ErrorKind, Result};
use morelet_indices::{Hit, ImageId, ParagraphId, SearchOptions};
use morelet_models::{NerOutput, Picture, PictureLimits, ReOutput};
use std::ops::Range;

/// k, the number of keys that are retrieved for a query.
pub const RETRIEVED_KEYS: usize = 10;

/// What one expert said.
pub(crate) enum Output {
    Ner(NerOutput),
    Re(ReOutput),
}

/// An expert that ran: what it read, and what it said.
pub(crate) struct Answered {
    pub contexts: Vec<Context>,
    pub output: Output,
}

pub(crate) fn predict(session: &Inner, query: &Query, options: &RunOptions) -> Result<Prediction> {
    let clock = Clock::start();
    let run = Run::plan(session, query, options, &clock)?;
    let outputs = {
        // The session's threads know nothing of the caller's subscriber and span.
        let span = tracing::Span::current();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let work =
            || tracing::dispatcher::with_default(&dispatch, || span.in_scope(|| run.branches()));
        session.compute.run(|| Ok(work()))??
    };
    let notes = run.notes();
    let mut prediction = clock.measure("fuse", || {
        fusion::fuse(session, query, &run.sentence, outputs, options.detail)
    })?;
    prediction.notes.splice(0..0, notes);
    let modules: Vec<String> = run.names().map(expert_module).collect();
    prediction.timings_us = clock.finish(&modules);
    Ok(prediction)
}

/// A query on its way through the session.
struct Run<'a> {
    session: &'a Inner,
    query: &'a Query,
    options: &'a RunOptions,
    clock: &'a Clock,
    sentence: Sentence,
    /// Subject and object as words, for relations.
    pair: Option<(Range<usize>, Range<usize>)>,
    sources: Vec<Source<'a>>,
    /// Whether CLIP's features of the sentence and of the picture are needed.
    clip_text: bool,
    clip_image: bool,
}

/// What the branch of the picture found.
#[derive(Default)]
struct PictureSide {
    feature: Option<Vec<f32>>,
    answers: Vec<(usize, Answered)>,
}

impl<'a> Run<'a> {
    fn plan(
        session: &'a Inner,
        query: &'a Query,
        options: &'a RunOptions,
        clock: &'a Clock,
    ) -> Result<Self> {
        let manifest = session.bundle.manifest();
        let sentence = Sentence::new(&query.words);
        let pair = match manifest.task {
            Task::Ner => None,
            Task::Re => Some(pair(query, &sentence)?),
        };
        let means = Means {
            text_index: session.bundle.text_index().is_some(),
            image_index: session.bundle.image_index().is_some(),
            clip: session.clip.is_some(),
        };
        let sources: Vec<Source<'_>> = manifest
            .experts
            .iter()
            .map(|expert| source(expert, query, means))
            .collect();
        let missing = |source: &Source<'_>| matches!(source, Source::Missing(_));
        if sources.iter().all(missing) {
            let reasons = manifest
                .experts
                .iter()
                .zip(&sources)
                .filter_map(|(expert, source)| match source {
                    Source::Missing(reason) => Some(format!("`{}`: {reason}", expert.name)),
                    _ => None,
                });
            let reasons: Vec<String> = reasons.collect();
            return Err(Error::input(format!(
                "no expert can run: {}. Bring their `contexts` (an empty list means looked, found nothing), or \
                 bundle what they retrieve from",
                reasons.join("; ")
            )));
        }
        let full = options.detail == Detail::Full && session.clip.is_some();
        let gate = session.gate.is_some() && query.image.is_some() && !sources.iter().any(missing);
        Ok(Self {
            clip_text: gate || full,
            clip_image: gate || sources.contains(&Source::Image) || (full && query.image.is_some()),
            session,
            query,
            options,
            clock,
            sentence,
            pair,
            sources,
        })
    }

    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.session
            .bundle
            .manifest()
            .experts
            .iter()
            .map(|expert| expert.name.as_str())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, source) in self.names().zip(&self.sources) {
            if let Source::Missing(reason) = source {
                notes.push(format!("expert `{name}` did not run: {reason}"));
            }
        }
        for key in unread_keys(self.session.bundle.manifest(), self.query) {
            notes.push(format!(
                "contexts `{key}` were not read: no expert has that name"
            ));
        }
        notes
    }

    /// Both branches, at the same time.
    fn branches(&self) -> Result<Outputs> {
        let (text, picture) = self.both(|| self.sentence_side(), || self.picture_side());
        // A cancelled branch may have made the other one fail differently; say the reason.
        self.options.cancel.check()?;
        let (clip_text, mut answers) = text?;
        let picture = picture?;
        answers.extend(picture.answers);
        let mut experts: Vec<Option<Answered>> = self.sources.iter().map(|_| None).collect();
        for (i, answered) in answers {
            experts[i] = Some(answered);
        }
        Ok(Outputs {
            experts,
            clip_text,
            clip_image: picture.feature,
        })
    }

    /// Runs two things at the same time: in the session's pool on the CPU, on a thread of its own otherwise.
    fn both<A: Send, B: Send>(
        &self,
        first: impl FnOnce() -> Result<A> + Send,
        second: impl FnOnce() -> Result<B> + Send,
    ) -> (Result<A>, Result<B>) {
        let span = tracing::Span::current();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let second = move || tracing::dispatcher::with_default(&dispatch, || span.in_scope(second));
        if self.session.is_cpu() {
            return rayon::join(first, second);
        }
        std::thread::scope(|scope| {
            let second = scope.spawn(second);
            let first = first();
            let panicked = |_| {
                Err(Error::new(
                    ErrorKind::Internal,
                    "a thread of the prediction panicked",
                ))
            };
            (first, second.join().unwrap_or_else(panicked))
        })
    }

    /// Everything that does not wait for the picture.
    #[allow(clippy::type_complexity)] // A pair of what the branch found.
    fn sentence_side(&self) -> Result<(Option<Vec<f32>>, Vec<(usize, Answered)>)> {
        let hits = match self.session.bundle.text_index() {
            Some(index) if self.sources.contains(&Source::Text) => {
                let options = SearchOptions {
                    k: RETRIEVED_KEYS,
                    effort: self.session.effort.get(),
                    ..SearchOptions::default()
                };
                let found = self.clock.measure("text_retrieval", || {
                    index.search_with(self.sentence.text(), &options)
                })?;
                self.clock
                    .measure("context", || index.hits(&found, false))?
            }
            _ => Vec::new(),
        };
        let clip = self.session.clip.as_ref().filter(|_| self.clip_text);
        let (feature, answers) = self.both(
            || clip.map(|clip| self.clip_text(clip)).transpose(),
            || self.experts(|source| *source != Source::Image, &hits),
        );
        Ok((feature?, answers?))
    }

    fn clip_text(&self, clip: &morelet_models::Clip) -> Result<Vec<f32>> {
        let _turn = self.session.turn();
        Ok(self.clock.measure("clip_text", || {
            clip.text(self.sentence.text(), &self.options.cancel)
        })?)
    }

    /// Everything that waits for the picture.
    fn picture_side(&self) -> Result<PictureSide> {
        let (Some(clip), Some(image)) = (&self.session.clip, &self.query.image) else {
            return Ok(PictureSide::default());
        };
        if !self.clip_image {
            return Ok(PictureSide::default());
        }
        let picture = self.clock.measure("image_decode", || {
            let (preprocess, limits) = (clip.preprocess(), PictureLimits::default());
            match image {
                ImageSource::File(path) => Picture::open(path, preprocess, &limits),
                ImageSource::Bytes(bytes) => Picture::decode(bytes, preprocess, &limits),
            }
        })?;
        let feature = {
            let _turn = self.session.turn();
            self.clock
                .measure("clip_image", || clip.image(&picture, &self.options.cancel))?
        };
        let hits = match self.session.bundle.image_index() {
            Some(index) if self.sources.contains(&Source::Image) => {
                self.clock.measure("image_retrieval", || {
                    index.retrieve(&feature, RETRIEVED_KEYS, false)
                })?
            }
            _ => Vec::new(),
        };
        let answers = self.experts(|source| *source == Source::Image, &hits)?;
        Ok(PictureSide {
            feature: Some(feature),
            answers,
        })
    }

    /// The experts whose source is among `wanted`, two at the same time. `hits` are what was retrieved.
    fn experts(
        &self,
        wanted: impl Fn(&Source<'_>) -> bool,
        hits: &[Hit],
    ) -> Result<Vec<(usize, Answered)>> {
        let wanted: Vec<usize> = (0..self.sources.len())
            .filter(|&i| wanted(&self.sources[i]) && !matches!(self.sources[i], Source::Missing(_)))
            .collect();
        let one = |i: usize| Ok((i, self.expert(i, hits)?));
        match *wanted {
            [] => Ok(Vec::new()),
            [i] => Ok(vec![one(i)?]),
            [i, j, ..] => {
                let (first, second) = self.both(|| one(i), || one(j));
                Ok(vec![first?, second?])
            }
        }
    }

    fn expert(&self, i: usize, hits: &[Hit]) -> Result<Answered> {
        let contexts = self
            .clock
            .measure("context", || self.contexts(&self.sources[i], hits))?;
        let texts: Vec<&str> = contexts
            .iter()
            .map(|context| context.text.as_str())
            .collect();
        let name = &self.session.bundle.manifest().experts[i].name;
        let _span = tracing::debug_span!("expert", name, contexts = texts.len()).entered();
        let _turn = self.session.turn();
        let (expert, words, cancel) = (
            &self.session.experts[i],
            self.sentence.words(),
            &self.options.cancel,
        );
        let (output, timings) = match &self.pair {
            None => {
                let output = expert.ner(words, &texts, cancel)?;
                let timings = output.timings;
                (Output::Ner(output), timings)
            }
            Some((subject, object)) => {
                let output = expert.re(words, subject.clone(), object.clone(), &texts, cancel)?;
                let timings = output.timings;
                (Output::Re(output), timings)
            }
        };
        self.clock.add("tokenize", timings.tokenizer);
        self.clock.add(&expert_module(name), timings.encoder);
        self.clock.add("decode", timings.decoder);
        Ok(Answered { contexts, output })
    }

    /// The contexts of an expert, in the order in which it reads them.
    fn contexts(&self, source: &Source<'_>, hits: &[Hit]) -> Result<Vec<Context>> {
        let plain = |text: &String| Context {
            id: None,
            score: None,
            text: text.clone(),
        };
        let bundle = &self.session.bundle;
        let draw = |kind: ContextKind, count: u32| {
            draw(
                bundle.manifest().seed,
                kind,
                &self.query.id.to_string(),
                count,
                RETRIEVED_KEYS,
            )
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

/// The spans of a relation, as words.
pub(crate) fn pair(query: &Query, sentence: &Sentence) -> Result<(Range<usize>, Range<usize>)> {
    let resolve = |span: &Option<Range<usize>>, name: &str| match span {
        Some(span) => sentence.resolve(span, name),
        None => Err(Error::input(format!(
            "there is no `{name}`: the bundle finds the relation between two given spans"
        ))),
    };
    Ok((
        resolve(&query.subject, "subject")?,
        resolve(&query.object, "object")?,
    ))
}
