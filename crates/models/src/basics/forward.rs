use burn::tensor::{Device, Tensor, s};

use super::{
    EPSILON, Running, adaptive_avg_pool2d, batch_norm2d, gelu, gelu_tanh, group_norm, hard_sigmoid,
    hard_swish, layer_norm, leaky_relu, linear, pad2d, relu, relu6, sides, sigmoid, silu, spread,
    upsample,
};
use crate::{Architecture, GeluApproximation, Layer, Op, Shape, state::State};

/// A whole network, layer after layer: what [`Network::forward`](crate::Network::forward) computes
/// after training, from the architecture and the weights by their names.
///
/// `[batch, channels, height, width]` to `[batch, features]`. There is nothing to a network besides
/// this loop; all the rest of a library is there to make it fast and to find the weights.
///
/// # Panics
///
/// Panics if the architecture is not a valid one for these images, or if `state` lacks a tensor of it
/// or has one of another shape; [`state::read`](crate::state::read) gives one that fits.
///
/// ```
/// use burn::{module::Module, tensor::{Device, Tensor}};
/// use selvedge_models::{Initialization, basics, named, state};
///
/// let device = Device::flex();
/// let architecture = named("cnn2")?;
/// let network = architecture.init(Initialization::PyTorch, 0, &device)?.valid();
/// let images = Tensor::<4>::ones([2, 1, 28, 28], &device);
/// let own = basics::forward(&architecture, &state::read(&network), images.clone());
/// let difference = (own - network.forward(images)).abs().max().into_scalar::<f32>();
/// assert!(difference < 1e-5);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn forward(architecture: &Architecture, state: &State, images: Tensor<4>) -> Tensor<2> {
    run(&architecture.layers, "", state, images).flatten(1, 3)
}

/// Features are images of one pixel here, `[batch, features, 1, 1]`: one type for all.
fn run(layers: &[Layer], prefix: &str, state: &State, mut x: Tensor<4>) -> Tensor<4> {
    let device = x.device();
    for Layer { name, op } in layers {
        let name = format!("{prefix}{name}");
        let vector = |kind| tensor::<1>(state, &name, kind, &device);
        let kernels = || tensor::<4>(state, &name, "weight", &device);
        let [batch, channels, height, width] = x.dims();
        x = match *op {
            Op::Conv2d { stride, padding, bias, dilation, groups, .. } => {
                let (x, kernels) = (pad2d(x, padding.sides()), spread(kernels(), dilation));
                sides::conv2d(x, kernels, bias.then(|| vector("bias")), stride, groups)
            }
            Op::ConvTranspose2d {
                stride, padding, output_padding, bias, dilation, groups, ..
            } => {
                // The last pixels get zeros behind them, the result loses what is cut off.
                let [below, behind] = output_padding.each();
                let x = pad2d(spread(x, stride), [0, below, 0, behind]);
                let kernels = spread(kernels(), dilation);
                let y = sides::conv_transpose2d(x, kernels, bias.then(|| vector("bias")), groups);
                let ([_, _, rows, columns], [down, right]) = (y.dims(), padding.each());
                y.slice(s![.., .., down..rows - down, right..columns - right])
            }
            Op::BatchNorm2d { epsilon, .. } | Op::BatchNorm1d { epsilon, .. } => {
                let [mean, variance] = ["running_mean", "running_var"].map(vector);
                // Another ε than the layer's own is added to the variance beforehand.
                let variance = variance + (epsilon - EPSILON);
                batch_norm2d(x, vector("weight"), vector("bias"), &Running { mean, variance })
            }
            Op::GroupNorm { groups, epsilon } => {
                group_norm(x, vector("weight"), vector("bias"), groups, epsilon)
            }
            Op::LayerNorm { epsilon } => layer_norm(x, vector("weight"), vector("bias"), epsilon),
            Op::Linear { out_features, bias } => {
                let weight = tensor::<2>(state, &name, "weight", &device).transpose();
                let y = linear(x.flatten(1, 3), weight, bias.then(|| vector("bias")));
                y.reshape([batch, out_features, 1, 1])
            }
            Op::Relu => relu(x),
            Op::Relu6 => relu6(x),
            Op::LeakyRelu { negative_slope } => leaky_relu(x, negative_slope),
            Op::Gelu { approximate: GeluApproximation::None } => gelu(x),
            Op::Gelu { approximate: GeluApproximation::Tanh } => gelu_tanh(x),
            Op::Silu => silu(x),
            Op::HardSwish => hard_swish(x),
            Op::HardSigmoid => hard_sigmoid(x),
            Op::Sigmoid => sigmoid(x),
            Op::Tanh => x.tanh(),
            Op::MaxPool2d { kernel, stride, padding, .. } => {
                sides::Pool { kernel, stride, padding, places: places(op, x.dims()) }.max(x)
            }
            Op::AvgPool2d { kernel, stride, padding, count_include_pad, .. } => {
                let places = places(op, x.dims());
                sides::Pool { kernel, stride, padding, places }.mean(x, count_include_pad)
            }
            Op::AdaptiveAvgPool2d { size } => adaptive_avg_pool2d(x, size),
            Op::Upsample { scale } => upsample(x, scale),
            Op::Scale { factor } => x.mul_scalar(factor),
            Op::Identity
            | Op::Dropout { .. }
            | Op::ChannelDropout { .. }
            | Op::StochasticDepth { .. } => x,
            Op::Flatten => x.reshape([batch, channels * height * width, 1, 1]),
            Op::Residual { .. } | Op::Concat { .. } | Op::Gate { .. } => {
                let inside = format!("{name}.");
                let (before, paths) = op.paths();
                let x = run(before, &inside, state, x);
                let ends: Vec<_> =
                    paths.into_iter().map(|path| run(path, &inside, state, x.clone())).collect();
                match op {
                    Op::Gate { .. } => ends.into_iter().fold(x, |x, gate| x * gate),
                    Op::Concat { .. } => Tensor::cat(ends, 1),
                    _ => ends.into_iter().reduce(|a, b| a + b).expect("a sum of two paths"),
                }
            }
        };
    }
    x
}

