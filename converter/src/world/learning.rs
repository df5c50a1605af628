//! What is learned from beside the posts: tokenizers, and captions for a CLIP.
//!
//! A CLIP of the real world has seen hundreds of millions of pictures with what people wrote below them. That of this world
//! sees each thing of the encyclopedia from several sides, and pictures that show no thing, with captions that say what
//! it is and sometimes which. The posts' pictures are other views, which it has never seen.
//!
//! ```text
//! tokenizer.json                 for experts
//! clip/tokenizer.json            for the captions, and what it was put together from: vocab.json, merges.txt
//! clip/{train,dev}.jsonl         {"text", "images": [paths]}
//! ```

use super::kind::Kind;
use super::picture::{Look, draw};
use super::write::write_file;
use super::{Split, World, vocabulary};
use crate::Result;
use crate::checkpoint::tokenizer::clip_tokenizer;
use crate::random::Random;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Views of each thing beside that of its article. Posts have views far above these.
const VIEWS: [u64; 5] = [1, 2, 3, 4, 5];
/// Those of the captions to choose by, which are not learned from.
const HELD_OUT: [u64; 2] = [6, 7];
/// Looks of each kind that shows no thing.
const LOOKS: u64 = 100;
/// How many captions name the kind alone.
const KIND_ALONE: f32 = 0.6;
/// One in so many captions has a counterpart to choose by.
const CHOSEN: usize = 8;
/// Merges of the captions' tokenizer.
const MERGES: usize = 400;

/// Writes everything.
pub fn write(world: &World, seed: u64, directory: &Path) -> Result<()> {
    let captions = captions(world, seed, directory)?;
    let (pieces, merges) = vocabulary::bpe(&captions, MERGES);
    let clip = |name: &str| directory.join("clip").join(name);
    write_file(&clip("vocab.json"), pieces.to_string())?;
    write_file(&clip("merges.txt"), merges)?;
    let tokenizer = clip_tokenizer(&clip("vocab.json"), &clip("merges.txt"))?;
    write_file(&clip("tokenizer.json"), tokenizer.to_string())?;
    let (tokenizer, _) = vocabulary::unigram(&read(world));
    write_file(&directory.join("tokenizer.json"), tokenizer.to_string())
}

/// All that experts read while they learn: the encyclopedia as its anchors will stand there, and the posts to learn from.
fn read(world: &World) -> String {
    let mut text = String::new();
    for article in &world.articles {
        for paragraph in &article.paragraphs {
            let _ = writeln!(text, "{} {}", article.title, anchored(paragraph));
        }
    }
    for part in world.parts.iter().filter(|part| part.split == Split::Train) {
        let posts = part.posts.iter().map(|post| &post.wording);
        for wording in posts.chain(part.questions.iter().map(|question| &question.wording)) {
            let _ = writeln!(text, "{}", wording.tokens.join(" "));
        }
    }
    text
}

/// A paragraph of wikitext with its links as a corpus keeps them: `<e: Some_Title> Some Title </e>`.
fn anchored(paragraph: &str) -> String {
    let mut text = String::new();
    let mut rest = paragraph;
    while let Some((before, after)) = rest.split_once("[[") {
        let (link, after) = after.split_once("]]").unwrap_or((after, ""));
        let _ = write!(text, "{before}<e: {}> {link} </e>", link.replace(' ', "_"));
        rest = after;
    }
    (text + rest).replace("'''", "")
}

/// Writes captions and their pictures, and returns the texts to learn from.
fn captions(world: &World, seed: u64, directory: &Path) -> Result<String> {
    let random = &mut Random::new(seed ^ 0x636c_6970);
    let mut files = Files {
        directory,
        lines: Default::default(),
        read: String::new(),
    };
    for (number, thing) in world.things.iter().enumerate() {
        let (noun, title) = (thing.kind.noun(), thing.title());
        let look = Look {
            kind: thing.kind,
            thing: thing.appearance,
        };
        let kind = format!("a {noun}");
        let caption = match (random.chance(KIND_ALONE), random.chance(0.5)) {
            (true, _) => kind.clone(),
            (false, true) => format!("the {noun} {title}"),
            (false, false) => format!("{title} is a {noun} ."),
        };
        let name = thing.name.join("_");
        let article = format!("../wiki/{name}.png");
        files.add(0, &caption, &name, &look, &VIEWS, Some(article))?;
        if number.is_multiple_of(CHOSEN) {
            files.add(1, &kind, &name, &look, &HELD_OUT, None)?;
        }
    }
    for &kind in Kind::irrelevant() {
        let caption = format!("a {}", kind.noun());
        for number in 0..LOOKS {
            let look = Look {
                kind,
                thing: random.next(),
            };
            let name = format!("{}-{number}", kind.noun());
            files.add(0, &caption, &name, &look, &VIEWS[..2], None)?;
            if (number as usize).is_multiple_of(CHOSEN) {
                files.add(1, &caption, &name, &look, &HELD_OUT, None)?;
            }
        }
    }
    for (name, lines) in ["train", "dev"].iter().zip(&files.lines) {
        write_file(&directory.join(format!("clip/{name}.jsonl")), lines)?;
    }
    Ok(files.read)
}

/// The lines of both files.
struct Files<'a> {
    directory: &'a Path,
    lines: [String; 2],
    /// The captions to learn from.
    read: String,
}

impl Files<'_> {
    /// A line of one of them, with the article's picture where there is one, and pictures of some views.
    fn add(
        &mut self,
        file: usize,
        caption: &str,
        name: &str,
        look: &Look,
        views: &[u64],
        article: Option<String>,
    ) -> Result<()> {
        let mut images = Vec::from_iter(article);
        for &view in views {
            let image = format!("{name}-{view}.png");
            draw(look, view).write_png(&self.directory.join("clip").join(&image))?;
            images.push(image);
        }
        // Writing to memory has no way to fail.
        let _ = writeln!(
            self.lines[file],
            "{}",
            json!({"text": caption, "images": images})
        );
        if file == 0 {
            let _ = writeln!(self.read, "{caption}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::anchored;

    #[test]
    fn links_stand_in_the_text_as_in_a_corpus() {
        assert_eq!(
            anchored("'''Kolo''' is a dog of [[Ada Quill]]."),
            "Kolo is a dog of <e: Ada_Quill> Ada Quill </e>."
        );
    }
}
