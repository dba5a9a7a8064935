//! Transposed convolution after upsampling: the layers of a convolutional decoder.

use burn::tensor::{Tensor, activation::relu, module::conv_transpose2d, ops::ConvTransposeOptions};

use super::conv_block::conv_block;
use super::options::{ConvBlockOptions, FusedActivation};

/// A transposed convolution with what surrounds it. Pairs are `[vertical, horizontal]`.
///
/// The default is no upsampling, stride 1, no padding, no ReLU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTransposeBlockOptions {
    /// How often every row and every column of the input is repeated first.
    pub upsample: [usize; 2],
    /// Distance between the places that neighbouring inputs are spread to.
    pub stride: [usize; 2],
    /// Border that is cut off the result, on each side.
    pub padding: [usize; 2],
    /// Rows and columns that the result has more at its lower and right side.
    pub output_padding: [usize; 2],
    /// Whether negative results become zero.
    pub relu: bool,
}

impl Default for ConvTransposeBlockOptions {
    fn default() -> Self {
        ConvTransposeBlockOptions {
            upsample: [1; 2],
            stride: [1; 2],
            padding: [0; 2],
            output_padding: [0; 2],
            relu: false,
        }
    }
}

/// Nearest-neighbour upsampling, transposed convolution, bias and ReLU.
///
/// With stride 1 this is a [`conv_block`] with the kernel turned by 180° and a border of
/// `kernel − 1 − padding`, and as fast as that. Another stride, or a padding of more than
/// `kernel − 1`, is composed of Burn's operations.
///
/// # Shapes
///
/// - `x`: `[batch, in_channels, height, width]`
/// - `weight`: `[in_channels, out_channels, kernel_height, kernel_width]`, as in PyTorch and Burn
/// - `bias`: `[out_channels]`
/// - result: `[batch, out_channels, h, w]` with
///   `h = (height · upsample − 1) · stride − 2 · padding + kernel_height + output_padding`, and `w` alike
///
/// # Panics
///
/// Panics if channels do not match, or if the result would have no pixels.
pub fn conv_transpose_block(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: &ConvTransposeBlockOptions,
) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let [_, _, kernel_height, kernel_width] = weight.dims();
    let border = |axis: usize, kernel: usize| kernel.checked_sub(1 + options.padding[axis]);
    let borders = (border(0, kernel_height), border(1, kernel_width));
    if let ([1, 1], [0, 0], (Some(vertical), Some(horizontal))) =
        (options.stride, options.output_padding, borders)
    {
        let turned = weight.swap_dims(0, 1).flip([2, 3]);
        let options = ConvBlockOptions {
            upsample: options.upsample,
            padding: [vertical, horizontal],
            activation: FusedActivation::relu_if(options.relu),
            ..Default::default()
        };
        return conv_block(x, turned, bias, &options);
    }
    let [rows, columns] = options.upsample;
    let x = x
        .reshape([batch, channels, height, 1, width, 1])
        .expand([batch, channels, height, rows, width, columns])
        .reshape([batch, channels, height * rows, width * columns]);
    let settings = ConvTransposeOptions::new(
        options.stride,
        options.padding,
        options.output_padding,
        [1, 1],
        1,
    );
    let y = conv_transpose2d(x, weight, bias, settings);
    if options.relu { relu(y) } else { y }
}
