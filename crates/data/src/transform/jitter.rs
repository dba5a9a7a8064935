use serde::{Deserialize, Serialize};

use super::{ColorOp, ImageRef, Transform, between, require_gray_or_color, require_range};
use crate::{DataError, SplitMix64};

/// Changes brightness, contrast, saturation and hue by random factors in a random order, as torchvision's
/// `ColorJitter`.
///
/// ```
/// use selvedge_data::transform::ColorJitter;
///
/// let jitter = ColorJitter::new(0.4, 0.4, 0.4, 0.1);
/// assert_eq!(jitter.brightness, [0.6, 1.4]);
/// assert_eq!(jitter.hue, [-0.1, 0.1]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ColorJitter {
    /// The least and the greatest factor of brightness, at least 0; 1 and 1 leaves it.
    pub brightness: [f64; 2],
    /// Those of contrast.
    pub contrast: [f64; 2],
    /// Those of saturation.
    pub saturation: [f64; 2],
    /// The least and the greatest turn of the hue, from -0.5 to 0.5; 0 and 0 leaves it.
    pub hue: [f64; 2],
}

impl Default for ColorJitter {
    /// Leaves images as they are.
    fn default() -> Self {
        Self { brightness: [1.0; 2], contrast: [1.0; 2], saturation: [1.0; 2], hue: [0.0; 2] }
    }
}

impl ColorJitter {
    /// Factors of 1 minus to 1 plus a number, but none below 0; a turn of the hue of at most `hue` either way.
    pub fn new(brightness: f64, contrast: f64, saturation: f64, hue: f64) -> Self {
        let around = |by: f64| [(1.0 - by).max(0.0), 1.0 + by];
        Self {
            brightness: around(brightness),
            contrast: around(contrast),
            saturation: around(saturation),
            hue: [-hue, hue],
        }
    }
}

impl Transform for ColorJitter {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        require_gray_or_color("color jitter", input)?;
        for (what, range) in [
            ("brightness of a color jitter", self.brightness),
            ("contrast of a color jitter", self.contrast),
            ("saturation of a color jitter", self.saturation),
        ] {
            require_range(what, range, 0.0..=1e6)?;
        }
        require_range("hue of a color jitter", self.hue, -0.5..=0.5)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let mut order = [0, 1, 2, 3];
        rng.shuffle(&mut order);
        let [brightness, contrast, saturation, hue] =
            [self.brightness, self.contrast, self.saturation, self.hue]
                .map(|range| between(range, rng));
        output.copy_from_slice(image.pixels);
        for op in order {
            let (op, nothing) = match op {
                0 => (ColorOp::Brightness { factor: brightness }, brightness == 1.0),
                1 => (ColorOp::Contrast { factor: contrast }, contrast == 1.0),
                2 => (ColorOp::Saturation { factor: saturation }, saturation == 1.0),
                _ => (ColorOp::Hue { factor: hue }, hue == 0.0),
            };
            if !nothing {
                op.change(output, image.shape);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jittered(jitter: ColorJitter, seed: u64, pixels: &[u8], shape: [usize; 3]) -> Vec<u8> {
        let mut output = vec![0; pixels.len()];
        let image = ImageRef { pixels, shape };
        jitter.apply(image, &mut SplitMix64::new(seed), &mut output);
        output
    }

    #[test]
    fn a_factor_of_brightness_comes_uniformly_from_its_range() {
        let jitter = ColorJitter { brightness: [0.5, 1.5], ..ColorJitter::default() };
        let values: Vec<f64> =
            (0..10_000).map(|seed| jittered(jitter, seed, &[100], [1, 1, 1])[0].into()).collect();
        assert!(values.iter().all(|value| (50.0..150.0).contains(value)));
        let mean = values.iter().sum::<f64>() / 1e4;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 1e4;
        // Uniform on the integers 50 to 149: mean 99.5, variance (100² - 1)/12 = 833. The standard errors
        // are 0.29 and 7.5; the bounds are more than five of them.
        assert!((mean - 99.5).abs() < 1.5, "{mean}");
        assert!((variance - 833.25).abs() < 40.0, "{variance}");
    }

    #[test]
    fn all_orders_of_the_operations_come() {
        // Brightness doubled and contrast doubled do not commute where a value is cut off.
        let jitter =
            ColorJitter { brightness: [2.0; 2], contrast: [3.0; 2], ..ColorJitter::default() };
        let pixels = [10, 90, 200];
        let found: std::collections::BTreeSet<_> =
            (0..100).map(|seed| jittered(jitter, seed, &pixels, [1, 1, 3])).collect();
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        let refused = |jitter: ColorJitter| jitter.output_shape([3, 4, 4]).unwrap_err().to_string();
        let hue = ColorJitter { hue: [-0.6, 0.1], ..ColorJitter::default() };
        assert_eq!(
            refused(hue),
            "hue of a color jitter: expected two numbers from -0.5 to 0.5, the lower first, found -0.6 and 0.1"
        );
        refused(ColorJitter { contrast: [1.5, 0.5], ..ColorJitter::default() });
        refused(ColorJitter { saturation: [f64::NAN, 1.0], ..ColorJitter::default() });
        refused(ColorJitter { brightness: [1.0, f64::INFINITY], ..ColorJitter::default() });
    }
}
