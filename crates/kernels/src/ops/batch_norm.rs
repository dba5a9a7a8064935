//! Batch normalization with an activation as an operation of Burn's backends.

use burn::backend::{Backend, Dispatch, TensorMetadata, backend_extension, tensor::FloatTensor};
use burn::tensor::{FloatDType, Shape, Tensor};

use super::options::FusedActivation;

/// Backends that normalize a batch in passes of their own.
///
/// This is the layer below [`batch_norm`]; only code that is generic over Burn's backends needs it.
#[backend_extension(
    Autodiff,
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(any(feature = "wgpu", feature = "cuda"))
)]
pub trait BatchNormBackend: Backend {
    /// Mean and biased variance of every channel, `[2, channels]`, as constants; or an empty tensor
    /// where [`fused_batch_norm`](Self::fused_batch_norm) does not exist.
    fn channel_statistics(x: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_zeros(Shape::new([0, 0]), &x.device(), FloatDType::F32)
    }

    /// The normalized batch. Its gradient takes `statistics`, which are those of `x`, as what they
    /// are: functions of `x`.
    ///
    /// # Panics
    ///
    /// Panics where [`channel_statistics`](Self::channel_statistics) gives an empty tensor.
    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        let _ = (x, gamma, beta, statistics, options);
        unreachable!("there are no statistics to normalize with")
    }

    /// The batch normalized with a mean and a variance that are given.
    ///
    /// The default is Burn's own operation.
    fn batch_norm_with(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        compose_with::<Self>([x, gamma, beta, mean, variance], options)
    }
}

/// `inputs` are `[x, gamma, beta, mean, variance]`.
pub(crate) fn compose_with<B: Backend>(
    inputs: [FloatTensor<B>; 5],
    options: BatchNormOptions,
) -> FloatTensor<B> {
    let [x, gamma, beta, mean, variance] = inputs;
    let y = B::batch_norm(x, gamma, beta, mean, variance, options.epsilon);
    options.activation.compose::<B>(y)
}

/// Mean and variance of every channel, `[channels]` each.
#[derive(Clone, Debug)]
pub struct BatchNormStatistics {
    /// The mean, `[channels]`.
    pub mean: Tensor<1>,
    /// The variance, `[channels]`; which one is the caller's: running statistics have the unbiased one.
    pub variance: Tensor<1>,
}

/// How a batch is normalized.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNormOptions {
    /// What is added to the variance.
    pub epsilon: f64,
    /// What follows the normalization.
    pub activation: FusedActivation,
}

/// What [`batch_norm`] gives.
#[derive(Clone, Debug)]
pub struct BatchNormOutput {
    /// `[batch, channels, height, width]`
    pub output: Tensor<4>,
    /// Mean of every channel, a constant: `[channels]`
    pub mean: Tensor<1>,
    /// Biased variance (÷ n) of every channel, a constant: `[channels]`
    pub variance: Tensor<1>,
}

compose_on_other_backends!(BatchNormBackend);

/// Batch normalization with the statistics of the batch (Ioffe and Szegedy, 2015), with or without
/// an activation: (x − mean) / √(variance + ε) · `gamma` + `beta`, over every channel.
///
/// The result is that of [`burn::tensor::module::batch_norm_train`], then the activation: a NaN stays one, and
/// ReLU's gradient at 0 is 0, as ReLU6's at 0 and 6. On the flex device, in `f32`, it takes two passes over the batch, and
/// its gradient two more; everywhere else Burn's operations compute it.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - `gamma`, `beta`: `[channels]`
///
/// # Panics
///
/// Panics if `gamma` or `beta` does not have one element for each channel.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::{BatchNormOptions, FusedActivation, batch_norm};
///
/// let device = Device::flex();
/// let x = Tensor::<1>::from_data([1.0, 3.0], &device).reshape([2, 1, 1, 1]);
/// let [gamma, beta] = [2.0, 0.5].map(|v| Tensor::<1>::full([1], v, &device));
/// let options = BatchNormOptions { epsilon: 0.0, activation: FusedActivation::Relu };
/// let normalized = batch_norm(x, gamma, beta, options);
/// // (x − 2) / 1 · 2 + 0.5 is −1.5 and 2.5.
/// assert_eq!(normalized.output.into_data().try_to_vec::<f32>().unwrap(), [0.0, 2.5]);
/// assert_eq!(normalized.variance.into_scalar::<f32>(), 1.0);
/// # }
/// ```
pub fn batch_norm(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    options: BatchNormOptions,
) -> BatchNormOutput {
    let [_, channels, _, _] = x.dims();
    for (name, len) in [("gamma", gamma.dims()[0]), ("beta", beta.dims()[0])] {
        assert_eq!(len, channels, "batch_norm: {name} has {len} elements for {channels} channels");
    }
    let statistics = <Dispatch as BatchNormBackend>::channel_statistics(x.clone().into_dispatch());
    let statistics = Tensor::<2>::from_dispatch(statistics);
    if statistics.dims() != [2, channels] {
        let epsilon = options.epsilon;
        let result = burn::tensor::module::batch_norm_train(x, gamma, beta, epsilon);
        let output = options.activation.apply(result.output);
        return BatchNormOutput { output, mean: result.mean, variance: result.variance };
    }
    let output = Tensor::from_dispatch(<Dispatch as BatchNormBackend>::fused_batch_norm(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        statistics.clone().into_dispatch(),
        options,
    ));
    let row = |row| statistics.clone().narrow(0, row, 1).reshape([channels]);
    BatchNormOutput { output, mean: row(0), variance: row(1) }
}

