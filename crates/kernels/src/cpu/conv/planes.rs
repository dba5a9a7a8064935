//! Convolutions of 1 × 1 as products of matrices.
//!
//! The pixels of an image are a matrix already, `[in_channels, pixels]`, and the weight times it is the result: nothing
//! has to be interleaved, and one image fills the lanes as well as many. The gradient of the input is such a product,
//! too, and that of the weight the sum of products over all images.

use rayon::prelude::*;

use super::backward::{Gradients, Saved, Wanted, add, max_pieces};
use super::io::Inputs;
use crate::cpu::layout::Geometry;
use crate::cpu::matmul::{LONG, Matrix, Product, Start, compute_each};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;
use crate::cpu::split::even_pieces;
use crate::cpu::threads;
use crate::ops::FusedActivation;

/// Whether the block is nothing but a convolution of 1 × 1 and an activation.
pub(super) fn covers(g: &Geometry) -> bool {
    [g.kernel, g.stride, g.upsample, g.pool.kernel, g.pool.stride] == [[1, 1]; 5]
        && [g.padding, g.pool.padding] == [[0, 0]; 2]
        && g.batch > 0
}

/// Whether a block that it covers has nothing that it cannot compute: factors of channels, and an activation where
/// gradients follow, which would need its mask.
pub(super) fn can_compute(g: &Geometry, scale: Option<&[f32]>, with_gradients: bool) -> bool {
    scale.is_none() && (!with_gradients || g.activation == FusedActivation::None)
}

/// The block's output, `[batch, out_channels, height, width]`.
pub(super) fn forward(isa: Isa, g: &Geometry, inputs: Inputs) -> Recycled {
    let weight = Matrix::new(inputs.weight, [g.out_channels, g.in_channels]);
    let (start, activation) = (Start::RowBias(inputs.bias), g.activation);
    let product = |x| Product { start, activation, ..Product::new(weight, x) };
    let products: Vec<Product> = images(inputs.x, g.in_channels, g).map(product).collect();
    let mut y = Recycled::any(g.batch * g.output_len());
    compute_each(isa, &products, &mut y);
    y
}

/// The images of a batch, each a matrix `[channels, pixels]`.
fn images<'a>(
    values: &'a [f32],
    channels: usize,
    g: &Geometry,
) -> impl Iterator<Item = Matrix<'a>> + use<'a> {
    let size = [channels, g.input[0] * g.input[1]];
    values.chunks_exact(size[0] * size[1]).map(move |image| Matrix::new(image, size))
}

/// The gradients from that of the output, of a block without an activation.
pub(super) fn backward(
    isa: Isa,
    g: &Geometry,
    saved: Saved,
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    let mut dx = Recycled::any(if wanted.x { g.batch * g.input_len() } else { 0 });
    if wanted.x {
        let weight = Matrix::new(saved.weight, [g.out_channels, g.in_channels]).transposed();
        let products = images(grad, g.out_channels, g).map(|grad| Product::new(weight, grad));
        compute_each(isa, &products.collect::<Vec<_>>(), &mut dx);
    }
    // The cut depends on the sizes alone, not on the threads: so do the sums.
    let most = max_pieces(g.out_channels * g.in_channels);
    let pieces: Vec<_> = even_pieces(g.batch, g.batch.div_ceil(most)).collect();
    let weights = match wanted.weight {
        true => {
            threads::map(pieces.par_iter(), |piece| weight_gradient(isa, g, saved, grad, *piece))
        }
        false => Vec::new(),
    };
    let weight_len = if wanted.weight { g.out_channels * g.in_channels } else { 0 };
    Gradients {
        x: dx,
        weight: add(isa, weights.iter().map(|weight| &weight[..]).collect(), weight_len),
        bias: if wanted.bias { bias_gradient(g, grad) } else { Vec::new() },
    }
}

/// The sum over some images, the first of them and their number: of the gradients of the outputs times the inputs.
fn weight_gradient(
    isa: Isa,
    g: &Geometry,
    saved: Saved,
    grad: &[f32],
    (first, count): (usize, usize),
) -> Recycled {
    let pixels = g.input[0] * g.input[1];
    let mut sum = Recycled::any(g.out_channels * g.in_channels);
    for image in first..first + count {
        let x = &saved.x[image * g.input_len()..][..g.input_len()];
        let grad = &grad[image * g.output_len()..][..g.output_len()];
        for (pixel, count) in even_pieces(pixels, LONG) {
            let grad = Matrix::spaced(&grad[pixel..], [g.out_channels, count], pixels);
            let x = Matrix::spaced(&x[pixel..], [g.in_channels, count], pixels).transposed();
            let start = if (image, pixel) == (first, 0) { Start::Zero } else { Start::Add };
            Product { start, ..Product::new(grad, x) }.write(isa, &mut sum, g.in_channels);
        }
    }
    sum
}

/// The sum of the gradients of each output channel, in double precision.
fn bias_gradient(g: &Geometry, grad: &[f32]) -> Vec<f32> {
    let plane = g.output[0] * g.output[1];
    let sum = |channel: usize| {
        let planes = grad.chunks_exact(plane).skip(channel).step_by(g.out_channels);
        let sums = planes.map(|grad| grad.iter().map(|grad| f64::from(*grad)).sum::<f64>());
        sums.sum::<f64>() as f32
    };
    threads::map((0..g.out_channels).into_par_iter(), sum)
}
