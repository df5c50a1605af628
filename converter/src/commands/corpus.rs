//! `corpus`: a MediaWiki dump becomes paragraphs to index, and the list of pictures to fetch.
//!
//! ```text
//! DIR/corpus.jsonl   {"id": "12", "title": "Anarchism", "paragraphs": ["Anarchism is a <e: political_philosophy> …"]}
//! DIR/images.jsonl   {"id": "12", "title": "Anarchism", "intro": "Anarchism is a …", "image": "Bakunin.png"}
//! ```
//!
//! A dump holds no pictures, only their names. `images.jsonl` names every picture of an article that
//! `image-index` can read, the article's first one first; a path in it is relative to that file, so
//! the pictures belong into DIR, under the names that Wikimedia Commons gives them. The first picture
//! of an article has the article's id, the others the id with their number: `12-2`, `12-3`.

use crate::wikitext::{Dump, Page, Site, Skipped, article};
use crate::{Console, Error, Result};
use morelet_mapped::AtomicFile;
use rayon::prelude::*;
use serde::Serialize;
use std::io::{BufRead, BufWriter, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};

const HELP: &str = "\
corpus.jsonl: {\"id\", \"title\", \"paragraphs\"}, a line for each article of the main namespace; links are \
kept as <e: Title> text </e>, and templates, tables and references are not.
images.jsonl: {\"id\", \"title\", \"intro\", \"image\"}, a line for each picture that an article shows. A dump \
has no pictures, only their names: before image-index, put them into DIR under the names in \"image\".";

/// Arguments of `corpus`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// XML export of a MediaWiki, plain or compressed by bzip2, gzip or zstd; - is standard input
    #[arg(value_name = "DUMP.xml")]
    dump: PathBuf,
    /// Directory for corpus.jsonl and images.jsonl; what it holds of them is replaced when both are
    /// whole
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Source, in bytes, that is converted at once.
const BATCH: usize = 4 << 20;

#[derive(Serialize)]
struct CorpusLine<'a> {
    id: &'a str,
    title: &'a str,
    paragraphs: &'a [String],
}

#[derive(Serialize)]
struct ImageLine<'a> {
    id: &'a str,
    title: &'a str,
    intro: &'a str,
    image: &'a str,
}

/// The lines that one article becomes.
#[derive(Default)]
struct Lines {
    corpus: Vec<u8>,
    images: Vec<u8>,
    paragraphs: usize,
    anchors: usize,
    pictures: usize,
}

#[derive(Default)]
struct Counts {
    articles: usize,
    paragraphs: usize,
    anchors: usize,
    pictures: usize,
}

/// Reads the dump and writes both files.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    std::fs::create_dir_all(&args.output).map_err(|error| Error::io(&args.output, error))?;
    let mut corpus = Output::create(args.output.join("corpus.jsonl"))?;
    let mut images = Output::create(args.output.join("images.jsonl"))?;
    let stream = morelet::open_text(&args.dump)?;
    let bar = console.counter("articles");
    let mut counts = Counts::default();
    // One thread decompresses and splits, this one and its pool convert.
    let skipped = std::thread::scope(|scope| {
        let (sender, batches) = sync_channel(2);
        let reader = scope.spawn(move || read_batches(Dump::new(stream), &sender));
        for (site, pages) in batches {
            console.check()?;
            let converted: Vec<Lines> = pages.par_iter().map(|page| convert(page, &site)).collect();
            for lines in converted {
                corpus.write(&lines.corpus)?;
                images.write(&lines.images)?;
                counts.add(&lines);
            }
            bar.inc(pages.len() as u64);
        }
        match reader.join() {
            Ok(result) => result.map_err(|error| error.at(&args.dump)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })?;
    bar.finish_and_clear();
    corpus.commit()?;
    images.commit()?;
    console.say(counts.summary(skipped));
    Ok(())
}

/// A file that appears when it is whole.
struct Output {
    path: PathBuf,
    file: BufWriter<AtomicFile>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self> {
        let file = BufWriter::with_capacity(1 << 18, AtomicFile::create(&path)?);
        Ok(Self { path, file })
    }

    fn write(&mut self, lines: &[u8]) -> Result<()> {
        self.file
            .write_all(lines)
            .map_err(|error| Error::io(&self.path, error))
    }

    fn commit(self) -> Result<()> {
        let file = self.file.into_inner();
        let file = file.map_err(|error| Error::io(&self.path, error.into_error()))?;
        Ok(file.commit()?)
    }
}

type Batch = (Arc<Site>, Vec<Page>);

/// Sends the dump's articles until it ends, or nobody listens any more.
fn read_batches<R: BufRead>(mut dump: Dump<R>, sender: &SyncSender<Batch>) -> Result<Skipped> {
    let mut site = None;
    loop {
        let mut pages = Vec::new();
        let mut size = 0;
        while size < BATCH
            && let Some(page) = dump.next_page()?
        {
            size += page.source.len();
            pages.push(page);
        }
        if pages.is_empty() {
            return Ok(dump.skipped());
        }
        let site = site.get_or_insert_with(|| Arc::new(dump.site().clone()));
        if sender.send((site.clone(), pages)).is_err() {
            return Ok(dump.skipped());
        }
    }
}

fn convert(page: &Page, site: &Site) -> Lines {
    let article = article(&page.source, site);
    let mut lines = Lines {
        paragraphs: article.paragraphs.len(),
        anchors: article
            .paragraphs
            .iter()
            .map(|text| text.matches("<e: ").count())
            .sum(),
        pictures: article.images.len(),
        ..Lines::default()
    };
    if !article.paragraphs.is_empty() {
        let line = CorpusLine {
            id: &page.id,
            title: &page.title,
            paragraphs: &article.paragraphs,
        };
        push_json(&mut lines.corpus, &line);
    }
    for (index, image) in article.images.iter().enumerate() {
        let id = match index {
            0 => page.id.clone(),
            index => format!("{}-{}", page.id, index + 1),
        };
        let line = ImageLine {
            id: &id,
            title: &page.title,
            intro: &article.introduction,
            image,
        };
        push_json(&mut lines.images, &line);
    }
    lines
}

fn push_json(out: &mut Vec<u8>, line: &impl Serialize) {
    // Strings have no way to fail, and neither has writing to memory.
    let _ = serde_json::to_writer(&mut *out, line);
    out.push(b'\n');
}

impl Counts {
    fn add(&mut self, lines: &Lines) {
        self.articles += usize::from(!lines.corpus.is_empty());
        self.paragraphs += lines.paragraphs;
        self.anchors += lines.anchors;
        self.pictures += lines.pictures;
    }

    fn summary(&self, skipped: Skipped) -> String {
        format!(
            "{} articles, {} paragraphs, {} anchors, {} pictures; left out {} redirects, {} pages of other namespaces, {} without wikitext",
            self.articles,
            self.paragraphs,
            self.anchors,
            self.pictures,
            skipped.redirects,
            skipped.other_namespaces,
            skipped.other_content,
        )
    }
}
