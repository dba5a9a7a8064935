//! The fused linear layer against Burn's own linear layer and ReLU on the flex device.

use burn::tensor::{
    DType, Device, Distribution, Tensor, TensorData, activation::relu,
    module::linear as burn_linear,
};
use selvedge_kernels::{linear, linear_of_channels};

fn plain(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>, with_relu: bool) -> Tensor<2> {
    let y = burn_linear(x, weight, bias);
    if with_relu { relu(y) } else { y }
}

fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// Largest difference, relative to the largest expected value.
fn difference<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> f32 {
    assert_eq!(a.dims(), b.dims());
    let scale = b.clone().abs().max().into_scalar::<f32>();
    (a - b).abs().max().into_scalar::<f32>() / scale
}

fn seeded(seed: u64) -> Device {
    let device = Device::flex();
    device.seed(seed);
    device
}

#[test]
fn outputs_and_all_gradients_equal_burns() {
    let device = seeded(1).autodiff();
    for [batch, inputs, outputs] in [[128, 2000, 500], [32, 784, 64], [7, 33, 1], [1, 100, 5]] {
        for (with_bias, with_relu) in [(true, true), (true, false), (false, true), (false, false)] {
            let x = random([batch, inputs], &device).require_grad();
            let weight = random([inputs, outputs], &device).require_grad();
            let bias = with_bias.then(|| random([outputs], &device).require_grad());
            let run = |fused: bool| {
                let f = if fused { linear } else { plain };
                let y = f(x.clone(), weight.clone(), bias.clone(), with_relu);
                // A loss whose gradient differs from entry to entry.
                let grads = (y.clone() * y.clone()).sum().backward();
                let bias = bias.as_ref().map(|b| b.grad(&grads).unwrap());
                (y.inner(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap(), bias)
            };
            let (a, b) = (run(true), run(false));
            if b.0.clone().abs().max().into_scalar::<f32>() == 0.0 {
                // One output of one image may be negative: then everything is zero.
                assert_eq!(a.0.abs().max().into_scalar::<f32>(), 0.0);
                continue;
            }
            let what = format!("of {batch}×{inputs}×{outputs}, ReLU {with_relu}");
            // A sum of gradients may be close to 0 by chance: its terms are the scale.
            let terms: f32 = b.0.clone().abs().sum().into_scalar();
            assert!(difference(a.0, b.0) < 1e-5, "output {what}");
            assert!(difference(a.1, b.1) < 1e-5, "gradient of x {what}");
            assert!(difference(a.2, b.2) < 1e-5, "gradient of weight {what}");
            if let (Some(a), Some(b)) = (a.3, b.3) {
                let error: f32 = (a - b).abs().max().into_scalar();
                assert!(error < 1e-5 * terms, "gradient of bias {what}");
            }
        }
    }
}

#[test]
fn behind_channel_dropout_all_gradients_equal_burns() {
    let device = seeded(5).autodiff();
    let [batch, channels, size, outputs] = [50, 20, 100, 70];
    let images = random([batch, channels * size], &device).require_grad();
    let weight = random([channels * size, outputs], &device).require_grad();
    let bias = random([outputs], &device).require_grad();
    // Every third channel is dropped.
    let kept: Vec<f32> = (0..batch * channels).map(|i| [0.0, 1.5, 1.5][i % 3]).collect();
    let kept = Tensor::<2>::from_data(TensorData::new(kept, [batch * channels, 1]), &device);
    let run = |fused: bool| {
        let x = relu(images.clone()).reshape([batch * channels, size]) * kept.clone();
        let x = x.reshape([batch, channels * size]);
        let y = match fused {
            true => linear_of_channels(x, weight.clone(), Some(bias.clone()), true, size),
            false => plain(x, weight.clone(), Some(bias.clone()), true),
        };
        let grads = (y.clone() * y.clone()).sum().backward();
        let of = |grads, x: &Tensor<2>| x.grad(grads).unwrap();
        (y.inner(), of(&grads, &images), of(&grads, &weight), bias.grad(&grads).unwrap())
    };
    let (a, b) = (run(true), run(false));
    assert!(difference(a.0, b.0) < 1e-5, "output");
    assert!(difference(a.1, b.1) < 1e-5, "gradient of the images");
    assert!(difference(a.2, b.2) < 1e-5, "gradient of the weight");
    assert!(difference(a.3, b.3) < 1e-5, "gradient of the bias");
}

#[test]
#[should_panic(expected = "10 features are no channels of 4")]
fn channels_of_another_size_are_a_mistake() {
    let device = Device::flex();
    linear_of_channels(random([2, 10], &device), random([10, 3], &device), None, false, 4);
}

#[test]
fn relu_has_no_gradient_at_zero_and_lets_nan_through() {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::from_data([[-1.0], [0.0], [1.0], [f32::NAN]], &device).require_grad();
    let weight = Tensor::<2>::from_data([[2.0]], &device);
    let run = |f: fn(Tensor<2>, Tensor<2>, Option<Tensor<1>>, bool) -> Tensor<2>| {
        let y = f(x.clone(), weight.clone(), None, true);
        let gradient = x.grad(&y.clone().sum().backward()).unwrap();
        [y.inner(), gradient].map(|t| t.into_data().try_to_vec::<f32>().unwrap())
    };
    let [y, gradient] = run(linear);
    assert_eq!(y[..3], [0.0, 0.0, 2.0]);
    assert!(y[3].is_nan());
    assert_eq!(gradient, [0.0, 0.0, 2.0, 2.0]);
    assert_eq!(gradient, run(plain)[1]);
}

#[test]
fn inference_gives_the_bits_of_training() {
    let device = seeded(2);
    let (x, weight, bias) =
        (random([5, 40], &device), random([40, 9], &device), random::<1>([9], &device));
    let inference = linear(x.clone(), weight.clone(), Some(bias.clone()), true);
    let train =
        |t: TensorData| Tensor::<2>::from_data(t, &Device::flex().autodiff()).require_grad();
    let bias = Tensor::<1>::from_data(bias.into_data(), &Device::flex().autodiff());
    let training = linear(train(x.into_data()), train(weight.into_data()), Some(bias), true);
    inference.into_data().assert_eq(&training.into_data(), true);
}

#[test]
fn inputs_that_are_views_are_read_in_their_order() {
    let device = seeded(3);
    let x = random([9, 6], &device).swap_dims(0, 1).slice(1..4);
    let weight = random([4, 9], &device).swap_dims(0, 1);
    let fused = linear(x.clone(), weight.clone(), None, false);
    assert!(difference(fused, plain(x, weight, None, false)) < 1e-6);
}

#[test]
fn what_needs_no_gradient_gets_none() {
    let device = seeded(4).autodiff();
    let (x, weight) = (random([2, 6], &device), random([6, 3], &device).require_grad());
    let bias = random([3], &device);
    let y = linear(x.clone(), weight.clone(), Some(bias.clone()), true);
    let grads = y.sum().backward();
    assert!(x.grad(&grads).is_none() && bias.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}

#[test]
fn an_empty_batch_gives_an_empty_output_and_zero_gradients() {
    let device = Device::flex().autodiff();
    let x = Tensor::<2>::zeros([0, 4], &device);
    let weight = random([4, 3], &device).require_grad();
    let bias = random([3], &device).require_grad();
    let y = linear(x, weight.clone(), Some(bias.clone()), true);
    assert_eq!(y.dims(), [0, 3]);
    let grads = y.sum().backward();
    let values = |t: TensorData| t.try_to_vec::<f32>().unwrap();
    assert_eq!(values(weight.grad(&grads).unwrap().into_data()), vec![0.0; 12]);
    assert_eq!(values(bias.grad(&grads).unwrap().into_data()), vec![0.0; 3]);
}

#[test]
fn other_number_types_are_composed() {
    let device = seeded(5);
    let x = random([4, 6], &device).cast(DType::F64);
    let weight = random([6, 3], &device).cast(DType::F64);
    let bias = random::<1>([3], &device).cast(DType::F64);
    let fused = linear(x.clone(), weight.clone(), Some(bias.clone()), true);
    assert_eq!(fused.dtype(), DType::F64);
    fused.into_data().assert_eq(&plain(x, weight, Some(bias), true).into_data(), true);
}

#[test]
#[should_panic(expected = "the input has 5 features, the weight expects 6")]
fn different_features_are_a_mistake() {
    let device = Device::flex();
    linear(random([2, 5], &device), random([6, 3], &device), None, false);
}

#[test]
#[should_panic(expected = "the bias has 4 elements, the weight 3 output features")]
fn a_bias_of_the_wrong_length_is_a_mistake() {
    let device = Device::flex();
    linear(random([2, 6], &device), random([6, 3], &device), Some(random([4], &device)), false);
}
