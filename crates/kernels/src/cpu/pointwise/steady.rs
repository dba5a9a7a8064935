//! The value itself, whose gradient is none where it is tiny.

use super::Function;

/// Gradients below it are 0. Below 1.2e-38 a number is denormal; a product of this and of what weights and pixels usually
/// are is not, a few layers further.
const TINY: f32 = 1e-30;

/// The value itself.
#[derive(Clone, Copy)]
pub(crate) struct Steady;

impl Function for Steady {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        x
    }

    #[inline(always)]
    fn gradient(self, _: f32, grad: f32) -> f32 {
        // The comparison is false for NaN, which stays.
        if grad.abs() < TINY { 0.0 } else { grad }
    }
}
