use serde::{Deserialize, Serialize};

use super::{ImageRef, Transform};
use crate::error::Repr;
use crate::{DataError, SplitMix64};

/// Mirrors an image left and right with a probability, as torchvision's `RandomHorizontalFlip`.
///
/// ```
/// use selvedge_data::transform::{ImageRef, RandomHorizontalFlip, Transform};
/// use selvedge_data::SplitMix64;
///
/// let image = ImageRef { pixels: &[1, 2, 3, 4], shape: [1, 2, 2] };
/// let mut flipped = [0; 4];
/// RandomHorizontalFlip { p: 1.0 }.apply(image, &mut SplitMix64::new(1), &mut flipped);
/// assert_eq!(flipped, [2, 1, 4, 3]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomHorizontalFlip {
    /// The probability, 0 to 1.
    pub p: f64,
}

impl Default for RandomHorizontalFlip {
    /// Half of the images.
    fn default() -> Self {
        Self { p: 0.5 }
    }
}

impl Transform for RandomHorizontalFlip {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        if (0.0..=1.0).contains(&self.p) {
            return Ok(input);
        }
        Err(Repr::Fraction {
            what: "probability of a horizontal flip",
            expected: "a number from 0 to 1",
            found: self.p,
        }
        .into())
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        output.copy_from_slice(image.pixels);
        // `unit` is below 1, so that 1 is always and 0 never.
        if rng.unit() < self.p {
            let [_, _, width] = image.shape;
            output.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flip(p: f64, seed: u64, pixels: &[u8], shape: [usize; 3]) -> Vec<u8> {
        let mut output = vec![99; pixels.len()];
        let image = ImageRef { pixels, shape };
        RandomHorizontalFlip { p }.apply(image, &mut SplitMix64::new(seed), &mut output);
        output
    }

    #[test]
    fn each_row_of_each_channel_is_reversed() {
        let pixels: Vec<u8> = (0..12).collect();
        let flipped = flip(1.0, 0, &pixels, [2, 2, 3]);
        assert_eq!(flipped, [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9]);
        assert_eq!(flip(1.0, 0, &flipped, [2, 2, 3]), pixels, "twice is not at all");
    }

    #[test]
    fn the_probability_is_the_share_of_flipped_images() {
        for (p, expected) in [(0.0, 0), (0.25, 2_500), (0.5, 5_000), (1.0, 10_000)] {
            let flips = (0..10_000).filter(|&seed| flip(p, seed, &[1, 2], [1, 1, 2]) == [2, 1]);
            let flips = flips.count() as i64;
            // The standard deviation of 10,000 draws is at most 50; the bound is four of them.
            assert!((flips - expected).abs() <= 200, "{p}: {flips}");
            assert!(p > 0.0 && p < 1.0 || flips == expected);
        }
    }

    #[test]
    fn impossible_probabilities_are_refused() {
        for p in [-0.1, 1.1, f64::NAN] {
            let error = RandomHorizontalFlip { p }.output_shape([1, 2, 2]).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "probability of a horizontal flip: expected a number from 0 to 1, found {p}"
                )
            );
        }
    }
}
