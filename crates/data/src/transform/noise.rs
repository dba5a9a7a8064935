use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::lanes::nearest_integer;
use super::{ImageRef, Transform, require, require_range};
use crate::{DataError, SplitMix64};

/// Adds to each value another number, drawn uniformly from a range, rounds and cuts off at 0 and 255.
///
/// Numbers are on the scale on which a pixel of 255 is 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniformNoise {
    /// The least number.
    pub low: f64,
    /// The greatest.
    pub high: f64,
}

impl UniformNoise {
    /// By at most so much either way.
    pub fn new(most: f64) -> Self {
        Self { low: -most, high: most }
    }
}

impl Transform for UniformNoise {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_range("uniform noise", [self.low, self.high], -1.0..=1.0)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let low = (self.low * 255.0) as f32;
        let step = ((self.high - self.low) * 255.0 / 65_536.0) as f32;
        add(image, rng, output, |bits| low + (f32::from(bits) + 0.5) * step);
    }
}

/// Adds to each value another number, drawn from a normal distribution, rounds and cuts off at 0 and 255.
///
/// It is torchvision's `GaussianNoise` but for two details: the sum is rounded to the nearest value, where
/// torchvision cuts the noise off after the point, and what is drawn is one of 65,536 equally probable
/// numbers, none of them more than 4.4 standard deviations from the mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianNoise {
    /// The mean, on the scale on which a pixel of 255 is 1.
    pub mean: f64,
    /// The standard deviation, on the same scale.
    pub sigma: f64,
}

impl Default for GaussianNoise {
    /// Mean 0, standard deviation 0.1.
    fn default() -> Self {
        Self { mean: 0.0, sigma: 0.1 }
    }
}

impl Transform for GaussianNoise {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require((-1.0..=1.0).contains(&self.mean), "mean of noise", "-1 to 1", self.mean)?;
        require((0.0..=10.0).contains(&self.sigma), "sigma of noise", "0 to 10", self.sigma)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let [mean, sigma] = [self.mean, self.sigma].map(|value| (value * 255.0) as f32);
        let quantiles = quantiles();
        add(image, rng, output, |bits| mean + sigma * quantiles[usize::from(bits)]);
    }
}

/// Adds what `noise` makes of sixteen random bits to each value: a generator gives four of them at a time.
fn add(image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8], noise: impl Fn(u16) -> f32) {
    let four = output.chunks_mut(4).zip(image.pixels.chunks(4));
    for (output, pixels) in four {
        let mut bits = rng.next_u64();
        for (output, &pixel) in output.iter_mut().zip(pixels) {
            let value = f32::from(pixel) + noise(bits as u16);
            *output = nearest_integer(value.clamp(0.0, 255.0)) as u8;
            bits >>= 16;
        }
    }
}

/// The middles of 65,536 equally probable parts of the standard normal distribution.
fn quantiles() -> &'static [f32; 1 << 16] {
    static QUANTILES: OnceLock<Box<[f32; 1 << 16]>> = OnceLock::new();
    QUANTILES.get_or_init(|| {
        let mut all = Box::new([0.0; 1 << 16]);
        // From the middle outwards: each is found from the one before by Newton's method, and the area
        // between them by Simpson's rule on steps of a hundredth at most, exact to 1e-10.
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let between = |a: f64, b: f64| {
            let parts = ((b - a).abs() * 100.0).ceil().max(1.0);
            let step = (b - a) / parts;
            let part = |i: u32| {
                let at = a + f64::from(i) * step;
                density(at) + 4.0 * density(at + 0.5 * step) + density(at + step)
            };
            step / 6.0 * (0..parts as u32).map(part).sum::<f64>()
        };
        let (mut x, mut area) = (0.0, 0.0);
        for i in 0..1 << 15 {
            let target = (f64::from(i) + 0.5) / 65_536.0;
            let mut next: f64 = x + (target - area) / density(x);
            for _ in 0..6 {
                next -= (area + between(x, next) - target) / density(next);
            }
            area += between(x, next);
            x = next;
            all[(1 << 15) + i as usize] = x as f32;
            all[(1 << 15) - 1 - i as usize] = -x as f32;
        }
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(transform: &impl Transform, value: u8, seed: u64) -> Vec<u8> {
        let pixels = vec![value; 100_001];
        let image = ImageRef { pixels: &pixels, shape: [1, 1, pixels.len()] };
        let mut output = vec![0; pixels.len()];
        transform.apply(image, &mut SplitMix64::new(seed), &mut output);
        output
    }

    fn mean_and_deviation(values: &[u8]) -> [f64; 2] {
        let n = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        [mean, variance.sqrt()]
    }

    // Expected: scipy.stats.norm.ppf((k + 0.5) / 65536) for k = 32768, 40000, 60000, 65000, 65535.
    #[test]
    fn quantiles_are_those_of_the_normal_distribution() {
        let expected =
            [0.000_019_124_056, 0.280_255_334, 1.375_649_887, 2.401_182_966, 4.324_919_041];
        for (k, value) in [32_768, 40_000, 60_000, 65_000, 65_535].into_iter().zip(expected) {
            assert!((f64::from(quantiles()[k]) - value).abs() < 1e-6, "{k} {}", quantiles()[k]);
        }
    }

    #[test]
    fn gaussian_noise_has_its_mean_and_its_deviation() {
        let noise = GaussianNoise { mean: 0.02, sigma: 0.1 };
        let [mean, deviation] = mean_and_deviation(&noisy(&noise, 120, 1));
        // Rounding adds a variance of 1/12. The standard errors are 0.08 and 0.06; the bounds are five.
        assert!((mean - 125.1).abs() < 0.4, "{mean}");
        assert!((deviation - (25.5f64.powi(2) + 1.0 / 12.0).sqrt()).abs() < 0.3, "{deviation}");
        let none = noisy(&GaussianNoise { mean: 0.0, sigma: 0.0 }, 7, 1);
        assert!(none.iter().all(|&p| p == 7));
    }

    #[test]
    fn uniform_noise_fills_its_range_evenly_and_leaves_no_byte() {
        let values = noisy(&UniformNoise { low: 0.0, high: 40.0 / 255.0 }, 100, 2);
        let mut counts = [0; 256];
        values.iter().for_each(|&p| counts[usize::from(p)] += 1);
        assert_eq!(counts[..100].iter().chain(&counts[141..]).sum::<usize>(), 0);
        // 2,500 each, the ends half of that; the bounds are six standard deviations.
        assert!(counts[101..140].iter().all(|count| (2_200..=2_800).contains(count)), "{counts:?}");
        assert!([100, 140].iter().all(|&at| (1_040..=1_460).contains(&counts[at])));
        assert!(noisy(&UniformNoise::new(1.0), 250, 3).contains(&255));
    }

    #[test]
    fn the_same_generator_draws_the_same_noise() {
        let noise = GaussianNoise::default();
        assert_eq!(noisy(&noise, 100, 5), noisy(&noise, 100, 5));
        assert_ne!(noisy(&noise, 100, 5), noisy(&noise, 100, 6));
    }

    #[test]
    fn noise_without_a_measure_is_refused() {
        for sigma in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(GaussianNoise { mean: 0.0, sigma }.output_shape([1, 2, 2]).is_err());
        }
        assert!(UniformNoise { low: 0.5, high: 0.1 }.output_shape([1, 2, 2]).is_err());
        assert!(UniformNoise::new(2.0).output_shape([1, 2, 2]).is_err());
    }
}
