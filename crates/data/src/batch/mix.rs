use serde::{Deserialize, Serialize};

use super::host::{HostBatch, HostTargets};
use crate::transform::require;
use crate::{DataError, SplitMix64};

/// Mixes each image of a batch with the one before it, and their classes with them, as torchvision's `MixUp`
/// and `CutMix`: the targets become probabilities. [`BatchLoader::with_mix`](super::BatchLoader::with_mix)
/// does it.
///
/// How much is mixed is drawn once a batch from Beta(alpha, alpha): near 0 or 1 for a small alpha, uniformly
/// for 1. In an order that is not random, neighbours are mixed that are perhaps of one class.
///
/// ```
/// use selvedge_data::Mix;
///
/// let mix = Mix::Mixup { alpha: 0.2 };
/// assert!(mix.check().is_ok());
/// assert!(Mix::Cutmix { alpha: 0.0 }.check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Mix {
    /// Weighted means of two images (H. Zhang et al., *mixup: beyond empirical risk minimization*, 2018).
    Mixup {
        /// Above 0; 0.2 is usual.
        alpha: f64,
    },
    /// A rectangle of one image in the other (S. Yun et al., *CutMix*, 2019). The classes are mixed by area.
    Cutmix {
        /// Above 0; 1 is usual.
        alpha: f64,
    },
    /// One of the two, drawn anew for each batch.
    Either {
        /// Of the weighted means.
        mixup_alpha: f64,
        /// Of the rectangles.
        cutmix_alpha: f64,
    },
}

/// Keeps what is drawn for a batch apart from whatever else is drawn from the same seed ("mix").
const MIX: u64 = 0x006D_6978;

impl Mix {
    /// Whether the settings are in their range.
    ///
    /// # Errors
    ///
    /// If an alpha is not a number above 0 and at most 1000.
    pub fn check(&self) -> Result<(), DataError> {
        let alphas = match *self {
            Self::Mixup { alpha } | Self::Cutmix { alpha } => [alpha; 2],
            Self::Either { mixup_alpha, cutmix_alpha } => [mixup_alpha, cutmix_alpha],
        };
        alphas.into_iter().try_for_each(|alpha| {
            let holds = alpha > 0.0 && alpha <= 1e3;
            require(holds, "alpha of mixed batches", "a number above 0 and at most 1000", alpha)
        })
    }

    /// Mixes a batch of one epoch; what is drawn is a function of seed, epoch and the batch's number.
    pub(super) fn apply(
        self,
        batch: &mut HostBatch,
        classes: usize,
        seed: u64,
        [epoch, number]: [usize; 2],
    ) {
        let epoch = SplitMix64::stream(seed ^ MIX, epoch as u64).next_u64();
        let rng = &mut SplitMix64::stream(epoch, number as u64);
        let (cut, alpha) = match self {
            Self::Mixup { alpha } => (false, alpha),
            Self::Cutmix { alpha } => (true, alpha),
            Self::Either { mixup_alpha, cutmix_alpha } => match rng.unit() < 0.5 {
                true => (false, mixup_alpha),
                false => (true, cutmix_alpha),
            },
        };
        let share = beta(alpha, rng);
        let share = match cut {
            true => cutmix(&mut batch.values, batch.shape, share, rng),
            false => {
                mean_with_previous(&mut batch.values, batch.shape[0], share as f32);
                share
            }
        };
        let mut probabilities = match &mut batch.targets {
            HostTargets::Probabilities { values, .. } => std::mem::take(values),
            HostTargets::Labels(labels) => {
                let mut rows = vec![0.0; labels.len() * classes];
                let of_each = rows.chunks_exact_mut(classes).zip(labels.iter());
                of_each.for_each(|(row, &label)| row[usize::from(label)] = 1.0);
                rows
            }
        };
        mean_with_previous(&mut probabilities, batch.shape[0], share as f32);
        batch.targets = HostTargets::Probabilities { values: probabilities, classes };
    }
}

