//! The cross-entropy of logits as one operation of Burn's backends.

use burn::backend::{
    Backend, Dispatch, TensorMetadata, backend_extension,
    tensor::{FloatTensor, IntTensor},
};
use burn::tensor::{Int, Tensor};

use super::pointwise::{Pointwise, PointwiseBackend};

/// Backends that compute the mean cross-entropy of a batch.
///
/// This is the layer below [`cross_entropy`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait CrossEntropyBackend: Backend + PointwiseBackend {
    /// The mean cross-entropy of logits `[batch, classes]` and classes `[batch]`, with one entry.
    ///
    /// The default composes Burn's own operations.
    fn mean_cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        compose::<Self>(logits, targets)
    }
}

/// The mean out of Burn's own operations.
pub(crate) fn compose<B: PointwiseBackend>(
    logits: FloatTensor<B>,
    targets: IntTensor<B>,
) -> FloatTensor<B> {
    let [batch] = targets.shape().dims();
    let logits = B::pointwise(logits, Pointwise::WithoutTinyGradients);
    let log_probabilities = B::log_softmax(logits, 1);
    let targets = B::int_reshape(targets, [batch, 1].into());
    B::float_neg(B::float_mean(B::float_gather(1, log_probabilities, targets)))
}

compose_on_other_backends!(CrossEntropyBackend);

/// The mean of −ln softmax(logits) at the class of each image, in nats, as one differentiable operation.
///
/// Gradients below 1e-30 are 0 on the flex device, as behind [`without_tiny_gradients`](crate::without_tiny_gradients).
/// There, in `f32`, the bits are those of Burn's `log_softmax`, `gather`, `mean` and `neg`, whose gradients take one
/// pass; everywhere else they compute it.
///
/// # Shapes
///
/// - `logits`: `[batch, classes]`
/// - `targets`: `[batch]`, each at least 0 and below `classes`
/// - result: `[1]`
///
/// # Panics
///
/// Panics if there are not as many targets as images; on the flex device also if a target is no class.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::cross_entropy;
///
/// let device = Device::flex();
/// let loss = cross_entropy(Tensor::zeros([2, 4], &device), Tensor::from_ints([0, 3], &device));
/// assert!((loss.into_scalar::<f32>() - 4.0_f32.ln()).abs() < 1e-6);
/// # }
/// ```
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let ([batch, _], [count]) = (logits.dims(), targets.dims());
    assert_eq!(count, batch, "cross_entropy: {count} targets for {batch} images");
    Tensor::from_dispatch(<Dispatch as CrossEntropyBackend>::mean_cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
    ))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::activation::log_softmax;
    use burn::tensor::{DType, Device, TensorData};

    type Loss = fn(Tensor<2>, Tensor<1, Int>) -> Tensor<1>;

    fn by_burn(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        let log_probabilities = log_softmax(crate::without_tiny_gradients(logits), 1);
        log_probabilities.gather(1, targets.unsqueeze_dim(1)).mean().neg()
    }

    /// The bits of the loss, and of its gradient times 0.37.
    fn results(logits: &Tensor<2>, targets: &Tensor<1, Int>, loss: Loss) -> [Vec<u64>; 2] {
        let logits = logits.clone().detach().require_grad();
        let loss = loss(logits.clone(), targets.clone());
        let gradients = (loss.clone() * 0.37).backward();
        let bits = |data: TensorData| {
            data.convert::<f64>()
                .try_to_vec::<f64>()
                .unwrap()
                .into_iter()
                .map(f64::to_bits)
                .collect()
        };
        [bits(loss.into_data()), bits(logits.grad(&gradients).unwrap().into_data())]
    }

    #[test]
    fn loss_and_gradient_have_the_bits_of_burns_operations() {
        let device = Device::flex().autodiff();
        for [batch, classes] in [[1, 1], [1, 10], [3, 2], [32, 10], [7, 100], [64, 1000]] {
            for scale in [0.1, 3.0, 100.0] {
                let values = (0..batch * classes).map(|i| ((i * i + i) as f32 * 0.618_034).sin());
                let values = values.map(|v| v * scale).collect::<Vec<f32>>();
                let logits =
                    Tensor::<2>::from_data(TensorData::new(values, [batch, classes]), &device);
                let targets = (0..batch).map(|i| (i * 7 % classes) as i64).collect::<Vec<_>>();
                let targets =
                    Tensor::<1, Int>::from_data(TensorData::new(targets, [batch]), &device);
                let [long, short] =
                    [DType::I64, DType::I32].map(|dtype| targets.clone().cast(dtype));
                assert_eq!([long.dtype(), short.dtype()], [DType::I64, DType::I32]);
                // Also of a view, and of a type that has no kernels.
                let view = logits.clone().swap_dims(0, 1).mul_scalar(1.0).swap_dims(0, 1);
                for logits in [logits.clone(), view, logits.cast(DType::F64)] {
                    let expected = results(&logits, &targets, by_burn);
                    for targets in [&long, &short] {
                        let ours = results(&logits, targets, cross_entropy);
                        assert_eq!(ours, expected, "{batch} × {classes}, {scale}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_number_stays_one_and_certainty_has_no_gradient() {
        let device = Device::flex().autodiff();
        let targets = Tensor::from_ints([1, 0], &device);
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 200.0] {
            let logits = Tensor::<2>::from_floats([[0.0, value, 1.0], [0.0, 0.0, 0.0]], &device);
            let found = [cross_entropy as Loss, by_burn].map(|loss| {
                let [loss, gradient] = results(&logits, &targets, loss);
                // The bits of a NaN are nobody's business.
                let number = |bits: u64| Some(bits).filter(|bits| !f64::from_bits(*bits).is_nan());
                [loss, gradient].concat().into_iter().map(number).collect::<Vec<_>>()
            });
            assert_eq!(found[0], found[1], "{value}");
        }
    }

    /// Whether a loss of these targets panics.
    fn panics(targets: [i64; 2]) -> bool {
        let device = Device::flex();
        let targets = Tensor::from_data(TensorData::new(targets.to_vec(), [2]), &device);
        let loss = || cross_entropy(Tensor::zeros([2, 3], &device), targets.clone());
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(loss)).is_err()
    }

    #[test]
    fn a_target_that_is_no_class_is_refused() {
        assert!(!panics([0, 2]) && panics([0, 3]) && panics([-1, 0]));
    }

    #[test]
    fn the_mean_of_no_images_is_that_of_burns_operations() {
        let device = Device::flex();
        let logits = Tensor::<2>::zeros([0, 3], &device);
        let targets = Tensor::<1, Int>::zeros([0], &device);
        let loss = cross_entropy(logits.clone(), targets.clone()).into_scalar::<f32>();
        assert!(loss.is_nan() && by_burn(logits, targets).into_scalar::<f32>().is_nan());
    }

    #[test]
    #[should_panic(expected = "2 targets for 3 images")]
    fn every_image_needs_a_target() {
        let device = Device::flex();
        cross_entropy(Tensor::zeros([3, 2], &device), Tensor::from_ints([0, 1], &device));
    }
}
