//! Pictures: from the bytes of a file to the square of pixels that CLIP looks at.
//!
//! CLIP was trained on what Pillow makes of a file, so a pixel here is Pillow's pixel. The steps, and
//! the file of each:
//!
//! ```text
//! bytes ── format.rs ──► jpeg.rs | png.rs | webp.rs | gif.rs ──► orientation.rs ──► resample.rs ──► Picture
//!          which one       RGB, 8 bits, Image.convert("RGB")       EXIF, XMP         resize + crop
//! ```
//!
//! Nothing is copied to turn it upright, the resize goes through the rows or columns as they are stored; and the RGB
//! of a JPEG is made row by row while it does (`planes.rs`). The inner loops are in `kernels/picture/`.
//!
//! What `Image.convert("RGB")` means is not always what one would guess, and is kept: alpha is dropped
//! and not blended; 16-bit grey is *clipped* to 255 where 16-bit colour keeps its high byte; CMYK is read
//! with inverted inks; colour profiles are ignored.
//!
//! A picture comes from anywhere, so the decoders work under [`PictureLimits`], checked before anything is
//! allocated, and a panic inside one becomes an error.

mod format;
mod gif;
mod jpeg;
mod orientation;
mod planes;
mod png;
mod raster;
mod resample;
mod webp;

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use self::format::Format;
use self::orientation::Orientation;
use self::raster::Rows;
use self::resample::{Axis, resize};
use crate::error::{Error, ErrorKind, Result};
use crate::kernels::picture::{Kernels, kernels};
use crate::weights::Preprocess;

/// What a picture may cost before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureLimits {
    /// The most bytes of a file: 256 MiB.
    pub file_bytes: u64,
    /// The most pixels, width times height: 178,956,970, where Pillow too takes a picture for a bomb.
    pub pixels: u64,
    /// The most bytes that decoding may allocate, by estimate: 2 GiB.
    pub memory: u64,
}

impl Default for PictureLimits {
    fn default() -> Self {
        Self {
            file_bytes: 256 << 20,
            pixels: (1 << 30) / 4 / 3 * 2,
            memory: 2 << 30,
        }
    }
}

/// A picture as CLIP sees it: a square of 8-bit RGB, resized and cropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    side: usize,
    rgb: Vec<u8>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({0} × {0} pixels)", self.side)
    }
}

impl Picture {
    /// Decodes, turns upright, resizes and crops a picture: JPEG, PNG, WebP, or the first frame of a
    /// GIF.
    ///
    /// # Errors
    /// Of kind `Input` where the bytes are no picture of these formats, are damaged or cut short, or
    /// exceed a limit.
    pub fn decode(bytes: &[u8], preprocess: &Preprocess, limits: &PictureLimits) -> Result<Self> {
        Self::from_bytes(bytes, preprocess, limits).map_err(Error::input)
    }

    /// Reads a file and [decodes](Self::decode) it.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), with the path in the message; and where there is no such file, it
    /// cannot be read, or it is not a regular file (a folder, a pipe).
    pub fn open(
        path: impl AsRef<Path>,
        preprocess: &Preprocess,
        limits: &PictureLimits,
    ) -> Result<Self> {
        let path = path.as_ref();
        let bytes = Self::read(path, limits)?;
        Self::from_bytes(&bytes, preprocess, limits)
            .map_err(|message| Error::input(format!("{}: {message}", path.display())))
    }

    /// Reads the bytes of a picture's file, to [decode](Self::decode).
    ///
    /// # Errors
    /// Of kind `Input`, with the path in the message, where there is no such file, it cannot be read, is
    /// longer than the limit, or is not a regular file (a folder, a pipe).
    pub fn read(path: impl AsRef<Path>, limits: &PictureLimits) -> Result<Vec<u8>> {
        let path = path.as_ref();
        read(path, limits).map_err(|failure| match failure {
            Unread::Io(error) => {
                let message = format!("{}: cannot read this picture: {error}", path.display());
                Error::caused(ErrorKind::Input, message, error)
            }
            Unread::Refused(message) => Error::input(format!("{}: {message}", path.display())),
        })
    }

