//! All sizes of a fused block.

use crate::ops::{ConvBlockOptions, FusedActivation, PoolOptions};

/// All sizes of one fused block. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub batch: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Size of an input plane.
    pub input: [usize; 2],
    pub upsample: [usize; 2],
    /// Size of an input plane after upsampling.
    pub upsampled: [usize; 2],
    /// Size of the convolution's kernel.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// Size of a plane between convolution and pool.
    pub conv: [usize; 2],
    pub pool: PoolOptions,
    pub activation: FusedActivation,
    /// Size of an output plane.
    pub output: [usize; 2],
}

impl Geometry {
    /// The sizes for an input `[batch, in_channels, height, width]` and a weight
    /// `[out_channels, in_channels, kernel height, kernel width]`.
    ///
    /// # Panics
    ///
    /// Panics if the channels differ, or if no window of the kernel or the pool fits.
    pub(crate) fn new(x: [usize; 4], weight: [usize; 4], options: &ConvBlockOptions) -> Self {
        let [batch, in_channels, height, width] = x;
        let [out_channels, _, kernel_height, kernel_width] = weight;
        let [upsampled, conv, output] = options.plane_sizes(x, weight);
        Geometry {
            batch,
            in_channels,
            out_channels,
            input: [height, width],
            upsample: options.upsample,
            upsampled,
            kernel: [kernel_height, kernel_width],
            stride: options.stride,
            padding: options.padding,
            conv,
            pool: options.pool.unwrap_or(PoolOptions::IDENTITY),
            activation: options.activation,
            output,
        }
    }

    /// Whether the fused kernels cover the case; else the operations are composed.
    ///
    /// Images without pixels are left to the composition, and so are windows that may lie in the pool's
    /// padding alone, or that have more pixels than a byte of the argmax can tell apart.
    pub(crate) fn is_fusable(&self) -> bool {
        let pool = &self.pool;
        self.in_channels > 0
            && self.out_channels > 0
            && self.upsampled[0] * self.upsampled[1] > 0
            && pool.kernel[0] * pool.kernel[1] < usize::from(u8::MAX)
            && (0..2).all(|axis| 2 * pool.padding[axis] <= pool.kernel[axis])
    }

    /// Products that an output is the sum of: input channels × kernel pixels.
    pub(crate) fn fan_in(&self) -> usize {
        self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Elements in the input of one image.
    pub(crate) fn input_len(&self) -> usize {
        self.in_channels * self.input[0] * self.input[1]
    }

    /// Elements in the output of one image.
    pub(crate) fn output_len(&self) -> usize {
        self.out_channels * self.output[0] * self.output[1]
    }

    /// Whether no two pool windows share a pixel.
    pub(crate) fn windows_are_disjoint(&self) -> bool {
        (0..2).all(|axis| self.pool.stride[axis] >= self.pool.kernel[axis])
    }

    /// Whether the backward pass needs the argmax of the forward pass: where there is a pool, which has
    /// taken one pixel of every window, or an activation, which has masked outputs.
    pub(crate) fn needs_argmax(&self) -> bool {
        self.activation != FusedActivation::None || self.pool.kernel != [1, 1]
    }

    /// Whether the outputs are the convolution's results, and nothing else: but for factors, if there are any.
    pub(crate) fn is_plain(&self) -> bool {
        !self.needs_argmax() && self.pool.stride == [1, 1] && self.pool.padding == [0, 0]
    }

    /// Bytes of the argmax of a group of `lanes` images: none if it is not asked for, or not needed.
    pub(crate) fn argmax_len(&self, with_argmax: bool, lanes: usize) -> usize {
        if with_argmax && self.needs_argmax() { self.output_len() * lanes } else { 0 }
    }
}
