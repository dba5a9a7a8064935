use serde::{Deserialize, Serialize};

use super::{ImageRef, Transform};
use crate::error::Repr;
use crate::{DataError, SplitMix64};

/// Pads an image with zeros on all four sides and cuts out a part of a fixed size at a place drawn
/// uniformly, as torchvision's `RandomCrop(size, padding)`.
///
/// The usual choice for small images: `RandomCrop::new([32, 32], 4)` for those of 32 × 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// Height and width of the part that is cut out.
    pub size: [usize; 2],
    /// Rows or columns of zeros that are put on each side before.
    #[serde(default)]
    pub padding: usize,
}

impl RandomCrop {
    /// Parts of `size` (height and width) of the image with `padding` zeros on each side.
    pub fn new(size: [usize; 2], padding: usize) -> Self {
        Self { size, padding }
    }
}

impl Transform for RandomCrop {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let [channels, height, width] = input;
        let padded = [height, width]
            .map(|side| self.padding.checked_mul(2).and_then(|padding| padding.checked_add(side)));
        let fits = |(&size, padded): (&usize, Option<usize>)| {
            size > 0 && padded.is_some_and(|padded| size <= padded)
        };
        if self.size.iter().zip(padded).all(fits) {
            let [height, width] = self.size;
            return Ok([channels, height, width]);
        }
        Err(Repr::Crop { size: self.size, padding: self.padding, image: [height, width] }.into())
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let [out_height, out_width] = self.size;
        let padding = self.padding;
        let place = |rng: &mut SplitMix64, side: usize, size: usize| {
            rng.below((side + 2 * padding - size + 1) as u64) as usize
        };
        let top = place(rng, height, out_height);
        let left = place(rng, width, out_width);

        // The columns of the image that the part shows, and where in the part they begin.
        let first = left.saturating_sub(padding).min(width);
        let last = (left + out_width).saturating_sub(padding).min(width);
        let start = padding.saturating_sub(left).min(out_width);
        let planes = image.pixels.chunks_exact(height * width);
        for (plane, output) in planes.zip(output.chunks_exact_mut(out_height * out_width)) {
            for (y, row) in output.chunks_exact_mut(out_width).enumerate() {
                row.fill(0);
                // A row above or below the image is padding.
                let Some(source) = (top + y).checked_sub(padding).filter(|&y| y < height) else {
                    continue;
                };
                let shown = &plane[source * width..][first..last];
                row[start..][..shown.len()].copy_from_slice(shown);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Pads, then cuts, pixel by pixel.
    fn oracle(image: ImageRef<'_>, crop: RandomCrop, top: usize, left: usize) -> Vec<u8> {
        let [channels, height, width] = image.shape;
        let mut output = Vec::new();
        for c in 0..channels {
            for y in top..top + crop.size[0] {
                for x in left..left + crop.size[1] {
                    let inside =
                        |at: usize, side: usize| (crop.padding..crop.padding + side).contains(&at);
                    output.push(if inside(y, height) && inside(x, width) {
                        let (y, x) = (y - crop.padding, x - crop.padding);
                        image.pixels[(c * height + y) * width + x]
                    } else {
                        0
                    });
                }
            }
        }
        output
    }

    #[test]
    fn every_place_of_the_padded_image_comes_and_no_other() {
        let pixels: Vec<u8> = (1..=40).collect();
        let image = ImageRef { pixels: &pixels, shape: [2, 4, 5] };
        // Smaller than, as large as and larger than the image; padding wider than the part.
        for (size, padding) in
            [([3, 2], 0), ([4, 5], 0), ([4, 5], 1), ([1, 1], 2), ([6, 9], 2), ([2, 3], 4)]
        {
            let crop = RandomCrop::new(size, padding);
            let [channels, height, width] = crop.output_shape(image.shape).unwrap();
            assert_eq!([channels, height, width], [2, size[0], size[1]]);
            let places = [4, 5].map(|side| side + 2 * padding);
            let mut possible = BTreeSet::new();
            for top in 0..=places[0] - size[0] {
                for left in 0..=places[1] - size[1] {
                    possible.insert(oracle(image, crop, top, left));
                }
            }
            let mut rng = SplitMix64::new(1);
            let mut found = BTreeSet::new();
            // At most 117 places; each is missed with a probability of (1 - 1/117)^4000, or 1e-15.
            for _ in 0..4_000 {
                let mut output = vec![99; 2 * size[0] * size[1]];
                crop.apply(image, &mut rng, &mut output);
                found.insert(output);
            }
            assert_eq!(found, possible, "{crop:?}");
        }
    }

    #[test]
    fn settings_have_a_default_padding_and_no_unknown_field() {
        let crop: RandomCrop = serde_json::from_str("{\"size\": [28, 28]}").unwrap();
        assert_eq!(crop, RandomCrop::new([28, 28], 0));
        let unknown = "{\"size\": [28, 28], \"fill\": 1}";
        assert!(serde_json::from_str::<RandomCrop>(unknown).is_err());
    }

    #[test]
    fn parts_that_do_not_fit_are_refused() {
        let message = |size, padding| {
            RandomCrop::new(size, padding).output_shape([3, 8, 6]).unwrap_err().to_string()
        };
        assert_eq!(
            message([9, 6], 0),
            "random crop: expected a size of 1 to that of the padded image, found 9 x 6 of 8 x 6 with padding 0"
        );
        assert!(message([4, 9], 1).contains("4 x 9 of 8 x 6 with padding 1"));
        assert!(message([0, 1], 0).contains("0 x 1"));
        assert!(message([1, 1], usize::MAX).starts_with("random crop: "));
        assert!(RandomCrop::new([10, 8], 1).output_shape([3, 8, 6]).is_ok());
    }
}
