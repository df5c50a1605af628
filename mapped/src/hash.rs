//! A BLAKE3 hash as a value: 32 bytes, printed as 64 hexadecimal digits.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorKind};

/// A BLAKE3 hash, 256 bits.
///
/// ```
/// use morelet_mapped::Hash;
/// let hash = Hash::of(b"");
/// let text = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
/// assert_eq!(hash.to_string(), text);
/// assert_eq!(text.parse::<Hash>()?, hash);
/// # Ok::<(), morelet_mapped::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, bincode::Encode, bincode::Decode)]
pub struct Hash([u8; Hash::BYTES]);

impl Hash {
    /// The length of a hash, in bytes.
    pub const BYTES: usize = 32;

    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// A hash that was computed or stored elsewhere.
    pub const fn from_bytes(bytes: [u8; Hash::BYTES]) -> Hash {
        Hash(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; Hash::BYTES] {
        &self.0
    }
}

/// Hashes what arrives in pieces, such as the tensors of a checkpoint or a file that is being written.
///
/// ```
/// use morelet_mapped::{Hash, Hasher};
/// let mut hasher = Hasher::new();
/// hasher.update(b"in two ").update(b"pieces");
/// assert_eq!(hasher.finish(), Hash::of(b"in two pieces"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// A hasher that has seen nothing yet.
    pub fn new() -> Hasher {
        Hasher::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) -> &mut Hasher {
        self.0.update(bytes);
        self
    }

    /// The hash of all bytes seen so far.
    pub fn finish(&self) -> Hash {
        Hash(*self.0.finalize().as_bytes())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl FromStr for Hash {
    type Err = Error;

    /// Reads 64 hexadecimal digits, in either case.
    fn from_str(text: &str) -> Result<Hash, Error> {
        let refuse = || {
            let shown: String = text.chars().take(80).collect();
            Error::new(ErrorKind::Invalid, "not a BLAKE3 hash")
                .expecting("64 hexadecimal digits")
                .finding(format!("{shown:?}"))
        };
        let digits = text.as_bytes();
        if digits.len() != 2 * Hash::BYTES {
            return Err(refuse());
        }
        let mut bytes = [0; Hash::BYTES];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let high = char::from(pair[0]).to_digit(16).ok_or_else(refuse)?;
            let low = char::from(pair[1]).to_digit(16).ok_or_else(refuse)?;
            *byte = (high * 16 + low) as u8;
        }
        Ok(Hash(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hash of the empty input and of the bytes 0, 1, 2, from BLAKE3's own `test_vectors.json`.
    #[test]
    fn agrees_with_the_published_test_vectors() {
        let vectors: [(&[u8], &str); 2] = [
            (
                &[],
                "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            ),
            (
                &[0, 1, 2],
                "e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f",
            ),
        ];
        for (input, expected) in vectors {
            assert_eq!(Hash::of(input).to_string(), expected);
            assert_eq!(
                expected.to_uppercase().parse::<Hash>().unwrap(),
                Hash::of(input)
            );
        }
    }

    #[test]
    fn refuses_what_is_not_64_hexadecimal_digits() {
        for text in [
            "",
            "af13",
            &"g".repeat(64),
            &"é".repeat(32),
            &"0".repeat(65),
        ] {
            let error = text.parse::<Hash>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text:?}");
        }
    }
}
