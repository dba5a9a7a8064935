//! The sum of two tensors, with an activation, as one operation of Burn's backends.

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

use super::FusedActivation;

/// Backends that compute the sum of two tensors with an activation.
///
/// This is the layer below [`add`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait AddBackend: Backend {
    /// The activation of `a + b`, two tensors of the same shape, which may be any.
    ///
    /// The default composes Burn's own operations.
    fn add_block(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        compose::<Self>(a, b, activation)
    }
}

pub(crate) fn compose<B: Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    activation: FusedActivation,
) -> FloatTensor<B> {
    activation.compose::<B>(B::float_add(a, b))
}

compose_on_other_backends!(AddBackend);

/// The activation of `a + b`: the end of a residual block (K. He et al., *Deep residual learning for image
/// recognition*, 2016).
///
/// On the flex device, in `f32`, it takes one pass, and its gradient, which is the same for both, another; everywhere
/// else Burn's operations compute it. The result has the shape of `a` and `b`, which may be any.
///
/// # Panics
///
/// Panics if `b` has another shape than `a`.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::{FusedActivation, add};
///
/// let device = Device::flex();
/// let a = Tensor::<1>::from_data([-1.0, 2.0, 7.0], &device);
/// let y = add(a, Tensor::ones([3], &device), FusedActivation::Relu6);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [0.0, 3.0, 6.0]);
/// # }
/// ```
pub fn add<const D: usize>(a: Tensor<D>, b: Tensor<D>, activation: FusedActivation) -> Tensor<D> {
    assert_eq!(a.dims(), b.dims(), "add: two tensors of the same shape");
    let (a, b) = (a.into_dispatch(), b.into_dispatch());
    Tensor::from_dispatch(<Dispatch as AddBackend>::add_block(a, b, activation))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    const ACTIVATIONS: [FusedActivation; 3] =
        [FusedActivation::None, FusedActivation::Relu, FusedActivation::Relu6];

    fn by_burn(a: Tensor<3>, b: Tensor<3>, activation: FusedActivation) -> Tensor<3> {
        activation.apply(a + b)
    }

    /// The bits of the sum, and of the gradients of both.
    fn results(
        [a, b]: &[Tensor<3>; 2],
        activation: FusedActivation,
        of: impl Fn(Tensor<3>, Tensor<3>, FusedActivation) -> Tensor<3>,
    ) -> [Vec<u64>; 3] {
        let [a, b] = [a, b].map(|x| x.clone().detach().require_grad());
        let y = of(a.clone(), b.clone(), activation);
        let gradients = (y.clone() * a.clone().detach().cos()).sum().backward();
        let bits = |data: TensorData| {
            let values = data.convert::<f64>().try_to_vec::<f64>().unwrap();
            values.into_iter().map(f64::to_bits).collect()
        };
        let gradient = |x: &Tensor<3>| bits(x.grad(&gradients).unwrap().into_data());
        [bits(y.into_data()), gradient(&a), gradient(&b)]
    }

    fn values(shape: [usize; 3], factor: f32, device: &Device) -> Tensor<3> {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| 5.0 * ((i * i + i) as f32 * factor).sin() + 0.5);
        Tensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape), device)
    }

    #[test]
    fn sum_and_gradients_have_the_bits_of_burns_operations() {
        let device = Device::flex().autodiff();
        for shape in [[1, 1, 1], [3, 5, 7], [2, 100, 200], [0, 2, 3]] {
            let x = [0.618_034, 0.414_214].map(|factor| values(shape, factor, &device));
            // Strides that are not those of rows, and numbers of another type.
            let turned = x.clone().map(|x| x.swap_dims(0, 2));
            let wide = x.clone().map(|x| x.cast(DType::F64));
            for x in [&x, &turned, &wide] {
                for activation in ACTIVATIONS {
                    assert_eq!(
                        results(x, activation, add),
                        results(x, activation, by_burn),
                        "{shape:?} {activation:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_gradient_reaches_a_tensor_that_is_added_to_itself_twice() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_data([-1.0, 2.0], &device).require_grad();
        let y = add(x.clone(), x.clone(), FusedActivation::Relu);
        let gradient = x.grad(&y.sum().backward()).unwrap().into_data();
        assert_eq!(gradient.try_to_vec::<f32>().unwrap(), [0.0, 2.0]);
    }

    #[test]
    fn one_of_them_alone_may_have_a_gradient() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_data([-3.0, 2.0], &device).require_grad();
        for order in [true, false] {
            let (a, b) = (x.clone(), Tensor::ones([2], &device));
            let (a, b) = if order { (a, b) } else { (b, a) };
            let gradients = add(a, b, FusedActivation::Relu).sum().backward();
            let gradient = x.grad(&gradients).unwrap().into_data();
            assert_eq!(gradient.try_to_vec::<f32>().unwrap(), [0.0, 1.0]);
        }
    }

    #[test]
    fn a_nan_stays_one() {
        let device = Device::flex();
        for activation in ACTIVATIONS {
            let x = Tensor::<1>::from_data([f32::NAN, 1.0], &device);
            let y = add(x.clone(), Tensor::ones([2], &device), activation).into_data();
            let y = y.try_to_vec::<f32>().unwrap();
            assert!(y[0].is_nan() && y[1] == 2.0, "{activation:?}: {y:?}");
        }
    }

    #[test]
    #[should_panic(expected = "add: two tensors of the same shape")]
    fn other_shapes_are_refused() {
        let device = Device::flex();
        add(
            Tensor::<2>::ones([2, 3], &device),
            Tensor::ones([1, 3], &device),
            FusedActivation::None,
        );
    }
}
