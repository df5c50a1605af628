//! Which way up a picture is, by its EXIF or XMP.

/// EXIF's tag `Orientation`.
const ORIENTATION: u16 = 0x0112;

/// How the stored rows and columns have to be moved so that the picture stands upright. The numbers
/// are EXIF's; all but 2 to 8 mean that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Orientation(pub(super) u8);

impl Orientation {
    pub(super) const UPRIGHT: Self = Self(1);

    /// What EXIF says, or XMP where EXIF is silent; upright where both are.
    pub(super) fn of(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Self {
        let told = exif.and_then(from_exif).or_else(|| xmp.and_then(from_xmp));
        Self(told.unwrap_or(1))
    }

    /// Width and height of the upright picture, from those of the stored one.
    pub(super) fn upright(self, (width, height): (usize, usize)) -> (usize, usize) {
        if self.turn().transposed {
            (height, width)
        } else {
            (width, height)
        }
    }

    /// How the picture lies on its side, in terms of its stored rows and columns.
    pub(super) fn turn(self) -> Turn {
        Turn {
            transposed: matches!(self.0, 5..=8),
            mirrored_x: matches!(self.0, 2 | 3 | 7 | 8),
            mirrored_y: matches!(self.0, 3 | 4 | 6 | 7),
        }
    }
}

/// Where the pixels of an upright picture are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// A row of the upright picture is a stored column.
    pub(super) transposed: bool,
    /// The stored columns are counted from the right.
    pub(super) mirrored_x: bool,
    /// The stored rows are counted from the bottom.
    pub(super) mirrored_y: bool,
}

/// The tag in the first directory of a TIFF structure, with or without the prefix that JPEG has.
fn from_exif(exif: &[u8]) -> Option<u8> {
    let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    };
    let u32_at = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    };
    let directory = u32_at(4)? as usize;
    let entries = u16_at(directory)? as usize;
    for entry in 0..entries {
        let at = directory.checked_add(2 + 12 * entry)?;
        if u16_at(at)? != ORIENTATION || u32_at(at + 4)? != 1 {
            continue;
        }
        let value = match u16_at(at + 2)? {
            1 => u32::from(*tiff.get(at + 8)?),
            3 => u32::from(u16_at(at + 8)?),
            4 => u32_at(at + 8)?,
            _ => continue,
        };
        return u8::try_from(value).ok();
    }
    None
}

/// `tiff:Orientation="6"` or `<tiff:Orientation>6<`.
fn from_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut places = xmp.windows(NAME.len()).enumerate();
    places.find_map(|(at, window)| {
        let rest = (window == NAME).then(|| &xmp[at + NAME.len()..])?;
        let value = rest
            .strip_prefix(b"=\"")
            .or_else(|| rest.strip_prefix(b">"))?;
        let digit = value.first().filter(|digit| digit.is_ascii_digit())?;
        Some(digit - b'0')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(big: bool, kind: u16, value: u32) -> Vec<u8> {
        let u16s = |v: u16| {
            if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        let u32s = |v: u32| {
            if big {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        let mut out = if big {
            b"MM\0*".to_vec()
        } else {
            b"II*\0".to_vec()
        };
        out.extend(u32s(8));
        out.extend(u16s(1));
        out.extend(u16s(ORIENTATION));
        out.extend(u16s(kind));
        out.extend(u32s(1));
        match kind {
            3 => out.extend([u16s(value as u16), u16s(0)].concat()),
            _ => out.extend(u32s(value)),
        }
        out
    }

    #[test]
    fn the_tag_is_found_in_both_byte_orders_and_with_the_prefix() {
        for big in [false, true] {
            for (kind, value) in [(3, 6), (4, 8)] {
                let tiff = exif(big, kind, value);
                assert_eq!(from_exif(&tiff), Some(value as u8));
                let prefixed = [b"Exif\0\0".as_slice(), &tiff].concat();
                assert_eq!(from_exif(&prefixed), Some(value as u8));
            }
        }
    }

    #[test]
    fn exif_cut_anywhere_is_read_without_a_panic() {
        let whole = exif(true, 3, 6);
        for end in 0..whole.len() {
            from_exif(&whole[..end]);
        }
        let mut far = whole;
        far[4..8].fill(0xff);
        assert_eq!(from_exif(&far), None);
    }

    #[test]
    fn xmp_serves_where_exif_is_silent() {
        let attribute = b"<rdf:Description tiff:Orientation=\"8\"/>";
        let element = b"<tiff:Orientation>3</tiff:Orientation>";
        assert_eq!(Orientation::of(None, Some(attribute)), Orientation(8));
        assert_eq!(Orientation::of(None, Some(element)), Orientation(3));
        let exif = exif(false, 3, 6);
        assert_eq!(Orientation::of(Some(&exif), Some(element)), Orientation(6));
        assert_eq!(Orientation::of(Some(b""), None), Orientation(1));
    }
}
