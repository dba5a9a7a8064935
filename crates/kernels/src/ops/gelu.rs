//! GELU as an operation of Burn's backends.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::backend::{Backend, Dispatch, Scalar, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that compute GELU.
///
/// This is the layer below [`gelu`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait GeluBackend: Backend {
    /// x · Φ(x) of every value.
    ///
    /// The default is composed of Burn's own operations.
    fn gelu_of(x: FloatTensor<Self>) -> FloatTensor<Self> {
        compose::<Self>(x)
    }
}

/// x / 2 · (1 + erf(x / √2)).
pub(crate) fn compose<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let scaled = B::float_mul_scalar(x.clone(), Scalar::from(FRAC_1_SQRT_2));
    let doubled = B::float_add_scalar(B::float_erf(scaled), Scalar::from(1.0));
    B::float_mul_scalar(B::float_mul(x, doubled), Scalar::from(0.5))
}

compose_on_other_backends!(GeluBackend);

/// GELU (Hendrycks and Gimpel, 2016): x · Φ(x) of every value, with the distribution function Φ of the standard normal
/// distribution, and the exact gradient.
///
/// The result is that of PyTorch's `gelu`; Burn's has the gradient of an approximation. On the flex device, in `f32`,
/// it takes one pass, and its gradient another; everywhere else Burn's operations compute it.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::gelu;
///
/// let y = gelu(Tensor::<1>::from_data([-1.0, 0.0, 1.0], &Device::flex()));
/// let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
/// // Φ(1) = 0.841345.
/// assert!((y[0] + 0.158_655).abs() < 1e-6 && y[1] == 0.0 && (y[2] - 0.841_345).abs() < 1e-6);
/// # }
/// ```
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as GeluBackend>::gelu_of(x.into_dispatch()))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    /// Output and gradient of one way to compute it.
    fn results(x: &Tensor<3>, of: impl Fn(Tensor<3>) -> Tensor<3>) -> [Vec<f32>; 2] {
        let x = x.clone().detach().require_grad();
        let y = of(x.clone());
        let grads = (y.clone() * x.clone().detach().cos()).sum().backward();
        let values = |data: TensorData| data.convert::<f32>().try_to_vec::<f32>().unwrap();
        [values(y.into_data()), values(x.grad(&grads).unwrap().into_data())]
    }

    fn by_burn(x: Tensor<3>) -> Tensor<3> {
        x.clone() * ((x * FRAC_1_SQRT_2).erf() + 1.0) * 0.5
    }

    #[test]
    fn the_result_and_its_gradient_are_those_of_burns_own_operations() {
        let device = Device::flex().autodiff();
        let values = (0..4 * 5 * 700).map(|i| (i as f32 * 1.618_034) % 12.0 - 6.0).collect();
        let x = TensorData::new::<f32, _>(values, [4, 5, 700]);
        let x = Tensor::<3>::from_data(x, &device);
        // Also of a view, and of a type that has no kernels.
        let (view, double) = (x.clone().swap_dims(0, 2), x.clone().cast(DType::F64));
        for x in [x, view, double] {
            let (ours, burns) = (results(&x, gelu), results(&x, by_burn));
            for (ours, burns) in ours.iter().flatten().zip(burns.iter().flatten()) {
                assert!((ours - burns).abs() < 2e-6, "{ours} and {burns}");
            }
        }
    }
}
