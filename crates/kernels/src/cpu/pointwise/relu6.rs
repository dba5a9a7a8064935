//! min(max(x, 0), 6).

use super::Function;

/// ReLU that ends at 6.
#[derive(Clone, Copy)]
pub(crate) struct Relu6;

impl Function for Relu6 {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        let above = if x <= 0.0 { 0.0 } else { x };
        if above >= 6.0 { 6.0 } else { above }
    }

    #[inline(always)]
    fn gradient(self, x: f32, grad: f32) -> f32 {
        if x <= 0.0 || x >= 6.0 { 0.0 } else { grad }
    }
}
