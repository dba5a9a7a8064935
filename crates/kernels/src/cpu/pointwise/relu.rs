//! max(x, 0).

use super::Function;
use crate::ops::FusedActivation;

/// ReLU.
#[derive(Clone, Copy)]
pub(crate) struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        FusedActivation::Relu.of(x)
    }

    #[inline(always)]
    fn gradient(self, x: f32, grad: f32) -> f32 {
        if x <= 0.0 { 0.0 } else { grad }
    }
}
