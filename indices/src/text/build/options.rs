//! What a text index is built from, and how.

use crate::text::Analyzer;

/// How to build a text index.
#[derive(Clone, Debug, PartialEq)]
pub struct TextOptions {
    /// How text becomes terms.
    pub analyzer: Analyzer,
    /// BM25's k1, from 0.
    pub k1: f32,
    /// BM25's b, from 0 to 1.
    pub b: f32,
    /// About how many bytes to build in; a process takes some 100 MB beside them. What does not fit goes through
    /// files. The index does not depend on it.
    pub memory: u64,
    /// How many threads work; 0 for as many as the machine has. Fewer do where the memory is too small for all. The
    /// index does not depend on it.
    pub threads: usize,
    /// Whether the paragraphs' ids, titles and texts are stored. Without them sentences can be searched, and the
    /// paragraphs found are empty.
    pub values: bool,
}

impl Default for TextOptions {
    /// Lucene's parameters, 4 GiB, all threads, with values.
    fn default() -> TextOptions {
        TextOptions {
            analyzer: Analyzer::default(),
            k1: 1.2,
            b: 0.75,
            memory: 4 << 30,
            threads: 0,
            values: true,
        }
    }
}

/// An article of a corpus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Article {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// Its paragraphs, in order.
    pub paragraphs: Vec<ParagraphText>,
}

/// A paragraph, whole or in sentences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParagraphText {
    /// To be split into sentences as [`sentences::split`](crate::sentences::split) does.
    Text(String),
    /// Split already. The paragraph's value is the sentences joined by single spaces.
    Sentences(Vec<String>),
}

impl Article {
    /// About how much memory its texts take, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let of = |paragraph: &ParagraphText| match paragraph {
            ParagraphText::Text(text) => 32 + text.len(),
            ParagraphText::Sentences(sentences) => {
                32 + sentences.iter().map(|s| 32 + s.len()).sum::<usize>()
            }
        };
        self.id.len() + self.title.len() + self.paragraphs.iter().map(of).sum::<usize>()
    }
}

/// How the memory is shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shares {
    /// How many threads there is memory for.
    pub threads: usize,
    /// How much text makes a chunk, in bytes.
    pub chunk: usize,
    /// What an inversion may take.
    pub inversion: usize,
}

impl Shares {
    /// A chunk of text is there once as it was read and once taken apart, with what was made of it; its inversion
    /// takes three times as much, or a run is closed. One chunk for each thread, and one that waits.
    const CHUNKS: u64 = 6;
    /// Smaller chunks are more runs than a merge should have.
    const LEAST_CHUNK: u64 = 1 << 18;
    /// Larger ones keep threads waiting for the text, and at the end for each other.
    const MOST_CHUNK: u64 = 16 << 20;

    /// For `memory` bytes and at most `threads` threads.
    pub fn of(memory: u64, threads: usize) -> Shares {
        let wanted = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        // Chunks of twice the least.
        let room = memory / (Self::CHUNKS * 2 * Self::LEAST_CHUNK);
        let threads = wanted.min(usize::try_from(room.saturating_sub(1)).unwrap_or(usize::MAX));
        let threads = threads.max(1);
        let chunk = memory / (Self::CHUNKS * (threads as u64 + 1));
        let chunk = chunk.clamp(Self::LEAST_CHUNK, Self::MOST_CHUNK) as usize;
        Shares {
            threads,
            chunk,
            inversion: 3 * chunk,
        }
    }
}
