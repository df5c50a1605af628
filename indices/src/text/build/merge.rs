//! Sorted terms from many sources into postings and dictionary: one merge, however many there are.

use std::path::Path;

use morelet_mapped::Writer;

use super::runs::{Source, Tournament};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::text::meta::{DICTIONARY, REVISION};
use crate::text::postings::{self, ListWriter, POSTINGS, TermsWriter};

/// What was merged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Merged {
    pub terms: u32,
    pub postings: u64,
    pub tokens: u64,
}

/// Merges `sources` into the sections of postings, terms and dictionary of a file. Sentences ascend within a source
/// and from source to source; where the last of one is the first of the next, their tfs are added. `lengths` are the
/// length bytes of all sentences. Temporary files lie in `folder`. `progress` is told how many bytes are done.
pub(super) fn merge<S: Source>(
    sources: Vec<S>,
    lengths: &[u8],
    writer: &mut Writer,
    folder: &Path,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Merged> {
    let mut section = writer.section(POSTINGS, postings::REVISION, true)?;
    let spool = |name: &str| Spool::create(folder.join(name));
    let mut terms = TermsWriter::new(spool("terms")?, spool("groups")?);
    let dictionary_error = |error: fst::Error| match error {
        fst::Error::Io(error) => Error::io("cannot be written", &folder.join("dictionary"), error),
        error => Error::input(format_args!("the dictionary cannot be written: {error}")),
    };
    let mut dictionary = fst::MapBuilder::new(spool("dictionary")?).map_err(dictionary_error)?;
    let mut list = ListWriter::new(lengths);
    let mut merged = Merged::default();
    let mut term = Vec::new();
    let mut tournament = Tournament::new(sources)?;
    while let Some(source) = tournament.first() {
        term.clear();
        term.extend_from_slice(source.term());
        let mut last: Option<(u32, u32)> = None;
        while let Some(source) = tournament.first()
            && source.term() == term
        {
            source.postings(|sentence, tf| {
                // The writer counts on both.
                let after = last.is_none_or(|(before, _)| before <= sentence);
                if !after || sentence as usize >= lengths.len() {
                    return Err(Error::input(format_args!(
                        "{}: what was put by there was changed since",
                        folder.display()
                    )));
                }
                merged.tokens += u64::from(tf);
                match &mut last {
                    Some((before, sum)) if *before == sentence => *sum = sum.saturating_add(tf),
                    last => {
                        if let Some((sentence, tf)) = last.replace((sentence, tf)) {
                            merged.postings += 1;
                            list.add(sentence, tf, &mut section)?;
                        }
                    }
                }
                Ok(())
            })?;
            tournament.advance()?;
        }
        // A term of sentences that were all left out is left out too.
        let Some((sentence, tf)) = last else {
            continue;
        };
        merged.postings += 1;
        list.add(sentence, tf, &mut section)?;
        list.end(&mut section, &mut terms)?;
        dictionary
            .insert(&term, u64::from(merged.terms))
            .map_err(dictionary_error)?;
        merged.terms = merged
            .terms
            .checked_add(1)
            .ok_or_else(|| Error::too_large("more than 4,294,967,295 different terms"))?;
        if merged.terms.is_multiple_of(1 << 12) {
            progress(tournament.done())?;
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
