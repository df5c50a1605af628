//! A part of a corpus or of a list of pictures, so that several machines can each index one.

use std::fmt;
use std::str::FromStr;

/// So many lines in a row go to the same shard: enough for texts that are alike to lie together, and few enough for
/// the shards of a small corpus to be of equal size.
const DEALT: u64 = 64;

/// Shard `number` (from 1) of `count`: the lines are dealt to them in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u64,
    count: u64,
}

impl Shard {
    /// All lines.
    pub const ALL: Self = Self {
        number: 1,
        count: 1,
    };

    /// Whether this has the line at `position`, counted from 0.
    pub fn has(self, position: u64) -> bool {
        position / DEALT % self.count == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let shard = parts.and_then(|(number, count)| {
            Some(Self {
                number: number.parse().ok()?,
                count: count.parse().ok()?,
            })
        });
        shard
            .filter(|shard| (1..=shard.count).contains(&shard.number))
            .ok_or_else(|| {
                format!("`{text}` is no shard: expected I/N with I from 1 to N, such as 2/8")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_one_shard_and_shards_are_of_equal_size() {
        for count in [1, 2, 3, 7] {
            let mut sizes = vec![0; count as usize];
            for position in 0..DEALT * count * 3 {
                let has: Vec<u64> = (1..=count)
                    .filter(|&number| Shard { number, count }.has(position))
                    .collect();
                assert_eq!(has.len(), 1, "{position}");
                sizes[has[0] as usize - 1] += 1;
            }
            assert!(sizes.iter().all(|&size| size == DEALT * 3), "{sizes:?}");
        }
    }

    #[test]
    fn a_shard_is_a_number_and_a_count() {
        assert_eq!("1/1".parse(), Ok(Shard::ALL));
        let shard: Shard = "2/8".parse().unwrap();
        assert_eq!(shard.to_string(), "2/8");
        for text in ["", "2", "0/2", "3/2", "1/0", "-1/2", "1/2/3", "a/b", "1 /2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
