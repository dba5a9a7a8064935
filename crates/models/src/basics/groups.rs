use burn::tensor::{Tensor, s};

use super::unfold::pad;
use super::{Window, unfold};
use crate::Sides;

/// Images in a frame of zeros, `[top, bottom, left, right]` rows and columns: `[batch, channels, height,
/// width]` to `[batch, channels, top + height + bottom, left + width + right]`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::pad2d;
///
/// let pixel = Tensor::<4>::from_data([[[[5.0]]]], &Device::flex());
/// let framed = pad2d(pixel, [0, 1, 2, 0]);
/// assert_eq!(framed.into_data().try_to_vec::<f32>()?, [0.0, 0.0, 5.0, 0.0, 0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn pad2d(x: Tensor<4>, sides: [usize; 4]) -> Tensor<4> {
    pad(x, sides, 0.0)
}

/// Rows and columns of zeros between those of images or kernels, so that neighbours are `step` apart:
/// `[.., height, width]` to `[.., (height - 1) · step + 1, (width - 1) · step + 1]`.
///
/// A dilated convolution is one with a kernel that is spread out; a transposed convolution with a stride
/// is one of images that are.
///
/// # Panics
///
/// Panics if the step is 0 or there are no pixels.
pub fn spread(x: Tensor<4>, step: impl Into<Sides>) -> Tensor<4> {
    let ([a, b, height, width], [down, right]) = (x.dims(), step.into().each());
    let is_some = [down, right, height, width].iter().all(|n| *n > 0);
    assert!(is_some, "a step of 0, or nothing to spread");
    let [rows, columns] = [(height - 1) * down + 1, (width - 1) * right + 1];
    let places = s![.., .., 0..rows; down, 0..columns; right];
    Tensor::zeros([a, b, rows, columns], &x.device()).slice_assign(places, x)
}

/// 2-d convolution in groups, without padding: the channels of the images and of the result are divided
/// into `groups`, and each group of the result sees its group of the images alone. As many groups as
/// channels are a depthwise convolution.
///
/// Shapes: x `[batch, in_channels, height, width]`, weight `[out_channels, in_channels / groups, kernel,
/// kernel]`, bias `[out_channels]`, result `[batch, out_channels, rows, columns]` with as many rows and
/// columns as [`Window::positions`] says. It is one matrix product an image and group.
///
/// # Panics
///
/// Panics if the groups do not divide the channels, if the kernel is not square, or as
/// [`Window::positions`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::grouped_conv2d;
///
/// // Two channels of one pixel, each with a factor of its own.
/// let device = Device::flex();
/// let x = Tensor::<4>::from_data([[[[2.0]], [[3.0]]]], &device);
/// let factors = Tensor::<4>::from_data([[[[10.0]]], [[[100.0]]]], &device);
/// let y = grouped_conv2d(x, factors, None, 1, 2);
/// assert_eq!(y.into_data().try_to_vec::<f32>()?, [20.0, 300.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn grouped_conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    groups: usize,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [out_channels, in_a_group, kernel, kernel_width] = weight.dims();
    assert_eq!(kernel, kernel_width, "the kernel must be square: its height, its width");
    assert_eq!(channels, in_a_group * groups, "channels of the images, and those of the weight");
    let window = Window { kernel, stride, padding: 0 };
    let [rows, columns] = [height, width].map(|size| window.positions(size));

    let windows = unfold(x, window, 0.0); // [batch, channels · kernel², windows]
    let length = in_a_group * kernel * kernel;
    let windows: Tensor<4> = windows.reshape([batch, groups, length, rows * columns]);
    let kernels: Tensor<4> = weight.reshape([1, groups, out_channels / groups, length]);
    let y = kernels.matmul(windows).reshape([batch, out_channels, rows, columns]);
    match bias {
        Some(bias) => y + bias.reshape([1, out_channels, 1, 1]),
        None => y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_same, values};
    use burn::tensor::module;
    use burn::tensor::ops::ConvOptions;

    #[test]
    fn a_convolution_in_groups_of_dilated_kernels_is_that_of_the_framework() {
        for (channels, out_channels, groups, stride, dilation) in
            [(4, 6, 2, 1, 2), (3, 3, 3, 2, 1), (4, 8, 4, 1, 1), (2, 2, 1, 2, 3)]
        {
            let (shape, weight) = ([2, channels, 9, 8], [out_channels, channels / groups, 3, 3]);
            let frame = [2, 1, 0, 3];
            let inputs = [
                values(shape.iter().product(), 1),
                values(weight.iter().product(), 2),
                values(out_channels, 3),
            ];
            assert_same(
                &inputs,
                |t| {
                    let [x, w] = [t[0].clone().reshape(shape), t[1].clone().reshape(weight)];
                    let (x, w) = (pad2d(x, frame), spread(w, dilation));
                    grouped_conv2d(x, w, Some(t[2].clone()), stride, groups).flatten(0, 3)
                },
                |t| {
                    let [x, w] = [t[0].clone().reshape(shape), t[1].clone().reshape(weight)];
                    let options = ConvOptions::new_with_padding(
                        [stride; 2],
                        [(2, 1), (0, 3)],
                        [dilation; 2],
                        groups,
                    );
                    module::conv2d(x, w, Some(t[2].clone()), options).flatten(0, 3)
                },
            );
        }
    }
}
