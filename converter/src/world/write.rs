//! The files of a world.
//!
//! ```text
//! wiki/encyclopedia.xml          the articles, as MediaWiki exports them
//! wiki/*.png                     the picture of each article
//! pictures/*.png                 the picture of each post
//! ner/{train,dev,test,gate}.jsonl    {"id", "tokens", "image", "gold": [labels], ..}
//! re/{train,dev,test,gate}.jsonl     {"id", "tokens", "subject", "object", "image", "gold": relation, ..}
//! ```
//!
//! Two more keys tell what the program is not to know: `group`, and under `shows` the
//! kind of what the picture shows and the title of its article.

use super::articles::Article;
use super::facts::Thing;
use super::picture::{Look, draw};
use super::posts::{Group, Picture};
use super::{Part, World};
use crate::{Error, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

const HEAD: &str = r#"<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="en">
  <!-- This world is made up by a program; the texts have the licence of Morelet. -->
  <siteinfo>
    <sitename>Encyclopedia of a made-up world</sitename>
    <namespaces>
      <namespace key="0" />
      <namespace key="6">File</namespace>
      <namespace key="14">Category</namespace>
    </namespaces>
  </siteinfo>
"#;

/// The dump of the encyclopedia. Titles and texts are made of letters, spaces and the marks of
/// wikitext, none of which XML would have escaped.
pub fn dump(articles: &[Article]) -> String {
    let mut xml = HEAD.to_owned();
    for Article {
        id,
        title,
        paragraphs,
    } in articles
    {
        let text = paragraphs.join("\n\n");
        // Writing to memory has no way to fail.
        let _ = write!(
            xml,
            "  <page>\n    <title>{title}</title>\n    <ns>0</ns>\n    <id>{id}</id>\n    <revision>\n      \
             <text>[[File:{title}.png|thumb|{title}]]\n{text}</text>\n    </revision>\n  </page>\n"
        );
    }
    xml.push_str("</mediawiki>\n");
    xml
}

/// Writes the encyclopedia with its pictures.
pub fn write_encyclopedia(world: &World, directory: &Path) -> Result<()> {
    let wiki = directory.join("wiki");
    write_file(&wiki.join("encyclopedia.xml"), dump(&world.articles))?;
    for thing in &world.things {
        // A dump names pictures with underscores for spaces, and so does `morelet-convert corpus`.
        let path = wiki.join(format!("{}.png", thing.name.join("_")));
        let look = Look {
            kind: thing.kind,
            thing: thing.appearance,
        };
        draw(&look, 0).write_png(&path)?;
    }
    Ok(())
}

/// Writes the first posts of a part, at most so many of each task, with their pictures.
pub fn write_part(world: &World, part: &Part, most: usize, directory: &Path) -> Result<()> {
    let name = part.name;
    let mut lines = Lines::new(world, directory, format!("ner-{name}"));
    for post in part.posts.iter().take(most) {
        let line = json!({"tokens": post.wording.tokens, "gold": post.bio()});
        lines.add(line, post.group, &post.picture)?;
    }
    write_file(&directory.join(format!("ner/{name}.jsonl")), lines.text)?;
    let mut lines = Lines::new(world, directory, format!("re-{name}"));
    for question in part.questions.iter().take(most) {
        let spans = &question.wording.spans;
        let line = json!({
            "tokens": question.wording.tokens, "gold": question.gold(),
            "subject": [spans[0].0, spans[0].1], "object": [spans[1].0, spans[1].1],
        });
        lines.add(line, question.group, &question.picture)?;
    }
    write_file(&directory.join(format!("re/{name}.jsonl")), lines.text)
}

/// The lines of one file, and the pictures that they name.
struct Lines<'a> {
    things: &'a [Thing],
    directory: &'a Path,
    name: String,
    text: String,
    count: usize,
}

impl<'a> Lines<'a> {
    fn new(world: &'a World, directory: &'a Path, name: String) -> Self {
        let (things, text, count) = (&world.things[..], String::new(), 0);
        Self {
            things,
            directory,
            name,
            text,
            count,
        }
    }

    fn add(&mut self, mut line: Value, group: Group, picture: &Picture) -> Result<()> {
        self.count += 1;
        let id = format!("{}-{}-{}", self.name, self.count, group.name());
        let file = format!("pictures/{id}.png");
        let look = Look {
            kind: picture.kind,
            thing: picture.appearance,
        };
        draw(&look, picture.view).write_png(&self.directory.join(&file))?;
        line["id"] = json!(id);
        // Paths are relative to the file of the line, which is one folder down.
        line["image"] = json!(format!("../{file}"));
        line["group"] = json!(group.name());
        let title = picture.thing.map(|thing| self.things[thing].title());
        line["shows"] = json!({"kind": picture.kind.noun(), "article": title});
        let _ = writeln!(self.text, "{line}");
        Ok(())
    }
}

/// Writes a file, in a directory that is made if it is not there.
pub(crate) fn write_file(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::io(parent, error))?;
    }
    std::fs::write(path, content).map_err(|error| Error::io(path, error))
}