/// Each of `count` equal rows becomes a mean of itself and the one before it, the first of itself and the
/// last: `share` of itself.
fn mean_with_previous(values: &mut [f32], count: usize, share: f32) {
    let size = values.len() / count.max(1);
    if size == 0 {
        return;
    }
    let last = values[values.len() - size..].to_vec();
    let rest = 1.0 - share;
    let mean = |row: &mut [f32], previous: &[f32]| {
        row.iter_mut().zip(previous).for_each(|(v, p)| *v = share * *v + rest * p);
    };
    // From the last to the first, so that the one before is still as it was.
    for row in (1..count).rev() {
        let (before, row) = values.split_at_mut(row * size);
        mean(&mut row[..size], &before[before.len() - size..]);
    }
    mean(&mut values[..size], &last);
}

/// Puts a rectangle of the image before into each one; the share of the image that stays.
fn cutmix(values: &mut [f32], shape: [usize; 4], share: f64, rng: &mut SplitMix64) -> f64 {
    let [count, channels, height, width] = shape;
    let half = 0.5 * (1.0 - share).sqrt();
    let mut range = |side: usize| {
        let (middle, half) = (rng.below(side as u64) as usize, (half * side as f64) as usize);
        middle.saturating_sub(half)..(middle + half).min(side)
    };
    let (columns, rows) = (range(width), range(height));
    let size = channels * height * width;
    let last = values[(count - 1) * size..].to_vec();
    for image in (0..count).rev() {
        let (before, rest) = values.split_at_mut(image * size);
        let previous = before.len().checked_sub(size).map_or(&last[..], |at| &before[at..]);
        for channel in 0..channels {
            for row in rows.clone() {
                let line = (channel * height + row) * width;
                let part = line + columns.start..line + columns.end;
                rest[part.clone()].copy_from_slice(&previous[part]);
            }
        }
    }
    1.0 - (rows.len() * columns.len()) as f64 / (height * width) as f64
}

