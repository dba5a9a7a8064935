use serde::{Deserialize, Serialize};

use super::padding::copy_part;
use super::{ImageRef, PaddingMode, Transform, require};
use crate::error::Repr;
use crate::{DataError, SplitMix64};

/// Pads an image on all four sides and cuts out a part of a fixed size at a place drawn uniformly, as
/// torchvision's `RandomCrop(size, padding)`.
///
/// The usual choice for small images: `RandomCrop::new([32, 32], 4)` for those of 32 × 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RandomCrop {
    /// Height and width of the part that is cut out.
    pub size: [usize; 2],
    /// Rows or columns that are put on each side before.
    #[serde(default)]
    pub padding: usize,
    /// What these show.
    #[serde(default)]
    pub padding_mode: PaddingMode,
    /// Their value, where they show a constant.
    #[serde(default)]
    pub fill: u8,
}

impl RandomCrop {
    /// Parts of `size` (height and width) of the image with `padding` zeros on each side.
    pub fn new(size: [usize; 2], padding: usize) -> Self {
        Self { size, padding, padding_mode: PaddingMode::Constant, fill: 0 }
    }

    /// The same, with the image mirrored at its edges in place of the zeros.
    pub fn reflected(self) -> Self {
        Self { padding_mode: PaddingMode::Reflect, ..self }
    }
}

impl Transform for RandomCrop {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let [channels, height, width] = input;
        let most = self.padding_mode.most(height.min(width));
        let expected = format!("at most {most} rows and columns of an image of {height} x {width}");
        require(self.padding <= most, "padding of a random crop", &expected, self.padding)?;
        let padded = [height, width].map(|side| {
            let padded = self.padding.checked_mul(2).and_then(|padding| padding.checked_add(side));
            padded.filter(|&padded| isize::try_from(padded).is_ok())
        });
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
        let mut place = |side: usize, size: usize| {
            rng.below((side + 2 * padding - size + 1) as u64) as isize - padding as isize
        };
        let at = [place(height, out_height), place(width, out_width)];
        let beyond = (self.padding_mode, self.fill);
        for (plane, output) in image.planes().zip(output.chunks_exact_mut(out_height * out_width)) {
            copy_part(plane, [height, width], at, beyond, (output, out_width));
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
        let unknown = "{\"size\": [28, 28], \"color\": 1}";
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

    // Expected: np.pad(np.arange(6).reshape(2, 3), 1, "reflect"), and with "edge".
    #[test]
    fn padding_shows_what_its_mode_says() {
        let pixels: Vec<u8> = (0..6).collect();
        let image = ImageRef { pixels: &pixels, shape: [1, 2, 3] };
        let crop = RandomCrop::new([4, 5], 1);
        let mut output = [99; 20];
        let reflected = crop.reflected();
        assert_eq!(reflected.output_shape(image.shape).unwrap(), [1, 4, 5]);
        reflected.apply(image, &mut SplitMix64::new(1), &mut output);
        assert_eq!(output, [4, 3, 4, 5, 4, 1, 0, 1, 2, 1, 4, 3, 4, 5, 4, 1, 0, 1, 2, 1]);
        let edge = RandomCrop { padding_mode: PaddingMode::Edge, ..crop };
        edge.apply(image, &mut SplitMix64::new(1), &mut output);
        assert_eq!(output, [0, 0, 1, 2, 2, 0, 0, 1, 2, 2, 3, 3, 4, 5, 5, 3, 3, 4, 5, 5]);
        let error = RandomCrop::new([2, 2], 2).reflected().output_shape(image.shape).unwrap_err();
        assert_eq!(
            error.to_string(),
            "padding of a random crop: expected at most 1 rows and columns of an image of 2 x 3, found 2"
        );
    }
}
