//! Functions of single values whose gradients, too, are PyTorch's.
//!
//! Burn has most of them, and the kernels have GELU and ReLU6.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::Tensor;
use selvedge_kernels::relu6;

/// x above 0, `slope` · x elsewhere; the gradient at 0 is the slope.
pub(super) fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    let below = x.clone().lower_equal_elem(0.0);
    x.clone().mask_where(below, x * slope)
}

/// x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
pub(super) fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cube = x.clone() * x.clone() * x.clone();
    let inner = (x.clone() + cube * 0.044715) * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2);
    x * (inner.tanh() + 1.0) * 0.5
}

/// min(max(x + 3, 0), 6) / 6.
pub(super) fn hard_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    relu6(x + 3.0) / 6.0
}
