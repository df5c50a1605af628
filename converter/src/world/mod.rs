//! A fictional world: an encyclopedia with pictures, and posts that ask about it.
//!
//! MoRe looks things up before it answers, in texts and by pictures. Whether that helps
//! shows only where an answer is not in the sentence and not in the weights, and small
//! models that learn in minutes cannot be shown the real world. So this module makes a
//! world in which nothing is known beforehand: names are syllables that say nothing,
//! and what a name stands for is told by an article or by a picture, never by its form.
//!
//! ```text
//! names ──► things ──► facts ──► articles ───────────► encyclopedia and its pictures
//!              │         └────────────► questions ───┐
//!              └──────────────────────► posts ───────┴► train, dev, test, gate and their pictures
//! ```
//!
//! Posts come in four [groups](Group), as many of each:
//!
//! | group | sentence | picture | who knows |
//! |---|---|---|---|
//! | `cue` | gives the answer away | anything | everybody |
//! | `text` | a name, plain words | a meal, a chart | who reads about the name |
//! | `image` | a nickname, familiar words | the thing | who reads about look-alikes |
//! | `both` | a name, either words | the thing | either |
//!
//! An expert with one kind of context therefore fails on a quarter of the posts that
//! another answers, and the picture and the tone of the sentence tell which of the two to
//! trust. A thing lends its name and its looks to one split only, so what helps in the
//! test is to look up, not to remember. The same seed gives the same world.

mod articles;
mod drawing;
mod facts;
mod kind;
mod learning;
mod names;
mod picture;
mod posts;
mod relations;
#[cfg(test)]
mod tests;
mod vocabulary;
mod wording;
mod write;

pub(crate) use write::write_file;

use crate::Result;
use crate::random::Random;
use articles::Article;
use facts::{Fact, Split, Thing};
use names::Names;
use posts::Post;
use relations::Question;
use std::path::Path;

/// How much of everything a world has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Size {
    /// Things, each with an article.
    pub articles: usize,
    /// Posts for named entities, and as many for relations, to learn from.
    pub train: usize,
    /// As many of each to choose between models.
    pub dev: usize,
    /// As many of each to learn from whom of two experts to trust: about the things of `dev`, which no expert has learned
    /// from.
    pub gate: usize,
    /// As many of each to report.
    pub test: usize,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            articles: 3000,
            train: 3000,
            dev: 400,
            gate: 1600,
            test: 800,
        }
    }
}

/// The posts of one pair of files.
pub struct Part {
    /// The name of the files.
    pub name: &'static str,
    /// Whose things they are about.
    pub split: Split,
    /// Posts for named entities.
    pub posts: Vec<Post>,
    /// Posts for relations.
    pub questions: Vec<Question>,
}

/// A world, whole.
pub struct World {
    /// What there is.
    pub things: Vec<Thing>,
    /// What is true of it.
    pub facts: Vec<Fact>,
    /// What the encyclopedia says, in the order of the things.
    pub articles: Vec<Article>,
    /// What people post.
    pub parts: Vec<Part>,
}

impl World {
    /// Makes the world of a seed.
    pub fn new(seed: u64, size: &Size) -> World {
        let random = &mut Random::new(seed);
        let names = &mut Names::new(random.next());
        let things = facts::things(size.articles, names, random);
        let facts = facts::facts(&things, random);
        let articles = articles::articles(&things, &facts, random);
        let parts = [
            ("train", Split::Train, size.train),
            ("dev", Split::Dev, size.dev),
            ("test", Split::Test, size.test),
            ("gate", Split::Dev, size.gate),
        ];
        let parts = parts.map(|(name, split, count)| Part {
            name,
            split,
            posts: posts::posts(count, split, &things, names, random),
            questions: relations::questions(count, split, &things, &facts, names, random),
        });
        World {
            things,
            facts,
            articles,
            parts: parts.into(),
        }
    }

    /// Writes the encyclopedia, the posts and all pictures, as described in `write.rs`.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn write(&self, directory: &Path) -> Result<()> {
        write::write_encyclopedia(self, directory)?;
        self.parts
            .iter()
            .try_for_each(|part| write::write_part(self, part, usize::MAX, directory))
    }

    /// Writes the encyclopedia, and of the posts only the first of the test, so many of each task.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn write_sample(&self, posts: usize, directory: &Path) -> Result<()> {
        write::write_encyclopedia(self, directory)?;
        let tests = self.parts.iter().filter(|part| part.split == Split::Test);
        tests
            .into_iter()
            .try_for_each(|part| write::write_part(self, part, posts, directory))
    }

    /// Writes tokenizers, and captions with pictures for a CLIP, as described in `learning.rs`; after
    /// [`write`](Self::write).
    ///
    /// # Errors
    /// What the operating system refuses.
    pub fn write_learning(&self, seed: u64, directory: &Path) -> Result<()> {
        learning::write(self, seed, directory)
    }
}
