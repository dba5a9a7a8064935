//! Convolutions of few images, as products of matrices.
//!
//! The other kernels hold the same pixel of several images in a vector: of one image they would leave
//! most lanes unused. Here the lanes hold adjacent pixels. What lies under the kernel becomes a column of
//! a matrix (im2col; Chellapilla, Puri and Simard 2006), strip of rows by strip of rows, and the weight
//! times that matrix is the result. There is no backward pass of it: who trains has more images.

use rayon::prelude::*;

use super::io::Inputs;
use crate::cpu::layout::Geometry;
use crate::cpu::matmul::{LONG, Matrix, Product, Start};
use crate::cpu::memory::{Aligned, Recycled, SharedSlice, copy_row};
use crate::cpu::pool::PlanePool;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::split::{SPLIT_WORK, even_pieces};
use crate::cpu::threads;
use crate::ops::FusedActivation;

/// Elements of the matrix of a strip, which is to stay in the second-level cache.
const STRIP_LEN: usize = 64 * 1024;

/// Pixels of a strip, if the convolution has as many, that make reading the whole weight for it worth
/// while.
const STRIP_PIXELS: usize = 192;

/// The block's output, `[batch, out_channels, height, width]`.
pub(crate) fn forward(isa: Isa, g: &Geometry, inputs: Inputs) -> Recycled {
    let [height, width] = g.conv;
    let rows = (STRIP_LEN / (g.fan_in() * width)).max(STRIP_PIXELS / width).clamp(1, height);
    let strips: Vec<ImageRows> = (0..g.batch)
        .flat_map(|image| (0..height).step_by(rows).map(move |first| (image, first)))
        .map(|(image, first)| ImageRows { image, first, rows: rows.min(height - first) })
        .collect();
    let work = rows * width * g.fan_in() * g.out_channels;
    let shared = strips.par_iter().with_min_len((threads::worth(SPLIT_WORK) / work).max(1));
    let mut conv = Recycled::any(g.batch * g.out_channels * height * width);
    let to = SharedSlice::new(&mut conv);
    threads::for_each(shared, |strip| strip.convolve(isa, g, inputs, &to));
    let mut y = match g.pool.kernel {
        [1, 1] if g.output == g.conv => conv,
        _ => {
            let count = g.batch * g.out_channels;
            let planes = PlanePool { count, input: g.conv, output: g.output, pool: g.pool };
            planes.forward(isa, &conv, false).values
        }
    };
    if let Some(scale) = inputs.scale {
        let planes = y.chunks_exact_mut(g.output[0] * g.output[1]);
        planes.zip(scale).for_each(|(plane, factor)| plane.iter_mut().for_each(|y| *y *= factor));
    }
    y
}

/// Some rows of the convolution of one image.
struct ImageRows {
    image: usize,
    first: usize,
    rows: usize,
}

impl ImageRows {
    /// Writes these rows of all channels of `to`, `[batch, out_channels, height, width]`: the weight times what lies under
    /// the kernel, with bias and activation. Sums so long that one product would take them in double precision are those
    /// of several.
    fn convolve(&self, isa: Isa, g: &Geometry, inputs: Inputs, to: &SharedSlice) {
        let (fan_in, pixels) = (g.fan_in(), self.rows * g.conv[1]);
        let x = &inputs.x[self.image * g.input_len()..][..g.input_len()];
        let mut columns = Aligned::any(fan_in * pixels);
        isa.run(Columns { g, x, first: self.first, pixels, to: &mut columns });
        let plane = g.conv[0] * g.conv[1];
        let first_pixel = self.image * g.out_channels * plane + self.first * g.conv[1];
        let to = to.pointer(first_pixel, (g.out_channels - 1) * plane + pixels);
        for (first, count) in even_pieces(fan_in, LONG) {
            let weight = &inputs.weight[first..];
            let weight = Matrix::spaced(weight, [g.out_channels, count], fan_in);
            let columns =
                Matrix::new(&columns[first * pixels..][..count * pixels], [count, pixels]);
            let start = if first == 0 { Start::RowBias(inputs.bias) } else { Start::Add };
            let ends = first + count == fan_in;
            let activation = if ends { g.activation } else { FusedActivation::None };
            let product = Product { start, activation, ..Product::new(weight, columns) };
            // SAFETY: the strips have other pixels of each plane, all of which exist.
            unsafe { product.write_at(isa, to, plane) };
        }
    }
}

