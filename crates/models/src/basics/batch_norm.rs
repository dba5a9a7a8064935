use burn::tensor::Tensor;

/// What is added to a variance before its root is taken, so that a constant channel divides by no 0.
pub const EPSILON: f64 = 1e-5;

/// The share of a batch in the running statistics after it.
pub const MOMENTUM: f64 = 0.1;

/// The mean and the variance of each channel over the images seen in training, `[channels]` each.
#[derive(Clone, Debug)]
pub struct Running {
    /// The mean.
    pub mean: Tensor<1>,
    /// The variance.
    pub variance: Tensor<1>,
}

/// Batch normalization (Ioffe and Szegedy, 2015) after training, with the running statistics:
/// y = (x - mean) / √(variance + ε) · weight + bias, channel by channel.
///
/// Shapes: x and the result `[batch, channels, height, width]`, weight, bias and both statistics
/// `[channels]`.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::{Running, batch_norm2d};
///
/// let device = Device::flex();
/// let number = |value: f32| Tensor::<1>::from_data([value], &device);
/// let running = Running { mean: number(10.0), variance: number(4.0) };
/// let x = Tensor::<4>::from_data([[[[10.0, 12.0]]]], &device);
/// let y = batch_norm2d(x, number(3.0), number(1.0), &running).into_data().try_to_vec::<f32>()?;
/// // (12 - 10) / √4 · 3 + 1; ε is felt in the sixth digit.
/// assert_eq!(y[0], 1.0);
/// assert!((y[1] - 4.0).abs() < 1e-5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn batch_norm2d(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    running: &Running,
) -> Tensor<4> {
    let Running { mean, variance } = running.clone();
    normalize(x, [mean, variance, weight, bias].map(a_channel))
}

/// Batch normalization while training: with the mean and variance of each channel over the batch
/// itself, through which the gradients flow too; and the running statistics after it.
///
/// The batch is normalised by its biased variance (÷ n, with n = batch · height · width), but the
/// running variance moves towards the unbiased one (÷ (n - 1)), as PyTorch has it:
/// running ← 0.9 · running + 0.1 · batch. With n = 1 there is no unbiased variance; PyTorch refuses
/// such a batch, here it counts as 0.
///
/// Shapes as [`batch_norm2d`].
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::basics::{Running, batch_norm2d_train};
///
/// let device = Device::flex();
/// let number = |value: f32| Tensor::<1>::from_data([value], &device);
/// let running = Running { mean: number(0.0), variance: number(1.0) };
/// // Two images of one pixel, 1 and 5: mean 3, biased variance 4, unbiased 8.
/// let x = Tensor::<4>::from_data([[[[1.0]]], [[[5.0]]]], &device);
/// let (y, running) = batch_norm2d_train(x, number(1.0), number(0.0), running);
/// let y = y.into_data().try_to_vec::<f32>()?;
/// assert!((y[0] + 1.0).abs() < 1e-5 && (y[1] - 1.0).abs() < 1e-5);
/// assert!((running.mean.into_scalar::<f32>() - 0.3).abs() < 1e-6);
/// assert!((running.variance.into_scalar::<f32>() - (0.9 + 0.1 * 8.0)).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn batch_norm2d_train(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    running: Running,
) -> (Tensor<4>, Running) {
    let [batch, channels, height, width] = x.dims();
    let n = (batch * height * width) as f64;
    let mean = x.clone().mean_dims(&[0, 2, 3]); // [1, channels, 1, 1]
    let variance = (x.clone() - mean.clone()).square().mean_dims(&[0, 2, 3]);

    let moved = |old: Tensor<1>, new: Tensor<4>| {
        old * (1.0 - MOMENTUM) + new.detach().reshape([channels]) * MOMENTUM
    };
    let unbiased = variance.clone() * (n / (n - 1.0).max(1.0));
    let running = Running {
        mean: moved(running.mean, mean.clone()),
        variance: moved(running.variance, unbiased),
    };
    (normalize(x, [mean, variance, a_channel(weight), a_channel(bias)]), running)
}

/// (x - mean) / √(variance + ε) · weight + bias.
fn normalize(x: Tensor<4>, [mean, variance, weight, bias]: [Tensor<4>; 4]) -> Tensor<4> {
    (x - mean) / (variance + EPSILON).sqrt() * weight + bias
}

