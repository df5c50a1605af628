//! Runs into postings and dictionary: one merge, however many runs there are.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

use morelet_mapped::Writer;

use super::runs::{Run, Runs};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::text::meta::{DICTIONARY, REVISION};
use crate::text::postings::{self, ListWriter, POSTINGS, TermsWriter};

/// What was merged.
pub(super) struct Merged {
    pub terms: u32,
    pub postings: u64,
}

/// Merges `runs` into the sections of postings, terms and dictionary of the file at `target`. `progress` is told how
/// many bytes of the runs are done.
pub(super) fn merge(
    runs: Runs,
    memory: u64,
    writer: &mut Writer,
    target: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Merged> {
    let (mut spool, mut runs) = runs.read(memory);
    let mut section = writer.section(POSTINGS, postings::REVISION, true)?;
    let mut terms = TermsWriter::new(Spool::beside(target)?, Spool::beside(target)?);
    let dictionary_error = |error: fst::Error| match error {
        fst::Error::Io(error) => Error::io(
            "the temporary file beside it cannot be written",
            target,
            error,
        ),
        error => Error::input(format_args!("the dictionary cannot be written: {error}")),
    };
    let mut dictionary = fst::MapBuilder::new(Spool::beside(target)?).map_err(dictionary_error)?;
    let mut list = ListWriter::new();
    let mut merged = Merged {
        terms: 0,
        postings: 0,
    };

    // The next term of every run; of equal terms, the run with the earlier sentences comes first.
    let mut heap = BinaryHeap::with_capacity(runs.len());
    for (number, run) in runs.iter_mut().enumerate() {
        if run.next_term(&mut spool)? {
            heap.push(Reverse((run.term.clone(), number)));
        }
    }
    while let Some(Reverse((term, first))) = heap.pop() {
        let mut from = first;
        loop {
            let run = &mut runs[from];
            run.postings(&mut spool, |sentence, tf| {
                merged.postings += 1;
                list.add(sentence, tf, &mut section)
            })?;
            if run.next_term(&mut spool)? {
                heap.push(Reverse((run.term.clone(), from)));
            }
            match heap.peek() {
                Some(Reverse((next, number))) if *next == term => from = *number,
                _ => break,
            }
            heap.pop();
        }
        list.end(&mut section, &mut terms)?;
        dictionary
            .insert(&term, u64::from(merged.terms))
            .map_err(dictionary_error)?;
        merged.terms = merged
            .terms
            .checked_add(1)
            .ok_or_else(|| Error::too_large("more than 4,294,967,295 different terms"))?;
        if merged.terms.is_multiple_of(1 << 12) {
            progress(runs.iter().map(Run::done).sum());
        }
    }
    ListWriter::finish(&mut section)?;
    section.finish()?;
    terms.finish(writer)?;
    dictionary
        .into_inner()
        .map_err(dictionary_error)?
        .into_section(writer, DICTIONARY, REVISION)?;
    Ok(merged)
}
