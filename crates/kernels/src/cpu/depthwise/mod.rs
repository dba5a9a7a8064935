//! Depthwise convolutions of planes in Burn's layout, `[batch, channel, row, column]`, and their gradients.
//!
//! A plane sees one kernel only, so that there is no product of matrices in it: a vector holds neighbouring
//! outputs of a row, and a few rows are computed together, so that every entry of the kernel is read once
//! for all of them. The plane is first copied into a frame of zeros, its columns sorted by their remainder
//! modulo the stride: what neighbouring outputs look at are neighbours then.
//!
//! The gradient of the input is the same, of the gradients of the outputs, `stride` pixels apart, with the
//! kernel turned by 180° ([`Frame::of_gradient`]). The gradient of a kernel is a sum of products over all
//! planes of its channel ([`weight_grad`]).

mod frame;
mod rows;
#[cfg(test)]
mod tests;
mod weight_grad;

use rayon::prelude::*;

use self::frame::Frame;
pub(crate) use self::frame::Sizes;
use self::rows::Planes;
pub(crate) use self::weight_grad::weight_grad;
use super::memory::Recycled;
use super::simd::Isa;
use super::threads;
use crate::ops::FusedActivation;

/// Multiply-adds that a thread takes at a time, if a plane has no more.
const PIECE: usize = 500_000;

/// The outputs with their activation, `[batch, channels, output height, output width]`.
pub(crate) fn forward(
    isa: Isa,
    sizes: &Sizes,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Recycled {
    let to = Results { kernels: weight, bias, activation: sizes.activation };
    run(isa, sizes, Frame::of_input(sizes, isa.lanes()), x, to)
}

/// The gradient of the input, `[batch, channels, input height, input width]`.
pub(crate) fn input_grad(isa: Isa, sizes: &Sizes, grad: &[f32], weight: &[f32]) -> Recycled {
    // A kernel that is read from its end is turned by 180°.
    let area = sizes.kernel[0] * sizes.kernel[1];
    let turned = weight.chunks(area).flat_map(|kernel| kernel.iter().rev());
    let turned: Vec<f32> = turned.copied().collect();
    let to = Results { kernels: &turned, bias: None, activation: FusedActivation::None };
    run(isa, sizes, Frame::of_gradient(sizes, isa.lanes()), grad, to)
}

/// What planes become.
#[derive(Clone, Copy)]
struct Results<'a> {
    kernels: &'a [f32],
    bias: Option<&'a [f32]>,
    activation: FusedActivation,
}

fn run(isa: Isa, sizes: &Sizes, frame: Frame, from: &[f32], results: Results) -> Recycled {
    let Sizes { batch, channels, kernel, .. } = *sizes;
    let [source, output] = frame.plane_lens();
    let mut all = Recycled::any(batch * channels * output);
    let piece = (PIECE / (output * kernel[0] * kernel[1]).max(1)).max(1);
    let frame = &frame;
    let pieces = all.par_chunks_mut(piece * output).zip(from.par_chunks(piece * source));
    threads::for_each(pieces.enumerate(), |(i, (to, from))| {
        let first = i * piece;
        isa.run(Planes { frame, first, channels, kernel, from, to, results });
    });
    all
}
