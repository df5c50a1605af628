//! Articles in a row, on a thread of their own: split, analysed, inverted. Everything is numbered from 0; the
//! builder, which knows what came before, adds the rest.

use super::inversion::Inversion;
use super::{Article, ParagraphText};
use crate::error::{Error, Result};
use crate::sentences;
use crate::text::Analyzer;
use crate::text::anchors::without_tags;
use crate::text::lengths;
use crate::varint;

/// What becomes of a chunk of articles.
#[derive(Default)]
pub(super) struct Chunk {
    pub articles: u64,
    pub sentences: u32,
    pub with_terms: u32,
    pub paragraphs: u32,
    pub tokens: u64,
    /// Runs with the number of their first sentence. The last sentence of one may be the first of the next.
    pub runs: Vec<(u32, Vec<u8>)>,
    /// The length byte of each sentence.
    pub lengths: Vec<u8>,
    /// The number of sentences of each paragraph, as variable-length integers.
    pub counts: Vec<u8>,
    /// The texts of the paragraphs, article by article.
    pub values: Vec<Texts>,
}

/// The paragraphs of an article that have sentences.
pub(super) struct Texts {
    pub id: String,
    pub title: String,
    pub texts: Vec<String>,
}

/// What the threads need to know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub analyzer: Analyzer,
    /// Memory of an inversion, in bytes.
    pub budget: usize,
    /// Whether texts are kept.
    pub values: bool,
}

/// Makes a chunk of `articles`.
pub(super) fn make(articles: Vec<Article>, settings: Settings) -> Result<Chunk> {
    let mut maker = Maker {
        settings,
        inversion: Inversion::new(settings.budget),
        first: 0,
        chunk: Chunk::default(),
    };
    for article in articles {
        maker.article(article)?;
    }
    maker.close_run();
    Ok(maker.chunk)
}

struct Maker {
    settings: Settings,
    inversion: Inversion,
    /// The first sentence of the run that is being collected.
    first: u32,
    chunk: Chunk,
}

impl Maker {
    fn article(&mut self, article: Article) -> Result<()> {
        self.chunk.articles += 1;
        let mut texts = Vec::new();
        for paragraph in article.paragraphs {
            let text = match paragraph {
                ParagraphText::Text(mut text) => {
                    let before = self.chunk.sentences;
                    for sentence in sentences::split(&text) {
                        self.sentence(sentence)?;
                    }
                    if self.end_paragraph(before) && self.settings.values {
                        if text.trim().len() < text.len() {
                            text = text.trim().to_owned();
                        }
                        texts.push(text);
                    }
                    continue;
                }
                ParagraphText::Sentences(sentences) => sentences,
            };
            let before = self.chunk.sentences;
            let trimmed = || text.iter().map(|s| s.trim()).filter(|s| !s.is_empty());
            for sentence in trimmed() {
                self.sentence(sentence)?;
            }
            if self.end_paragraph(before) && self.settings.values {
                texts.push(trimmed().collect::<Vec<_>>().join(" "));
            }
        }
        if !texts.is_empty() {
            self.chunk.values.push(Texts {
                id: article.id,
                title: article.title,
                texts,
            });
        }
        Ok(())
    }

    /// Ends a paragraph that began with sentence `before`. Gives whether it has any.
    fn end_paragraph(&mut self, before: u32) -> bool {
        let count = self.chunk.sentences - before;
        if count > 0 {
            varint::put(&mut self.chunk.counts, u64::from(count));
            // Not more than there are sentences.
            self.chunk.paragraphs += 1;
        }
        count > 0
    }

    fn sentence(&mut self, sentence: &str) -> Result<()> {
        if self.chunk.sentences >= u32::MAX - 1 {
            return Err(too_many());
        }
        let mut terms = 0u32;
        let (analyzer, plain) = (self.settings.analyzer, without_tags(sentence));
        analyzer.for_each_term(&plain, |term| {
            terms = terms.saturating_add(1);
            if self.inversion.add(term) {
                self.close_run();
            }
        });
        self.chunk.lengths.push(lengths::encode(terms));
        self.chunk.sentences += 1;
        self.chunk.with_terms += u32::from(terms > 0);
        self.chunk.tokens += u64::from(terms);
        if self.inversion.end_sentence() {
            self.close_run();
        }
        Ok(())
    }

    fn close_run(&mut self) {
        if !self.inversion.is_empty() {
            self.chunk.runs.push((self.first, self.inversion.run()));
        }
        self.first = self.chunk.sentences;
    }
}

/// The error of more sentences than can be numbered.
pub(super) fn too_many() -> Error {
    Error::too_large("more than 4,294,967,294 sentences")
}