/// Batch normalization with statistics that are given, as after training, with or without an activation.
///
/// The result has the bits of [`burn::tensor::module::batch_norm`], then the activation. On the flex device, in `f32` and without
/// gradients, it takes one pass over the batch; everywhere else Burn's operations compute it.
///
/// # Shapes
///
/// - `x`: `[batch, channels, height, width]`
/// - `gamma`, `beta` and the statistics: `[channels]`
///
/// # Panics
///
/// Panics if one of them does not have one element for each channel.
///
/// ```
/// # #[cfg(feature = "flex")] {
/// use burn::tensor::{Device, Tensor};
/// use selvedge_kernels::{BatchNormOptions, BatchNormStatistics, FusedActivation, batch_norm_with};
///
/// let device = Device::flex();
/// let x = Tensor::<1>::from_data([1.0, 3.0], &device).reshape([2, 1, 1, 1]);
/// let [gamma, beta, mean, variance] =
///     [2.0, 0.5, 2.0, 4.0].map(|v| Tensor::<1>::full([1], v, &device));
/// let statistics = BatchNormStatistics { mean, variance };
/// let options = BatchNormOptions { epsilon: 0.0, activation: FusedActivation::Relu };
/// let y = batch_norm_with(x, gamma, beta, statistics, options);
/// // (x − 2) / 2 · 2 + 0.5 is −0.5 and 1.5.
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [0.0, 1.5]);
/// # }
/// ```
pub fn batch_norm_with(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    statistics: BatchNormStatistics,
    options: BatchNormOptions,
) -> Tensor<4> {
    let BatchNormStatistics { mean, variance } = statistics;
    let [_, channels, _, _] = x.dims();
    for (name, given) in
        [("gamma", &gamma), ("beta", &beta), ("the mean", &mean), ("the variance", &variance)]
    {
        let len = given.dims()[0];
        assert_eq!(len, channels, "batch_norm_with: {name} has {len} elements, not {channels}");
    }
    Tensor::from_dispatch(<Dispatch as BatchNormBackend>::batch_norm_with(
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        variance.into_dispatch(),
        options,
    ))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData, activation::relu};

    /// Output, statistics and gradients of one way to normalize.
    fn results(
        x: &Tensor<4>,
        of: impl Fn([Tensor<1>; 2], Tensor<4>) -> BatchNormOutput,
    ) -> Vec<f32> {
        let device = Device::flex().autodiff();
        let [images, channels, height, width] = x.dims();
        let leaf = |data: TensorData| Tensor::<1>::from_data(data, &device).require_grad();
        let ramp = |first: f32| {
            let values = (0..channels).map(|c| first + 0.3 * c as f32).collect();
            leaf(TensorData::new::<f32, _>(values, [channels]))
        };
        let (gamma, beta) = (ramp(0.5), ramp(-0.4));
        let x = Tensor::<4>::from_data(x.to_data(), &device).require_grad();
        let normalized = of([gamma.clone(), beta.clone()], x.clone());
        // Weights that differ, so that no gradient is the same everywhere.
        let count = images * channels * height * width;
        let weights = (0..count).map(|i| ((i * 7) % 11) as f32 - 4.0).collect();
        let weights = TensorData::new::<f32, _>(weights, [images, channels, height, width]);
        let loss = (normalized.output.clone() * Tensor::from_data(weights, &device)).sum();
        let grads = loss.backward();
        let all = [
            normalized.output.into_data(),
            normalized.mean.into_data(),
            normalized.variance.into_data(),
            x.grad(&grads).unwrap().into_data(),
            gamma.grad(&grads).unwrap().into_data(),
            beta.grad(&grads).unwrap().into_data(),
        ];
        all.into_iter().flat_map(|data| data.try_to_vec::<f32>().unwrap()).collect()
    }

    #[test]
    fn the_result_and_its_gradients_are_those_of_burns_own_operations() {
        for (shape, relu_follows) in
            [([4, 3, 5, 7], true), ([2, 5, 4, 4], false), ([1, 1, 3, 3], true)]
        {
            let count = shape.iter().product::<usize>();
            let values = (0..count).map(|i| (i as f32 * 1.618_034) % 2.0 - 0.8).collect();
            let x = TensorData::new::<f32, _>(values, shape);
            let x = Tensor::<4>::from_data(x, &Device::flex());
            let options = BatchNormOptions {
                epsilon: 1e-5,
                activation: FusedActivation::relu_if(relu_follows),
            };
            let fused = results(&x, |[gamma, beta], x| batch_norm(x, gamma, beta, options));
            let composed = results(&x, |[gamma, beta], x| {
                let result = burn::tensor::module::batch_norm_train(x, gamma, beta, 1e-5);
                let output = if relu_follows { relu(result.output) } else { result.output };
                BatchNormOutput { output, mean: result.mean, variance: result.variance }
            });
            let scale = composed.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            for (i, (f, c)) in fused.iter().zip(&composed).enumerate() {
                assert!((f - c).abs() < 1e-5 * scale, "{shape:?}, value {i}: {f} and {c}");
            }
        }
    }

    #[test]
    fn given_statistics_have_the_bits_of_burns_own_operations() {
        let ramp = |first: f32, step: f32, channels: usize| {
            let values = (0..channels).map(|c| first + step * c as f32).collect();
            TensorData::new::<f32, _>(values, [channels])
        };
        for (shape, relu_follows) in [
            ([3, 5, 7, 9], true),
            ([2, 4, 1, 1], false),
            ([1, 3, 40, 40], true),
            ([0, 2, 3, 3], true),
        ] {
            for device in [Device::flex(), Device::flex().autodiff()] {
                let count = shape.iter().product::<usize>();
                let values = (0..count).map(|i| (i as f32 * 1.618_034) % 2.0 - 0.8).collect();
                let x = Tensor::<4>::from_data(TensorData::new::<f32, _>(values, shape), &device);
                let row =
                    |first, step| Tensor::<1>::from_data(ramp(first, step, shape[1]), &device);
                let [gamma, beta, mean] = [row(0.5, 0.3), row(-0.4, 0.2), row(-0.1, 0.07)];
                let variance = row(0.3, 0.11);
                let statistics =
                    BatchNormStatistics { mean: mean.clone(), variance: variance.clone() };
                let options = BatchNormOptions {
                    epsilon: 1e-3,
                    activation: FusedActivation::relu_if(relu_follows),
                };
                let fused =
                    batch_norm_with(x.clone(), gamma.clone(), beta.clone(), statistics, options);
                let burns = burn::tensor::module::batch_norm(
                    x,
                    gamma,
                    beta,
                    mean,
                    variance,
                    options.epsilon,
                );
                let burns = if relu_follows { relu(burns) } else { burns };
                assert_eq!(fused.dims(), shape);
                assert_same_bits(fused, burns);
            }
        }
    }

    #[track_caller]
    fn assert_same_bits(a: Tensor<4>, b: Tensor<4>) {
        let (a, b) = (a.into_data(), b.into_data());
        assert_eq!((a.shape(), a.dtype()), (b.shape(), b.dtype()));
        assert!(a.as_bytes() == b.as_bytes());
    }

    #[test]
    fn given_statistics_go_with_views_other_types_and_values_that_are_no_numbers() {
        use burn::tensor::DType;

        let device = Device::flex();
        let values = [f32::NAN, -0.0, f32::INFINITY, f32::NEG_INFINITY, 0.25, -3.0, 1e30, -1e-30];
        let x = Tensor::<1>::from_data(values, &device).reshape([2, 2, 2, 1]);
        let row = |a: f32, b: f32| Tensor::<1>::from_data([a, b], &device);
        for dtype in [DType::F32, DType::F64] {
            for x in [x.clone(), x.clone().swap_dims(0, 2)] {
                let x = x.cast(dtype);
                let [gamma, beta, mean, variance] =
                    [row(1.0, -2.0), row(0.0, 0.5), row(0.0, 0.1), row(1.0, 0.4)]
                        .map(|row| row.cast(dtype));
                let statistics =
                    BatchNormStatistics { mean: mean.clone(), variance: variance.clone() };
                let options = BatchNormOptions { epsilon: 0.0, activation: FusedActivation::Relu };
                let ours =
                    batch_norm_with(x.clone(), gamma.clone(), beta.clone(), statistics, options);
                let burns = burn::tensor::module::batch_norm(x, gamma, beta, mean, variance, 0.0);
                assert_same_bits(ours, relu(burns));
            }
        }
    }

    #[test]
    fn a_nan_stays_one_behind_relu() {
        let device = Device::flex();
        let x = Tensor::<1>::from_data([1.0, f32::NAN], &device).reshape([1, 2, 1, 1]);
        let ones = Tensor::<1>::ones([2], &device);
        let options = BatchNormOptions { epsilon: 1e-5, activation: FusedActivation::Relu };
        let y = batch_norm(x, ones.clone(), ones, options).output;
        let y: Vec<f32> = y.into_data().try_to_vec().unwrap();
        assert!(y[0] == 1.0 && y[1].is_nan(), "{y:?}");
    }
}
