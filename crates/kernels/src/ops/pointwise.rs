//! Functions of single values as operations of Burn's backends.

use std::f64::consts::FRAC_1_SQRT_2;

use burn::backend::{
    Backend, Dispatch, Scalar, TensorMetadata, backend_extension, get_device_settings,
    tensor::FloatTensor,
};
use burn::tensor::Tensor;

/// A function of single values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pointwise {
    /// [`gelu`]
    Gelu,
    /// [`relu6`]
    Relu6,
    /// [`without_tiny_gradients`]
    WithoutTinyGradients,
}

/// Backends that compute functions of single values.
///
/// This is the layer below [`gelu`], [`relu6`] and [`without_tiny_gradients`]; only code that is generic over Burn's
/// backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait PointwiseBackend: Backend {
    /// The function of every value, in the shape of `x`, which may be any.
    ///
    /// The default is composed of Burn's own operations.
    fn pointwise(x: FloatTensor<Self>, function: Pointwise) -> FloatTensor<Self> {
        compose::<Self>(x, function)
    }
}

pub(crate) fn compose<B: Backend>(x: FloatTensor<B>, function: Pointwise) -> FloatTensor<B> {
    match function {
        // x / 2 · (1 + erf(x / √2))
        Pointwise::Gelu => {
            let scaled = B::float_mul_scalar(x.clone(), Scalar::from(FRAC_1_SQRT_2));
            let doubled = B::float_add_scalar(B::float_erf(scaled), Scalar::from(1.0));
            B::float_mul_scalar(B::float_mul(x, doubled), Scalar::from(0.5))
        }
        // Burn's clamp lets a gradient through at its ends.
        Pointwise::Relu6 => {
            let kind = get_device_settings::<B>(&x.device()).bool_dtype;
            let above = B::float_greater_equal_elem(x.clone(), Scalar::from(6.0), kind);
            B::float_mask_fill(B::relu(x), above, Scalar::from(6.0))
        }
        Pointwise::WithoutTinyGradients => x,
    }
}

compose_on_other_backends!(PointwiseBackend);

/// GELU (Hendrycks and Gimpel, 2016): x · Φ(x) of every value, with the distribution function Φ of the standard normal
/// distribution, and the exact gradient.
///
/// The result is that of PyTorch's `gelu`, also in that −∞ gives a NaN; Burn's has the gradient of an approximation. On the flex device, in `f32`,
/// it takes one pass, and its gradient another; everywhere else Burn's operations compute it. The result has the shape of
/// `x`, which may be any.
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
    of(x, Pointwise::Gelu)
}

/// min(max(x, 0), 6) of every value; the gradient at 0 and at 6 is 0, as PyTorch's, and a NaN stays one.
///
/// On the flex device, in `f32`, it takes one pass, and its gradient another; everywhere else Burn's operations compute
/// it. The result has the shape of `x`, which may be any.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::relu6;
///
/// let y = relu6(Tensor::<1>::from_data([-1.0, 2.5, 7.0], &Device::flex()));
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [0.0, 2.5, 6.0]);
/// # }
/// ```
pub fn relu6<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    of(x, Pointwise::Relu6)
}

/// `x` itself, of any shape, for the way back: on the flex device, in `f32`, gradients below 1e-30 are 0 then; everywhere
/// else it does nothing.
///
/// It belongs between logits and a loss by softmax. The gradient of a class is its probability, and of a network that is
/// sure of itself that is 1e-40: a denormal number. Processors of Intel take a hundred times as long for each product with
/// one, so that epochs of a network that knew its training images took up to seven times as long. Next to the other
/// gradients of a batch such a number changes nothing.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::without_tiny_gradients;
///
/// let x = Tensor::<1>::ones([2], &Device::flex().autodiff()).require_grad();
/// let factors = Tensor::from_data([3.0, 1e-38], &x.device());
/// let gradients = (without_tiny_gradients(x.clone()) * factors).sum().backward();
/// let gradient = x.grad(&gradients).unwrap().into_data();
/// assert_eq!(gradient.try_to_vec::<f32>().unwrap(), [3.0, 0.0]);
/// # }
/// ```
pub fn without_tiny_gradients<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    of(x, Pointwise::WithoutTinyGradients)
}

fn of<const D: usize>(x: Tensor<D>, function: Pointwise) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as PointwiseBackend>::pointwise(x.into_dispatch(), function))
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

    fn relu6_by_burn(x: Tensor<3>) -> Tensor<3> {
        let above = x.clone().greater_equal_elem(6.0);
        burn::tensor::activation::relu(x).mask_fill(above, 6.0)
    }

    #[test]
    fn relu6_has_the_bits_of_burns_operations_and_no_gradient_at_its_ends() {
        let device = Device::flex().autodiff();
        let special = [-0.0, 0.0, 6.0, -6.0, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY];
        let ramp = (0..40_000).map(|i| i as f32 * 0.0005 - 7.0);
        let values: Vec<f32> = special.into_iter().chain(ramp).collect();
        let x = TensorData::new(values.clone(), [1, 8, 5001]);
        let x = Tensor::<3>::from_data(x, &device);
        for x in [x.clone(), x.cast(DType::F64)] {
            let (ours, burns) = (results(&x, relu6), results(&x, relu6_by_burn));
            let bits = |values: &Vec<f32>| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&ours[0]), bits(&burns[0]));
            assert!(ours[1][..4].iter().all(|gradient| *gradient == 0.0));
            for (i, (ours, burns)) in ours[1].iter().zip(&burns[1]).enumerate() {
                assert!(ours == burns, "{ours} and {burns} at {}", values[i]);
            }
        }
        assert_eq!(relu6(Tensor::<2>::ones([0, 3], &device)).dims(), [0, 3]);
        assert_eq!(gelu(Tensor::<2>::ones([0, 3], &device)).dims(), [0, 3]);
        let nan = relu6(Tensor::<1>::from_data([f32::NAN], &device)).into_scalar::<f32>();
        assert!(nan.is_nan());
    }

    #[test]
    fn gradients_that_are_tiny_become_0_and_all_others_stay() {
        let device = Device::flex().autodiff();
        let factors = [1.0, -2e-30, 1e-30, 9e-31, -1e-40, f32::NAN, f32::INFINITY, 0.0];
        let x = Tensor::<1>::from_data([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], &device)
            .require_grad();
        let y = without_tiny_gradients(x.clone());
        assert_eq!(y.to_data(), x.to_data());
        let grads = (y * Tensor::from_data(factors, &device)).sum().backward();
        let found = x.grad(&grads).unwrap().into_data().try_to_vec::<f32>().unwrap();
        assert_eq!(found[..5], [1.0, -2e-30, 1e-30, 0.0, 0.0]);
        assert!(found[5].is_nan() && found[6..] == [f32::INFINITY, 0.0]);
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
