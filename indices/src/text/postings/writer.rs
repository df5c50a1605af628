//! Writing postings.

use morelet_mapped::{SectionWriter, Writer};

use super::{BLOCK, GROUP, GROUPS, PADDING, REVISION, TERMS, packing};
use crate::error::Result;
use crate::spool::Spool;
use crate::varint;

/// Writes one list after the other into the section of postings.
pub(in crate::text) struct ListWriter {
    gaps: [u32; BLOCK],
    tfs: [u32; BLOCK],
    filled: usize,
    df: u32,
    /// The first sentence that may come next.
    next: u32,
    /// The bytes of the list so far.
    len: u64,
    bytes: Vec<u8>,
}

impl ListWriter {
    /// Begins with the first list.
    pub fn new() -> ListWriter {
        ListWriter {
            gaps: [0; BLOCK],
            tfs: [0; BLOCK],
            filled: 0,
            df: 0,
            next: 0,
            len: 0,
            bytes: Vec::new(),
        }
    }

    /// Adds a posting. Sentences ascend and `tf` is at least 1.
    pub fn add(&mut self, sentence: u32, tf: u32, section: &mut SectionWriter<'_>) -> Result<()> {
        self.gaps[self.filled] = sentence - self.next;
        self.tfs[self.filled] = tf - 1;
        self.filled += 1;
        self.df += 1;
        // Sentences are numbered below 2³² − 1.
        self.next = sentence + 1;
        if self.filled == BLOCK {
            packing::pack(&self.gaps, &mut self.bytes);
            packing::pack(&self.tfs, &mut self.bytes);
            self.filled = 0;
            self.write_out(section)?;
        }
        Ok(())
    }

    /// Ends the list, which has at least one posting, and tells `terms` of it.
    pub fn end(&mut self, section: &mut SectionWriter<'_>, terms: &mut TermsWriter) -> Result<()> {
        if self.df == 1 {
            terms.add(&[1, u64::from(self.gaps[0]), u64::from(self.tfs[0])], 0)?;
        } else {
            for (&gap, &more) in self.gaps.iter().zip(&self.tfs).take(self.filled) {
                varint::put(&mut self.bytes, u64::from(gap) << 1 | u64::from(more > 0));
                if more > 0 {
                    varint::put(&mut self.bytes, u64::from(more - 1));
                }
            }
            self.write_out(section)?;
            terms.add(&[u64::from(self.df), self.len], self.len)?;
        }
        *self = ListWriter {
            bytes: std::mem::take(&mut self.bytes),
            ..ListWriter::new()
        };
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
    bytes: Vec<u8>,
}

impl TermsWriter {
    /// Collects in `terms` and `groups`.
    pub fn new(terms: Spool, groups: Spool) -> TermsWriter {
        TermsWriter {
            terms,
            groups,
            len: 0,
            postings: 0,
            bytes: Vec::new(),
        }
    }

    /// Adds a term of which the section says `entry` and whose list takes `postings` bytes.
    fn add(&mut self, entry: &[u64], postings: u64) -> Result<()> {
        if self.len.is_multiple_of(GROUP) {
            self.groups.put(&self.terms.len().to_le_bytes())?;
            self.groups.put(&self.postings.to_le_bytes())?;
        }
        self.bytes.clear();
        for &value in entry {
            varint::put(&mut self.bytes, value);
        }
        self.terms.put(&self.bytes)?;
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
