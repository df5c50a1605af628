//! Writing postings.

use morelet_mapped::{SectionWriter, Writer};

use super::sequence::OFFSETS;
use super::{
    BLOCK, CLASSES, GROUP, GROUPS, Impacts, LEAST_TF, PADDING, REVISION, TERMS, sentence_bytes,
};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::text::packing;
use crate::varint;

/// A bitmap may take this many quarters of the bytes of the shortest code, as it is faster to look into.
const BITMAP_QUARTERS: u64 = 5;

/// Writes one list after the other into the section of postings.
pub(in crate::text) struct ListWriter<'a> {
    /// The length byte of every sentence.
    lengths: &'a [u8],
    sentences: SequenceWriter,
    repeats: SequenceWriter,
    /// The bytes of the list that are in the section.
    written: u64,
    impacts: Impacts,
}

impl<'a> ListWriter<'a> {
    /// Begins with the first list. `lengths` has a byte for every sentence.
    pub fn new(lengths: &'a [u8]) -> ListWriter<'a> {
        ListWriter {
            lengths,
            sentences: SequenceWriter::new(1),
            repeats: SequenceWriter::new(LEAST_TF),
            written: 0,
            impacts: Impacts([0; CLASSES]),
        }
    }

    /// Adds a posting. Sentences ascend and `tf` is at least 1.
    pub fn add(&mut self, sentence: u32, tf: u32, section: &mut SectionWriter<'_>) -> Result<()> {
        self.impacts.add(tf, self.lengths[sentence as usize]);
        if tf >= LEAST_TF {
            self.repeats.add(sentence, tf)?;
        }
        if self.sentences.add(sentence, tf)? {
            self.write_out(section)?;
        }
        Ok(())
    }

    /// Ends the list, which has at least one posting, and tells `terms` of it.
    pub fn end(&mut self, section: &mut SectionWriter<'_>, terms: &mut TermsWriter) -> Result<()> {
        let mut entry = Vec::with_capacity(16);
        let df = self.sentences.len;
        if df == 1 {
            let (sentence, tf) = (self.sentences.sentences[0], self.sentences.tfs[0]);
            entry.push(u8::from(tf > 1));
            // There are fewer sentences than 2³².
            let bytes = sentence_bytes(self.lengths.len() as u32);
            entry.extend(&sentence.to_le_bytes()[..bytes]);
            if tf > 1 {
                varint::put(&mut entry, u64::from(tf - 2));
            }
        } else {
            self.sentences.end()?;
            self.write_out(section)?;
            let mut repeats = Vec::with_capacity(16);
            if df as usize >= BLOCK {
                varint::put(&mut repeats, u64::from(self.repeats.len));
                if self.repeats.len > 0 {
                    self.repeats.end()?;
                    let bytes = &self.repeats.bytes;
                    varint::put(&mut repeats, bytes.len() as u64);
                    section.put(bytes)?;
                    self.written += bytes.len() as u64;
                }
                section.put(&self.impacts.0)?;
                self.written += CLASSES as u64;
            }
            varint::put(&mut entry, u64::from(df));
            varint::put(&mut entry, self.written);
            entry.extend(repeats);
        }
        terms.add(&entry, self.written)?;
        self.sentences.clear();
        self.repeats.clear();
        self.written = 0;
        self.impacts = Impacts([0; CLASSES]);
        Ok(())
    }

    fn write_out(&mut self, section: &mut SectionWriter<'_>) -> Result<()> {
        let bytes = &mut self.sentences.bytes;
        section.put(bytes)?;
        self.written += bytes.len() as u64;
        self.sentences.taken += bytes.len() as u64;
        bytes.clear();
        Ok(())
    }

    /// What follows the last list.
    pub fn finish(section: &mut SectionWriter<'_>) -> Result<()> {
        Ok(section.put(&[0; PADDING])?)
    }
}

/// Packs one sequence.
struct SequenceWriter {
    /// What no tf is below; where this is 1, blocks have no tfs.
    least: u32,
    sentences: [u32; BLOCK],
    tfs: [u32; BLOCK],
    filled: usize,
    len: u32,
    /// The first sentence that may come next after those that are packed.
    next: u32,
    /// What is packed and was not taken yet.
    bytes: Vec<u8>,
    /// The bytes that were taken.
    taken: u64,
    /// The last sentence of every block, and where it begins.
    directory: Vec<(u32, u32)>,
}

impl SequenceWriter {
    fn new(least: u32) -> SequenceWriter {
        SequenceWriter {
            least,
            sentences: [0; BLOCK],
            tfs: [0; BLOCK],
            filled: 0,
            len: 0,
            next: 0,
            bytes: Vec::new(),
            taken: 0,
            directory: Vec::new(),
        }
    }

