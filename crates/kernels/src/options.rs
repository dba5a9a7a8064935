//! What a fused block computes, and the sizes that follow from it.

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
        windows(input, self.kernel, self.stride, self.padding)
    }

    /// Windows of one pixel, which change nothing.
    pub(crate) const IDENTITY: Self = PoolOptions::tiles(1);
}

/// What surrounds the products of a convolution, and where its kernel is applied.
///
/// All pairs are `[vertical, horizontal]`. The default is no upsampling, stride 1, no padding, no ReLU,
/// no pool.
///
/// ```
/// use selvedge_kernels::{ConvBlockOptions, PoolOptions};
///
/// let options = ConvBlockOptions {
///     padding: [1, 1],
///     relu: true,
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
    /// Whether negative results become zero.
    pub relu: bool,
    /// The pool, if there is one.
    pub pool: Option<PoolOptions>,
}

impl Default for ConvBlockOptions {
    fn default() -> Self {
        ConvBlockOptions {
            upsample: [1; 2],
            stride: [1; 2],
            padding: [0; 2],
            relu: false,
            pool: None,
        }
    }
}

impl ConvBlockOptions {
    /// Height and width of the result for an input and a kernel of the given height and width;
    /// `None` where nothing fits, or a stride or a kernel is 0.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Option<[usize; 2]> {
        let input = upsampled(input, self.upsample);
        let conv = windows(input, kernel, self.stride, self.padding)?;
        match self.pool {
            Some(pool) => pool.output_size(conv),
            None => Some(conv),
        }
    }
}

/// Size of a plane after upsampling.
fn upsampled(size: [usize; 2], factor: [usize; 2]) -> [usize; 2] {
    [size[0] * factor[0], size[1] * factor[1]]
}

/// How many windows fit, vertically and horizontally.
fn windows(
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
) -> Option<[usize; 2]> {
    let along = |axis: usize| {
        let padded = input[axis] + 2 * padding[axis];
        let fits = kernel[axis] > 0 && stride[axis] > 0 && kernel[axis] <= padded;
        fits.then(|| (padded - kernel[axis]) / stride[axis] + 1)
    };
    Some([along(0)?, along(1)?])
}

/// All sizes of one fused block. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub batch: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    /// Size of an input plane.
    pub source: [usize; 2],
    pub upsample: [usize; 2],
    /// Size of an input plane after upsampling.
    pub input: [usize; 2],
    /// Size of the convolution's kernel.
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    /// Size of a plane between convolution and pool.
    pub conv: [usize; 2],
    pub pool: PoolOptions,
    pub relu: bool,
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
        let [out_channels, expected, kernel_height, kernel_width] = weight;
        assert_eq!(
            in_channels, expected,
            "conv_block: the input {x:?} has {in_channels} channels, the weight {weight:?} expects {expected}"
        );
        let kernel = [kernel_height, kernel_width];
        let input = upsampled([height, width], options.upsample);
        let conv = windows(input, kernel, options.stride, options.padding);
        let conv = conv.unwrap_or_else(|| {
            panic!("conv_block: no kernel {kernel:?} fits into the input {x:?} with {options:?}")
        });
        let pool = options.pool.unwrap_or(PoolOptions::IDENTITY);
        let output = pool.output_size(conv).unwrap_or_else(|| {
            panic!("conv_block: no pool window fits into {conv:?} pixels with {options:?}")
        });
        Geometry {
            batch,
            in_channels,
            out_channels,
            source: [height, width],
            upsample: options.upsample,
            input,
            kernel,
            stride: options.stride,
            padding: options.padding,
            conv,
            pool,
            relu: options.relu,
            output,
        }
    }

    /// Whether the fused kernels cover the case; else the operations are composed.
    ///
    /// Images without pixels are left to the composition. A pool choice is a byte whose last value stands for "no gradient", and windows that lie in
    /// the pool's padding alone are left to the composition.
    pub(crate) fn is_fusable(&self) -> bool {
        let pool = &self.pool;
        self.in_channels > 0
            && self.out_channels > 0
            && self.input[0] * self.input[1] > 0
            && pool.kernel[0] * pool.kernel[1] < usize::from(u8::MAX)
            && (0..2).all(|axis| 2 * pool.padding[axis] <= pool.kernel[axis])
    }

    /// Numbers an output channel's weight consists of: input channels × kernel pixels.
    pub(crate) fn taps(&self) -> usize {
        self.in_channels * self.kernel[0] * self.kernel[1]
    }

    /// Numbers in the input of one image.
    pub(crate) fn input_len(&self) -> usize {
        self.in_channels * self.source[0] * self.source[1]
    }

    /// Numbers in the output of one image.
    pub(crate) fn output_len(&self) -> usize {
        self.out_channels * self.output[0] * self.output[1]
    }

    /// Whether no two pool windows share a pixel.
    pub(crate) fn pool_tiles(&self) -> bool {
        (0..2).all(|axis| self.pool.stride[axis] >= self.pool.kernel[axis])
    }

    /// Whether the backward pass has to know something about the forward pass: which pixel of a
    /// window was chosen, or where ReLU was closed.
    pub(crate) fn needs_codes(&self) -> bool {
        self.relu || self.pool.kernel != [1, 1]
    }

    /// Codes of a group of `lanes` images: none if they are not asked for, or not needed.
    pub(crate) fn code_len(&self, codes: bool, lanes: usize) -> usize {
        if codes && self.needs_codes() { self.output_len() * lanes } else { 0 }
    }
}

/// Splits `total` into the fewest pieces of at most `max`, as equal as possible: `(start, length)`.
pub(crate) fn even_pieces(total: usize, max: usize) -> impl Iterator<Item = (usize, usize)> {
    let pieces = total.div_ceil(max);
    let (short, longer) = match pieces {
        0 => (0, 0),
        _ => (total / pieces, total % pieces),
    };
    (0..pieces).map(move |i| (i * short + i.min(longer), short + usize::from(i < longer)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::case::options;

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
    fn pieces_cover_everything_once_and_differ_by_at_most_one() {
        for total in 0..50 {
            for max in 1..8 {
                let pieces: Vec<_> = even_pieces(total, max).collect();
                assert_eq!(pieces.len(), total.div_ceil(max));
                let mut next = 0;
                for &(start, len) in &pieces {
                    assert_eq!(start, next);
                    assert!(len >= 1 && len <= max && len + 1 >= pieces[0].1);
                    next += len;
                }
                assert_eq!(next, total);
            }
        }
    }

    #[test]
    #[should_panic(expected = "has 2 channels, the weight [4, 3, 3, 3] expects 3")]
    fn different_channels_are_a_mistake() {
        Geometry::new([1, 2, 8, 8], [4, 3, 3, 3], &ConvBlockOptions::default());
    }

    #[test]
    #[should_panic(expected = "no kernel [9, 9] fits")]
    fn a_kernel_larger_than_the_image_is_a_mistake() {
        Geometry::new([1, 2, 8, 8], [4, 2, 9, 9], &ConvBlockOptions::default());
    }
}
