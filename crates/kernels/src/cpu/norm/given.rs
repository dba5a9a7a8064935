//! The pass that normalizes with statistics that are given.
//!
//! Every value goes through the operations of Burn's own layer in their order, a division among them, so that it has
//! the same bits; only that all of them are done while it is in a register.

use rayon::prelude::*;

use super::moments::Batch;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};

/// Values of a piece of work, at least.
const PIECE: usize = 16 * 1024;

/// How one channel is normalized.
#[derive(Clone, Copy)]
pub(crate) struct Channel {
    pub mean: f32,
    /// √(variance + ε)
    pub deviation: f32,
    pub gamma: f32,
    pub beta: f32,
}

/// (x − mean) / deviation · gamma + beta, with or without ReLU, of a batch `[image, channel, pixel]`.
pub(crate) fn normalized(
    isa: Isa,
    batch: Batch,
    channels: &[Channel],
    x: &[f32],
    relu: bool,
) -> Recycled {
    let mut y = Recycled::any(x.len());
    let planes = y.par_chunks_exact_mut(batch.plane).zip(x.par_chunks_exact(batch.plane));
    let planes = planes.with_min_len(PIECE.div_ceil(batch.plane)).enumerate();
    planes.for_each(|(index, (y, x))| {
        let channel = channels[index % batch.channels];
        match relu {
            true => isa.run(Plane::<true> { x, y, channel }),
            false => isa.run(Plane::<false> { x, y, channel }),
        }
    });
    y
}

struct Plane<'a, const RELU: bool> {
    x: &'a [f32],
    y: &'a mut [f32],
    channel: Channel,
}

impl<const RELU: bool> Task for Plane<'_, RELU> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Channel { mean, deviation, gamma, beta } = self.channel;
        for i in 0..self.y.len().min(self.x.len()) {
            let value = (self.x[i] - mean) / deviation * gamma + beta;
            // The comparison is false for NaN, which stays.
            self.y[i] = if RELU && value <= 0.0 { 0.0 } else { value };
        }
    }
}
