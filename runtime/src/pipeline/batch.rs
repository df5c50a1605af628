//! Several queries together.
//!
//! ```text
//! queries of a window ──► search, decode: a query a thread ──► CLIP, one after the other ──► experts, at the same time,
//!                                                                   as many inputs in a pass as fit ──► fuse
//! ```

use super::retrieval::{Seen, Shown};
use super::{Answered, Output, Run, both, in_session, predict};
use crate::cache::Feature;
use crate::fusion::Outputs;
use crate::prediction::Context;
use crate::query::Query;
use crate::session::{Inner, RunOptions};
use crate::sources::Source;
use crate::{Error, ErrorKind, Prediction, Result};
use morelet_indices::Hit;
use morelet_models::{NerQuery, ReQuery};
use rayon::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// How many queries are on their way together: enough to fill the passes of an expert, few enough that what was retrieved
/// for them takes little memory.
const WINDOW: usize = 32;

/// Answers queries in their order. `told` hears how many are answered; once cancelled, of no more.
pub(crate) fn predict_batch(
    session: &Inner,
    queries: &[Query],
    options: &RunOptions,
    told: impl Fn(usize),
) -> Vec<Result<Prediction>> {
    let mut answers = Vec::with_capacity(queries.len());
    for window in queries.chunks(WINDOW) {
        if options.cancel.is_cancelled() {
            answers.extend(window.iter().map(|_| Err(Error::cancelled())));
            continue;
        }
        match window {
            [query] => answers.push(predict(session, query, options)),
            _ => answers.extend(answer(session, window, options)),
        }
        for done in answers.len() - window.len()..answers.len() {
            told(done + 1);
        }
    }
    answers
}

/// A query for which everything has been found, and what the experts have said so far.
struct Asked<'a> {
    run: Run<'a>,
    /// What each expert reads; none for one that does not run.
    contexts: Vec<Option<Vec<Context>>>,
    clip_text: Option<Feature>,
    clip_image: Option<Feature>,
    outputs: Vec<Option<Output>>,
}

/// A query whose text was searched for and whose picture was decoded.
struct Read<'a> {
    run: Run<'a>,
    hits: Arc<[Hit]>,
    shown: Option<Shown>,
}

fn answer(session: &Inner, queries: &[Query], options: &RunOptions) -> Vec<Result<Prediction>> {
    let read = |query| {
        let run = Run::plan(session, query, options)?;
        options.cancel.check()?;
        let (hits, shown) = (run.text_hits()?, run.shown()?);
        Ok(Read { run, hits, shown })
    };
    let work = || {
        let read: Vec<Result<Read<'_>>> = each(session, queries, read);
        let asked = read.into_iter().map(|read| asked(read?));
        let mut asked: Vec<Result<Asked<'_>>> = asked.collect();
        let ask = |i| Ok(ask(session, i, &asked, options));
        let said: Vec<Result<Said>> = match session.experts.len() {
            // At once, as in a single prediction.
            2 => {
                let (first, second) = both(session, || ask(0), || ask(1));
                vec![first, second]
            }
            count => (0..count).map(ask).collect(),
        };
        for (i, said) in said.into_iter().enumerate() {
            hear(session, i, said?, &mut asked);
        }
        Ok(asked
            .into_iter()
            .map(|asked| asked?.answer())
            .collect::<Vec<_>>())
    };
    match in_session(session, work).and_then(|answers| answers) {
        // What stopped may have failed in another way; say the reason.
        Ok(answers) if options.cancel.is_cancelled() => answers
            .into_iter()
            .map(|answer| {
                answer.map_err(|error| match error.kind() {
                    // The query's own fault stays its own.
                    ErrorKind::Input => error,
                    _ => Error::cancelled(),
                })
            })
            .collect(),
        Ok(answers) => answers,
        // A panic below, which a session turns into an error.
        Err(error) => {
            let (kind, message) = (error.kind(), error.to_string());
            let failed = |_| Err(Error::new(kind, message.clone()));
            queries.iter().map(failed).collect()
        }
    }
}