    /// Adds a posting, and says whether a block is packed with it.
    fn add(&mut self, sentence: u32, tf: u32) -> Result<bool> {
        self.sentences[self.filled] = sentence;
        self.tfs[self.filled] = tf;
        self.filled += 1;
        self.len += 1;
        let is_full = self.filled == BLOCK;
        if is_full {
            self.put_block()?;
        }
        Ok(is_full)
    }

    /// The distances of the postings that are not packed.
    fn gaps(&mut self) -> [u32; BLOCK] {
        let mut gaps = [0; BLOCK];
        for (gap, &sentence) in gaps.iter_mut().zip(&self.sentences[..self.filled]) {
            *gap = sentence - self.next;
            // Sentences are numbered below 2³² − 1.
            self.next = sentence + 1;
        }
        gaps
    }

    /// Packs the postings that are collected.
    fn put_block(&mut self) -> Result<()> {
        let offset = u32::try_from(self.taken + self.bytes.len() as u64)
            .map_err(|_| Error::too_large("more than 4 GiB of postings of one term"))?;
        let gaps = self.gaps();
        self.directory.push((self.next - 1, offset));
        packing::put_gaps(&gaps[..self.filled], BITMAP_QUARTERS, &mut self.bytes);
        if self.least > 1 {
            packing::put_tfs(&self.tfs[..self.filled], &mut self.bytes);
        }
        self.filled = 0;
        Ok(())
    }

    /// Packs what is left, and the directory.
    fn end(&mut self) -> Result<()> {
        if self.directory.is_empty() {
            self.put_pairs();
            return Ok(());
        }
        if self.filled > 0 {
            self.put_block()?;
        }
        let lasts = self.directory.iter().map(|&(last, _)| last);
        let offsets = || self.directory.iter().map(|&(_, offset)| offset);
        let near = |group: &[(u32, u32)]| group[group.len() - 1].1 - group[0].1 <= u16::MAX.into();
        debug_assert!(self.directory.chunks(OFFSETS).all(near));
        self.bytes.extend(lasts.flat_map(u32::to_le_bytes));
        self.bytes
            .extend(offsets().flat_map(|offset| (offset as u16).to_le_bytes()));
        self.bytes
            .extend(offsets().step_by(OFFSETS).flat_map(u32::to_le_bytes));
        Ok(())
    }

    /// Packs fewer than 128 postings.
    fn put_pairs(&mut self) {
        let gaps = self.gaps();
        for (&gap, &tf) in gaps.iter().zip(&self.tfs).take(self.filled) {
            let more = tf - self.least;
            varint::put(&mut self.bytes, u64::from(gap) << 1 | u64::from(more > 0));
            if more > 0 {
                varint::put(&mut self.bytes, u64::from(more - 1));
            }
        }
    }

    /// Begins anew.
    fn clear(&mut self) {
        (self.filled, self.len, self.next, self.taken) = (0, 0, 0, 0);
        self.bytes.clear();
        self.directory.clear();
    }
}

/// Collects the sections `terms` and `terms.groups` while the postings are written.
pub(in crate::text) struct TermsWriter {
    terms: Spool,
    groups: Spool,
    len: u32,
    postings: u64,
}

impl TermsWriter {
    /// Collects in `terms` and `groups`.
    pub fn new(terms: Spool, groups: Spool) -> TermsWriter {
        TermsWriter {
            terms,
            groups,
            len: 0,
            postings: 0,
        }
    }

    /// Adds a term of which the section says `entry` and whose list takes `postings` bytes.
    fn add(&mut self, entry: &[u8], postings: u64) -> Result<()> {
        if self.len.is_multiple_of(GROUP) {
            self.groups.put(&self.terms.len().to_le_bytes())?;
            self.groups.put(&self.postings.to_le_bytes())?;
        }
        self.terms.put(entry)?;
        self.len += 1;
        self.postings += postings;
        Ok(())
    }

    /// Writes both sections.
    pub fn finish(self, writer: &mut Writer) -> Result<()> {
        self.terms.into_section(writer, TERMS, REVISION)?;
        self.groups.into_section(writer, GROUPS, REVISION)
    }
}
