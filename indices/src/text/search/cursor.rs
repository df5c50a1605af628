//! A sequence of postings on the way through its sentences, forward only.

use crate::error::Result;
use crate::text::postings::{Block, Sequence};

/// Where a search stands in one sequence.
pub(super) struct Cursor<'a> {
    sequence: Sequence<'a>,
    /// The block that is open; the number of blocks at the end.
    index: usize,
    block: Block<'a>,
    /// The next posting of the block.
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the first posting of `sequence`.
    pub fn new(sequence: Sequence<'a>) -> Result<Cursor<'a>> {
        let mut block = Block::new();
        block.open(&sequence, 0)?;
        Ok(Cursor {
            sequence,
            index: 0,
            block,
            at: 0,
        })
    }

    /// The next sentence that has the term.
    #[inline]
    pub fn next(&mut self) -> Result<Option<u32>> {
        match self.index < self.sequence.blocks() {
            true => Ok(Some(self.block.sentences(&self.sequence)?[self.at])),
            false => Ok(None),
        }
    }

    /// Goes to the block that has `sentence`, if any does. `false` at the end.
    #[inline]
    fn go_to_block(&mut self, sentence: u32) -> Result<bool> {
        let index = self.sequence.block_of(self.index, sentence);
        if index != self.index {
            self.index = index;
            self.at = 0;
            if index < self.sequence.blocks() {
                self.block.open(&self.sequence, index)?;
            }
        }
        Ok(index < self.sequence.blocks())
    }

    /// Goes to the first posting that is not before `sentence`.
    pub fn skip_to(&mut self, sentence: u32) -> Result<()> {
        if !self.go_to_block(sentence)? {
            return Ok(());
        }
        let sentences = self.block.sentences(&self.sequence)?;
        let before = sentences.partition_point(|&own| own < sentence);
        self.at = self.at.max(before);
        self.end_block()
    }

    /// How often `sentence` has the term. Sentences must not descend from call to call.
    #[inline]
    pub fn tf(&mut self, sentence: u32) -> Result<u32> {
        match self.go_to_block(sentence)? {
            true => self.block.tf(&self.sequence, sentence),
            false => Ok(0),
        }
    }

    /// Calls `act` with sentences and tfs up to `end`, one block after the other. No tfs are given where all are 1.
    #[inline]
    pub fn take_until(
        &mut self,
        end: u32,
        mut act: impl FnMut(&[u32], Option<&[u32]>),
    ) -> Result<()> {
        while self.index < self.sequence.blocks() {
            let len = self.block.len();
            let ones = self.block.ones;
            if !ones {
                self.block.tfs(&self.sequence)?;
            }
            let is_whole = self.block.last() < end;
            let sentences = self.block.sentences(&self.sequence)?;
            let upto = match is_whole {
                true => len,
                false => self.at + before(&sentences[self.at..len], end),
            };
            if upto > self.at {
                let range = self.at..upto;
                let (sentences, tfs) = self.block.postings(range);
                act(sentences, (!ones).then_some(tfs));
                self.at = upto;
            }
            if !is_whole {
                break;
            }
            self.end_block()?;
        }
        Ok(())
    }

    /// Opens the next block if this one is done.
    fn end_block(&mut self) -> Result<()> {
        if self.at >= self.block.len() {
            self.index += 1;
            self.at = 0;
            if self.index < self.sequence.blocks() {
                self.block.open(&self.sequence, self.index)?;
            }
        }
        Ok(())
    }
}

/// How many of these ascending sentences are before `end`: mostly few.
#[inline]
fn before(sentences: &[u32], end: u32) -> usize {
    let near = &sentences[..sentences.len().min(8)];
    match near.iter().position(|&sentence| sentence >= end) {
        Some(count) => count,
        None => near.len() + sentences[near.len()..].partition_point(|&sentence| sentence < end),
    }
}
