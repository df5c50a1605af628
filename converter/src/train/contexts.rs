//! What an expert is shown beside a sentence, as the runtime would show it.

use crate::parts::PartFile;
use crate::{Error, Result};
use morelet::{ContextKind, ImageSource, Query, RETRIEVED_KEYS, draw_contexts};
use morelet_indices::{
    ImageId, ImageIndex, ImageSearchOptions, ParagraphId, SearchOptions, TextIndex,
};
use morelet_mapped::OpenOptions;
use morelet_models::device::Compute;
use morelet_models::weights::Weights;
use morelet_models::{Cancel, Clip, Picture, PictureLimits};
use std::path::PathBuf;

/// Where contexts come from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ContextArgs {
    /// What the expert is shown: text, image, none, given, random-text or random-image. Contexts that a line brings for it
    /// replace retrieval, as in `morelet predict`
    #[arg(long, value_name = "CONTEXT", default_value = "none")]
    pub(crate) context: ContextKind,
    /// Paragraphs for text and random-text. Given several times, the indexes are searched as one
    #[arg(long = "text-index", value_name = "F.index")]
    text_indexes: Vec<PathBuf>,
    /// Pictures for image and random-image
    #[arg(long, value_name = "F.index")]
    image_index: Option<PathBuf>,
    /// The CLIP that the image index was made with
    #[arg(long, value_name = "F.weights")]
    clip: Option<PathBuf>,
    /// Seed of random-text and random-image; that of the bundle
    #[arg(long, value_name = "N", default_value_t = 0)]
    context_seed: u64,
}

/// The opened indexes.
pub(crate) struct Contexts {
    kind: ContextKind,
    seed: u64,
    text: Option<TextIndex>,
    image: Option<ImageIndex>,
    clip: Option<Clip>,
}

impl Contexts {
    /// Opens what the arguments name.
    ///
    /// # Errors
    /// Of kind `Input` where a file is bad, or the CLIP is not that of the index.
    pub(crate) fn open(args: &ContextArgs, compute: &Compute) -> Result<Self> {
        let options = OpenOptions::default();
        let needs_image = args.context == ContextKind::Image;
        let containers = PartFile::text_indexes(&args.text_indexes)?;
        let text = match containers.is_empty() {
            true => None,
            false => {
                let containers = containers.into_iter().map(|file| file.container);
                Some(TextIndex::from_containers(containers.collect())?)
            }
        };
        let image = args.image_index.as_ref();
        let image = image
            .map(|path| ImageIndex::open(path, options))
            .transpose()?;
        let clip = match &args.clip {
            Some(path) if needs_image => {
                let clip = Clip::load(Weights::open(path, options)?, compute)?;
                if let Some(index) = &image
                    && index.clip_identity() != clip.meta().identity
                {
                    let message = "another CLIP made the image index: its features do not compare";
                    return Err(Error::input(message).at(path));
                }
                Some(clip)
            }
            _ => None,
        };
        Ok(Self {
            kind: args.context,
            seed: args.context_seed,
            text,
            image,
            clip,
        })
    }

    /// The contexts of a query, whose sentence is `text`; `None` where they can be neither retrieved nor were given, and
    /// the expert would not run.
    ///
    /// # Errors
    /// Of kind `Input` where a picture cannot be read.
    pub(crate) fn of(&self, query: &Query, text: &str) -> Result<Option<Vec<String>>> {
        if self.kind == ContextKind::None {
            return Ok(Some(Vec::new()));
        }
        if let Some(given) = query.contexts.get(self.kind.as_str()) {
            return Ok(Some(given.clone()));
        }
        let values =
            |hits: Vec<morelet_indices::Hit>| hits.into_iter().map(|hit| hit.value).collect();
        Ok(match (self.kind, &self.text, &self.image) {
            (ContextKind::Text, Some(index), _) => {
                let options = SearchOptions {
                    k: RETRIEVED_KEYS,
                    ..SearchOptions::default()
                };
                let found = index.search_with(text, &options)?;
                Some(values(index.hits(&found, false)?))
            }
            (ContextKind::RandomText, Some(index), _) => {
                let drawn = self.draw(query, index.paragraphs());
                let read = drawn
                    .into_iter()
                    .map(|number| index.paragraph(ParagraphId(number)));
                let texts = read.map(|paragraph| Ok(paragraph?.text));
                Some(texts.collect::<Result<_>>()?)
            }
            (ContextKind::Image, _, Some(index)) => {
                let (Some(clip), Some(image)) = (&self.clip, &query.image) else {
                    return Ok(None);
                };
                let feature = clip.image(&picture(image, clip)?, &Cancel::new())?;
                let options = ImageSearchOptions {
                    k: RETRIEVED_KEYS,
                    ..ImageSearchOptions::default()
                };
                let found = index.search_with(&feature, &options)?;
                Some(values(index.hits(&found, false)?))
            }
            (ContextKind::RandomImage, _, Some(index)) => {
                let drawn = self.draw(query, index.len());
                let read = drawn.into_iter().map(|number| index.value(ImageId(number)));
                Some(read.map(|hit| Ok(hit?.value)).collect::<Result<_>>()?)
            }
            _ => None,
        })
    }

    fn draw(&self, query: &Query, count: u32) -> Vec<u32> {
        draw_contexts(self.seed, self.kind, &query.id.to_string(), count)
    }
}

/// Reads and decodes a picture for CLIP.
pub(crate) fn picture(image: &ImageSource, clip: &Clip) -> Result<Picture> {
    let limits = PictureLimits::default();
    Ok(match image {
        ImageSource::File(path) => {
            let bytes = Picture::read(path, &limits)?;
            Picture::decode(&bytes, clip.preprocess(), &limits)
                .map_err(|error| Error::from(error).at(path))?
        }
        ImageSource::Bytes(bytes) => Picture::decode(bytes, clip.preprocess(), &limits)?,
    })
}
