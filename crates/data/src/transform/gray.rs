use serde::{Deserialize, Serialize};

use super::color::luma;
use super::lanes::{whole, wide};
use super::{ImageRef, Transform, require_gray_or_color};
use crate::{DataError, SplitMix64};

/// Red, green and blue to one channel of grey by ITU-R 601-2, as torchvision's `Grayscale(1)`. A grey image
/// stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grayscale {}

impl Transform for Grayscale {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_gray_or_color("grayscale", input)?;
        let [_, height, width] = input;
        Ok([1, height, width])
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        let planes: Vec<&[u8]> = image.planes().collect();
        match planes[..] {
            [red, green, blue] => to_gray(red, green, blue, output),
            _ => output.copy_from_slice(image.pixels),
        }
    }
}

wide! {
    fn to_gray(red: &[u8], green: &[u8], blue: &[u8], output: &mut [u8]) {
        for (((r, g), b), output) in red.iter().zip(green).zip(blue).zip(output) {
            *output = whole(luma(*r, *g, *b)) as u8;
        }
    }
}

/// One channel of grey to three that are equal, as a network for colour images takes it: torchvision's `RGB`.
/// A colour image stays as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GrayToRgb {}

impl Transform for GrayToRgb {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_gray_or_color("grey to RGB", input)?;
        let [_, height, width] = input;
        Ok([3, height, width])
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        output.chunks_exact_mut(image.pixels.len()).for_each(|o| o.copy_from_slice(image.pixels));
    }
}
