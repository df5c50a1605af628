//! Writing postings.

use morelet_mapped::{SectionWriter, Writer};

use super::{
    BLOCK, CLASSES, GROUP, GROUPS, Impacts, OFFSETS, PADDING, REVISION, TERMS, packing,
    sentence_bytes,
};
use crate::error::{Error, Result};
use crate::spool::Spool;
use crate::varint;

/// A bitmap may take this many quarters of the bytes of the shortest code, as it is faster to look into.
const BITMAP_QUARTERS: u64 = 5;

/// Writes one list after the other into the section of postings.
pub(in crate::text) struct ListWriter<'a> {
    /// The length byte of every sentence.
    lengths: &'a [u8],
    gaps: [u32; BLOCK],
    tfs: [u32; BLOCK],
    filled: usize,
    df: u32,
    /// The first sentence that may come next.
    next: u32,
    /// The bytes of the list so far.
    len: u64,
    impacts: Impacts,
    /// The last sentence of every block, and where it begins.
    directory: Vec<(u32, u32)>,
    bytes: Vec<u8>,
}

impl<'a> ListWriter<'a> {
    /// Begins with the first list. `lengths` has a byte for every sentence.
    pub fn new(lengths: &'a [u8]) -> ListWriter<'a> {
        ListWriter {
            lengths,
            gaps: [0; BLOCK],
            tfs: [0; BLOCK],
            filled: 0,
            df: 0,
            next: 0,
            len: 0,
            impacts: Impacts([0; CLASSES]),
            directory: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Adds a posting. Sentences ascend and `tf` is at least 1.
    pub fn add(&mut self, sentence: u32, tf: u32, section: &mut SectionWriter<'_>) -> Result<()> {
        self.gaps[self.filled] = sentence - self.next;
        self.tfs[self.filled] = tf;
        self.filled += 1;
        self.df += 1;
        self.impacts.add(tf, self.lengths[sentence as usize]);
        // Sentences are numbered below 2³² − 1.
        self.next = sentence + 1;
        if self.filled == BLOCK {
            self.put_block()?;
            self.write_out(section)?;
        }
        Ok(())
    }

    /// Packs the postings that are collected.
    fn put_block(&mut self) -> Result<()> {
        let offset = u32::try_from(self.len)
            .map_err(|_| Error::too_large("more than 4 GiB of postings of one term"))?;
        self.directory.push((self.next - 1, offset));
        packing::put_gaps(&self.gaps[..self.filled], BITMAP_QUARTERS, &mut self.bytes);
        packing::put_tfs(&self.tfs[..self.filled], &mut self.bytes);
        self.filled = 0;
        Ok(())
    }

    /// Ends the list, which has at least one posting, and tells `terms` of it.
    pub fn end(&mut self, section: &mut SectionWriter<'_>, terms: &mut TermsWriter) -> Result<()> {
        let mut entry = Vec::with_capacity(16);
        if self.df == 1 {
            let [tf, ..] = self.tfs;
            entry.push(u8::from(tf > 1));
            // There are fewer sentences than 2³².
            let bytes = sentence_bytes(self.lengths.len() as u32);
            entry.extend(&self.gaps[0].to_le_bytes()[..bytes]);
            if tf > 1 {
                varint::put(&mut entry, u64::from(tf - 2));
            }
        } else {
            match self.directory.is_empty() {
                true => self.put_pairs(),
                false => self.put_rest()?,
            }
            self.write_out(section)?;
            varint::put(&mut entry, u64::from(self.df));
            varint::put(&mut entry, self.len);
        }
        terms.add(&entry, self.len)?;
        (self.filled, self.df, self.next, self.len) = (0, 0, 0, 0);
        self.impacts = Impacts([0; CLASSES]);
        self.directory.clear();
        Ok(())
    }

    /// Ends a list of fewer than 128 postings.
    fn put_pairs(&mut self) {
        for (&gap, &tf) in self.gaps.iter().zip(&self.tfs).take(self.filled) {
            varint::put(&mut self.bytes, u64::from(gap) << 1 | u64::from(tf > 1));
            if tf > 1 {
                varint::put(&mut self.bytes, u64::from(tf - 2));
            }
        }
    }

    /// Ends a longer list.
    fn put_rest(&mut self) -> Result<()> {
        if self.filled > 0 {
            self.put_block()?;
        }
        let lasts = self.directory.iter().map(|&(last, _)| last);
        let offsets = || self.directory.iter().map(|&(_, offset)| offset);
        self.bytes.extend(lasts.flat_map(u32::to_le_bytes));
        self.bytes
            .extend(offsets().flat_map(|offset| (offset as u16).to_le_bytes()));
        self.bytes
            .extend(offsets().step_by(OFFSETS).flat_map(u32::to_le_bytes));
        self.bytes.extend(self.impacts.0);
        Ok(())
    }

    fn write_out(&mut self, section: &mut SectionWriter<'_>) -> Result<()> {
        section.put(&self.bytes)?;
        self.len += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    /// What follows the last list.
    pub fn finish(section: &mut SectionWriter<'_>) -> Result<()> {
        Ok(section.put(&[0; PADDING])?)
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
