//! From an image of any size to one of a given size.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use super::decode::Decoded;
use crate::formats::idx::transposed;
use crate::transform::shorter_side;

/// How an image of any size becomes one of a given height and width: bilinear and antialiased, as PIL's
/// and torchvision's `antialias=True`, of which it differs by at most 1 of 255.
///
/// ```
/// use selvedge_data::Resize;
///
/// let json = serde_json::to_string(&Resize::ShorterSide(256)).unwrap();
/// assert_eq!(json, r#"{"shorter_side":256}"#);
/// assert_eq!(serde_json::to_string(&Resize::Stretch).unwrap(), r#""stretch""#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// The shorter side becomes so many pixels long, and what is beyond the given size is cut off:
    /// torchvision's `Resize` and `CenterCrop`. The sides keep their proportion.
    ShorterSide(usize),
    /// Both sides become those of the given size, whatever their proportion was.
    Stretch,
}

/// The image in `[channel, row, column]` of `shape`.
pub(super) fn resized(
    image: Decoded,
    shape: [usize; 3],
    resize: Resize,
) -> Result<Vec<u8>, String> {
    let [channels, height, width] = shape;
    let [left, top, right, bottom] = source_box(&image, [height, width], resize);
    let pixel = if channels == 1 { PixelType::U8 } else { PixelType::U8x3 };
    let source = ImageRef::new(image.width, image.height, &image.pixels, pixel);
    let source = source.map_err(|error| error.to_string())?;
    // The sides are at most 65,535.
    let mut out = Image::new(width as u32, height as u32, pixel);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .crop(left, top, right - left, bottom - top);
    Resizer::new().resize(&source, &mut out, &options).map_err(|error| error.to_string())?;
    let pixels = out.into_vec();
    if channels == 1 {
        return Ok(pixels);
    }
    Ok(transposed(&pixels, height * width, channels))
}

/// The part of the source that is to be seen: left, top, right, bottom.
///
/// Only this part is resized, with the same weights as if all were: an image of 1 × 65,535 would become
/// 224 times as long before it is cut off.
fn source_box(image: &Decoded, [height, width]: [usize; 2], resize: Resize) -> [f64; 4] {
    let (w, h) = (image.width as usize, image.height as usize);
    let Resize::ShorterSide(side) = resize else {
        return [0.0, 0.0, w as f64, h as f64];
    };
    let [new_h, new_w] = shorter_side(side, [h, w]);
    // A part of one dimension: its first pixel is that of CenterCrop, which rounds halves to even.
    let part = |old: usize, new: usize, crop: usize| {
        let scale = old as f64 / new as f64;
        let first = ((new - crop) as f64 / 2.0).round_ties_even();
        let end = (first + crop as f64) * scale;
        (first * scale, end.min(old as f64))
    };
    let ((left, right), (top, bottom)) = (part(w, new_w, width), part(h, new_h, height));
    [left, top, right, bottom]
}
