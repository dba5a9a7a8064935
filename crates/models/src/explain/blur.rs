//! Gaussian blur.

use burn::tensor::{Device, Tensor, TensorData};

/// Weights beyond so many standard deviations are left out.
const TRUNCATE: f64 = 4.0;

/// The images, `[batch, channels, height, width]`, blurred with a Gaussian of this standard deviation in pixels. Beyond
/// its border the image is mirrored, the outermost pixel included: as scipy's `gaussian_filter`.
pub(super) fn blur(images: Tensor<4>, sigma: f64) -> Tensor<4> {
    let [_, _, height, width] = images.dims();
    let device = images.device();
    let over_rows = matrix(height, sigma, &device);
    let over_columns = matrix(width, sigma, &device).swap_dims(2, 3);
    over_rows.matmul(images).matmul(over_columns)
}

/// `[1, 1, side, side]`: what each value gives to each.
fn matrix(side: usize, sigma: f64, device: &Device) -> Tensor<4> {
    let reach = (TRUNCATE * sigma + 0.5) as i64;
    let weight = |at: i64| (-0.5 * (at as f64 / sigma).powi(2)).exp();
    let sum: f64 = (-reach..=reach).map(weight).sum();
    let mut matrix = vec![0f64; side * side];
    for (i, row) in matrix.chunks_mut(side).enumerate() {
        for at in -reach..=reach {
            let place = (i as i64 + at).rem_euclid(2 * side as i64) as usize;
            row[place.min(2 * side - 1 - place)] += weight(at) / sum;
        }
    }
    let matrix: Vec<f32> = matrix.into_iter().map(|value| value as f32).collect();
    Tensor::from_data(TensorData::new(matrix, [1, 1, side, side]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blurred_image_is_that_of_scipy() {
        // gaussian_filter(np.array([[1., 2, 4], [0, -3, 5]]), 1.3, mode="reflect"): wider than the image.
        let expected = [0.85848, 1.559599, 2.392744, 0.607133, 1.34221, 2.239833];
        let image =
            Tensor::<4>::from_data([[[[1.0, 2.0, 4.0], [0.0, -3.0, 5.0]]]], &Device::flex());
        let found = blur(image, 1.3).into_data();
        let found: Vec<f64> = found.iter().collect();
        assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6), "{found:?}");
    }
}
