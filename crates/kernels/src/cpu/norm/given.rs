//! The pass that normalizes with statistics that are given.
//!
//! Every value goes through the operations of Burn's own layer in their order, a division among them, so that it has
//! the same bits; only that all of them are done while it is in a register.

use rayon::prelude::*;

use super::moments::Batch;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::{Isa, Simd, Task};
use crate::cpu::threads;
use crate::ops::FusedActivation;

/// How one channel is normalized.
#[derive(Clone, Copy)]
pub(crate) struct Channel {
    pub mean: f32,
    /// √(variance + ε)
    pub deviation: f32,
    pub gamma: f32,
    pub beta: f32,
}

/// (x − mean) / deviation · gamma + beta, then an activation, of a batch `[image, channel, pixel]`.
pub(crate) fn normalized(
    isa: Isa,
    batch: Batch,
    channels: &[Channel],
    x: &[f32],
    activation: FusedActivation,
) -> Recycled {
    let mut y = Recycled::any(x.len());
    let (image, plane) = (batch.channels * batch.plane, batch.plane);
    let images = y.par_chunks_exact_mut(image).zip(x.par_chunks_exact(image));
    use FusedActivation::{None, Relu, Relu6};
    threads::for_each(images, |(y, x)| match activation {
        None => isa.run(Image::<0> { plane, x, y, channels }),
        Relu => isa.run(Image::<1> { plane, x, y, channels }),
        Relu6 => isa.run(Image::<2> { plane, x, y, channels }),
    });
    y
}

/// The activations by the number of their ends.
const ACTIVATIONS: [FusedActivation; 3] =
    [FusedActivation::None, FusedActivation::Relu, FusedActivation::Relu6];

/// `ENDS` is the number of ends of the activation, a constant so that the loop is compiled for it.
struct Image<'a, const ENDS: usize> {
    plane: usize,
    x: &'a [f32],
    y: &'a mut [f32],
    channels: &'a [Channel],
}

impl<const ENDS: usize> Task for Image<'_, ENDS> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        for c in 0..self.channels.len() {
            let Channel { mean, deviation, gamma, beta } = self.channels[c];
            let x = &self.x[c * self.plane..][..self.plane];
            let y = &mut self.y[c * self.plane..][..self.plane];
            for i in 0..x.len() {
                let value = (x[i] - mean) / deviation * gamma + beta;
                y[i] = ACTIVATIONS[ENDS].of(value);
            }
        }
    }
}
