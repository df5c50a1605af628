//! The values behind what was found.

use super::index::{DEFAULT_EF, ImageId, ImageIndex};
use crate::error::Result;
use crate::hit::{Hit, join_equal_values};

impl ImageIndex {
    /// The best `k` keys with their values; pictures with equal values are returned once, unless `keys`.
    pub fn retrieve(&self, feature: &[f32], k: usize, keys: bool) -> Result<Vec<Hit>> {
        self.hits(&self.search(feature, k, DEFAULT_EF)?, keys)
    }

    /// The values of what was found; pictures with equal values are returned once, unless `keys`.
    pub fn hits(&self, found: &[(ImageId, f32)], keys: bool) -> Result<Vec<Hit>> {
        let hits = found.iter().enumerate().map(|(place, &(image, score))| {
            let hit = self.value(image)?;
            Ok(Hit {
                rank: place + 1,
                score,
                ..hit
            })
        });
        let hits = hits.collect::<Result<Vec<Hit>>>()?;
        Ok(if keys { hits } else { join_equal_values(hits) })
    }

    /// The value of a picture, as a hit of rank 0 and score 0.
    pub fn value(&self, image: ImageId) -> Result<Hit> {
        let value = self.values.get(image.0)?;
        Ok(Hit {
            rank: 0,
            score: 0.0,
            key: value.id.clone(),
            value: join_title(&value.title, &value.text),
            id: value.id,
            title: value.title,
        })
    }
}

/// The context that an expert reads: title and introduction.
fn join_title(title: &str, intro: &str) -> String {
    match (title.is_empty(), intro.is_empty()) {
        (true, _) => intro.to_owned(),
        (_, true) => title.to_owned(),
        _ => format!("{title} {intro}"),
    }
}