/// CLIP's features, what they find, and the contexts of each expert.
fn asked(Read { run, hits, shown }: Read<'_>) -> Result<Asked<'_>> {
    let Seen {
        feature: clip_image,
        hits: of_picture,
    } = run.seen(shown)?;
    let clip_text = run.clip_text()?;
    let contexts = run.sources.iter().map(|source| {
        let hits = match source {
            Source::Missing(_) => return Ok(None),
            Source::Image => &of_picture,
            _ => &hits,
        };
        let contexts = run
            .clock
            .measure("context", || run.contexts(source, hits))?;
        Ok(Some(contexts))
    });
    let contexts: Vec<_> = contexts.collect::<Result<_>>()?;
    Ok(Asked {
        outputs: contexts.iter().map(|_| None).collect(),
        contexts,
        clip_text,
        clip_image,
        run,
    })
}

/// What an expert said, with the places of the queries.
type Said = Vec<(usize, Result<Output>)>;

/// Asks one expert about every query that it runs for.
fn ask(session: &Inner, i: usize, asked: &[Result<Asked<'_>>], options: &RunOptions) -> Said {
    let name = &session.bundle.manifest().experts[i].name;
    let (expert, cancel) = (&session.experts[i], &options.cancel);
    let waiting = asked.iter().enumerate().filter_map(|(at, asked)| {
        let asked = asked.as_ref().ok()?;
        let contexts = asked.contexts[i].as_ref()?.iter();
        let texts: Vec<&str> = contexts.map(|context| context.text.as_str()).collect();
        Some((at, &asked.run, texts))
    });
    let waiting: Vec<(usize, &Run<'_>, Vec<&str>)> = waiting.collect();
    if waiting.is_empty() {
        return Vec::new();
    }
    let _span = tracing::debug_span!("expert", name, queries = waiting.len()).entered();
    // The bundle has one task: all queries have a pair, or none has.
    let (mut ner, mut re) = (Vec::new(), Vec::new());
    for (_, run, contexts) in &waiting {
        let words = run.sentence.words();
        match &run.pair {
            None => ner.push(NerQuery { words, contexts }),
            Some((subject, object)) => re.push(ReQuery {
                words,
                subject: subject.clone(),
                object: object.clone(),
                contexts,
            }),
        }
    }
    let ner = expert.ner_batch(&ner, cancel).into_iter();
    let re = expert.re_batch(&re, cancel).into_iter();
    let outputs = ner
        .map(|output| Ok(Output::Ner(output?)))
        .chain(re.map(|output| Ok(Output::Re(output?))));
    waiting.iter().map(|(at, ..)| *at).zip(outputs).collect()
}

/// Adds what an expert said to the queries. The first error is the query's answer.
fn hear(session: &Inner, i: usize, said: Said, asked: &mut [Result<Asked<'_>>]) {
    let name = &session.bundle.manifest().experts[i].name;
    for (at, output) in said {
        match (output, &mut asked[at]) {
            (Ok(output), Ok(asked)) => {
                asked.run.add_times(name, output.timings());
                asked.outputs[i] = Some(output);
            }
            (Err(error), asked @ Ok(_)) => *asked = Err(error),
            (_, Err(_)) => {}
        }
    }
}

impl Asked<'_> {
    fn answer(self) -> Result<Prediction> {
        let experts = self.contexts.into_iter().zip(self.outputs);
        let experts = experts.map(|(contexts, output)| {
            Some(Answered {
                contexts: contexts?,
                output: output?,
            })
        });
        let outputs = Outputs {
            experts: experts.collect(),
            clip_text: self.clip_text.map(|feature| feature.to_vec()),
            clip_image: self.clip_image.map(|feature| feature.to_vec()),
        };
        self.run.answer(outputs)
    }
}

/// Does something for each of many, at the same time: in the session's pool on the CPU, on threads of its own
/// otherwise. None of it may wait for a pass of the device.
fn each<'i, I: Sync, T: Send>(
    session: &Inner,
    items: &'i [I],
    work: impl Fn(&'i I) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    let span = tracing::Span::current();
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    let work =
        |item: &'i I| tracing::dispatcher::with_default(&dispatch, || span.in_scope(|| work(item)));
    if session.is_cpu() {
        return items.par_iter().map(work).collect();
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Result<T>>>> = items.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(item), Some(done)) = (items.get(at), done.get(at)) else {
                        break;
                    };
                    let result = work(item);
                    *done.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
                }
            });
        }
    });
    let lost = || {
        Err(Error::new(
            ErrorKind::Internal,
            "a thread of the batch ended early",
        ))
    };
    done.into_iter()
        .map(|done| {
            let done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
            done.unwrap_or_else(lost)
        })
        .collect()
}
