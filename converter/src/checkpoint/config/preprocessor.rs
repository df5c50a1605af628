//! `preprocessor_config.json`: what is done to a picture before CLIP sees it.

use super::super::Checkpoint;
use super::Fields;
use crate::Result;
use morelet_models::weights::{Preprocess, Resample};

/// The means and deviations of CLIP's training pictures, by which every published CLIP normalizes.
const MEAN: [f32; 3] = [0.48145466, 0.4578275, 0.40821073];
#[expect(
    clippy::excessive_precision,
    reason = "the digits that OpenAI published"
)]
const STD: [f32; 3] = [0.26862954, 0.26130258, 0.27577711];

/// Reads `preprocessor_config.json`, or the image processor in `processor_config.json`, where `transformers`
/// 5 saves it. With neither, the sides are `image_size`, the rest as in every published CLIP, and the second
/// value is false.
pub(crate) fn preprocess(checkpoint: &Checkpoint, image_size: u32) -> Result<(Preprocess, bool)> {
    let mut found = None;
    if let Some(path) = checkpoint.existing("preprocessor_config.json") {
        found = Some(Fields::open(&path)?);
    } else if let Some(path) = checkpoint.existing("processor_config.json") {
        found = Fields::open(&path)?.object("image_processor")?;
    }
    let Some(fields) = found else {
        let sides = Preprocess {
            resize: image_size,
            crop: image_size,
            resample: Resample::Bicubic,
            mean: MEAN,
            std: STD,
        };
        return Ok((sides, false));
    };
    for step in ["do_resize", "do_center_crop", "do_rescale"] {
        if !fields.bool(step, true)? {
            return Err(fields.error(
                step,
                "expected true: a CLIP whose pictures are not resized, cropped and scaled",
            ));
        }
    }
    let factor = fields.f64("rescale_factor", 1.0 / 255.0)?;
    if (factor * 255.0 - 1.0).abs() > 1e-6 {
        return Err(fields.error(
            "rescale_factor",
            format_args!("expected 1/255, got {factor}"),
        ));
    }
    let (mean, std) = if fields.bool("do_normalize", true)? {
        (
            channels(&fields, "image_mean", MEAN)?,
            channels(&fields, "image_std", STD)?,
        )
    } else {
        ([0.0; 3], [1.0; 3])
    };
    let resample = match fields.get("resample") {
        None => Resample::Bicubic,
        Some(number) => number
            .as_u64()
            .and_then(Resample::from_pillow)
            .ok_or_else(|| {
                fields.error(
                    "resample",
                    format_args!("expected a filter of Pillow, 0 to 5, got {number}"),
                )
            })?,
    };
    let preprocess = Preprocess {
        resize: short_side(&fields)?,
        crop: fields.side("crop_size", 224)?,
        resample,
        mean,
        std,
    };
    Ok((preprocess, true))
}

/// `size`: a number, or `{"shortest_edge": n}`.
fn short_side(fields: &Fields) -> Result<u32> {
    let key = "size";
    match fields.get(key) {
        Some(serde_json::Value::Object(_)) => {
            let Some(size) = fields.object(key)? else {
                return Ok(224);
            };
            if size.get("shortest_edge").is_none() || size.get("longest_edge").is_some() {
                let message = "expected `shortest_edge`: the short side's length, with the picture's proportions kept";
                return Err(fields.error(key, message));
            }
            size.u32("shortest_edge", 224)
        }
        _ => fields.u32(key, 224),
    }
}

fn channels(fields: &Fields, key: &str, default: [f32; 3]) -> Result<[f32; 3]> {
    let Some(value) = fields.get(key) else {
        return Ok(default);
    };
    let numbers: Option<Vec<f32>> = value.as_array().and_then(|values| {
        values
            .iter()
            .map(|value| value.as_f64().map(|value| value as f32))
            .collect()
    });
    let numbers = numbers.and_then(|numbers| <[f32; 3]>::try_from(numbers).ok());
    numbers.ok_or_else(|| fields.error(key, "expected three numbers"))
}
