use serde::{Deserialize, Serialize};

use super::{ImageRef, Transform, draw_part, require, require_probability, require_range};
use crate::{DataError, SplitMix64};

/// Hides a square at a random place (T. DeVries and G. Taylor, *Improved regularization of convolutional
/// neural networks with Cutout*, 2017). Its middle may be any pixel, so that a part of it may lie beyond the
/// edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutout {
    /// Rows and columns of the square.
    pub size: usize,
    /// What is shown in its place, in every channel. The paper's 0 is the mean of its normalized pixels.
    #[serde(default)]
    pub value: u8,
}

impl Cutout {
    /// A black square of so many rows and columns.
    pub fn new(size: usize) -> Self {
        Self { size, value: 0 }
    }
}

impl Transform for Cutout {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require(self.size > 0, "size of a cutout", "at least 1", self.size)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        output.copy_from_slice(image.pixels);
        let [_, height, width] = image.shape;
        let mut range = |side: usize| {
            let middle = rng.below(side as u64) as usize;
            let size = self.size.min(2 * side);
            let before = size / 2;
            let end = (middle + size - before).min(side);
            middle.saturating_sub(before)..end
        };
        let (rows, columns) = (range(height), range(width));
        for plane in output.chunks_exact_mut(height * width) {
            for row in rows.clone() {
                plane[row * width..][..width][columns.clone()].fill(self.value);
            }
        }
    }
}

/// Hides a rectangle of random area and proportion at a random place with a probability, as torchvision's
/// `RandomErasing` (Z. Zhong et al., *Random erasing data augmentation*, 2017).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomErasing {
    /// The probability, 0 to 1.
    pub p: f64,
    /// The least and the greatest share of the image's area.
    pub scale: [f64; 2],
    /// The least and the greatest proportion of height to width; its logarithm is drawn uniformly.
    pub ratio: [f64; 2],
    /// What is shown in its place, in every channel.
    pub value: u8,
    /// Whether another value is drawn for each pixel and channel in place of `value`: uniformly from all
    /// bytes, as in the paper. (torchvision draws normally distributed values, which suit normalized images
    /// alone.)
    pub random: bool,
}

impl Default for RandomErasing {
    /// torchvision's: half of the images, 0.02 to 0.33 of the area, proportions from 0.3 to 3.3, black.
    fn default() -> Self {
        Self { p: 0.5, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0, random: false }
    }
}

impl RandomErasing {
    /// The rectangle, `[top, left, height, width]`; `None` if no draw fits.
    fn part(&self, [height, width]: [usize; 2], rng: &mut SplitMix64) -> Option<[usize; 4]> {
        draw_part([height, width], self.scale, self.ratio, rng, |[rows, columns]| {
            (rows < height && columns < width).then_some([rows, columns])
        })
    }
}

impl Transform for RandomErasing {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_probability("probability of random erasing", self.p)?;
        require_range("scale of random erasing", self.scale, 0.0..=1.0)?;
        require_range("ratio of random erasing", self.ratio, 1e-3..=1e3)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        output.copy_from_slice(image.pixels);
        let [_, height, width] = image.shape;
        if rng.unit() >= self.p {
            return;
        }
        let Some([top, left, rows, columns]) = self.part([height, width], rng) else { return };
        for plane in output.chunks_exact_mut(height * width) {
            for row in plane.chunks_exact_mut(width).skip(top).take(rows) {
                let hidden = &mut row[left..left + columns];
                match self.random {
                    true => hidden.chunks_mut(8).for_each(|bytes| {
                        let random = rng.next_u64().to_le_bytes();
                        bytes.copy_from_slice(&random[..bytes.len()]);
                    }),
                    false => hidden.fill(self.value),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(transform: &impl Transform, seed: u64, shape: [usize; 3]) -> Vec<u8> {
        let pixels = vec![9; shape.iter().product()];
        let mut output = vec![1; pixels.len()];
        let image = ImageRef { pixels: &pixels, shape };
        transform.apply(image, &mut SplitMix64::new(seed), &mut output);
        output
    }

    #[test]
    fn a_cutout_is_a_square_about_any_pixel_cut_off_at_the_edge() {
        let mut found = std::collections::BTreeSet::new();
        for seed in 0..3_000 {
            found.insert(apply(&Cutout::new(3), seed, [2, 4, 5]));
        }
        let mut expected = std::collections::BTreeSet::new();
        for (row, column) in (0..4i32).flat_map(|row| (0..5i32).map(move |column| (row, column))) {
            let hidden = |i: i32| (i / 5 % 4 - row).abs() <= 1 && (i % 5 - column).abs() <= 1;
            expected.insert((0..40).map(|i| if hidden(i) { 0 } else { 9 }).collect::<Vec<u8>>());
        }
        assert_eq!(found, expected);
        assert_eq!(apply(&Cutout { size: usize::MAX, value: 4 }, 1, [1, 3, 3]), [4; 9]);
    }

    #[test]
    fn erased_rectangles_have_areas_and_proportions_of_their_ranges() {
        let erasing = RandomErasing { p: 0.7, ..RandomErasing::default() };
        let (mut count, mut areas) = (0, 0.0);
        for seed in 0..2_000 {
            let output = apply(&erasing, seed, [1, 60, 60]);
            let hidden: Vec<usize> = (0..3_600).filter(|&i| output[i] == 0).collect();
            if hidden.is_empty() {
                continue;
            }
            let rows = hidden[hidden.len() - 1] / 60 - hidden[0] / 60 + 1;
            let columns = hidden.len() / rows;
            assert_eq!(rows * columns, hidden.len(), "a rectangle");
            let [area, ratio] = [hidden.len() as f64 / 3_600.0, rows as f64 / columns as f64];
            assert!(
                (0.016..=0.34).contains(&area) && (0.26..=3.7).contains(&ratio),
                "{rows} {columns}"
            );
            (count, areas) = (count + 1, areas + area);
        }
        // 1,400 and a mean of 0.175 for the range 0.02 to 0.33; all but the largest fit at once. Five
        // standard errors of 20 and of 0.0024.
        assert!((1_300..=1_500).contains(&count), "{count}");
        assert!((areas / f64::from(count) - 0.172).abs() < 0.012, "{}", areas / f64::from(count));
    }

    #[test]
    fn random_values_fill_the_rectangle() {
        let erasing =
            RandomErasing { p: 1.0, random: true, scale: [0.3; 2], ratio: [1.0; 2], value: 0 };
        let output = apply(&erasing, 1, [1, 50, 50]);
        let changed: std::collections::BTreeSet<u8> =
            output.iter().copied().filter(|&p| p != 9).collect();
        // 729 bytes; one value of 256 is missed with a probability of 0.06.
        assert!(changed.len() > 220, "{}", changed.len());
        assert_eq!(output, apply(&erasing, 1, [1, 50, 50]));
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        assert!(Cutout::new(0).output_shape([1, 4, 4]).is_err());
        let refused = |erasing: RandomErasing| erasing.output_shape([1, 4, 4]).is_err();
        let sound = RandomErasing::default();
        assert!(!refused(sound));
        assert!(refused(RandomErasing { p: 1.5, ..sound }));
        assert!(refused(RandomErasing { scale: [0.5, 1.5], ..sound }));
        assert!(refused(RandomErasing { ratio: [0.0, 1.0], ..sound }));
    }
}
