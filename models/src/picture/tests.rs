//! Against Pillow: `tests/reference/pillow.py` made the pictures and the answers.

use std::path::PathBuf;

use serde::Deserialize;

use super::*;
use crate::weights::Resample;

#[derive(Deserialize)]
struct Case {
    picture: String,
    resize: u32,
    crop: u32,
    resample: Resample,
    expected: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/pictures")
}

fn preprocess(resize: u32, crop: u32, resample: Resample) -> Preprocess {
    Preprocess {
        resize,
        crop,
        resample,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
    }
}

fn clip() -> Preprocess {
    preprocess(224, 224, Resample::Bicubic)
}

fn cases() -> Vec<Case> {
    let json = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    serde_json::from_str(&json).unwrap()
}

/// The largest difference on a channel, and how many channels differ by more than one.
fn difference(got: &[u8], expected: &[u8]) -> (u8, usize) {
    assert_eq!(got.len(), expected.len());
    let differences = got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    differences.fold((0, 0), |(most, over), d| {
        (most.max(d), over + usize::from(d > 1))
    })
}

#[test]
fn every_kind_of_picture_has_pillows_pixels() {
    let mut wrong = Vec::new();
    let cases = cases();
    assert!(cases.len() > 60);
    for case in &cases {
        let settings = preprocess(case.resize, case.crop, case.resample);
        let bytes = std::fs::read(folder().join(&case.expected)).unwrap();
        let (expected, _) = png::decode(&bytes, &PictureLimits::default()).unwrap();
        match Picture::open(
            folder().join(&case.picture),
            &settings,
            &PictureLimits::default(),
        ) {
            Ok(picture) => {
                let (most, over) = difference(picture.rgb(), &expected.rgb);
                if most > 0 {
                    println!("{}: at most {most}, {over} over 1", case.expected);
                }
                // Sines may differ in their last bit from one machine to another.
                let sines = [Resample::Lanczos, Resample::Hamming];
                if most > u8::from(sines.contains(&case.resample)) {
                    wrong.push(format!("{}: {over} channels, by {most}", case.expected));
                }
            }
            Err(error) => wrong.push(format!("{}: {error}", case.expected)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn all_pictures() -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<String> = cases().into_iter().map(|case| case.picture).collect();
    names.dedup();
    let read = |name: String| {
        let bytes = std::fs::read(folder().join(&name)).unwrap();
        (name, bytes)
    };
    names.into_iter().map(read).collect()
}

fn refused(bytes: &[u8], limits: &PictureLimits) -> String {
    let error = Picture::decode(bytes, &clip(), limits).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Input);
    error.to_string()
}

#[test]
fn what_is_no_picture_is_called_by_its_name() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"BM\x36\0\0\0", "a BMP picture"),
        (b"II*\0\x08\0\0\0", "a TIFF picture"),
        (b"PK\x03\x04\x14\0", "a zip archive"),
        (b"<!DOCTYPE html><html>", "an HTML page"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "an AVIF picture"),
        (b"\0\0\0\x18ftypheic\0\0\0\0", "a HEIC picture"),
        (
            b"version https://git-lfs.github.com/spec/v1",
            "a Git-LFS pointer",
        ),
        (b"hello, world", "68, 65, 6c"),
        (b"\xff\xd8", "JPEG picture cannot be decoded"),
        (b"\x89PNG\r\n\x1a\n", "PNG picture cannot be decoded"),
        (b"GIF89a", "GIF picture cannot be decoded"),
        (b"RIFF\x04\0\0\0WEBP", "WebP picture cannot be decoded"),
    ];
    for (bytes, expected) in cases {
        let message = refused(bytes, &PictureLimits::default());
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

#[test]
fn only_regular_files_within_the_limit_are_read() {
    let open = |path: &Path, limits: &PictureLimits| {
        let error = Picture::open(path, &clip(), limits).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Input);
        let message = error.to_string();
        assert!(message.contains(&*path.to_string_lossy()), "{message}");
        message
    };
    let limits = PictureLimits::default();
    assert!(open(&folder(), &limits).contains("folder"));
    assert!(open(&folder().join("no such.jpg"), &limits).contains("cannot read"));
    let tight = PictureLimits {
        file_bytes: 100,
        ..limits
    };
    assert!(open(&folder().join("444.jpg"), &tight).contains("the limit is 100"));
    if cfg!(unix) {
        let temporary = tempfile::tempdir().unwrap();
        let pipe = temporary.path().join("pipe.png");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert!(open(&pipe, &limits).contains("not a regular file"));
    }
}

