//! One prediction, from the query to what every expert says.
//!
//! ```text
//! branch of the sentence:  text retrieval ──► experts that read text ─┐
//!                          CLIP of the sentence (for the gate) ───────┤
//! branch of the picture:   decode ──► CLIP ──► image retrieval ──► experts that read images ─┴─► fuse
//! ```
//!
//! The two branches run at the same time. On the CPU they share the session's pool of threads; on a GPU the passes take
//! turns, and retrieval and decoding go on beside them. The gate looks at the features that retrieval has searched with:
//! CLIP sees a sentence and a picture once.
//!
//! A batch goes another way, in `batch`: retrieval for all, then each expert for all.

mod batch;
mod retrieval;

use self::retrieval::Seen;
use crate::cache::Feature;
use crate::clock::{Clock, expert_module};
use crate::fusion::{self, Outputs};
use crate::manifest::Task;
use crate::prediction::{Context, Prediction};
use crate::query::Query;
use crate::session::{Detail, Inner, RunOptions};
use crate::sources::{Means, Source, source, unread_keys};
use crate::words::Sentence;
use crate::{Error, ErrorKind, Result};
use morelet_indices::Hit;
use morelet_models::{NerOutput, ReOutput, Timings};
use std::ops::Range;

pub(crate) use self::batch::predict_batch;

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

impl Output {
    fn timings(&self) -> Timings {
        match self {
            Self::Ner(output) => output.timings,
            Self::Re(output) => output.timings,
        }
    }
}

pub(crate) fn predict(session: &Inner, query: &Query, options: &RunOptions) -> Result<Prediction> {
    let run = Run::plan(session, query, options)?;
    let outputs = in_session(session, || run.branches())??;
    run.answer(outputs)
}

/// Runs `work` where the session computes. Its threads know nothing of the caller's subscriber and span.
fn in_session<T: Send>(session: &Inner, work: impl FnOnce() -> T + Send) -> Result<T> {
    let span = tracing::Span::current();
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let work = || tracing::dispatcher::with_default(&dispatch, || span.in_scope(work));
    Ok(session.compute.run(|| Ok(work()))?)
}

/// Runs two things at the same time: in the session's pool on the CPU, on a thread of its own otherwise.
fn both<A: Send, B: Send>(
    session: &Inner,
    first: impl FnOnce() -> Result<A> + Send,
    second: impl FnOnce() -> Result<B> + Send,
) -> (Result<A>, Result<B>) {
    let span = tracing::Span::current();
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let second = move || tracing::dispatcher::with_default(&dispatch, || span.in_scope(second));
    if session.is_cpu() {
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

/// A query on its way through the session.
struct Run<'a> {
    session: &'a Inner,
    query: &'a Query,
    options: &'a RunOptions,
    clock: Clock,
    sentence: Sentence,
    /// Subject and object as words, for relations.
    pair: Option<(Range<usize>, Range<usize>)>,
    sources: Vec<Source<'a>>,
    /// Whether CLIP's features of the sentence and of the picture are needed.
    clip_text: bool,
    clip_image: bool,
}

/// What a branch found: CLIP's feature, and the experts that ran.
type Side = (Option<Feature>, Vec<(usize, Answered)>);

impl<'a> Run<'a> {
    fn plan(session: &'a Inner, query: &'a Query, options: &'a RunOptions) -> Result<Self> {
        let clock = Clock::start();
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

    /// Fuses what was found into the answer.
    fn answer(self, outputs: Outputs) -> Result<Prediction> {
        let mut prediction = self.clock.measure("fuse", || {
            let (query, detail) = (self.query, self.options.detail);
            fusion::fuse(self.session, query, &self.sentence, outputs, detail)
        })?;
        prediction.notes.splice(0..0, self.notes());
        let modules: Vec<String> = self.names().map(expert_module).collect();
        prediction.timings_us = self.clock.finish(&modules);
        Ok(prediction)
    }

    /// Both branches, at the same time, and with them the experts.
    ///
    /// Two experts at once fill on the CPU what each leaves idle when its threads wait for each other between operations.
    /// Measured with XLM-R-base in `q8`, 512 ids for each, on two threads that nobody else wants: 132 and 133 ms in all
    /// (medians of two runs), and 155 one expert after the other. Where others take half of the processor it is the
    /// other way round, by a twentieth.
    fn branches(&self) -> Result<Outputs> {
        let (text, picture) = both(
            self.session,
            || self.sentence_side(),
            || self.picture_side(),
        );
        // A cancelled branch may have made the other one fail differently; say the reason.
        self.options.cancel.check()?;
        let (clip_text, mut answers) = text?;
        let (clip_image, of_picture) = picture?;
        answers.extend(of_picture);
        let mut experts: Vec<Option<Answered>> = self.sources.iter().map(|_| None).collect();
        for (i, answered) in answers {
            experts[i] = Some(answered);
        }
        Ok(Outputs {
            experts,
            clip_text: clip_text.map(|feature| feature.to_vec()),
            clip_image: clip_image.map(|feature| feature.to_vec()),
        })
    }

    /// Everything that does not wait for the picture.
    fn sentence_side(&self) -> Result<Side> {
        let hits = self.text_hits()?;
        let (feature, answers) = both(
            self.session,
            || self.clip_text(),
            || self.experts(|source| *source != Source::Image, &hits),
        );
        Ok((feature?, answers?))
    }

    /// Everything that waits for the picture.
    fn picture_side(&self) -> Result<Side> {
        let Seen { feature, hits } = self.seen(self.shown()?)?;
        let answers = self.experts(|source| *source == Source::Image, &hits)?;
        Ok((feature, answers))
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
                let (first, second) = both(self.session, || one(i), || one(j));
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
        let output = match &self.pair {
            None => Output::Ner(expert.ner(words, &texts, cancel)?),
            Some((subject, object)) => {
                let (subject, object) = (subject.clone(), object.clone());
                Output::Re(expert.re(words, subject, object, &texts, cancel)?)
            }
        };
        self.add_times(name, output.timings());
        Ok(Answered { contexts, output })
    }

    fn add_times(&self, expert: &str, timings: Timings) {
        self.clock.add("tokenize", timings.tokenizer);
        self.clock.add(&expert_module(expert), timings.encoder);
        self.clock.add("decode", timings.decoder);
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
