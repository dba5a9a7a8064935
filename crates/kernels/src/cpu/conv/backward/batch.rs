//! The backward pass of a batch: cut into pieces, whose gradients are added in order.

use rayon::prelude::*;

use super::pass::{BackwardPass, Gradients, Saved, Scratch, Wanted};
use super::piece::{BackwardPiece, Partial};
use crate::cpu::conv::method::Methods;
use crate::cpu::conv::planes;
use crate::cpu::layout::Geometry;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;

/// Batches are cut into at most this many pieces, whose weight gradients are added in order. It
/// bounds the processor cores that a batch can use.
const MAX_PIECES: usize = 16;

/// Elements that the weight gradients of all pieces together should not exceed (32 MiB).
const MAX_PARTIAL_LEN: usize = 8 * 1024 * 1024;

/// The number of pieces whose weight gradients have so many elements each.
pub(crate) fn max_pieces(partial_len: usize) -> usize {
    (MAX_PARTIAL_LEN / partial_len.max(1)).clamp(2, MAX_PIECES)
}

/// Computes the gradients from the gradient of the output.
pub(crate) fn backward(
    isa: Isa,
    g: &Geometry,
    saved: Saved,
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    if Methods::planes_are_faster(g, isa.lanes()) && planes::can_compute(g, saved.scale, true) {
        return planes::backward(isa, g, saved, grad, wanted);
    }
    // As the forward pass, whose argmax lies as it was written.
    let isa = isa.for_images(g.batch);
    backward_by(isa, (g, Methods::of(g, isa.lanes())), saved, grad, wanted)
}

/// The same by methods of the caller's choice.
pub(crate) fn backward_by(
    isa: Isa,
    (g, methods): (&Geometry, Methods),
    saved: Saved,
    grad: &[f32],
    wanted: Wanted,
) -> Gradients {
    let (lanes, fan_in) = (isa.lanes(), g.fan_in());
    let pass = BackwardPass::new(isa, (g, methods), saved, wanted);
    let groups = g.batch.div_ceil(lanes);
    // The cut depends on the batch alone, not on the threads: so do the sums.
    let partial_len = match methods.weight {
        Some(variant) => g.out_channels * g.in_channels * variant.positions(),
        None => g.out_channels * fan_in,
    };
    let piece_images = lanes * groups.div_ceil(max_pieces(partial_len)).max(1);
    let mut dx = Recycled::any(if wanted.x { g.batch * g.input_len() } else { 0 });
    let mut dx_pieces: Vec<&mut [f32]> = match wanted.x {
        true => dx.chunks_mut((piece_images * g.input_len()).max(1)).collect(),
        false => (0..g.batch.div_ceil(piece_images)).map(|_| Default::default()).collect(),
    };
    let partial: Vec<Partial> = threads::map_init(
        dx_pieces.par_iter_mut().enumerate(),
        || Scratch::new(&pass, lanes),
        |scratch, (piece, dx)| {
            let first = piece * piece_images;
            let images = piece_images.min(g.batch - first);
            isa.run(BackwardPiece { pass: &pass, first, images, grad, dx, scratch })
        },
    );
    let weight_len = if wanted.weight { g.out_channels * fan_in } else { 0 };
    let weights = partial.iter().map(|piece| &piece.weight[..]).collect();
    let biases = partial.iter().map(|piece| &piece.bias[..]).collect();
    Gradients {
        x: dx,
        weight: add(isa, weights, weight_len),
        bias: add(isa, biases, if wanted.bias { g.out_channels } else { 0 }),
    }
}

/// Elements that one task adds up.
const ADD_LEN: usize = 4 * 1024;

/// The sum of vectors of `len` elements, in their order and in double precision.
pub(crate) fn add(isa: Isa, vectors: Vec<&[f32]>, len: usize) -> Vec<f32> {
    let mut sum = vec![0.0; len];
    threads::for_each(sum.par_chunks_mut(ADD_LEN).enumerate(), |(chunk, to)| {
        isa.run(Add { vectors: &vectors, first: chunk * ADD_LEN, to });
    });
    sum
}

/// Adds the elements of vectors from `first` on, in plain loops that the compiler turns into vector instructions.
struct Add<'a> {
    vectors: &'a [&'a [f32]],
    first: usize,
    to: &'a mut [f32],
}

impl Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // So few that their sums stay in the first-level cache.
        const AT_ONCE: usize = 256;
        for (piece, to) in self.to.chunks_mut(AT_ONCE).enumerate() {
            // Negative zero is what changes no sum, not even that of negative zeros.
            let mut sums = [-0.0_f64; AT_ONCE];
            let sums = &mut sums[..to.len()];
            for vector in self.vectors {
                let vector = &vector[self.first + piece * AT_ONCE..][..sums.len()];
                for i in 0..sums.len() {
                    sums[i] += f64::from(vector[i]);
                }
            }
            for i in 0..sums.len() {
                to[i] = sums[i] as f32;
            }
        }
    }
}