/// The rows and columns that come out of an operation.
fn places(op: &Op, [_, channels, height, width]: [usize; 4]) -> [usize; 2] {
    let shape = op.apply(Shape::Images([channels, height, width]));
    let [_, rows, columns] = shape.expect("the architecture is sound").as_images();
    [rows, columns]
}

/// The tensor `<layer>.<kind>`.
fn tensor<const D: usize>(state: &State, layer: &str, kind: &str, device: &Device) -> Tensor<D> {
    let name = format!("{layer}.{kind}");
    let data = state.get(&name).unwrap_or_else(|| panic!("the state has no `{name}`"));
    Tensor::from_data(data.clone(), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basics::testing::values;
    use crate::{Initialization, named, state};
    use burn::module::Module;
    use burn::tensor::TensorData;

    /// The largest difference to the network's own output, relative to the largest of it.
    fn difference(architecture: &Architecture, batch: usize) -> f32 {
        let device = Device::flex();
        let network = architecture.init(Initialization::PyTorch, 0, &device).unwrap();
        // Statistics and weights of a batch normalization begin as 0 and 1; let none be either.
        let mut state = state::read(&network);
        for (name, data) in state.iter_mut().filter(|(_, data)| data.shape().len() == 1) {
            let base = if name.ends_with("running_var") { 1.5 } else { 0.5 };
            let data_values = values(data.num_elements(), 7).into_iter().map(|v| base + 0.4 * v);
            *data = TensorData::new(data_values.collect::<Vec<f32>>(), data.shape().clone());
        }
        let network = state::write(network, state.clone()).valid();
        let [channels, height, width] = architecture.input;
        let pixels = values(batch * channels * height * width, 5);
        let data = TensorData::new(pixels, [batch, channels, height, width]);
        let images = Tensor::<4>::from_data(data, &device);
        let expected = network.forward(images.clone());
        let found = forward(architecture, &state, images);
        let scale = expected.clone().abs().max().into_scalar::<f32>();
        (found - expected).abs().max().into_scalar::<f32>() / scale
    }

    fn assert_agrees(name: &str, input: Option<[usize; 3]>) {
        let architecture = named(name).unwrap();
        let architecture =
            Architecture { input: input.unwrap_or(architecture.input), ..architecture };
        let difference = difference(&architecture, 2);
        assert!(difference <= 1e-4, "{name}: {difference:e}");
    }

    #[test]
    fn resnets_of_basic_operations_compute_what_the_network_computes() {
        // The other stem: a max-pool with padding, and a mean at the end.
        assert_agrees("resnet18", Some([3, 45, 40]));
    }

    #[test]
    fn every_small_network_of_the_catalog_computes_what_the_network_computes() {
        for architecture in crate::catalog() {
            let [_, height, _] = architecture.input;
            if height <= 32 && architecture.name != "resnet18_cifar_avg" {
                assert_agrees(&architecture.name, None);
            }
        }
    }

    #[test]
    fn depthwise_convolutions_and_asymmetric_padding_are_those_of_the_network() {
        let net = named("efficientnet_lite0").unwrap().with_input([3, 33, 28]).unwrap();
        let difference = difference(&net, 2);
        assert!(difference <= 1e-4, "{difference:e}");
    }

    #[test]
    fn dropout_does_nothing_and_means_of_overlapping_windows_are_taken() {
        let net = Architecture::new("a", [2, 9, 7])
            .channel_dropout(0.5)
            .conv("conv1", 3, 3, 1)
            .op(Op::AdaptiveAvgPool2d { size: 4 })
            .flatten()
            .dropout(0.5)
            .linear("fc1", 5);
        let difference = difference(&net, 3);
        assert!(difference <= 1e-5, "{difference:e}");
    }

    #[test]
    #[should_panic(expected = "the state has no `conv1.weight`")]
    fn a_tensor_that_is_missing_is_named() {
        let images = Tensor::zeros([1, 1, 28, 28], &Device::flex());
        forward(&named("cnn2").unwrap(), &State::new(), images);
    }
}
