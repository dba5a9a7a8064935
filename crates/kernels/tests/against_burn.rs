//! The fused block against Burn's own convolution, ReLU and max-pool on the flex device.

use burn::tensor::{
    DType, Device, Distribution, Tensor, TensorData,
    activation::relu,
    module::{conv_transpose2d, conv2d, interpolate, max_pool2d},
    ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions},
};
use selvedge_kernels::{
    ConvBlockOptions, ConvTransposeBlockOptions, DepthwiseConvOptions, FusedActivation,
    PoolOptions, conv_block, conv_block_scaled, conv_transpose_block, depthwise_conv,
};

/// The block out of Burn's operations.
fn plain(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    o: &ConvBlockOptions,
) -> Tensor<4> {
    let mut y = conv2d(x, weight, bias, ConvOptions::new(o.stride, o.padding, [1, 1], 1));
    y = o.activation.apply(y);
    match o.pool {
        Some(p) => {
            let pool = MaxPoolOptions::new(p.kernel).with_stride(p.stride);
            max_pool2d(y, pool.with_padding(p.padding))
        }
        None => y,
    }
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

fn options(
    stride: usize,
    padding: usize,
    relu: bool,
    pool: Option<PoolOptions>,
) -> ConvBlockOptions {
    ConvBlockOptions {
        stride: [stride; 2],
        padding: [padding; 2],
        activation: if relu { FusedActivation::Relu } else { FusedActivation::None },
        pool,
        ..Default::default()
    }
}

fn relu6(options: ConvBlockOptions) -> ConvBlockOptions {
    ConvBlockOptions { activation: FusedActivation::Relu6, ..options }
}

const TILES: Option<PoolOptions> = Some(PoolOptions::tiles(2));

#[test]
fn outputs_and_all_gradients_equal_burns() {
    let device = Device::flex();
    device.seed(1);
    let device = device.autodiff();
    let overlapping = Some(PoolOptions { kernel: [3, 3], stride: [2, 2], padding: [1, 1] });
    for (x, out, kernel, options) in [
        ([37, 1, 28, 28], 10, 3, options(1, 1, true, TILES)),
        ([37, 10, 14, 14], 20, 3, options(1, 1, true, TILES)),
        ([9, 1, 28, 28], 28, 5, options(1, 0, true, TILES)),
        ([9, 28, 12, 12], 20, 3, options(1, 0, true, None)),
        ([3, 3, 20, 20], 8, 7, options(2, 3, true, overlapping)),
        ([3, 4, 9, 9], 5, 2, options(1, 2, false, TILES)),
        ([3, 64, 8, 8], 64, 3, options(1, 1, false, None)),
        ([3, 4, 9, 9], 5, 3, relu6(options(1, 1, false, TILES))),
        ([3, 64, 8, 8], 64, 3, relu6(options(1, 1, false, None))),
        // Products of planes; with an activation, of the output alone. The last one has more pixels than one sum takes.
        ([5, 24, 12, 12], 32, 1, options(1, 0, false, None)),
        ([5, 24, 12, 12], 32, 1, relu6(options(1, 0, false, None))),
        ([2, 8, 60, 60], 12, 1, options(1, 0, false, None)),
    ] {
        for with_bias in [true, false] {
            let x = random(x, &device).require_grad();
            let weight = random([out, x.dims()[1], kernel, kernel], &device).require_grad();
            let bias = with_bias.then(|| random([out], &device).require_grad());
            let run = |fused: bool| {
                let f = if fused { conv_block } else { plain };
                let y = f(x.clone(), weight.clone(), bias.clone(), &options);
                // A loss whose gradient differs from pixel to pixel.
                let grads = (y.clone() * y.clone()).sum().backward();
                let bias = bias.as_ref().map(|b| b.grad(&grads).unwrap());
                (y.inner(), x.grad(&grads).unwrap(), weight.grad(&grads).unwrap(), bias)
            };
            let (a, b) = (run(true), run(false));
            assert!(difference(a.0, b.0) < 1e-5, "output, {options:?}");
            assert!(difference(a.1, b.1) < 1e-5, "gradient of x, {options:?}");
            assert!(difference(a.2, b.2) < 1e-5, "gradient of weight, {options:?}");
            if let (Some(a), Some(b)) = (a.3, b.3) {
                assert!(difference(a, b) < 1e-5, "gradient of bias, {options:?}");
            }
        }
    }
}

#[test]
fn depthwise_convolutions_and_all_gradients_equal_burns() {
    let device = Device::flex();
    device.seed(7);
    let device = device.autodiff();
    use FusedActivation::{None, Relu, Relu6};
    for (activation, stride) in [(None, 1), (Relu, 2), (Relu6, 1), (Relu6, 2)] {
        let x = random([3, 5, 21, 19], &device).require_grad();
        let weight = (random([5, 1, 3, 3], &device) * 2.0).require_grad();
        let bias = random([5], &device).require_grad();
        let run = |fused: bool| {
            let inputs = (x.clone(), weight.clone(), Some(bias.clone()));
            let y = match fused {
                true => {
                    let (stride, padding) = ([stride; 2], [[1; 2]; 2]);
                    let options = DepthwiseConvOptions { stride, padding, activation };
                    depthwise_conv(inputs.0, inputs.1, inputs.2, options)
                }
                false => {
                    let options = ConvOptions::new([stride; 2], [1, 1], [1, 1], 5);
                    activation.apply(conv2d(inputs.0, inputs.1, inputs.2, options))
                }
            };
            let grads = (y.clone() * y.clone()).sum().backward();
            let gradients = (x.grad(&grads).unwrap(), weight.grad(&grads).unwrap());
            (y.inner(), gradients.0, gradients.1, bias.grad(&grads).unwrap())
        };
        let (a, b) = (run(true), run(false));
        let most = b.0.clone().max().into_scalar::<f32>();
        assert!((activation == Relu6) == (most <= 6.0), "ends are met: {most}");
        assert!(difference(a.0, b.0) < 1e-5, "output, {activation:?}");
        assert!(difference(a.1, b.1) < 1e-5, "gradient of x, {activation:?}");
        assert!(difference(a.2, b.2) < 1e-5, "gradient of weight, {activation:?}");
        assert!(difference(a.3, b.3) < 1e-5, "gradient of bias, {activation:?}");
    }
}

#[test]
fn inference_gives_the_bits_of_training_but_for_a_few_images() {
    let device = Device::flex();
    device.seed(2);
    let (x, weight) = (random([9, 2, 9, 9], &device), random([3, 2, 3, 3], &device));
    let options = options(1, 1, true, TILES);
    let inference = conv_block(x.clone(), weight.clone(), None, &options);
    let train =
        |t: TensorData| Tensor::<4>::from_data(t, &Device::flex().autodiff()).require_grad();
    let training = conv_block(train(x.into_data()), train(weight.into_data()), None, &options);
    inference.into_data().assert_eq(&training.into_data(), true);
}

#[test]
fn one_image_has_the_output_that_it_has_among_others() {
    let device = Device::flex();
    device.seed(6);
    let options = options(1, 1, true, TILES);
    for [inputs, outputs, side] in [[1, 10, 28], [16, 40, 14]] {
        let x = random([20, inputs, side, side], &device);
        let weight = random([outputs, inputs, 3, 3], &device);
        let all = conv_block(x.clone(), weight.clone(), None, &options);
        let one = conv_block(x.slice(3..4), weight, None, &options);
        assert!(difference(one, all.slice(3..4)) < 1e-5);
    }
}

#[test]
fn inputs_that_are_views_are_read_in_their_order() {
    let device = Device::flex();
    device.seed(3);
    let x = random([9, 9, 2, 5], &device).permute([3, 2, 1, 0]).slice(1..4);
    let weight = random([3, 3, 2, 3], &device).permute([0, 2, 1, 3]);
    let options = options(1, 1, true, None);
    let fused = conv_block(x.clone(), weight.clone(), None, &options);
    assert!(difference(fused, plain(x, weight, None, &options)) < 1e-6);
}

#[test]
fn nan_goes_where_burn_sends_it() {
    let device = Device::flex();
    device.seed(4);
    let mut data = random::<4>([2, 1, 8, 8], &device).into_data().try_to_vec::<f32>().unwrap();
    data[10] = f32::NAN;
    data[80] = f32::INFINITY;
    let x = Tensor::<4>::from_data(TensorData::new(data, [2, 1, 8, 8]), &device);
    let weight = random([2, 1, 3, 3], &device);
    for pool in [None, TILES] {
        let options = options(1, 1, true, pool);
        let values = |t: Tensor<4>| t.into_data().try_to_vec::<f32>().unwrap();
        let fused = values(conv_block(x.clone(), weight.clone(), None, &options));
        let plain = values(plain(x.clone(), weight.clone(), None, &options));
        for (a, b) in fused.iter().zip(&plain) {
            assert_eq!(a.is_nan(), b.is_nan());
            assert_eq!(a.is_infinite(), b.is_infinite());
        }
        assert!(fused.iter().any(|v| v.is_nan()) && !fused.iter().all(|v| v.is_nan()));
    }
}

#[test]
fn an_input_that_needs_no_gradient_gets_none() {
    let device = Device::flex().autodiff();
    let x = random([2, 1, 6, 6], &device);
    let weight = random([3, 1, 3, 3], &device).require_grad();
    let grads =
        conv_block(x.clone(), weight.clone(), None, &options(1, 0, true, None)).sum().backward();
    assert!(x.grad(&grads).is_none());
    assert!(weight.grad(&grads).is_some());
}

#[test]
fn other_number_types_are_composed() {
    let device = Device::flex();
    let x = random([2, 1, 6, 6], &device).cast(DType::F64);
    let weight = random([3, 1, 3, 3], &device).cast(DType::F64);
    let bias = random([3], &device).cast(DType::F64);
    let options = options(1, 1, true, TILES);
    let fused = conv_block(x.clone(), weight.clone(), Some(bias.clone()), &options);
    assert_eq!(fused.dtype(), DType::F64);
    fused.into_data().assert_eq(&plain(x, weight, Some(bias), &options).into_data(), true);
}

#[test]
fn pools_that_reach_beyond_the_border_are_composed() {
    let device = Device::flex();
    let (x, weight) = (random([2, 1, 6, 6], &device), random([3, 1, 3, 3], &device));
    let pool = PoolOptions { kernel: [2, 2], stride: [2, 2], padding: [2, 2] };
    let options = options(1, 1, true, Some(pool));
    let fused = conv_block(x.clone(), weight.clone(), None, &options);
    fused.into_data().assert_eq(&plain(x, weight, None, &options).into_data(), true);
}

#[test]
#[should_panic(expected = "the bias has [4] elements, the weight 3 output channels")]
fn a_bias_of_the_wrong_length_is_a_mistake() {
    let device = Device::flex();
    let (x, weight) = (random([2, 1, 6, 6], &device), random([3, 1, 3, 3], &device));
    conv_block(x, weight, Some(random([4], &device)), &options(1, 1, true, None));
}

#[test]
fn scaled_blocks_equal_burns_product() {
    // Channel dropout, between pool and ReLU as in experiment A5.
    let device = Device::flex();
    device.seed(8);
    let device = device.autodiff();
    let x = random([21, 2, 10, 10], &device).require_grad();
    let weight = random([5, 2, 3, 3], &device).require_grad();
    let bias = random([5], &device).require_grad();
    let kept = Tensor::<2>::random([21, 5], Distribution::Bernoulli(0.7), &device) / 0.7;
    let run = |fused: bool| {
        let inputs = (x.clone(), weight.clone(), Some(bias.clone()));
        let y = if fused {
            conv_block_scaled(
                inputs.0,
                inputs.1,
                inputs.2,
                kept.clone(),
                &options(1, 1, true, TILES),
            )
        } else {
            let y = plain(inputs.0, inputs.1, inputs.2, &options(1, 1, false, TILES));
            relu(y * kept.clone().reshape([21, 5, 1, 1]))
        };
        let grads = (y.clone() * y.clone()).sum().backward();
        let gradients = (x.grad(&grads).unwrap(), weight.grad(&grads).unwrap());
        (y.inner(), gradients, bias.grad(&grads).unwrap())
    };
    let (a, b) = (run(true), run(false));
    assert!(difference(a.0, b.0) < 1e-6);
    assert!(difference(a.1.0, b.1.0) < 1e-5);
    assert!(difference(a.1.1, b.1.1) < 1e-5);
    assert!(difference(a.2, b.2) < 1e-5);
}

#[test]
fn transposed_convolutions_equal_burns() {
    let device = Device::flex();
    device.seed(9);
    let device = device.autodiff();
    for (upsample, stride, padding, output_padding, relu_on) in [
        (2, 1, 0, 0, true), // experiment A4's decoder
        (1, 1, 0, 0, false),
        (1, 1, 2, 0, true),
        (2, 1, 4, 0, true),
        (1, 2, 1, 0, true),
        (1, 2, 1, 1, false),
        (2, 3, 5, 2, false),
    ] {
        let options = ConvTransposeBlockOptions {
            upsample: [upsample; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            output_padding: [output_padding; 2],
            relu: relu_on,
        };
        let x = random([11, 4, 7, 8], &device).require_grad();
        let weight = random([4, 3, 5, 5], &device).require_grad();
        let bias = random([3], &device).require_grad();
        let run = |fused: bool| {
            let inputs = (x.clone(), weight.clone(), Some(bias.clone()));
            let y = if fused {
                conv_transpose_block(inputs.0, inputs.1, inputs.2, &options)
            } else {
                let nearest = InterpolateOptions::new(InterpolateMode::Nearest);
                let nearest = nearest.with_output_size([7 * upsample, 8 * upsample]);
                let x = interpolate(inputs.0, nearest);
                let settings = ConvTransposeOptions::new(
                    [stride; 2],
                    [padding; 2],
                    [output_padding; 2],
                    [1, 1],
                    1,
                );
                let y = conv_transpose2d(x, inputs.1, inputs.2, settings);
                if relu_on { relu(y) } else { y }
            };
            let grads = (y.clone() * y.clone()).sum().backward();
            let gradients = (x.grad(&grads).unwrap(), weight.grad(&grads).unwrap());
            (y.inner(), gradients, bias.grad(&grads).unwrap())
        };
        let (a, b) = (run(true), run(false));
        assert!(difference(a.0, b.0) < 1e-5, "output, {options:?}");
        assert!(difference(a.1.0, b.1.0) < 1e-5, "gradient of x, {options:?}");
        assert!(difference(a.1.1, b.1.1) < 1e-5, "gradient of weight, {options:?}");
        assert!(difference(a.2, b.2) < 1e-5, "gradient of bias, {options:?}");
    }
}

#[test]
fn upsampled_and_scaled_blocks_are_composed_for_other_number_types() {
    let device = Device::flex();
    device.seed(10);
    let (x, weight) = (random([3, 2, 4, 5], &device), random([4, 2, 3, 3], &device));
    let scale = random([3, 4], &device);
    let options = ConvBlockOptions { upsample: [2, 3], ..options(1, 1, true, TILES) };
    let double = conv_block_scaled(
        x.clone().cast(DType::F64),
        weight.clone().cast(DType::F64),
        None,
        scale.clone().cast(DType::F64),
        &options,
    );
    let single = conv_block_scaled(x, weight, None, scale, &options);
    assert!(difference(single, double.cast(DType::F32)) < 1e-5);
}