/// A picture whose header tells a huge size is refused before anything of that size is allocated.
#[test]
fn a_bomb_is_refused_by_its_header() {
    let mut bombs = Vec::new();
    let mut png = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut png, 60_000, 60_000);
    encoder.set_color(::png::ColorType::Grayscale);
    drop(encoder.write_header().unwrap());
    bombs.push(png);
    for (name, bytes) in all_pictures() {
        let mut bytes = bytes;
        match &*name {
            "part.gif" => bytes[6..10].fill(0xff),
            "420.jpg" | "progressive.jpg" => {
                let frame = bytes
                    .windows(3)
                    .position(|w| w == [0xff, 0xc0, 0] || w == [0xff, 0xc2, 0])
                    .unwrap();
                bytes[frame + 5..frame + 9].copy_from_slice(&[0xff, 0x00, 0xff, 0x00]);
            }
            "lossless.webp" => {
                // Sides less one in 14 bits each.
                let sides = 16_382_u32 | 16_382 << 14;
                bytes[21..25].copy_from_slice(&sides.to_le_bytes());
            }
            _ => continue,
        }
        bombs.push(bytes);
    }
    assert_eq!(bombs.len(), 5);
    for bomb in bombs {
        let message = refused(&bomb, &PictureLimits::default());
        assert!(message.contains("limit"), "{message}");
    }
    let tight = PictureLimits {
        memory: 50_000,
        ..PictureLimits::default()
    };
    for name in ["444.jpg", "rgb.png", "lossy.webp", "palette.gif"] {
        let bytes = std::fs::read(folder().join(name)).unwrap();
        let message = refused(&bytes, &tight);
        assert!(message.contains("limit"), "{name}: {message}");
    }
}

/// As Pillow, which raises `OSError` for these.
#[test]
fn a_picture_that_ends_too_early_is_refused() {
    for (name, bytes) in all_pictures() {
        // The first frame of an animation ends long before the file does.
        let parts = if name.starts_with("animated") {
            1..4
        } else {
            1..8
        };
        for part in parts {
            let end = bytes.len() * part / 8;
            let result = Picture::decode(&bytes[..end], &clip(), &PictureLimits::default());
            assert!(result.is_err(), "{name}, {part}/8");
        }
    }
}

#[test]
fn damage_anywhere_gives_an_error_or_a_picture() {
    let small = preprocess(16, 16, Resample::Bilinear);
    let limits = PictureLimits {
        pixels: 1 << 20,
        ..PictureLimits::default()
    };
    for (_, bytes) in all_pictures() {
        let step = (bytes.len() / 60).max(1);
        for at in (0..bytes.len()).step_by(step) {
            let _ = Picture::decode(&bytes[..at], &small, &limits);
            for flip in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                if let Ok(picture) = Picture::decode(&damaged, &small, &limits) {
                    assert_eq!(picture.rgb().len(), 16 * 16 * 3);
                }
            }
        }
    }
}

#[test]
fn pixels_are_scaled_and_normalized_channel_by_channel() {
    let picture = Picture {
        side: 1,
        rgb: vec![0, 128, 255],
    };
    let settings = clip();
    let expected = [0.0, 128.0 / 255.0, 1.0_f32];
    for (channel, value) in picture.normalized(&settings).into_iter().enumerate() {
        let want = (expected[channel] - settings.mean[channel]) / settings.std[channel];
        assert!((value - want).abs() < 1e-6);
    }
}

/// The RGB that is made row by row is what the decoder makes of the whole picture, whatever part is asked for.
#[test]
fn a_jpeg_whose_colours_are_deferred_has_the_decoders_rgb() {
    use libjpeg_turbo_rs::{PixelFormat, Subsampling, compress, decompress_to};

    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut deferred = 0;
    for subsampling in [Subsampling::S444, Subsampling::S422, Subsampling::S420] {
        for (width, height) in [(1, 1), (3, 5), (5, 3), (6, 2), (17, 16), (70, 33), (133, 9)] {
            let mut level = [128_i32; 3];
            let rgb: Vec<u8> = (0..width * height * 3)
                .map(|i| {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    let level = &mut level[i % 3];
                    *level = (*level + (state % 81) as i32 - 40).clamp(0, 255);
                    *level as u8
                })
                .collect();
            let jpeg = compress(&rgb, width, height, PixelFormat::Rgb, 90, subsampling).unwrap();
            let expected = decompress_to(&jpeg, PixelFormat::Rgb).unwrap().data;
            for kernels in crate::kernels::picture::available() {
                let (mut rows, _) =
                    jpeg::decode(&jpeg, &PictureLimits::default(), kernels).unwrap();
                assert_eq!(rows.size(), (width, height));
                for y in 0..height {
                    for columns in [0..width, 1..width, 0..width - 1, width / 3..width / 2] {
                        if columns.start >= columns.end {
                            continue;
                        }
                        let mut got = vec![0; columns.len() * 3];
                        rows.rgb(y, columns.clone(), &mut got);
                        let from = (y * width + columns.start) * 3;
                        let expected = &expected[from..][..got.len()];
                        assert_eq!(got, expected, "{subsampling:?} {width} × {height}, {y}");
                    }
                }
            }
            let decoder = libjpeg_turbo_rs::Decoder::new(&jpeg).unwrap();
            deferred += usize::from(jpeg::deferred_colours(&decoder).is_some());
        }
    }
    // All but 4:2:2 and 4:2:0 of one to four columns.
    assert_eq!(deferred, 21 - 4);
}
