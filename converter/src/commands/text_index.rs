//! `text-index`: articles become an index of their sentences, which gives back paragraphs.

use crate::records::{CorpusRecord, ParagraphRecord, Records};
use crate::{Console, Error, Result};
use morelet_indices::{Analyzer, Article, ErrorKind, ParagraphText, TextIndexBuilder, TextOptions};
use std::path::PathBuf;
use std::str::FromStr;

/// Arguments of `text-index`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Articles, one a line, plain or compressed by bzip2, gzip or zstd; - is standard input
    #[arg(required = true, value_name = "CORPUS.jsonl")]
    corpora: Vec<PathBuf>,
    /// The index to write
    #[arg(short, long, value_name = "text.index")]
    output: PathBuf,
    /// How a sentence becomes terms: standard (words in lower case) or english (stemmed, no stop words)
    #[arg(long, value_name = "NAME", default_value_t = Analyzer::Standard)]
    analyzer: Analyzer,
    /// BM25's saturation of repeated terms
    #[arg(long, value_name = "X", default_value_t = 1.2)]
    k1: f32,
    /// BM25's weight of a sentence's length, from 0 to 1
    #[arg(long, value_name = "X", default_value_t = 0.75)]
    b: f32,
    /// Memory to build in; what does not fit goes through temporary files beside the index
    #[arg(long, value_name = "BYTES", default_value = "4G")]
    memory: Memory,
}

/// A number of bytes with an optional unit: `512M`, `4G`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory(u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let fail = || {
            format!(
                "`{text}` is no amount of memory: expected a number with a unit, such as 512M or 4G"
            )
        };
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim().to_ascii_uppercase();
        let unit = unit
            .strip_suffix("IB")
            .or(unit.strip_suffix('B'))
            .unwrap_or(&unit);
        let shift = match unit {
            "" => 0,
            "K" => 10,
            "M" => 20,
            "G" => 30,
            "T" => 40,
            _ => return Err(fail()),
        };
        let bytes = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(1 << shift));
        bytes.filter(|&bytes| bytes > 0).map(Self).ok_or_else(fail)
    }
}

/// Reads the corpora in order and writes the index.
pub fn run(args: &Args, console: &Console) -> Result<()> {
    let options = TextOptions {
        analyzer: args.analyzer,
        k1: args.k1,
        b: args.b,
        memory: args.memory.0,
    };
    let created = TextIndexBuilder::create(&args.output, options);
    let mut builder = created.map_err(|error| match error.kind() {
        ErrorKind::Input => Error::usage(error.to_string()),
        _ => error.into(),
    })?;
    let bar = console.counter("articles");
    let (mut articles, mut paragraphs) = (0_u64, 0_u64);
    for corpus in &args.corpora {
        let mut records = Records::<CorpusRecord>::open(corpus)?;
        while let Some(record) = records.next_record()? {
            console.check()?;
            paragraphs += record.paragraphs.len() as u64;
            let article = Article {
                id: record.id.into_text(),
                title: record.title,
                paragraphs: record.paragraphs.into_iter().map(paragraph).collect(),
            };
            builder.add(&article).map_err(|error| match error.kind() {
                ErrorKind::Input => records.error(error.to_string()),
                _ => error.into(),
            })?;
            articles += 1;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    if articles == 0 {
        return Err(Error::input("no articles to index").at(&args.corpora[0]));
    }
    let bar = console.count_bar("index", 0);
    builder.finish(&mut |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    console.say(format_args!(
        "{}: {articles} articles, {paragraphs} paragraphs",
        args.output.display()
    ));
    Ok(())
}

fn paragraph(record: ParagraphRecord) -> ParagraphText {
    match record {
        ParagraphRecord::Text(text) => ParagraphText::Text(text),
        ParagraphRecord::Sentences(sentences) => ParagraphText::Sentences(sentences),
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn memory_is_a_number_and_a_unit() {
        let cases = [
            ("4G", Some(4 << 30)),
            ("512M", Some(512 << 20)),
            ("512 MiB", Some(512 << 20)),
            ("64kb", Some(64 << 10)),
            ("1000000", Some(1_000_000)),
            ("1T", Some(1 << 40)),
            ("", None),
            ("G", None),
            ("0", None),
            ("-1G", None),
            ("1.5G", None),
            ("4X", None),
            ("99999999999999999999", None),
            ("18446744073709551615G", None),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse().ok(), bytes.map(Memory), "{text}");
        }
    }
}
