//! An index that is ready to be asked.

use super::asked::Asked;
use super::image::ImageSearch;
use super::line::{Found, HitLine};
use super::text::TextSearch;
use super::{Args, SearchKind, lacks};
use crate::cli::{ComputeArgs, Console, Failure};
use crate::{Bundle, Error, OpenOptions, Result};
use morelet_indices::TextIndex;
use std::sync::Arc;

pub(super) enum Searcher {
    Text(Box<TextSearch>),
    Image(Box<ImageSearch>),
}

impl Searcher {
    pub fn open(
        args: &Args,
        compute: &ComputeArgs,
        console: &Console,
    ) -> std::result::Result<Self, Failure> {
        let bundle = match args.index.is_dir() {
            true => Some(Bundle::open(&args.index)?),
            false => None,
        };
        match args.kind {
            SearchKind::Text => {
                let index = match &bundle {
                    Some(bundle) => bundle
                        .text_index()
                        .cloned()
                        .ok_or_else(|| lacks(args, "text index"))?,
                    None => {
                        let index = TextIndex::open(&args.index, OpenOptions::default());
                        Arc::new(index.map_err(Error::from)?)
                    }
                };
                let search = TextSearch::new(index, args, compute)?;
                Ok(Self::Text(Box::new(search)))
            }
            SearchKind::Image => {
                let search = ImageSearch::open(bundle.as_ref(), args, compute, console)?;
                Ok(Self::Image(Box::new(search)))
            }
        }
    }

    /// How many queries of a file are answered at the same time; whoever feeds them one by one gets one answer by one.
    pub fn at_a_time(&self) -> usize {
        match self {
            Self::Text(search) => search.threads.at_a_time(),
            Self::Image(search) => search.threads.at_a_time(),
        }
    }

    pub fn answer<'a>(&self, asked: &'a Asked) -> Result<Found<'a>> {
        answer(
            asked,
            match self {
                Self::Text(search) => search.find(&asked.text),
                Self::Image(search) => search.find(asked),
            },
        )
    }

    /// The answers of many queries, in their order.
    pub fn answer_all<'a>(&self, asked: &'a [Asked]) -> Vec<Result<Found<'a>>> {
        match self {
            Self::Text(search) => search.threads.map(asked, |asked| self.answer(asked)),
            Self::Image(search) => {
                let found = asked.iter().zip(search.find_all(asked));
                found.map(|(asked, hits)| answer(asked, hits)).collect()
            }
        }
    }
}

fn answer(asked: &Asked, hits: Result<Vec<HitLine>>) -> Result<Found<'_>> {
    Ok(Found {
        id: asked.id.as_ref(),
        query: &asked.text,
        hits: hits.map_err(|error| asked.blame(error))?,
    })
}
