use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::Tensor;

use super::relu;

/// 1 / (1 + exp(-x)), written so that nothing overflows.
pub fn sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    ((x * 0.5).tanh() + 1.0) * 0.5
}

/// min(max(x, 0), 6).
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::relu6;
///
/// let x = Tensor::<1>::from_data([-1.0, 2.0, 9.0], &Device::flex());
/// assert_eq!(relu6(x).into_data().try_to_vec::<f32>()?, [0.0, 2.0, 6.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn relu6<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let above = x.clone().greater_equal_elem(6.0);
    relu(x).mask_fill(above, 6.0)
}

/// x above 0, `slope` · x elsewhere.
pub fn leaky_relu<const D: usize>(x: Tensor<D>, slope: f64) -> Tensor<D> {
    relu(x.clone()) - relu(-x) * slope
}

/// x · Φ(x) (Hendrycks and Gimpel, 2016), Φ the normal distribution function: x / 2 · (1 + erf(x / √2)).
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let phi = ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
    x * phi
}

/// [`gelu`] with Φ approximated: x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
pub fn gelu_tanh<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let cubic = x.clone() * (x.clone().square() * 0.044715 + 1.0);
    let phi = ((cubic * (FRAC_2_SQRT_PI * FRAC_1_SQRT_2)).tanh() + 1.0) * 0.5;
    x * phi
}

/// x / (1 + exp(-x)).
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * sigmoid(x)
}

/// min(max(x + 3, 0), 6) / 6.
pub fn hard_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    relu6(x + 3.0) / 6.0
}

/// x · min(max(x + 3, 0), 6) / 6 (Howard et al., 2019).
pub fn hard_swish<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.clone() * hard_sigmoid(x)
}
