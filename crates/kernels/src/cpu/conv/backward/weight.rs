//! The gradient of the weight, group after group of a piece.

use super::pass::{BackwardPass, Scratch};
use crate::cpu::conv::weight_grad::{Layout, weight_grad};
use crate::cpu::conv::winograd::{View, WeightGradient};
use crate::cpu::memory::Aligned;
use crate::cpu::simd::Simd;

/// Elements of a weight above which the lanes of its gradient are added at once: the gradient with its
/// lanes would not fit into a second-level cache of 512 KiB. Measured on Zen 3.
const LANE_SUMS_LEN: usize = 16 * 1024;

/// The sum of every vector's lanes.
///
/// # Safety
///
/// The processor has `S`.
#[inline(always)]
pub(super) unsafe fn sum_lanes<S: Simd>(vectors: &[f32]) -> Vec<f32> {
    let mut sums = vec![0.0; vectors.len() / S::LANES];
    for (i, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the vector lies in the slice; the processor is the caller's promise.
        *sum = unsafe { S::sum(S::load(vectors.as_ptr().wrapping_add(i * S::LANES))) };
    }
    sums
}

/// The gradient of the weight, of the groups of a piece so far.
pub(super) enum WeightSum {
    /// `[out channel, kernel offset]`
    Direct(Aligned),
    /// `[out channel, kernel offset, LANES]`
    DirectLanes(Aligned),
    Winograd(WeightGradient),
}

impl WeightSum {
    pub(super) fn new(pass: &BackwardPass, lanes: usize) -> Self {
        let g = pass.g;
        let len = if pass.wanted.weight { g.out_channels * g.fan_in() } else { 0 };
        match pass.methods.weight {
            Some(variant) if pass.wanted.weight => {
                WeightSum::Winograd(WeightGradient::new(variant, g, lanes))
            }
            _ if len > LANE_SUMS_LEN => WeightSum::Direct(Aligned::zeros(len)),
            _ => WeightSum::DirectLanes(Aligned::zeros(len * lanes)),
        }
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn add_group<S: Simd>(&mut self, pass: &BackwardPass, scratch: &Scratch) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                WeightSum::Direct(sum) => group_weight_grad::<S>(pass, scratch, sum, true),
                WeightSum::DirectLanes(sum) => group_weight_grad::<S>(pass, scratch, sum, false),
                WeightSum::Winograd(gradient) => {
                    let (g, spread, lanes) = (pass.g, &pass.spread, S::LANES);
                    let (channel, row) = (spread.plane[1] * lanes, spread.row_len(lanes));
                    let channels = g.out_channels;
                    let dy = View { channels, size: g.conv, row, channel };
                    let first = spread.first[0] * row + spread.first[1] * lanes;
                    let size = pass.planes.padded();
                    let (channel, row) = (size[1] * lanes, pass.planes.row_len(lanes));
                    let x = View { channels: g.in_channels, size, row, channel };
                    gradient.add::<S>((dy, &scratch.dy[first..]), (x, &scratch.x));
                }
            }
        }
    }

    /// # Safety
    ///
    /// The processor has `S`.
    #[inline(always)]
    pub(super) unsafe fn finish<S: Simd>(self) -> Vec<f32> {
        match self {
            WeightSum::Direct(sum) => sum.to_vec(),
            // SAFETY: the caller's promise.
            WeightSum::DirectLanes(sum) => unsafe { sum_lanes::<S>(&sum) },
            // SAFETY: as above.
            WeightSum::Winograd(gradient) => unsafe { gradient.finish::<S>() },
        }
    }
}

/// # Safety
///
/// The processor has `S`.
#[inline(always)]
unsafe fn group_weight_grad<S: Simd>(
    pass: &BackwardPass,
    scratch: &Scratch,
    dw: &mut [f32],
    add_lanes: bool,
) {
    let (g, lanes, spread) = (pass.g, S::LANES, &pass.spread);
    let layout = Layout {
        size: g.conv,
        offsets: &pass.offsets,
        x_step: [g.stride[0] * pass.planes.row_len(lanes), g.stride[1] * lanes],
        dy_step: [spread.row_len(lanes), lanes],
        dy_channel: spread.plane[1] * lanes,
        out_channels: g.out_channels,
        add_lanes,
    };
    let dy = &scratch.dy[spread.first[0] * spread.row_len(lanes) + spread.first[1] * lanes..];
    // SAFETY: the caller's promise.
    unsafe { weight_grad::<S>(&layout, &scratch.x, dy, dw) };
}