/// A number from Beta(alpha, alpha): the share of one of two Gamma(alpha) in their sum, computed by their
/// logarithms, since those of a small alpha are often too small for a number.
fn beta(alpha: f64, rng: &mut SplitMix64) -> f64 {
    let [a, b] = [log_gamma(alpha, rng), log_gamma(alpha, rng)];
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a number from Gamma(alpha) (G. Marsaglia and W. Tsang, *A simple method for generating
/// gamma variables*, 2000).
fn log_gamma(alpha: f64, rng: &mut SplitMix64) -> f64 {
    // Above 0, so that it has a logarithm.
    let unit = |rng: &mut SplitMix64| 1.0 - rng.unit();
    if alpha < 1.0 {
        return log_gamma(alpha + 1.0, rng) + unit(rng).ln() / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let radius = (-2.0 * unit(rng).ln()).sqrt();
        let normal = radius * (2.0 * std::f64::consts::PI * rng.unit()).cos();
        let cube = (1.0 + c * normal).powi(3);
        if cube > 0.0 && unit(rng).ln() < 0.5 * normal * normal + d - d * cube + d * cube.ln() {
            return d.ln() + cube.ln();
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{BatchLoader, ImageDataset, Targets};

    // Mean 1/2 and variance 1/(4(2α + 1)) of Beta(α, α).
    #[test]
    fn shares_have_the_moments_of_the_beta_distribution() {
        for alpha in [0.05, 0.2, 1.0, 4.0] {
            let shares: Vec<f64> =
                (0..20_000).map(|seed| beta(alpha, &mut SplitMix64::new(seed))).collect();
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            let mean = shares.iter().sum::<f64>() / 2e4;
            let variance = shares.iter().map(|share| (share - 0.5).powi(2)).sum::<f64>() / 2e4;
            let expected = 0.25 / (2.0 * alpha + 1.0);
            // Standard errors are at most 0.0035 and 0.0006; the bounds are five of them.
            assert!((mean - 0.5).abs() < 0.018, "{alpha}: {mean}");
            assert!((variance - expected).abs() < 0.004, "{alpha}: {variance} {expected}");
        }
    }

    // Expected: torch, `images.roll(1, 0) * (1 - 0.75) + images * 0.75` of [[0, 4], [8, 0], [4, 8]].
    #[test]
    fn each_image_is_mixed_with_the_one_before_it_and_the_first_with_the_last() {
        let mut values = [0.0, 4.0, 8.0, 0.0, 4.0, 8.0];
        mean_with_previous(&mut values, 3, 0.75);
        assert_eq!(values, [1.0, 5.0, 6.0, 1.0, 5.0, 6.0]);
    }

    #[test]
    fn a_rectangle_comes_from_the_image_before_and_classes_are_mixed_by_its_area() {
        let mut areas = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let mut rng = SplitMix64::new(seed);
            // Image i has the value i everywhere.
            let mut values: Vec<f32> = (0..3 * 2 * 48).map(|i| (i / 96) as f32).collect();
            let share = cutmix(&mut values, [3, 2, 6, 8], 0.5, &mut rng);
            for (image, pixels) in values.chunks(96).enumerate() {
                let previous = ((image + 2) % 3) as f32;
                let changed: Vec<usize> = (0..96).filter(|&i| pixels[i] == previous).collect();
                assert!(pixels.iter().all(|&p| p == image as f32 || p == previous));
                assert!((changed.len() as f64 / 96.0 - (1.0 - share)).abs() < 1e-12);
                let (first, last) = (changed[0], changed[changed.len() - 1]);
                let inside = |i: usize| {
                    let within =
                        |at: fn(usize) -> usize| (at(first)..=at(last % 48)).contains(&at(i % 48));
                    within(|i| i / 8) && within(|i| i % 8)
                };
                assert_eq!(changed.len(), (0..96).filter(|&i| inside(i)).count(), "a rectangle");
            }
            areas.insert((share * 48.0).round() as i64);
        }
        // Half the image at most, 4 × 4 pixels of 6 × 8, and less at the edges.
        assert!(areas.len() > 4 && areas.iter().all(|area| (32..48).contains(area)), "{areas:?}");
    }

    #[test]
    fn a_loader_mixes_the_same_whether_an_epoch_is_begun_or_gone_on_with() {
        let pixels = (0..23 * 64).map(|i| (i * 31 % 256) as u8).collect();
        let labels = (0..23).map(|i| u16::from(i % 3 == 0)).collect();
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let view = ImageDataset::new("t", pixels, [1, 8, 8], labels, classes).unwrap().view();
        let unit = crate::Normalization::unit();
        let plain = BatchLoader::new(view, 5, &unit, &Device::flex()).unwrap().with_shuffle(1);
        let read = |loader: &BatchLoader, epoch, first| -> Vec<(Vec<f32>, Vec<f32>)> {
            let batches = loader.epoch_from(epoch, first).map(|batch| {
                let batch = batch.unwrap();
                let Targets::Soft(targets) = batch.targets else { panic!("expected soft targets") };
                let values = |data: burn::tensor::TensorData| data.try_to_vec::<f32>().unwrap();
                (values(batch.images.into_data()), values(targets.into_data()))
            });
            batches.collect()
        };
        for mix in [
            Mix::Mixup { alpha: 0.4 },
            Mix::Cutmix { alpha: 1.0 },
            Mix::Either { mixup_alpha: 0.2, cutmix_alpha: 1.0 },
        ] {
            let mixed = plain.clone().with_mix(mix).unwrap();
            let whole = read(&mixed, 3, 0);
            assert_eq!(whole[2..], read(&mixed, 3, 2));
            assert_ne!(whole, read(&mixed, 4, 0));
            for (_, targets) in &whole {
                assert!(targets.chunks(2).all(|row| (row[0] + row[1] - 1.0).abs() < 1e-6));
            }
            assert!(whole.iter().any(|(_, targets)| targets.iter().any(|p| *p > 0.0 && *p < 1.0)));
        }
        assert!(plain.with_mix(Mix::Mixup { alpha: f64::NAN }).is_err());
    }
}
