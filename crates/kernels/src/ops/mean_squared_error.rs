//! The mean squared error as one operation of Burn's backends.

use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Backends that compute the mean squared error of two tensors.
///
/// This is the layer below [`mean_squared_error`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait MeanSquaredErrorBackend: Backend {
    /// The mean of the squares of `outputs - targets`, two tensors of the same shape, with one entry.
    ///
    /// The default composes Burn's own operations.
    fn mean_of_squared_errors(
        outputs: FloatTensor<Self>,
        targets: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        compose::<Self>(outputs, targets)
    }
}

/// The mean out of Burn's own operations.
pub(crate) fn compose<B: Backend>(
    outputs: FloatTensor<B>,
    targets: FloatTensor<B>,
) -> FloatTensor<B> {
    let errors = B::float_sub(outputs, targets);
    B::float_mean(B::float_mul(errors.clone(), errors))
}

compose_on_other_backends!(MeanSquaredErrorBackend);

/// The mean of (output − target)² over all values, as PyTorch's `MSELoss`, as one differentiable operation.
///
/// On the flex device, in `f32`, the bits are those of Burn's `sub`, `mul` and `mean`, and the gradient takes one pass
/// on all threads; everywhere else those compute it. The result has one entry.
///
/// # Panics
///
/// Panics if `targets` has another shape than `outputs`.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::mean_squared_error;
///
/// let device = Device::flex();
/// let outputs = Tensor::<1>::from_data([1.0, 5.0], &device);
/// let loss = mean_squared_error(outputs, Tensor::ones([2], &device));
/// assert_eq!(loss.into_scalar::<f32>(), 8.0);
/// # }
/// ```
pub fn mean_squared_error<const D: usize>(outputs: Tensor<D>, targets: Tensor<D>) -> Tensor<1> {
    assert_eq!(outputs.dims(), targets.dims(), "mean_squared_error: two tensors of the same shape");
    Tensor::from_dispatch(<Dispatch as MeanSquaredErrorBackend>::mean_of_squared_errors(
        outputs.into_dispatch(),
        targets.into_dispatch(),
    ))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{DType, Device, TensorData};

    type Loss = fn(Tensor<2>, Tensor<2>) -> Tensor<1>;

    fn by_burn(outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let errors = outputs - targets;
        (errors.clone() * errors).mean()
    }

    /// The bits of the loss, and of the gradients of its product with 0.37.
    fn results([outputs, targets]: &[Tensor<2>; 2], loss: Loss) -> [Vec<u64>; 3] {
        let [outputs, targets] = [outputs, targets].map(|x| x.clone().detach().require_grad());
        let loss = loss(outputs.clone(), targets.clone());
        let gradients = (loss.clone() * 0.37).backward();
        let bits = |data: TensorData| {
            let values = data.convert::<f64>().try_to_vec::<f64>().unwrap();
            values.into_iter().map(f64::to_bits).collect()
        };
        let gradient = |x: &Tensor<2>| bits(x.grad(&gradients).unwrap().into_data());
        [bits(loss.into_data()), gradient(&outputs), gradient(&targets)]
    }

    fn values(shape: [usize; 2], factor: f32, device: &Device) -> Tensor<2> {
        let count = shape.iter().product::<usize>();
        let values = (0..count).map(|i| 3.0 * ((i * i + i) as f32 * factor).sin());
        Tensor::from_data(TensorData::new(values.collect::<Vec<f32>>(), shape), device)
    }

    #[test]
    fn loss_and_gradients_have_the_bits_of_burns_operations() {
        let device = Device::flex().autodiff();
        for shape in [[1, 1], [3, 7], [100, 784], [64, 3072]] {
            let x = [0.618_034, 0.414_214].map(|factor| values(shape, factor, &device));
            // Strides that are not those of rows, and numbers of another type.
            let turned = x.clone().map(|x| x.swap_dims(0, 1));
            let wide = x.clone().map(|x| x.cast(DType::F64));
            for x in [&x, &turned, &wide] {
                assert_eq!(results(x, mean_squared_error), results(x, by_burn), "{shape:?}");
            }
        }
    }

    #[test]
    fn outputs_alone_may_have_a_gradient() {
        let device = Device::flex().autodiff();
        let outputs = Tensor::<1>::from_data([3.0, -1.0], &device).require_grad();
        let loss = mean_squared_error(outputs.clone(), Tensor::ones([2], &device));
        let gradient = outputs.grad(&loss.backward()).unwrap().into_data();
        assert_eq!(gradient.try_to_vec::<f32>().unwrap(), [2.0, -2.0]);
    }

    #[test]
    fn a_tensor_has_no_error_from_itself_and_no_gradient() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_data([3.0, -1.0], &device).require_grad();
        let loss = mean_squared_error(x.clone(), x.clone());
        assert_eq!(loss.clone().into_scalar::<f32>(), 0.0);
        let gradient = x.grad(&loss.backward()).unwrap().into_data();
        assert_eq!(gradient.try_to_vec::<f32>().unwrap(), [0.0, 0.0]);
    }

    #[test]
    fn a_nan_gives_one_and_the_mean_of_nothing_is_that_of_burns_operations() {
        let device = Device::flex();
        let nan = Tensor::<1>::from_data([f32::NAN, 1.0], &device);
        assert!(mean_squared_error(nan, Tensor::ones([2], &device)).into_scalar::<f32>().is_nan());
        let nothing = Tensor::<2>::zeros([0, 3], &device);
        for loss in [mean_squared_error as Loss, by_burn] {
            assert!(loss(nothing.clone(), nothing.clone()).into_scalar::<f32>().is_nan());
        }
    }

    #[test]
    #[should_panic(expected = "mean_squared_error: two tensors of the same shape")]
    fn other_shapes_are_refused() {
        let device = Device::flex();
        mean_squared_error(Tensor::<2>::ones([2, 3], &device), Tensor::ones([1, 3], &device));
    }
}
