use burn::tensor::{Device, Tensor, TensorData};

use super::{Window, unfold};

/// The largest pixel of each window: y\[n, c, r, q\] = max x\[n, c, r·s + u, q·s + v\] over the rows u
/// and columns v of the window, s its stride.
///
/// `[batch, channels, height, width]` to `[batch, channels, rows, columns]`, as many as
/// [`Window::positions`] says. The padding is minus infinity, which is never larger than a pixel.
///
/// As in PyTorch, the gradient goes to the pixel that was the largest; of several that are equal, to
/// the first from left to right, then from top to bottom. A window with a NaN gives NaN.
///
/// # Panics
///
/// Panics if the padding is more than half the kernel (a window could then hold nothing but padding),
/// or as [`Window::positions`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::{Window, max_pool2d};
///
/// let device = Device::flex();
/// let image = Tensor::<4>::from_data([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0]]]], &device);
/// let pooled = max_pool2d(image, Window::new(2).with_stride(2));
/// assert_eq!(pooled.into_data().try_to_vec::<f32>()?, [5.0, 7.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn max_pool2d(x: Tensor<4>, window: Window) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [rows, columns] = [height, width].map(|size| window.positions(size));
    let Window { kernel, padding, .. } = window;
    assert!(padding <= kernel / 2, "padding {padding} is more than half the window, {kernel}");
    let windows = unfold(x, window, f32::NEG_INFINITY);
    let windows = windows.reshape([batch, channels, kernel * kernel, rows * columns]);
    windows.max_dim(2).reshape([batch, channels, rows, columns])
}

/// The means of `size` × `size` windows that cover the image: window i of a side of n pixels reaches
/// from ⌊i·n / size⌋ up to, but not including, ⌈(i + 1)·n / size⌉, as in PyTorch.
///
/// `[batch, channels, height, width]` to `[batch, channels, size, size]`. A mean is a sum with equal
/// weights, so that all means of rows are one matrix product from the left, all means of columns one
/// from the right.
///
/// # Panics
///
/// Panics if the size is 0.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::adaptive_avg_pool2d;
///
/// let device = Device::flex();
/// let image = Tensor::<4>::from_data([[[[1.0, 2.0, 6.0], [3.0, 4.0, 8.0]]]], &device);
/// let mean = adaptive_avg_pool2d(image.clone(), 1);
/// assert_eq!(mean.into_data().try_to_vec::<f32>()?, [4.0]);
/// // Three columns in two windows: both have the middle one.
/// let means = adaptive_avg_pool2d(image, 2);
/// assert_eq!(means.into_data().try_to_vec::<f32>()?, [1.5, 4.0, 3.5, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn adaptive_avg_pool2d(x: Tensor<4>, size: usize) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    assert!(size > 0, "the size must be at least 1, got {size}");
    let device = x.device();
    let over_rows = means(size, height, &device);
    let over_columns = means(size, width, &device).swap_dims(2, 3);
    over_rows.matmul(x).matmul(over_columns)
}

/// The matrix, `[1, 1, size, length]`, that takes `length` values to the means of `size` windows.
fn means(size: usize, length: usize, device: &Device) -> Tensor<4> {
    let mut matrix = vec![0f32; size * length];
    for (i, row) in matrix.chunks_mut(length.max(1)).enumerate() {
        let window = i * length / size..((i + 1) * length).div_ceil(size);
        let share = 1.0 / window.len() as f32;
        row[window].fill(share);
    }
    Tensor::from_data(TensorData::new(matrix, [1, 1, size, length]), device)
}

/// Every pixel `scale` times in both directions, `[batch, channels, height, width]` to `[batch,
/// channels, height · scale, width · scale]`: the nearest neighbour.
///
/// # Panics
///
/// Panics if the scale is 0.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::upsample;
///
/// let image = Tensor::<4>::from_data([[[[1.0, 2.0]]]], &Device::flex());
/// let large = upsample(image, 2).into_data().try_to_vec::<f32>()?;
/// assert_eq!(large, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn upsample(x: Tensor<4>, scale: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    assert!(scale > 0, "the scale must be at least 1, got {scale}");
    let x: Tensor<6> = x.reshape([batch, channels, height, 1, width, 1]);
    let x = x.repeat_dim(3, scale).repeat_dim(5, scale);
    x.reshape([batch, channels, height * scale, width * scale])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_same, shapes, values};
    use burn::tensor::module;
    use burn::tensor::ops::{InterpolateMode, InterpolateOptions, MaxPoolOptions};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_max_pool_and_its_gradient_are_those_of_the_framework(
            (shape, window) in shapes(|kernel| kernel / 2),
            ties: bool,
            seed: u64,
        ) {
            let mut pixels = values(shape.iter().product(), seed);
            if ties {
                // As after a ReLU, and with few different values.
                pixels.iter_mut().for_each(|v| *v = (2.0 * *v).round().max(0.0));
            }
            assert_same(
                &[pixels],
                |t| max_pool2d(t[0].clone().reshape(shape), window).flatten(0, 3),
                |t| {
                    let options = MaxPoolOptions::new([window.kernel; 2])
                        .with_stride([window.stride; 2])
                        .with_padding([window.padding; 2]);
                    module::max_pool2d(t[0].clone().reshape(shape), options).flatten(0, 3)
                },
            );
        }

        #[test]
        fn means_and_repeated_pixels_are_those_of_the_framework(
            (shape, _) in shapes(|_| 0),
            size in 1usize..=8,
            seed: u64,
        ) {
            let inputs = [values(shape.iter().product(), seed)];
            assert_same(
                &inputs,
                |t| adaptive_avg_pool2d(t[0].clone().reshape(shape), size).flatten(0, 3),
                |t| {
                    module::adaptive_avg_pool2d(t[0].clone().reshape(shape), [size; 2]).flatten(0, 3)
                },
            );
            assert_same(
                &inputs,
                |t| upsample(t[0].clone().reshape(shape), size).flatten(0, 3),
                |t| {
                    let options = InterpolateOptions::new(InterpolateMode::Nearest)
                        .with_output_size([shape[2] * size, shape[3] * size]);
                    module::interpolate(t[0].clone().reshape(shape), options).flatten(0, 3)
                },
            );
        }
    }

    #[test]
    fn of_equal_pixels_the_first_has_the_gradient() {
        let device = Device::flex().autodiff();
        let x = Tensor::<4>::from_data([[[[0.0, 2.0], [2.0, 2.0]]]], &device).require_grad();
        let gradients = max_pool2d(x.clone(), Window::new(2)).sum().backward();
        let gradient = x.grad(&gradients).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(gradient, [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn a_nan_is_the_largest_wherever_it_is_in_its_window() {
        for place in 0..4 {
            let mut pixels = vec![1f32, 2.0, 3.0, 4.0];
            pixels[place] = f32::NAN;
            pixels.extend([f32::NEG_INFINITY; 4]);
            let data = TensorData::new(pixels, [2, 1, 2, 2]);
            let x = Tensor::<4>::from_data(data, &Device::flex());
            let y = max_pool2d(x, Window::new(2)).into_data().try_to_vec::<f32>().unwrap();
            assert!(y[0].is_nan() && y[1] == f32::NEG_INFINITY, "{y:?}");
        }
    }

    #[test]
    #[should_panic(expected = "padding 2 is more than half the window, 3")]
    fn a_window_of_padding_alone_is_refused() {
        max_pool2d(Tensor::zeros([1, 1, 4, 4], &Device::flex()), Window::new(3).with_padding(2));
    }
}
