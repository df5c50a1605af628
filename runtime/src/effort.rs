//! How hard text retrieval tries.

use crate::{Error, Result};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// How hard text retrieval tries, from 0 to 1.
///
/// 1, the default, finds exactly the best keys. Less is faster and may miss some: what a sentence might still gain from the
/// query's frequent terms is taken to be this part of what is possible. It is for hard time limits; `morelet bench --effort`
/// measures, on queries of yours, how many of the best ten it still finds.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Effort(f32);

impl Effort {
    /// Misses nothing.
    pub const EXACT: Self = Self(1.0);

    /// An effort from 0 to 1.
    ///
    /// # Errors
    /// `Input` for any other number.
    pub fn new(effort: f32) -> Result<Self> {
        if (0.0..=1.0).contains(&effort) {
            Ok(Self(effort))
        } else {
            Err(Error::input(format!(
                "expected an effort from 0 to 1, got {effort}"
            )))
        }
    }

    /// The number.
    pub fn get(self) -> f32 {
        self.0
    }

    /// Whether nothing is missed.
    pub fn is_exact(self) -> bool {
        self == Self::EXACT
    }
}

impl Default for Effort {
    fn default() -> Self {
        Self::EXACT
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Effort {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let effort = text.parse().ok().and_then(|effort| Self::new(effort).ok());
        effort.ok_or_else(|| "expected a number from 0 to 1".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_numbers_from_0_to_1_and_no_others() {
        for (text, value) in [("0", 0.0), ("0.25", 0.25), ("1", 1.0), ("1e-2", 0.01)] {
            assert_eq!(text.parse::<Effort>().unwrap().get(), value);
        }
        for text in ["", "-0.1", "1.01", "NaN", "inf", "-inf", "half", "50%"] {
            assert!(text.parse::<Effort>().is_err(), "{text}");
        }
        assert!(Effort::new(f32::NAN).is_err());
        assert!(Effort::default().is_exact());
        assert!(!Effort::new(0.999).unwrap().is_exact());
    }
}
