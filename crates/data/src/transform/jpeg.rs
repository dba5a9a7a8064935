use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};
use serde::{Deserialize, Serialize};

use super::{ImageRef, Transform, require, require_gray_or_color};
use crate::{DataError, SplitMix64};

/// Writes an image as a JPEG file of a quality and reads it again: the blocks and ripples of small files.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jpeg {
    /// From 1, a small file, to 100; rounded to a whole number.
    pub quality: f64,
}

impl Jpeg {
    /// Of a quality from 1 to 100.
    pub fn new(quality: f64) -> Self {
        Self { quality }
    }
}

impl Transform for Jpeg {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let [_, height, width] = input;
        let holds = (1.0..=100.0).contains(&self.quality);
        require(holds, "quality of a JPEG", "a number from 1 to 100", self.quality)?;
        require_gray_or_color("JPEG", input)?;
        // The format counts sides in 16 bits.
        let longest = height.max(width);
        require(longest <= 65_535, "side of a JPEG", "at most 65535 pixels", longest)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, _: &mut SplitMix64, output: &mut [u8]) {
        let [channels, height, width] = image.shape;
        let plane = height * width;
        let color = match channels {
            1 => ExtendedColorType::L8,
            _ => ExtendedColorType::Rgb8,
        };
        let interleaved: Vec<u8> =
            (0..plane).flat_map(|at| image.pixels[at..].iter().step_by(plane).copied()).collect();
        let mut file = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut file, self.quality.round() as u8);
        let written = encoder.encode(&interleaved, width as u32, height as u32, color);
        written.expect("shape and colours were checked");
        let read = image::load_from_memory_with_format(&file, ImageFormat::Jpeg);
        let read = read.expect("it was written here");
        let pixels = match channels {
            1 => read.into_luma8().into_raw(),
            _ => read.into_rgb8().into_raw(),
        };
        for (at, pixel) in pixels.chunks_exact(channels).enumerate() {
            for (channel, &value) in pixel.iter().enumerate() {
                output[channel * plane + at] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(quality: f64, pixels: &[u8], shape: [usize; 3]) -> Vec<u8> {
        let image = ImageRef { pixels, shape };
        let mut output = vec![0; pixels.len()];
        Jpeg::new(quality).apply(image, &mut SplitMix64::new(1), &mut output);
        output
    }

    #[test]
    fn channels_stay_where_they_are_and_a_good_file_changes_little() {
        // Smooth, and different in every channel.
        let shape = [3, 20, 24];
        let value = |i: usize| match i / 480 {
            0 => 10 + (i % 24) * 4,
            1 => 200 - (i % 480) / 24 * 5,
            _ => 90,
        };
        let pixels: Vec<u8> = (0..3 * 480).map(|i| value(i) as u8).collect();
        let found = through(95.0, &pixels, shape);
        assert!(found.iter().zip(&pixels).all(|(a, b)| a.abs_diff(*b) < 12));
        let grey = through(95.0, &pixels[..480], [1, 20, 24]);
        assert!(grey.iter().zip(&pixels).all(|(a, b)| a.abs_diff(*b) < 6));
    }

    #[test]
    fn images_of_two_channels_have_no_jpeg() {
        let told = Jpeg::new(50.0).output_shape([2, 8, 8]).unwrap_err().to_string();
        assert_eq!(told, "JPEG: expected images of 1 or 3 channels, found 2");
    }
}