/// What lies under the kernel for some rows of results from row `first` on: a row for each of its entries.
struct Columns<'a> {
    g: &'a Geometry,
    x: &'a [f32],
    first: usize,
    pixels: usize,
    to: &'a mut [f32],
}

impl Task for Columns<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let g = self.g;
        let (area, plane) = (g.kernel[0] * g.kernel[1], g.input[0] * g.input[1]);
        for (k, to) in self.to.chunks_exact_mut(self.pixels).enumerate() {
            let plane = &self.x[k / area * plane..][..plane];
            let k = [k % area / g.kernel[1], k % g.kernel[1]];
            for (row, to) in to.chunks_exact_mut(g.conv[1]).enumerate() {
                copy_row_under(g, plane, (self.first + row, k), to);
            }
        }
    }
}

/// What lies under pixel `k` of the kernel, for all results of row `row`.
#[inline(always)]
fn copy_row_under(g: &Geometry, plane: &[f32], (row, k): (usize, [usize; 2]), to: &mut [f32]) {
    let (y, left) = (row * g.stride[0] + k[0], k[1]);
    if y < g.padding[0] || y >= g.padding[0] + g.upsampled[0] {
        return to.fill(0.0);
    }
    let source = &plane[(y - g.padding[0]) / g.upsample[0] * g.input[1]..][..g.input[1]];
    // The results whose pixel lies in the row: `[from, end)`.
    let from = g.padding[1].saturating_sub(left).div_ceil(g.stride[1]).min(to.len());
    let room = (g.padding[1] + g.upsampled[1]).saturating_sub(left);
    let end = room.div_ceil(g.stride[1]).clamp(from, to.len());
    to[..from].fill(0.0);
    to[end..].fill(0.0);
    if end == from {
        return;
    }
    let first = from * g.stride[1] + left - g.padding[1];
    if g.stride[1] == 1 && g.upsample[1] == 1 {
        copy_row(&source[first..][..end - from], &mut to[from..end]);
    } else if g.upsample[1] == 1 {
        for i in from..end {
            to[i] = source[first + (i - from) * g.stride[1]];
        }
    } else {
        for i in from..end {
            to[i] = source[(first + (i - from) * g.stride[1]) / g.upsample[1]];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::conv::tests::case::Case;
    use crate::cpu::test_values::random_values;
    use crate::cpu::threads::tests::on;
    use crate::ops::{PoolOptions, options};

    #[test]
    fn strips_and_planes_of_the_experiments_equal_the_oracle() {
        let tiles = Some(PoolOptions::tiles(2));
        let overlapping = Some(PoolOptions { kernel: [3, 3], stride: [2, 2], padding: [1, 1] });
        for isa in Isa::available() {
            Case::new([2, 1, 28, 28], 10, [3, 3], options(1, 1, true, tiles)).check_im2col(isa);
            Case::new([1, 3, 40, 40], 8, [7, 7], options(2, 3, true, overlapping))
                .check_im2col(isa);
            // Several strips, the last one shorter; sums of more than 2048 terms.
            Case::new([2, 60, 46, 50], 3, [3, 3], options(1, 1, true, None)).check_im2col(isa);
            Case::new([1, 240, 5, 6], 3, [3, 3], options(1, 1, true, None)).check_im2col(isa);
            let scale = Some(random_values(2 * 5, 5));
            let case = Case::new([2, 4, 9, 8], 5, [3, 2], options(1, 0, true, tiles));
            Case { scale, ..case }.check_im2col(isa);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        // Several strips, each with more work than one thread should do.
        let case = Case::new([1, 60, 30, 50], 48, [3, 3], options(1, 1, true, None));
        let run =
            |threads| on(threads, || forward(Isa::current(), &case.g, case.inputs()).to_vec());
        let one = run(1);
        assert!(one == run(2) && one == run(3) && one == run(7));
    }

    #[test]
    fn a_nan_spoils_only_the_results_that_see_it() {
        let mut case = Case::new([1, 1, 5, 5], 1, [3, 3], options(1, 1, true, None));
        case.x[0] = f32::NAN;
        for isa in Isa::available() {
            let y = forward(isa, &case.g, case.inputs());
            for (i, y) in y.iter().enumerate() {
                assert_eq!(y.is_nan(), i / 5 < 2 && i % 5 < 2, "{isa:?} {i}");
            }
        }
    }
}
