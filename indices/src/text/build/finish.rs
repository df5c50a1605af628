//! What was put by becomes an index.

use morelet_mapped::{Hash, Kind, Writer, encode};

use super::runs::Run;
use super::{Health, TextIndexBuilder, merge};
use crate::error::{Error, Result};
use crate::text::meta::{LENGTHS, META, Meta, REVISION};
use crate::text::paragraphs::ParagraphsWriter;

impl TextIndexBuilder {
    /// Merges what was put by, and moves the finished file into place. `progress` is told the work done and the
    /// work in all, in bytes of the runs.
    pub fn finish(self, progress: &mut dyn FnMut(u64, u64)) -> Result<Hash> {
        self.finish_unless(&mut |done, total| {
            progress(done, total);
            false
        })
    }

    /// As [`TextIndexBuilder::finish`], but ends with an error of kind [`Stopped`](crate::ErrorKind::Stopped) when
    /// `stop` says so. A builder made by [`TextIndexBuilder::resume`] can go on from there.
    pub fn finish_unless(mut self, stop: &mut dyn FnMut(u64, u64) -> bool) -> Result<Hash> {
        let mut progress = |done, total| match stop(done, total) {
            true => Err(Error::stopped()),
            false => Ok(()),
        };
        self.settle()?;
        if self.health != Health::Sound {
            return Err(Error::input("the build was gone on with after an error"));
        }
        self.checkpoint()?;
        let mut writer = Writer::create_in(self.folder.path(), &self.target, Kind::TextIndex)?;
        let total = self.runs.len();
        progress(0, total)?;
        if !self.settings.values {
            self.values.add_empty(self.state.paragraphs, &self.pool)?;
        }
        self.values.finish(&self.pool, &mut writer)?;
        let mut lengths = vec![0; self.lengths.len() as usize];
        self.lengths.flush()?;
        self.lengths.read_at(0, &mut lengths)?;
        self.runs.flush()?;
        let memory = self.memory.saturating_sub(lengths.len() as u64);
        let buffer = memory / 2 / self.state.runs.len().max(1) as u64;
        let buffer = buffer.clamp(4 << 10, 256 << 10) as usize;
        let sources = self.state.runs.iter();
        let sources = sources.map(|&place| Run::new(&self.runs, place, buffer));
        let merged = merge::merge(
            sources.collect(),
            &lengths,
            &mut writer,
            self.folder.path(),
            &mut |done| progress(done.min(total), total),
        )?;
        drop(lengths);
        self.lengths.into_section(&mut writer, LENGTHS, REVISION)?;
        let spool = |name| self.folder.spool(name);
        let mut paragraphs = ParagraphsWriter::new(spool("starts")?, spool("ranks")?);
        paragraphs.add_counts(&mut self.counts)?;
        paragraphs.finish(&mut writer)?;
        let meta = Meta {
            analyzer: self.plan.analyzer,
            k1: self.plan.k1,
            b: self.plan.b,
            sentences: self.state.sentences,
            with_terms: self.state.with_terms,
            paragraphs: self.state.paragraphs,
            terms: merged.terms,
            tokens: self.state.tokens,
            postings: merged.postings,
        };
        let mut section = writer.section(META, REVISION, false)?;
        section.put(&encode(&meta)?)?;
        section.finish()?;
        let root = writer.finish()?;
        self.folder.keep(false);
        stop(total, total);
        Ok(root)
    }
}
