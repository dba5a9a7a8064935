//! The gradient of the input of a group, or of several at once.

use super::pass::{BackwardPass, Phase, Scratch};
use crate::cpu::conv::microkernel::{Rows, conv_rows};
use crate::cpu::conv::winograd::{InputGradient, View};
use crate::cpu::layout::{fold, unpack};
use crate::cpu::simd::Simd;
use crate::cpu::split::even_pieces;

/// Elements of the output's gradient that a strip of rows of the input's gradient should not exceed:
/// half of a second-level cache of 512 KiB.
const STRIP_LEN: usize = 64 * 1024;

/// Adds a group (its number in the piece, and whether it is the last) to those whose gradients are
/// computed together; writes the gradients of those that are complete.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(super) unsafe fn winograd_input_grad<S: Simd>(
    (pass, origin): (&BackwardPass, [usize; 2]),
    input: &mut InputGradient,
    scratch: &mut Scratch,
    (group, last): (usize, bool),
    to: &mut [f32],
) {
    let (g, lanes, spread) = (pass.g, S::LANES, &pass.spread);
    let (row, channel) = (spread.row_len(lanes), spread.plane[1] * lanes);
    let size = [spread.plane[0] - origin[0], spread.plane[1] - origin[1]];
    let view = View { channels: g.out_channels, size, row, channel };
    let start = origin[0] * row + origin[1] * lanes;
    let group_len = lanes * g.input_len();
    let mut next = 0;
    while !input.is_whole(next) {
        // SAFETY: the caller's promise.
        unsafe {
            next = input.add::<S>(group, next, (view, &scratch.dy[start..]));
            if input.is_full() || (last && input.is_whole(next)) {
                input.multiply::<S>();
                let mut pending = 0;
                while let Some((group, whole)) = input.results::<S>(pending, &mut scratch.dx) {
                    if whole {
                        let at = group * group_len;
                        let len = group_len.min(to.len() - at);
                        fold::<S>(&pass.planes, &mut scratch.dx);
                        unpack::<S>(&scratch.dx, g.input_len(), &mut to[at..][..len]);
                    }
                    pending += 1;
                }
            }
        }
    }
}

/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(super) unsafe fn group_input_grad<S: Simd>(
    pass: &BackwardPass,
    phases: &[Phase],
    scratch: &mut Scratch,
    to: &mut [f32],
) {
    for phase in phases {
        // SAFETY: the caller's promise.
        unsafe { phase_input_grad::<S>(pass, phase, scratch) };
    }
    // SAFETY: the caller's promise.
    unsafe {
        fold::<S>(&pass.planes, &mut scratch.dx);
        unpack::<S>(&scratch.dx, pass.g.input_len(), to);
    }
}

/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn phase_input_grad<S: Simd>(pass: &BackwardPass, phase: &Phase, scratch: &mut Scratch) {
    let (g, lanes, kernels) = (pass.g, S::LANES, &phase.kernels);
    let (x_row, y_row) = (pass.spread.row_len(lanes), g.upsampled[1] * lanes);
    let [row, column] =
        [phase.rows.origin(pass.spread.first[0]), phase.columns.origin(pass.spread.first[1])];
    let strip_rows = (STRIP_LEN / x_row).saturating_sub(phase.rows.taps.max(1) - 1).max(1);
    // A strip's rows of the gradient stay in the cache while all blocks of channels pass over them.
    for (first, count) in even_pieces(phase.rows.count, strip_rows) {
        let rows = Rows {
            size: [count, phase.columns.count],
            x_row,
            x_pixel: lanes,
            y_row: g.stride[0] * y_row,
            y_pixel: g.stride[1] * lanes,
            y_channel: g.upsampled[0] * y_row,
        };
        let dy = &scratch.dy[(row + first) * x_row + column * lanes..];
        let at = (phase.rows.first + first * g.stride[0]) * y_row + phase.columns.first * lanes;
        for (block, &(channel, _)) in kernels.blocks().iter().enumerate() {
            let dx = &mut scratch.dx[channel * rows.y_channel + at..];
            // SAFETY: the caller's promise.
            unsafe { conv_rows::<S>(kernels, block, &rows, dy, dx) };
        }
    }
}
