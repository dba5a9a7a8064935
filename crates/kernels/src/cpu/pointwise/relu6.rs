//! min(max(x, 0), 6).

use super::Function;
use crate::ops::FusedActivation;

/// ReLU that ends at 6.
#[derive(Clone, Copy)]
pub(crate) struct Relu6;

impl Function for Relu6 {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        FusedActivation::Relu6.of(x)
    }

    #[inline(always)]
    fn gradient(self, x: f32, grad: f32) -> f32 {
        if x <= 0.0 || x >= 6.0 { 0.0 } else { grad }
    }
}