/// `[channels]` to `[1, channels, 1, 1]`, which a sum or product repeats over images and pixels.
fn a_channel(values: Tensor<1>) -> Tensor<4> {
    let [channels] = values.dims();
    values.reshape([1, channels, 1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::{assert_close, assert_same, shapes, values};
    use crate::{Architecture, Initialization, state};
    use burn::module::Module;
    use burn::nn::BatchNormConfig;
    use burn::tensor::{Device, TensorData, module};
    use proptest::prelude::*;

    fn vector(values: Vec<f32>, device: &Device) -> Tensor<1> {
        let n = values.len();
        Tensor::from_data(TensorData::new(values, [n]), device)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

        #[test]
        fn training_and_its_gradients_are_those_of_the_framework(
            (shape, _) in shapes(|_| 0),
            seed: u64,
        ) {
            // Of few values or of nearly equal ones ε decides, and the gradients are lost in rounding.
            prop_assume!(shape[0] * shape[2] * shape[3] >= 6);
            let channels = shape[1];
            let inputs = [
                values(shape.iter().product(), seed),
                values(channels, seed ^ 1),
                values(channels, seed ^ 2),
            ];
            let running = |device: &Device| Running {
                mean: Tensor::zeros([channels], device),
                variance: Tensor::ones([channels], device),
            };
            assert_same(
                &inputs,
                |t| {
                    let (x, [weight, bias]) = (t[0].clone().reshape(shape), [t[1].clone(), t[2].clone()]);
                    batch_norm2d_train(x, weight, bias, running(&t[0].device())).0.flatten(0, 3)
                },
                |t| {
                    let (x, [weight, bias]) = (t[0].clone().reshape(shape), [t[1].clone(), t[2].clone()]);
                    let result = module::batch_norm_train::<4>(x, weight, bias, EPSILON);
                    result.output.flatten(0, 3)
                },
            );
        }

        #[test]
        fn inference_is_that_of_the_framework((shape, _) in shapes(|_| 0), seed: u64) {
            let channels = shape[1];
            let device = Device::flex();
            let [x, weight, bias, mean] =
                [shape.iter().product(), channels, channels, channels].map(|n| values(n, seed));
            let [weight, bias, mean] = [weight, bias, mean].map(|v| vector(v, &device));
            let variance = mean.clone().square() + 0.5;
            let x: Tensor<4> = vector(x, &device).reshape(shape);

            let norm = BatchNormConfig::new(channels).init(&device);
            let state = [("weight", &weight), ("bias", &bias), ("running_mean", &mean), ("running_var", &variance)];
            let state = state.map(|(name, t)| (name.to_string(), t.to_data())).into();
            let norm = state::write(norm, state).valid();
            let running = Running { mean, variance };
            let found = batch_norm2d(x.clone(), weight, bias, &running);
            assert_close("output", &found.into_data(), &norm.forward(x).into_data());
        }
    }

    #[test]
    fn running_statistics_move_as_those_of_a_network() {
        let device = Device::flex().autodiff();
        let net = Architecture::new("norm", [3, 5, 4]).batch_norm("bn");
        let net = net.init(Initialization::PyTorch, 0, &device).unwrap();
        let mut running =
            Running { mean: Tensor::zeros([3], &device), variance: Tensor::ones([3], &device) };
        for seed in 0..3 {
            let x: Tensor<4> = vector(values(2 * 3 * 5 * 4, seed), &device).reshape([2, 3, 5, 4]);
            net.forward(x.clone());
            let [weight, bias] = [Tensor::ones([3], &device), Tensor::zeros([3], &device)];
            running = batch_norm2d_train(x, weight, bias, running).1;
        }
        let expected = state::read(&net);
        assert_close("mean", &running.mean.into_data(), &expected["bn.running_mean"]);
        assert_close("variance", &running.variance.into_data(), &expected["bn.running_var"]);
    }

    #[test]
    fn one_value_a_channel_gives_the_bias_and_no_nan() {
        let device = Device::flex();
        let one = || Tensor::<1>::ones([1], &device);
        let running = Running { mean: Tensor::zeros([1], &device), variance: one() };
        let x = Tensor::<4>::full([1, 1, 1, 1], 7.0, &device);
        let (y, running) = batch_norm2d_train(x, one(), one(), running);
        assert_eq!(y.into_scalar::<f32>(), 1.0);
        assert_eq!(running.variance.into_scalar::<f32>(), 0.9);
    }
}