    fn from_bytes(bytes: &[u8], preprocess: &Preprocess, limits: &PictureLimits) -> Decoded<Self> {
        if bytes.len() as u64 > limits.file_bytes {
            return Err(too_long(bytes.len() as u64, limits));
        }
        let kernels = kernels();
        let (mut stored, orientation) = stored(bytes, limits, kernels)?;
        let (short, crop) = (preprocess.resize as usize, preprocess.crop as usize);
        let (width, height) = orientation.upright(stored.size());
        let (new_width, new_height) = resized(width, height, short);
        let columns = Axis::new(width, new_width, crop, preprocess.resample);
        let rows = Axis::new(height, new_height, crop, preprocess.resample);
        Ok(Self {
            side: crop,
            rgb: resize(kernels, &mut *stored, orientation, columns, rows),
        })
    }

    /// Length of a side in pixels.
    pub fn side(&self) -> usize {
        self.side
    }

    /// The pixels, row by row from the top: `[side, side, 3]`.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// What the vision tower takes: `(pixel / 255 − mean) / std`, channel by channel: `[3, side, side]`.
    pub fn normalized(&self, preprocess: &Preprocess) -> Vec<f32> {
        // There are only 256 answers in each channel.
        let answers = [0, 1, 2].map(|channel| {
            let (mean, std) = (preprocess.mean[channel], preprocess.std[channel]);
            std::array::from_fn::<f32, 256, _>(|value| (value as f32 / 255.0 - mean) / std)
        });
        let mut out = Vec::with_capacity(self.rgb.len());
        for (channel, answers) in answers.iter().enumerate() {
            let pixels = self.rgb.chunks_exact(3);
            out.extend(pixels.map(|pixel| answers[usize::from(pixel[channel])]));
        }
        out
    }
}

/// The result of a step whose errors do not know their file yet.
type Decoded<T> = std::result::Result<T, String>;

enum Unread {
    Io(std::io::Error),
    Refused(String),
}

/// All bytes of a regular file within the limit. A pipe is refused before it is opened: opening one
/// waits for its other end.
fn read(path: &Path, limits: &PictureLimits) -> std::result::Result<Vec<u8>, Unread> {
    let kind = std::fs::metadata(path).map_err(Unread::Io)?;
    if kind.is_dir() {
        let message = "this is a folder; expected a picture".to_owned();
        return Err(Unread::Refused(message));
    }
    if !kind.is_file() {
        let message = "this is not a regular file; expected a picture".to_owned();
        return Err(Unread::Refused(message));
    }
    if kind.len() > limits.file_bytes {
        return Err(Unread::Refused(too_long(kind.len(), limits)));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limits.file_bytes + 1).read_to_end(&mut bytes))
        .map_err(Unread::Io)?;
    Ok(bytes)
}

fn too_long(got: u64, limits: &PictureLimits) -> String {
    format!(
        "the picture's file has {got} bytes, the limit is {}",
        limits.file_bytes
    )
}

/// The picture as it is stored, at its full size, and which way up it is.
fn stored(
    bytes: &[u8],
    limits: &PictureLimits,
    kernels: &'static Kernels,
) -> Decoded<(Box<dyn Rows>, Orientation)> {
    let format = Format::of(bytes)?;
    let decode = || -> Decoded<(Box<dyn Rows>, Orientation)> {
        let (raster, orientation) = match format {
            Format::Jpeg => return jpeg::decode(bytes, limits, kernels),
            Format::Png => png::decode(bytes, limits)?,
            Format::WebP => webp::decode(bytes, limits)?,
            Format::Gif => gif::decode(bytes, limits)?,
        };
        Ok((Box::new(raster), orientation))
    };
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("the decoder failed on damaged data".to_owned()))
        .map_err(|message| format!("this {format} picture cannot be decoded: {message}"))
}

/// The size after resizing: the short side becomes `short`, the long one `int(short · long / short side)`.
fn resized(width: usize, height: usize, short: usize) -> (usize, usize) {
    // Sides are below 2^32, `short` below 2^16: no product overflows 64 bits.
    let long = |long: usize, side: usize| (short as u64 * long as u64 / side as u64) as usize;
    if width <= height {
        (short, long(height, width))
    } else {
        (long(width, height), short)
    }
}

#[cfg(test)]
mod tests;
