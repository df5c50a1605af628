//! SentencePiece's map of characters, as its model files hold it: a trie of what is replaced, and one text of
//! all replacements, each ended by a zero byte.
//!
//! The trie is a double array of Darts-clone, another than [ours](super::trie):
//!
//! ```text
//! bits 0..8    the byte that leads here, with bit 31: 0 in a node, 1 in a value
//! bit  8       a key ends here: the unit at the base holds the replacement's place in bits 0..31
//! bit  9       the offset is 256 times what bits 10..32 say
//! bits 10..32  the offset, which XOR the node's own place is its base
//! ```
//!
//! `tokenizers` applies it grapheme by grapheme: a cluster shorter than 6 bytes is replaced by what its
//! *shortest* prefix in the map stands for, the rest of it with it; otherwise each of its characters is looked
//! up alone. This does the same, and copies ASCII that the map leaves alone without looking twice.

use unicode_segmentation::UnicodeSegmentation;

use super::Damage;

/// Clusters of this many bytes and more are never looked up whole.
const LONG_CLUSTER: usize = 6;

/// A map in the bytes of a section.
pub(super) struct Charsmap<'a> {
    /// The trie, and where it begins in the section.
    pub(super) units: &'a [[u8; 4]],
    pub(super) units_at: u64,
    /// The replacements, and where they begin.
    pub(super) text: &'a [u8],
    pub(super) text_at: u64,
    /// The longest replacement, in bytes.
    pub(super) longest: usize,
    /// Which ASCII characters stay as they are where they stand alone: bit 5 of the first is that of byte 5.
    pub(super) plain: [u64; 2],
}

/// What takes the changed text, part by part: characters of the old one and what they became.
pub(super) trait Sink {
    /// A part stays as it is.
    fn keep(&mut self, part: &str);
    /// A part is replaced.
    fn replace(&mut self, part: &str, by: &str);
}

impl<'a> Charsmap<'a> {
    /// The ASCII characters that the map has no replacement for.
    pub(super) fn plain_ascii(&self) -> Result<[u64; 2], Damage> {
        let mut plain = [0; 2];
        for byte in 0..128_u8 {
            if self.replacement(&[byte])?.is_none() {
                plain[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
        }
        Ok(plain)
    }

    /// Runs through a text.
    pub(super) fn apply(&self, text: &str, sink: &mut impl Sink) -> Result<(), Damage> {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            // Between two ASCII characters clusters always end, but for \r\n; \r is left to the slow way.
            let run = bytes[at..].iter().take_while(|&&byte| self.is_plain(byte));
            let mut end = at + run.count();
            if end < bytes.len() && !bytes[end].is_ascii() {
                // What follows may belong to the last one.
                end = end.saturating_sub(1).max(at);
            }
            if end > at {
                sink.keep(&text[at..end]);
                at = end;
                continue;
            }
            // On to the next place where a cluster surely ends.
            let mut end = at + 1;
            while end < bytes.len() && !(self.is_plain(bytes[end - 1]) && bytes[end].is_ascii()) {
                end += 1;
            }
            self.clusters(&text[at..end], sink)?;
            at = end;
        }
        Ok(())
    }

    /// Runs through a text that begins and ends where clusters do.
    fn clusters(&self, text: &str, sink: &mut impl Sink) -> Result<(), Damage> {
        for cluster in text.graphemes(true) {
            if cluster.len() < LONG_CLUSTER
                && let Some(by) = self.replacement(cluster.as_bytes())?
            {
                sink.replace(cluster, by);
                continue;
            }
            let mut rest = cluster;
            while let Some(character) = rest.chars().next() {
                let (part, behind) = rest.split_at(character.len_utf8());
                match self.replacement(part.as_bytes())? {
                    Some(by) => sink.replace(part, by),
                    None => sink.keep(part),
                }
                rest = behind;
            }
        }
        Ok(())
    }

    #[inline]
    fn is_plain(&self, byte: u8) -> bool {
        byte < 128 && byte != b'\r' && self.plain[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    /// What the shortest key that is a prefix of `chunk` stands for.
    fn replacement(&self, chunk: &[u8]) -> Result<Option<&'a str>, Damage> {
        let mut place = offset(self.unit(0)?);
        for &byte in chunk {
            if byte == 0 {
                break;
            }
            place ^= usize::from(byte);
            let unit = self.unit(place)?;
            if unit & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            place ^= offset(unit);
            if unit >> 8 & 1 == 1 {
                let at = self.unit(place)? & !(1 << 31);
                return self.text(at as usize).map(Some);
            }
        }
        Ok(None)
    }

    fn unit(&self, at: usize) -> Result<u32, Damage> {
        match self.units.get(at) {
            Some(&unit) => Ok(u32::from_le_bytes(unit)),
            None => Err(Damage {
                at: self.units_at.saturating_add(4 * at as u64),
                message: "the trie of the map of characters leads out of its section",
            }),
        }
    }

    /// The replacement that begins at a place.
    fn text(&self, at: usize) -> Result<&'a str, Damage> {
        let damage = |message| Damage {
            at: self.text_at.saturating_add(at as u64),
            message,
        };
        let Some(rest) = self.text.get(at..) else {
            return Err(damage("a replacement lies outside the map of characters"));
        };
        let shown = &rest[..rest.len().min(self.longest.saturating_add(1))];
        let text = match shown.iter().position(|&byte| byte == 0) {
            Some(end) => &shown[..end],
            None if shown.len() > self.longest => {
                return Err(damage("a replacement is longer than the longest"));
            }
            None => shown,
        };
        std::str::from_utf8(text).map_err(|_| damage("a replacement is not UTF-8"))
    }
}

/// The offset from a node's place to its base.
fn offset(unit: u32) -> usize {
    (unit as usize >> 10) << ((unit & 1 << 9) >> 6)
}

/// The longest replacement in the text of all.
pub(super) fn longest(text: &[u8]) -> usize {
    text.split(|&byte| byte == 0)
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}
