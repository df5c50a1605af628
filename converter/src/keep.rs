//! In which precision each tensor is stored: one for all, and patterns that say otherwise.

use morelet_models::weights::Precision;
use std::str::FromStr;

/// `PATTERN=TYPE` of `--keep`: `*` stands for any run of characters, `?` for one.
#[derive(Clone, Debug)]
pub struct Keep {
    pattern: String,
    precision: Precision,
}

impl Keep {
    /// What stores the tensors that match `pattern` as `precision`.
    pub(crate) fn new(pattern: impl Into<String>, precision: Precision) -> Self {
        Self {
            pattern: pattern.into(),
            precision,
        }
    }

    /// Whether a tensor's name is one of those meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        glob(self.pattern.as_bytes(), name.as_bytes())
    }

    /// The type that the tensor is to have.
    pub(crate) fn precision(&self) -> Precision {
        self.precision
    }
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (pattern, precision) = text
            .rsplit_once('=')
            .ok_or("expected PATTERN=TYPE, as in `head.*=f32`")?;
        if pattern.is_empty() {
            return Err("expected a pattern before `=`, as in `head.*=f32`".to_owned());
        }
        Ok(Self {
            pattern: pattern.to_owned(),
            precision: precision.parse()?,
        })
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.pattern, self.precision)
    }
}

/// Matches with one step back to the last `*`, which is all that is ever needed: time is at most the product
/// of the lengths.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, n));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name, matches) in [
            ("head.*", "head.weight", true),
            ("head.*", "crf.start", false),
            ("*", "", true),
            ("layers.?.ffn.*", "layers.3.ffn.up.weight", true),
            ("layers.?.ffn.*", "layers.13.ffn.up.weight", false),
            ("*.ffn.*.weight", "layers.13.ffn.up.weight", true),
            ("*.weight", "layers.13.ffn.up.bias", false),
            ("*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("embeddings.word", "embeddings.word", true),
            ("embeddings", "embeddings.word", false),
            ("*word*", "embeddings.word", true),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), name.as_bytes()),
                matches,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn a_pattern_needs_a_type() {
        assert_eq!("a=b=q8".parse::<Keep>().unwrap().to_string(), "a=b=q8");
        for text in ["head.*", "=f32", "head.*=f8", "head.*="] {
            assert!(text.parse::<Keep>().is_err(), "{text}");
        }
    }
}
