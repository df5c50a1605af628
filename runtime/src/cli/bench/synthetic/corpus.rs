//! Sentences of made-up words, with the skew of a language: a few words are everywhere.

use super::super::random::{below, splitmix64};
use super::Plan;
use crate::cli::Console;
use crate::{Error, Result};
use morelet_indices::{
    Article, ImageEntry, ImageIndexBuilder, ImageOptions, ParagraphText, TextIndexBuilder,
    TextOptions,
};
use std::path::Path;

/// Words of a sentence, and sentences of a paragraph. Ten paragraphs have 800 words, more than an expert reads.
const WORDS: usize = 20;
const SENTENCES: usize = 4;

/// Paragraphs of an article.
const PARAGRAPHS: u32 = 5;

/// Writes sentences.
pub(super) struct Author<'a> {
    words: &'a [String],
    state: u64,
}

impl<'a> Author<'a> {
    pub fn new(words: &'a [String], seed: u64) -> Self {
        Self { words, state: seed }
    }

    /// A sentence of about twenty words.
    pub fn sentence(&mut self) -> String {
        let count = WORDS / 2 + below(&mut self.state, WORDS);
        let words: Vec<&str> = (0..count).map(|_| self.word()).collect();
        format!("{}.", words.join(" "))
    }

    /// Every fourth word is one of two hundred; the others lie all over the vocabulary.
    fn word(&mut self) -> &'a str {
        let words = match splitmix64(&mut self.state) % 4 {
            0 => self.words.len().min(200),
            _ => self.words.len(),
        };
        &self.words[below(&mut self.state, words)]
    }

    fn paragraph(&mut self) -> String {
        let sentences: Vec<String> = (0..SENTENCES).map(|_| self.sentence()).collect();
        sentences.join(" ")
    }
}

/// The text index.
pub(super) fn text_index(
    path: &Path,
    plan: &Plan,
    words: &[String],
    console: &Console,
) -> Result<()> {
    let mut author = Author::new(words, plan.seed ^ 0x7465_7874);
    let mut builder = TextIndexBuilder::create(path, TextOptions::default())?;
    let articles = plan.paragraphs.div_ceil(PARAGRAPHS);
    let bar = console.count_bar("making text.index", Some(articles.into()));
    for number in 0..articles {
        console.check()?;
        let count = PARAGRAPHS.min(plan.paragraphs - number * PARAGRAPHS);
        builder.add(&Article {
            id: number.to_string(),
            title: author.word().to_owned(),
            paragraphs: (0..count)
                .map(|_| ParagraphText::Text(author.paragraph()))
                .collect(),
        })?;
        bar.inc(1);
    }
    builder.finish(&mut |_, _| {})?;
    bar.finish_and_clear();
    Ok(())
}

/// The image index: features without any order, which is the hardest that a graph of neighbours can be given.
pub(super) fn image_index(
    path: &Path,
    plan: &Plan,
    words: &[String],
    clip: &super::models::Model,
    console: &Console,
) -> Result<()> {
    let mut author = Author::new(words, plan.seed ^ 0x696d_6167);
    let options = ImageOptions {
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        ..ImageOptions::new(clip.identity(), clip.feature_width())
    };
    let mut builder = ImageIndexBuilder::create(path, options)?;
    let bar = console.count_bar("making image.index", Some(plan.pictures.into()));
    for number in 0..plan.pictures {
        console.check()?;
        let seed = plan.seed ^ (u64::from(number) << 24);
        let feature = super::super::random::normal(seed, clip.feature_width(), 1.0);
        let (id, title, intro) = (
            number.to_string(),
            author.word(),
            author_paragraph(number, words),
        );
        let entry = ImageEntry {
            id: &id,
            title,
            intro: &intro,
        };
        builder.add(entry, &feature).map_err(Error::from)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    builder.finish(&mut |_, _, _| false)?;
    Ok(())
}

/// The introduction of a picture's article.
fn author_paragraph(number: u32, words: &[String]) -> String {
    Author::new(words, u64::from(number).wrapping_mul(0x9e37_79b9)).paragraph()
}
