//! What a fused block computes, and the sizes that follow from it.

use burn::backend::{Backend, tensor::FloatTensor};
use burn::tensor::{Tensor, activation::relu};

use super::pointwise::{self, Pointwise, relu6};

/// Max-pooling windows, in pixels, `[vertical, horizontal]`.
///
/// Sizes are rounded down, as PyTorch does without `ceil_mode`: a window that does not fit into the
/// padded image is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// Size of a window.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Border that counts as minus infinity, on each side.
    pub padding: [usize; 2],
}

impl PoolOptions {
    /// Square windows that tile the image: `size` × `size`, as far apart as they are wide.
    pub const fn tiles(size: usize) -> Self {
        PoolOptions { kernel: [size; 2], stride: [size; 2], padding: [0; 2] }
    }

    /// Height and width of the result for an input of the given height and width; `None` where no
    /// window fits, or a stride or a size is 0.
    pub fn output_size(&self, input: [usize; 2]) -> Option<[usize; 2]> {
        windows(input, self.kernel, self.stride, self.padding.map(|n| [n; 2]))
    }

    /// Windows of one pixel, which change nothing.
    pub(crate) const IDENTITY: Self = PoolOptions::tiles(1);
}

/// An activation that is computed with the operation before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FusedActivation {
    /// x
    #[default]
    None,
    /// max(x, 0)
    Relu,
    /// min(max(x, 0), 6)
    Relu6,
}

impl FusedActivation {
    /// The activation of a value. A NaN stays one.
    #[cfg(feature = "flex")]
    #[inline(always)]
    pub(crate) fn of(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu => {
                if x <= 0.0 {
                    0.0
                } else {
                    x
                }
            }
            Self::Relu6 => {
                let above = if x <= 0.0 { 0.0 } else { x };
                if above >= 6.0 { 6.0 } else { above }
            }
        }
    }

    /// The activation by Burn's own operations.
    pub(crate) fn compose<B: Backend>(self, x: FloatTensor<B>) -> FloatTensor<B> {
        match self {
            Self::None => x,
            Self::Relu => B::relu(x),
            Self::Relu6 => pointwise::compose::<B>(x, Pointwise::Relu6),
        }
    }

    /// The activation of every value of a tensor of any shape, which is that of the result. A NaN stays one; gradients at
    /// the ends, 0 and 6, are 0.
    pub fn apply<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Self::None => x,
            Self::Relu => relu(x),
            Self::Relu6 => relu6(x),
        }
    }

    /// ReLU, or nothing.
    pub(crate) fn relu_if(wanted: bool) -> Self {
        if wanted { Self::Relu } else { Self::None }
    }
}

/// What surrounds the products of a convolution, and where its kernel is applied.
///
/// All pairs are `[vertical, horizontal]`. The default is no upsampling, stride 1, no padding, no activation,
/// no pool.
///
/// ```
/// use selvedge_kernels::{ConvBlockOptions, FusedActivation, PoolOptions};
///
/// let options = ConvBlockOptions {
///     padding: [1, 1],
///     activation: FusedActivation::Relu,
///     pool: Some(PoolOptions::tiles(2)),
///     ..Default::default()
/// };
/// assert_eq!(options.output_size([28, 28], [3, 3]), Some([14, 14]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvBlockOptions {
    /// How often every row and every column of the input is repeated before the convolution
    /// (nearest-neighbour upsampling).
    pub upsample: [usize; 2],
    /// Distance between applications of the kernel.
    pub stride: [usize; 2],
    /// Border of zeros, on each side.
    pub padding: [usize; 2],
    /// What follows the convolution.
    pub activation: FusedActivation,
    /// The pool, if there is one.
    pub pool: Option<PoolOptions>,
}

impl Default for ConvBlockOptions {
    fn default() -> Self {
        ConvBlockOptions {
            upsample: [1; 2],
            stride: [1; 2],
            padding: [0; 2],
            activation: FusedActivation::None,
            pool: None,
        }
    }
}

