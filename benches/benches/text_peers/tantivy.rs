//! tantivy 0.27.

use std::path::Path;

use morelet_benches::{Lines, Result, open};
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{Index, IndexBuilder, Searcher, TantivyDocument, Term};

use crate::Hit;
use crate::build::Built;
use crate::parts;
use crate::search::Engine;
use morelet_benches::{Clock, Taken};

const FIELD: &str = "text";
/// Dictionary, postings and lengths.
const COMPARED: &[&str] = &["term", "idx", "fieldnorm"];
/// Bytes for each writing thread.
const MEMORY: usize = 1 << 30;

/// Builds an index in folder `index`. With one thread it has one segment from the start, in the order of the corpus.
pub fn build(corpus: &Path, index: &Path, threads: usize) -> Result<Built> {
    let mut schema = Schema::builder();
    let indexing = TextFieldIndexing::default()
        .set_tokenizer("whitespace")
        .set_index_option(IndexRecordOption::WithFreqs)
        .set_fieldnorms(true);
    let field = schema.add_text_field(FIELD, TextOptions::default().set_indexing_options(indexing));
    let schema = schema.build();
    std::fs::create_dir_all(index)?;

    let clock = Clock::of_process();
    let lines = open(corpus)?;
    let (searchable, merged);
    if threads == 1 {
        let mut writer = IndexBuilder::new()
            .schema(schema)
            .single_segment_index_writer(MmapDirectory::open(index)?, MEMORY)?;
        documents(lines, field, |document| Ok(writer.add_document(document)?))?;
        writer.finalize()?;
        searchable = clock.taken();
        merged = searchable;
    } else {
        let target = Index::create_in_dir(index, schema)?;
        let mut writer = target.writer_with_num_threads(threads, MEMORY * threads)?;
        documents(lines, field, |document| {
            writer.add_document(document)?;
            Ok(())
        })?;
        writer.commit()?;
        searchable = clock.taken();
        let segments = target.searchable_segment_ids()?;
        if segments.len() > 1 {
            writer.merge(&segments).wait()?;
        }
        writer.wait_merging_threads()?;
        merged = clock.taken();
    }
    Ok(Built {
        searchable,
        merged,
        parts: parts::of_folder(index)?,
        compared: COMPARED,
    })
}

fn documents(
    mut lines: Lines,
    field: Field,
    mut add: impl FnMut(TantivyDocument) -> Result<()>,
) -> Result<()> {
    while let Some(line) = lines.next()? {
        if !line.is_empty() {
            let mut document = TantivyDocument::default();
            document.add_text(field, line);
            add(document)?;
        }
    }
    Ok(())
}

/// An index, open, with the queries.
pub struct Tantivy {
    searcher: Searcher,
    field: Field,
    queries: Vec<String>,
    k: usize,
}

impl Tantivy {
    /// Opens the index in folder `path`.
    pub fn open(path: &str, queries: &[String], k: usize) -> Result<Tantivy> {
        let index = Index::open_in_dir(path)?;
        let searcher = index.reader()?.searcher();
        if searcher.segment_readers().len() != 1 {
            return Err("the index has more than one segment: build it with one thread".into());
        }
        Ok(Tantivy {
            field: index.schema().get_field(FIELD)?,
            searcher,
            queries: queries.to_vec(),
            k,
        })
    }

    fn search(&self, line: &str) -> Result<Vec<Hit>> {
        let mut counts: Vec<(&str, f32)> = Vec::new();
        for term in line.split_terminator(' ') {
            match counts.iter_mut().find(|(known, _)| *known == term) {
                Some((_, count)) => *count += 1.0,
                None => counts.push((term, 1.0)),
            }
        }
        let clauses = counts
            .into_iter()
            .map(|(term, count)| {
                let term = Term::from_field_text(self.field, term);
                let query: Box<dyn Query> =
                    Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs));
                let query = match count > 1.0 {
                    true => Box::new(BoostQuery::new(query, count)),
                    false => query,
                };
                (Occur::Should, query)
            })
            .collect();
        let best = TopDocs::with_limit(self.k).order_by_score();
        let hits = self.searcher.search(&BooleanQuery::new(clauses), &best)?;
        Ok(hits
            .into_iter()
            .map(|(score, address)| (address.doc_id, score))
            .collect())
    }
}

impl Engine for Tantivy {
    fn sentences(&self) -> u64 {
        self.searcher.num_docs()
    }

    fn pass(&mut self) -> Result<Vec<Taken>> {
        self.queries
            .iter()
            .map(|query| {
                let clock = Clock::of_thread();
                self.search(query)?;
                Ok(clock.taken())
            })
            .collect()
    }

    fn hits(&mut self) -> Result<Vec<Vec<Hit>>> {
        self.queries
            .iter()
            .map(|query| self.search(query))
            .collect()
    }
}
