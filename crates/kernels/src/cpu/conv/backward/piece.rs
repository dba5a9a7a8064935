//! Some groups of a batch, one after the other.

use super::input::{group_input_grad, winograd_input_grad};
use super::pass::{BackwardPass, InputKernels, Scratch};
use super::weight::{WeightSum, sum_lanes};
use crate::cpu::conv::io::group_scale;
use crate::cpu::conv::winograd::InputGradient;
use crate::cpu::layout::{pack, pack_gradient, pack_rows};
use crate::cpu::memory::Aligned;
use crate::cpu::pool::{OutputGrad, unpool};
use crate::cpu::simd::{Simd, Task};

/// Gradients of one piece of a batch.
pub(super) struct Partial {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// Some groups of a batch.
pub(super) struct BackwardPiece<'a> {
    pub pass: &'a BackwardPass<'a>,
    /// The first image; a multiple of `LANES`.
    pub first: usize,
    pub images: usize,
    /// Gradient of the whole batch's output.
    pub grad: &'a [f32],
    /// This piece of the input's gradient, or nothing.
    pub dx: &'a mut [f32],
    pub scratch: &'a mut Scratch,
}

impl Task for BackwardPiece<'_> {
    type Output = Partial;

    #[inline(always)]
    unsafe fn run<S: Simd>(self) -> Partial {
        let (pass, scratch, g) = (self.pass, self.scratch, self.pass.g);
        let lanes = S::LANES;
        let mut weight = WeightSum::new(pass, lanes);
        let mut db = Aligned::zeros(g.out_channels * lanes);
        let mut input = match &pass.input_grad {
            Some(InputKernels::Winograd(kernels, _)) => {
                Some(InputGradient::new(kernels, g.upsampled, lanes))
            }
            _ => None,
        };
        let argmax_len = if g.needs_argmax() { g.output_len() * lanes } else { 0 };
        for at in (0..self.images).step_by(lanes) {
            let (first, count) = (self.first + at, lanes.min(self.images - at));
            let grad = &self.grad[first * g.output_len()..][..count * g.output_len()];
            let argmax = &pass.saved.argmax[first / lanes * argmax_len..][..argmax_len];
            // SAFETY: `run` is only entered where the processor has `S`.
            unsafe {
                if pass.is_plain() {
                    pack_gradient::<S>(grad, g, &pass.spread, &mut scratch.dy);
                    if pass.wanted.bias {
                        S::enter(PixelSums { pass, dy: &scratch.dy, sums: &mut db });
                    }
                } else {
                    pack::<S>(grad, g.output_len(), &mut scratch.grad);
                    if let Some(scale) = pass.saved.scale {
                        let scale = group_scale(g, scale, first, lanes);
                        pack::<S>(scale, g.out_channels, &mut scratch.scale);
                    }
                    spread::<S>(pass, argmax, scratch, &mut db);
                }
                if pass.wanted.weight {
                    let x = &pass.saved.x[first * g.input_len()..][..count * g.input_len()];
                    pack_rows::<S>(x, &pass.planes, &mut scratch.x);
                    weight.add_group::<S>(pass, scratch);
                }
                match &pass.input_grad {
                    Some(InputKernels::Direct(phases)) => {
                        let to = &mut self.dx[at * g.input_len()..][..count * g.input_len()];
                        group_input_grad::<S>(pass, phases, scratch, to);
                    }
                    Some(InputKernels::Winograd(_, origin)) => {
                        let input = input.as_mut().expect("made above");
                        let last = at + lanes >= self.images;
                        let group = (at / lanes, last);
                        winograd_input_grad::<S>((pass, *origin), input, scratch, group, self.dx);
                    }
                    None => {}
                }
            }
        }
        // SAFETY: as above.
        unsafe {
            let bias = if pass.wanted.bias { sum_lanes::<S>(&db) } else { Vec::new() };
            Partial { weight: weight.finish::<S>(), bias }
        }
    }
}

/// From the output's gradient to the spread gradient of the convolution, and its sum.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn spread<S: Simd>(
    pass: &BackwardPass,
    argmax: &[u8],
    scratch: &mut Scratch,
    db: &mut [f32],
) {
    let (g, lanes) = (pass.g, S::LANES);
    let plane = g.output[0] * g.output[1] * lanes;
    if !g.windows_are_disjoint() {
        // Shares are added up, so the pixels have to start from zero in every group.
        scratch.dy.fill(0.0);
    }
    for channel in 0..g.out_channels {
        let outputs = OutputGrad {
            spread: &pass.spread,
            channel,
            grad: &scratch.grad[channel * plane..][..plane],
            argmax: g.needs_argmax().then(|| &argmax[channel * plane..][..plane]),
            scale: pass.saved.scale.map(|_| &scratch.scale[channel * lanes..][..lanes]),
        };
        let db = &mut db[channel * lanes..][..lanes];
        // SAFETY: the caller's promise.
        unsafe { unpool::<S>(g, &outputs, &mut scratch.dy, db) };
    }
}

/// Adds the gradients of a group to the sums of their channels, row by row as [`unpool`] does.
struct PixelSums<'a> {
    pass: &'a BackwardPass<'a>,
    /// `[row, channel, column, LANES]`, with a border.
    dy: &'a [f32],
    /// `[channel, LANES]`
    sums: &'a mut [f32],
}

impl Task for PixelSums<'_> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (spread, [height, width]) = (&self.pass.spread, self.pass.g.conv);
        assert!(self.dy.len() >= spread.len(S::LANES));
        for (axis, size) in [height, width].into_iter().enumerate() {
            assert!(spread.first[axis] + size <= spread.plane[axis]);
        }
        assert!(self.sums.len() >= spread.channels * S::LANES);
        let [first_row, first_column] = spread.first;
        for row in first_row..first_row + height {
            for channel in 0..spread.channels {
                let at = (row * spread.channels + channel) * spread.plane[1] + first_column;
                let pixels = self.dy.as_ptr().wrapping_add(at * S::LANES);
                let to = self.sums.as_mut_ptr().wrapping_add(channel * S::LANES);
                // SAFETY: the convolution's pixels lie in the spread's plane, and there is a sum for each channel.
                unsafe {
                    let mut sum = S::splat(0.0);
                    for column in 0..width {
                        sum = S::add(sum, S::load(pixels.wrapping_add(column * S::LANES)));
                    }
                    S::store(to, S::add(S::load(to), sum));
                }
            }
        }
    }
}
