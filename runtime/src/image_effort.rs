//! How hard image retrieval tries.

use crate::{Error, RETRIEVED_KEYS, Result};
use morelet_indices::{DEFAULT_EF, ImageIndex, ImageSearchOptions, Recall};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The most pictures that are compared one by one where a recall was asked for and none was measured: a few milliseconds.
const FEW: u32 = 10_000;

/// How hard image retrieval tries: how many candidates (`ef`) a search of the graph of pictures keeps.
///
/// More candidates find more of the true nearest neighbours, and take longer. How many are found depends on the pictures, so
/// that an index knows what was measured with its own: [`Recall`](Self::Recall) asks for that instead of a number of
/// candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum ImageEffort {
    /// [`DEFAULT_EF`] candidates.
    #[default]
    Default,
    /// So many candidates; as many as pictures are searched for, where it is less.
    Ef(u32),
    /// As few candidates as find this part, above 0 and at most 1, of the ten nearest neighbours.
    Recall(f32),
    /// Every picture is compared: nothing is missed.
    Exact,
}

impl ImageEffort {
    /// A recall.
    ///
    /// # Errors
    /// `Input` for a number that is not above 0, or is above 1.
    pub fn recall(recall: f32) -> Result<Self> {
        if recall > 0.0 && recall <= 1.0 {
            Ok(Self::Recall(recall))
        } else {
            Err(Error::input(format!(
                "expected a recall above 0 and at most 1, got {recall}"
            )))
        }
    }

    /// What this means for one index: options for [`ImageIndex::search_with`], with the k of predictions.
    ///
    /// An index of at most 10,000 pictures whose recall was not measured is searched exactly for any recall.
    ///
    /// # Errors
    /// `Unsupported` for a recall that was not reached when the index was measured; `Input` for one that is none.
    pub fn options(self, index: &ImageIndex) -> Result<ImageSearchOptions<'static>> {
        let least = match self {
            Self::Recall(recall) => index.ef_for(recall),
            _ => None,
        };
        self.decide(index.len(), index.recall(), least)
            .map_err(|error| error.at(index.container().path()))
    }

    /// `least` is the least `ef` that was measured to reach the recall.
    fn decide(
        self,
        pictures: u32,
        measured: &[Recall],
        least: Option<usize>,
    ) -> Result<ImageSearchOptions<'static>> {
        let options = ImageSearchOptions {
            k: RETRIEVED_KEYS,
            ef: DEFAULT_EF,
            ..ImageSearchOptions::default()
        };
        let exact = ImageSearchOptions {
            exact: true,
            ..options
        };
        match self {
            Self::Default => Ok(options),
            Self::Ef(ef) => Ok(ImageSearchOptions {
                ef: ef as usize,
                ..options
            }),
            Self::Exact => Ok(exact),
            Self::Recall(recall) => {
                Self::recall(recall)?;
                match least {
                    Some(ef) => Ok(ImageSearchOptions { ef, ..options }),
                    None if measured.is_empty() && pictures <= FEW => Ok(exact),
                    None => Err(unreached(recall, measured)),
                }
            }
        }
    }
}

/// No `ef` was measured to find so much.
fn unreached(recall: f32, measured: &[Recall]) -> Error {
    let best = measured
        .iter()
        .max_by(|a, b| a.recall.total_cmp(&b.recall).then(b.ef.cmp(&a.ef)));
    Error::unsupported(match best {
        Some(best) => format!(
            "expected an index whose recall@10 was measured as {recall} or more, got at most {}, with an ef of {}. Ask for a \
             lower recall, for an ef that you choose (--ef), or for exact search (--exact)",
            best.recall, best.ef
        ),
        None => format!(
            "expected an index whose recall@10 was measured as {recall} or more, got one whose recall was not measured. Ask \
             for an ef that you choose (--ef) or for exact search (--exact), or make the index again"
        ),
    })
}

impl fmt::Display for ImageEffort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Ef(ef) => write!(f, "ef={ef}"),
            Self::Recall(recall) => write!(f, "recall={recall}"),
            Self::Exact => f.write_str("exact"),
        }
    }
}

impl FromStr for ImageEffort {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let effort = match text.split_once('=') {
            None if text == "default" => Some(Self::Default),
            None if text == "exact" => Some(Self::Exact),
            Some(("ef", ef)) => ef.parse().ok().filter(|&ef| ef > 0).map(Self::Ef),
            Some(("recall", recall)) => {
                let recall = recall.parse().ok();
                recall.and_then(|recall| Self::recall(recall).ok())
            }
            _ => None,
        };
        effort.ok_or_else(|| {
            "expected `default`, `exact`, `ef=N`, or `recall=R` above 0 and at most 1".to_owned()
        })
    }
}

impl Serialize for ImageEffort {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    const MEASURED: [Recall; 3] = [
        Recall {
            ef: 16,
            recall: 0.9,
        },
        Recall {
            ef: 64,
            recall: 0.98,
        },
        Recall {
            ef: 256,
            recall: 0.995,
        },
    ];

    #[test]
    fn is_written_and_read() {
        for text in [
            "default",
            "exact",
            "ef=1",
            "ef=4096",
            "recall=0.99",
            "recall=1",
        ] {
            let effort: ImageEffort = text.parse().unwrap();
            assert_eq!(effort.to_string(), text);
            assert_eq!(serde_json::to_value(effort).unwrap(), text);
        }
        for text in [
            "",
            "ef",
            "ef=",
            "ef=0",
            "ef=-1",
            "ef=1.5",
            "recall",
            "recall=0",
            "recall=1.01",
            "recall=NaN",
            "recall=-0.5",
            "recall=inf",
            "exact=1",
            "Exact",
            "0.99",
        ] {
            assert!(text.parse::<ImageEffort>().is_err(), "{text}");
        }
    }

    #[test]
    fn means_candidates_or_every_picture() {
        let cases = [
            (ImageEffort::Default, None, (DEFAULT_EF, false)),
            (ImageEffort::Ef(7), None, (7, false)),
            (ImageEffort::Recall(0.95), Some(64), (64, false)),
            (ImageEffort::Exact, None, (DEFAULT_EF, true)),
        ];
        for (effort, least, expected) in cases {
            let options = effort.decide(1_000_000, &MEASURED, least).unwrap();
            assert_eq!((options.ef, options.exact), expected, "{effort}");
            assert_eq!(options.k, RETRIEVED_KEYS);
            assert!(options.filter.is_none());
        }
    }

    #[test]
    fn a_recall_that_was_not_reached_tells_what_was() {
        let error = ImageEffort::Recall(0.999)
            .decide(5, &MEASURED, None)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        for part in [
            "0.999 or more",
            "at most 0.995",
            "ef of 256",
            "--ef",
            "--exact",
        ] {
            assert!(error.to_string().contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn without_a_measurement_a_few_pictures_are_compared_and_many_refused() {
        let recall = ImageEffort::Recall(0.9);
        for few in [0, 1, FEW] {
            assert!(recall.decide(few, &[], None).unwrap().exact);
        }
        let error = recall.decide(FEW + 1, &[], None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("not measured"), "{error}");
    }

    #[test]
    fn a_recall_that_is_none_is_refused_wherever_it_comes_from() {
        for recall in [0.0, -0.5, 1.5, f32::NAN, f32::INFINITY] {
            assert!(ImageEffort::recall(recall).is_err());
            let error = ImageEffort::Recall(recall)
                .decide(5, &MEASURED, Some(16))
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input);
        }
    }
}