impl ConvBlockOptions {
    /// Height and width of the result for an input and a kernel of the given height and width;
    /// `None` where nothing fits, or a stride or a kernel is 0.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let input = upsampled(input, self.upsample);
        let conv = windows(input, kernel, self.stride, self.padding.map(|n| [n; 2]))?;
        match self.pool {
            Some(pool) => pool.output_size(conv),
            None => Some(conv),
        }
    }

    /// Height and width of the planes of a block, for an input `[batch, in_channels, height, width]` and a
    /// weight `[out_channels, in_channels, kernel height, kernel width]`: of the input after upsampling,
    /// between convolution and pool, and of the output.
    ///
    /// # Panics
    ///
    /// Panics if the channels differ, or if no window of the kernel or the pool fits.
    pub(crate) fn plane_sizes(&self, x: [usize; 4], weight: [usize; 4]) -> [[usize; 2]; 3] {
        let [_, in_channels, height, width] = x;
        let [_, expected, kernel_height, kernel_width] = weight;
        assert_eq!(
            in_channels, expected,
            "conv_block: the input {x:?} has {in_channels} channels, the weight {weight:?} expects {expected}"
        );
        let kernel = [kernel_height, kernel_width];
        let input = upsampled([height, width], self.upsample);
        let padding = self.padding.map(|n| [n; 2]);
        let conv = windows(input, kernel, self.stride, padding).unwrap_or_else(|| {
            panic!("conv_block: no kernel {kernel:?} fits into the input {x:?} with {self:?}")
        });
        let pool = self.pool.unwrap_or(PoolOptions::IDENTITY);
        let output = pool.output_size(conv).unwrap_or_else(|| {
            panic!("conv_block: no pool window fits into {conv:?} pixels with {self:?}")
        });
        [input, conv, output]
    }
}

/// Size of a plane after upsampling.
fn upsampled(size: [usize; 2], factor: [usize; 2]) -> [usize; 2] {
    [size[0] * factor[0], size[1] * factor[1]]
}

/// How many windows fit, vertically and horizontally; `padding` is what is added before and after in each
/// direction. `None` where nothing fits, or a stride or a kernel is 0.
pub(super) fn windows(
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [[usize; 2]; 2],
) -> Option<[usize; 2]> {
    let along = |axis: usize| {
        let padded = input[axis] + padding[axis][0] + padding[axis][1];
        let fits = kernel[axis] > 0 && stride[axis] > 0 && kernel[axis] <= padded;
        fits.then(|| (padded - kernel[axis]) / stride[axis] + 1)
    };
    Some([along(0)?, along(1)?])
}

/// The same stride and padding in both directions: what most tests need.
#[cfg(test)]
pub(crate) fn options(
    stride: usize,
    padding: usize,
    relu: bool,
    pool: Option<PoolOptions>,
) -> ConvBlockOptions {
    ConvBlockOptions {
        stride: [stride; 2],
        padding: [padding; 2],
        activation: FusedActivation::relu_if(relu),
        pool,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_sizes_follow_pytorchs_formula() {
        // floor((size + 2 padding - kernel) / stride) + 1, by hand.
        let options = |stride, padding, pool| options(stride, padding, true, pool);
        let overlapping = PoolOptions { kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
        let size = |o: ConvBlockOptions, k: usize| o.output_size([28, 28], [k, k]);
        assert_eq!(size(options(1, 0, None), 5), Some([24, 24]));
        assert_eq!(size(options(2, 1, None), 3), Some([14, 14]));
        assert_eq!(size(options(1, 0, Some(PoolOptions::tiles(2))), 4), Some([12, 12]));
        assert_eq!(size(options(2, 3, Some(overlapping)), 7), Some([7, 7]));
        assert_eq!(size(options(1, 0, None), 29), None);
        assert_eq!(size(options(0, 0, None), 3), None);
        assert_eq!(size(options(1, 0, None), 0), None);
        assert_eq!(size(options(1, 0, Some(PoolOptions::tiles(30))), 3), None);
    }

    #[test]
    #[should_panic(expected = "has 2 channels, the weight [4, 3, 3, 3] expects 3")]
    fn different_channels_are_a_mistake() {
        ConvBlockOptions::default().plane_sizes([1, 2, 8, 8], [4, 3, 3, 3]);
    }

    #[test]
    #[should_panic(expected = "no kernel [9, 9] fits")]
    fn a_kernel_larger_than_the_image_is_a_mistake() {
        ConvBlockOptions::default().plane_sizes([1, 2, 8, 8], [4, 2, 9, 9]);
    }
}
