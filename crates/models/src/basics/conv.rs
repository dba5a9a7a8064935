use burn::tensor::Tensor;

use super::{Window, unfold};

/// 2-d convolution: y\[n, o, r, c\] = b\[o\] + Σ w\[o, i, u, v\] · x\[n, i, r·s + u, c·s + v\], the sum
/// over input channels i and the rows u and columns v of the kernel, x with `padding` zeros on every
/// side and s the `stride`.
///
/// Shapes: x `[batch, in_channels, height, width]`, weight `[out_channels, in_channels, kernel,
/// kernel]`, bias `[out_channels]`, result `[batch, out_channels, rows, columns]` with as many rows
/// and columns as [`Window::positions`] says. As in all such libraries the kernel is not flipped:
/// strictly, this is a cross-correlation.
///
/// # Panics
///
/// Panics if the kernel is not square, if x and weight differ in input channels, or as
/// [`Window::positions`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::conv2d;
///
/// // A kernel that takes the difference to the right neighbour finds the edge in a step.
/// let device = Device::flex();
/// let step = Tensor::<4>::from_data([[[[0.0, 0.0, 5.0, 5.0], [0.0, 0.0, 5.0, 5.0]]]], &device);
/// let kernel = Tensor::<4>::from_data([[[[-1.0, 1.0], [-1.0, 1.0]]]], &device);
/// let bias = Tensor::<1>::from_data([0.5], &device);
/// let edge = conv2d(step, kernel, Some(bias), 1, 0);
/// assert_eq!(edge.into_data().try_to_vec::<f32>()?, [0.5, 10.5, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: usize,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [out_channels, in_channels, kernel, kernel_width] = weight.dims();
    assert_eq!(kernel, kernel_width, "the kernel must be square: its height, its width");
    assert_eq!(channels, in_channels, "channels of the images, and those that the weight expects");
    let window = Window { kernel, stride, padding };

    let columns = unfold(x, window, 0.0); // [batch, in_channels · kernel², windows]
    let kernels = weight.reshape([1, out_channels, in_channels * kernel * kernel]);
    let y = kernels.matmul(columns); // [batch, out_channels, windows]
    let y = y.reshape([batch, out_channels, window.positions(height), window.positions(width)]);
    match bias {
        Some(bias) => y + bias.reshape([1, out_channels, 1, 1]),
        None => y,
    }
}

/// Transposed 2-d convolution with stride 1: every pixel of x, times the kernel, is added to the
/// result where the pixel was; y\[n, o, r + u, c + v\] = b\[o\] + Σ w\[i, o, u, v\] · x\[n, i, r, c\].
///
/// The same sums, sorted by the pixel of the result, are a convolution: with the kernel turned by half
/// a turn, its input and output channels exchanged, and kernel - 1 zeros around the images.
///
/// Shapes: x `[batch, in_channels, height, width]`, weight `[in_channels, out_channels, kernel,
/// kernel]`, bias `[out_channels]`, result `[batch, out_channels, height + kernel - 1, width + kernel
/// - 1]`.
///
/// # Panics
///
/// As [`conv2d`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::conv_transpose2d;
///
/// // Two pixels, 1 and 10, each leave the kernel behind; where both do, the two are added.
/// let device = Device::flex();
/// let x = Tensor::<4>::from_data([[[[1.0, 10.0]]]], &device);
/// let kernel = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
/// let y = conv_transpose2d(x, kernel, None);
/// assert_eq!(y.into_data().try_to_vec::<f32>()?, [1.0, 12.0, 20.0, 3.0, 34.0, 40.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn conv_transpose2d(x: Tensor<4>, weight: Tensor<4>, bias: Option<Tensor<1>>) -> Tensor<4> {
    let [_, _, kernel, _] = weight.dims();
    assert!(kernel > 0, "the kernel must be at least 1, got {kernel}");
    let turned = weight.swap_dims(0, 1).flip([2, 3]);
    conv2d(x, turned, bias, 1, kernel - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_same, shapes, values};
    use burn::tensor::module;
    use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        #[test]
        fn a_convolution_and_its_gradients_are_those_of_the_framework(
            (shape, window) in shapes(|_| 2),
            out_channels in 1usize..=4,
            biased: bool,
            seed: u64,
        ) {
            let Window { kernel, stride, padding } = window;
            let weight = [out_channels, shape[1], kernel, kernel];
            let inputs = [
                values(shape.iter().product(), seed),
                values(weight.iter().product(), seed ^ 1),
                values(out_channels, seed ^ 2),
            ];
            let bias = |t: &[Tensor<1>]| biased.then(|| t[2].clone());
            assert_same(
                &inputs,
                |t| {
                    let [x, w] = [t[0].clone().reshape(shape), t[1].clone().reshape(weight)];
                    conv2d(x, w, bias(t), stride, padding).flatten(0, 3)
                },
                |t| {
                    let [x, w] = [t[0].clone().reshape(shape), t[1].clone().reshape(weight)];
                    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
                    module::conv2d(x, w, bias(t), options).flatten(0, 3)
                },
            );
        }

        #[test]
        fn a_transposed_convolution_and_its_gradients_are_those_of_the_framework(
            (shape, window) in shapes(|_| 2),
            out_channels in 1usize..=4,
            seed: u64,
        ) {
            let weight = [shape[1], out_channels, window.kernel, window.kernel];
            let inputs = [
                values(shape.iter().product(), seed),
                values(weight.iter().product(), seed ^ 1),
                values(out_channels, seed ^ 2),
            ];
            assert_same(
                &inputs,
                |t| {
                    let [x, w] = [t[0].clone().reshape(shape), t[1].clone().reshape(weight)];
                    conv_transpose2d(x, w, Some(t[2].clone())).flatten(0, 3)
                },
                |t| {
                    let [x, w] = [t[0].clone().reshape(shape), t[1].clone().reshape(weight)];
                    let options = ConvTransposeOptions::new([1; 2], [0; 2], [0; 2], [1; 2], 1);
                    module::conv_transpose2d(x, w, Some(t[2].clone()), options).flatten(0, 3)
                },
            );
        }
    }

    #[test]
    #[should_panic(expected = "channels of the images")]
    fn a_weight_for_other_channels_is_refused() {
        let device = burn::tensor::Device::flex();
        conv2d(
            Tensor::zeros([1, 2, 3, 3], &device),
            Tensor::zeros([1, 3, 3, 3], &device),
            None,
            1,
            0,
        );
    }
}
