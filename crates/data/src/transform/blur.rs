use serde::{Deserialize, Serialize};

use super::lanes::{to_bytes, wide};
use super::{ImageRef, PaddingMode, Transform, between, require, require_range};
use crate::{DataError, SplitMix64};

/// Blurs an image by a Gaussian whose standard deviation is drawn uniformly, as torchvision's
/// `GaussianBlur`; beyond its edge the image is mirrored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GaussianBlur {
    /// Rows and columns of the kernel, an odd number.
    pub kernel_size: usize,
    /// The least and the greatest standard deviation in pixels, above 0.
    #[serde(default = "sigma")]
    pub sigma: [f64; 2],
}

fn sigma() -> [f64; 2] {
    [0.1, 2.0]
}

impl GaussianBlur {
    /// A kernel of so many rows and columns, an odd number, with deviations from 0.1 to 2.
    pub fn new(kernel_size: usize) -> Self {
        Self { kernel_size, sigma: sigma() }
    }
}

impl Transform for GaussianBlur {
    fn output_shape(&self, input: [usize; 3]) -> Result<[usize; 3], DataError> {
        let [_, height, width] = input;
        require_range("sigma of a blur", self.sigma, 1e-3..=1e3)?;
        let most = 2 * height.min(width).saturating_sub(1) + 1;
        let holds = self.kernel_size % 2 == 1 && self.kernel_size <= most;
        let expected = format!("an odd number up to {most} for images of {height} x {width}");
        require(holds, "kernel size of a blur", &expected, self.kernel_size)?;
        Ok(input)
    }

    fn apply(&self, image: ImageRef<'_>, rng: &mut SplitMix64, output: &mut [u8]) {
        let [_, height, width] = image.shape;
        let kernel = kernel(self.kernel_size, between(self.sigma, rng));
        let reach = self.kernel_size / 2;
        let mirrored = |at: usize, side: usize| {
            PaddingMode::Reflect.source(at as isize - reach as isize, side).unwrap_or(0)
        };
        // One row with its mirrored ends, and one of sums.
        let mut padded = vec![0.0; width + 2 * reach];
        let mut sums = vec![0.0; width];
        // The rows blurred along x.
        let mut rows = vec![0.0; height * width];
        for (plane, output) in image.planes().zip(output.chunks_exact_mut(height * width)) {
            for (row, blurred) in plane.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
                for (x, value) in padded.iter_mut().enumerate() {
                    *value = f32::from(row[mirrored(x, width)]);
                }
                blurred.fill(0.0);
                for (i, &weight) in kernel.iter().enumerate() {
                    add_scaled(blurred, &padded[i..i + width], weight);
                }
            }
            for (y, output) in output.chunks_exact_mut(width).enumerate() {
                sums.fill(0.0);
                for (i, &weight) in kernel.iter().enumerate() {
                    let row = mirrored(y + i, height);
                    add_scaled(&mut sums, &rows[row * width..][..width], weight);
                }
                to_bytes(&sums, output);
            }
        }
    }
}

/// Weights in proportion to exp(-x² / 2σ²), 1 in all.
fn kernel(size: usize, sigma: f64) -> Vec<f32> {
    let middle = (size / 2) as f64;
    let weights: Vec<f64> =
        (0..size).map(|i| (-0.5 * ((i as f64 - middle) / sigma).powi(2)).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|weight| (weight / sum) as f32).collect()
}

wide! {
    fn add_scaled(sums: &mut [f32], values: &[f32], weight: f32) {
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += weight * value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blur_leaves_what_is_the_same_everywhere() {
        let pixels = [77; 2 * 5 * 6];
        let image = ImageRef { pixels: &pixels, shape: [2, 5, 6] };
        for seed in 0..50 {
            let mut output = [0; 60];
            GaussianBlur::new(5).apply(image, &mut SplitMix64::new(seed), &mut output);
            assert_eq!(output, pixels);
        }
    }

    #[test]
    fn kernels_that_do_not_fit_are_refused() {
        let refused = |blur: GaussianBlur| blur.output_shape([1, 4, 9]).unwrap_err().to_string();
        assert_eq!(
            refused(GaussianBlur::new(9)),
            "kernel size of a blur: expected an odd number up to 7 for images of 4 x 9, found 9"
        );
        refused(GaussianBlur::new(4));
        refused(GaussianBlur::new(0));
        refused(GaussianBlur { sigma: [0.0, 1.0], ..GaussianBlur::new(3) });
        refused(GaussianBlur { sigma: [1.0, f64::NAN], ..GaussianBlur::new(3) });
        assert!(GaussianBlur::new(7).output_shape([1, 4, 9]).is_ok());
    }
}
