//! Kernels and windows that are not as high as they are wide, and pools whose last windows reach over the border.

use burn::tensor::{Tensor, s};

use super::unfold::pad;
use super::{grouped_conv2d, pad2d};
use crate::Sides;

/// 2-d convolution in groups with a kernel and steps of any sides, without padding. It is that of a square kernel,
/// which is this one with zeros below and on the right, and of every place, of which those at the steps are kept.
pub(super) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: Sides,
    groups: usize,
) -> Tensor<4> {
    let [_, _, height, width] = weight.dims();
    let side = height.max(width);
    let more = [0, side - height, 0, side - width];
    let (x, weight) = (pad2d(x, more), pad2d(weight, more));
    if let Some(stride) = stride.uniform() {
        return grouped_conv2d(x, weight, bias, stride, groups);
    }
    let y = grouped_conv2d(x, weight, bias, 1, groups);
    let ([_, _, rows, columns], [down, right]) = (y.dims(), stride.each());
    y.slice(s![.., .., 0..rows; down, 0..columns; right])
}

/// Transposed 2-d convolution in groups, with stride 1: weight `[in_channels, out_channels / groups, height, width]`.
/// As without groups, it is a convolution with the kernel turned by half a turn, its inputs and outputs exchanged
/// within each group, and zeros around the images.
pub(super) fn conv_transpose2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    groups: usize,
) -> Tensor<4> {
    let [inputs, outputs, height, width] = weight.dims();
    let weight: Tensor<5> = weight.reshape([groups, inputs / groups, outputs, height, width]);
    let weight = weight.swap_dims(1, 2);
    let weight: Tensor<4> = weight.reshape([groups * outputs, inputs / groups, height, width]);
    let x = pad2d(x, [height - 1, height - 1, width - 1, width - 1]);
    conv2d(x, weight.flip([2, 3]), bias, 1.into(), groups)
}

/// Where a pool looks.
#[derive(Clone, Copy)]
pub(super) struct Pool {
    pub kernel: Sides,
    pub stride: Sides,
    pub padding: Sides,
    /// The rows and columns of the result.
    pub places: [usize; 2],
}

impl Pool {
    /// The pixels of each window, `[batch, channels, pixels of a window, rows, columns]`, of images in a frame of
    /// `fill`, which reaches as far as the last window does.
    fn windows(self, x: Tensor<4>, fill: f32) -> Tensor<5> {
        let [_, _, height, width] = x.dims();
        let ([high, wide], [down, right]) = (self.kernel.each(), self.stride.each());
        let ([top, left], [rows, columns]) = (self.padding.each(), self.places);
        let below = ((rows - 1) * down + high).saturating_sub(top + height);
        let behind = ((columns - 1) * right + wide).saturating_sub(left + width);
        let x = pad(x, [top, below, left, behind], fill);
        let mut shifted = Vec::with_capacity(high * wide);
        for i in 0..high {
            for j in 0..wide {
                let rows = i..i + (rows - 1) * down + 1;
                let columns = j..j + (columns - 1) * right + 1;
                shifted.push(x.clone().slice(s![.., .., rows; down, columns; right]));
            }
        }
        Tensor::stack(shifted, 2)
    }

    /// The largest pixel of each window; the padding is minus infinity.
    pub fn max(self, x: Tensor<4>) -> Tensor<4> {
        self.windows(x, f32::NEG_INFINITY).max_dim(2).squeeze_dim(2)
    }

    /// The mean of each window; the zeros of the padding count as pixels if `count_include_pad` says so, what is
    /// beyond them does not.
    pub fn mean(self, x: Tensor<4>, count_include_pad: bool) -> Tensor<4> {
        let sum = |pool: Self, x| pool.windows(x, 0.0).sum_dim(2).squeeze_dim::<4>(2);
        let [_, _, height, width] = x.dims();
        let [top, left] = self.padding.each();
        // What counts: the same sum over ones.
        let (pool, ones) = match count_include_pad {
            true => (Self { padding: 0.into(), ..self }, [height + 2 * top, width + 2 * left]),
            false => (self, [height, width]),
        };
        let counts = sum(pool, Tensor::ones([1, 1, ones[0], ones[1]], &x.device()));
        sum(self, x) / counts
    }
}
