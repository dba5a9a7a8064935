use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::{
    Architecture, ConvAutoencoder, EfficientNetLite, Initialization, Mlp, ModelError, Network, Op,
    ResNet, state,
};

pub(super) fn network(architecture: Architecture) -> Network {
    architecture.init(Initialization::PyTorch, 1, &Device::flex()).unwrap()
}

/// Convolution, batch normalization, ReLU and a linear layer.
pub(super) fn small() -> Architecture {
    let net = Architecture::new("small", [2, 6, 6]).conv("conv1", 3, 3, 1).batch_norm("bn1");
    net.relu().max_pool(2).flatten().linear("fc1", 4)
}

pub(super) fn images(count: usize) -> Tensor<4> {
    let values: Vec<f32> = (0..count * 72).map(|i| (i as f32 * 0.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, [count, 2, 6, 6]), &Device::flex())
}

/// A network that takes two pixels to features of weights `first`, through ReLU, and to one logit of weights `last`.
fn of_two_pixels(first: [f32; 4], last: [f32; 2]) -> Network {
    let net = Architecture::new("two", [1, 1, 2]).flatten().linear("fc1", 2).relu();
    let net = net.layer("fc2", Op::Linear { out_features: 1, bias: false });
    let weights = [
        ("fc1.weight".to_string(), TensorData::new(first.to_vec(), [2, 2])),
        ("fc1.bias".to_string(), TensorData::new(vec![0f32; 2], [2])),
        ("fc2.weight".to_string(), TensorData::new(last.to_vec(), [1, 2])),
    ];
    state::write(network(net), weights.into())
}

pub(super) fn values(map: Tensor<4>) -> Vec<f32> {
    assert!(!map.device().is_autodiff());
    map.into_data().try_to_vec().unwrap()
}

pub(super) fn message<T: std::fmt::Debug>(result: Result<T, ModelError>) -> String {
    let message = result.unwrap_err().to_string();
    assert!(message.len() < 300 && !message.contains('\n'), "{message}");
    message
}

#[test]
fn guided_backpropagation_cuts_inactive_units_and_negative_gradients() {
    let network = of_two_pixels([1.0, 2.0, 3.0, 1.0], [1.0, -1.0]);
    let maps = |pixels: [f32; 2]| {
        let image = Tensor::<4>::from_data([[[pixels]]], &Device::flex());
        let gradient = saliency(&network, image.clone(), &[0]).unwrap();
        [gradient, guided_backprop(&network, image, &[0]).unwrap()].map(values)
    };
    // Both units are active: 1 · (1, 2) - 1 · (3, 1); guided without the second.
    assert_eq!(maps([1.0, 1.0]), [[-2.0, 1.0], [1.0, 2.0]]);
    // Only the second is active, 3 · 1 - 2, and the first is -3.
    assert_eq!(maps([1.0, -2.0]), [[-3.0, -1.0], [0.0, 0.0]]);
}

#[test]
fn occlusion_of_single_pixels_of_a_linear_network_is_gradient_times_input() {
    let network = network(Architecture::new("linear", [1, 3, 4]).flatten().linear("fc", 2));
    let pixels: Vec<f32> = (0..24).map(|i| (i as f32).cos()).collect();
    let images = Tensor::<4>::from_data(TensorData::new(pixels, [2, 1, 3, 4]), &Device::flex());
    let settings = Occlusion { window: [1, 1], stride: [1, 1], baseline: 0.0 };
    let covered = values(occlusion(&network, images.clone(), &[1, 0], settings).unwrap());
    let product = values(input_x_gradient(&network, images, &[1, 0]).unwrap());
    for (a, b) in covered.iter().zip(&product) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn a_pixel_under_several_windows_has_the_mean_of_their_falls() {
    // One row of four pixels with weights 1, 2, 3, 4; the windows are 0..3 and, over the border, 2..4.
    let network = network(
        Architecture::new("row", [1, 1, 4])
            .flatten()
            .layer("fc", Op::Linear { out_features: 1, bias: false }),
    );
    let weight = TensorData::new(vec![1f32, 2.0, 3.0, 4.0], [1, 4]);
    let network = state::write(network, [("fc.weight".to_string(), weight)].into());
    let settings = Occlusion { window: [1, 3], stride: [1, 2], baseline: 0.0 };
    let map = occlusion(&network, Tensor::ones([1, 1, 1, 4], &Device::flex()), &[0], settings);
    assert_eq!(values(map.unwrap()), [6.0, 6.0, 6.5, 7.0]);
}

#[test]
fn a_network_on_a_training_device_or_with_frozen_parameters_is_explained_as_in_inference() {
    let network = network(small());
    // Statistics that are not those of a new network.
    let training = network.clone().train();
    training.forward(images(5).autodiff());
    let network = training.valid();
    let expected = values(saliency(&network, images(2), &[1, 3]).unwrap());
    let frozen = network.clone().freeze(&"conv1".parse().unwrap()).unwrap();
    for network in [frozen.clone().train(), network.clone().train(), frozen] {
        let before = state::read(&network);
        for images in [images(2), images(2).autodiff()] {
            assert_eq!(values(saliency(&network, images, &[1, 3]).unwrap()), expected);
        }
        guided_backprop(&network, images(2), &[1, 3]).unwrap();
        grad_cam(&network, images(2), &[1, 3], None).unwrap();
        assert_eq!(state::read(&network), before);
    }
    assert_eq!(network.clone().freeze(&"conv1".parse().unwrap()).unwrap().frozen().len(), 2);
}

#[test]
fn an_image_has_the_same_map_whatever_else_is_in_its_batch() {
    let network = network(small());
    let classes: Vec<usize> = (0..70).map(|n| n % 4).collect();
    let close = |all: Tensor<4>, alone: Tensor<4>| {
        for (a, b) in values(all.narrow(0, 67, 1)).into_iter().zip(values(alone)) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    };
    let (all, alone) = (images(70), images(70).narrow(0, 67, 1));
    let of = |images: &Tensor<4>, classes: &[usize]| {
        let settings = SmoothGrad { samples: 3, ..Default::default() };
        let steps = IntegratedGradients { steps: 3, ..Default::default() };
        [
            smooth_grad(&network, images.clone(), classes, settings),
            integrated_gradients(&network, images.clone(), classes, &steps).map(|(map, _)| map),
            guided_backprop(&network, images.clone(), classes),
            grad_cam_plus_plus(&network, images.clone(), classes, Some("conv1")),
            occlusion(&network, images.clone(), classes, Occlusion::default()),
        ]
        .map(Result::unwrap)
    };
    // More than are computed at a time.
    for (all, alone) in of(&all, &classes).into_iter().zip(of(&alone, &classes[67..68])) {
        close(all, alone);
    }
    let all = predicted(&network, all).unwrap();
    assert_eq!(all[67..68], predicted(&network, alone).unwrap());
}

#[test]
fn the_seed_alone_decides_the_noise() {
    let network = network(small());
    let map = |seed, noise| {
        let settings = SmoothGrad { samples: 2, noise, seed };
        values(smooth_grad(&network, images(1), &[0], settings).unwrap())
    };
    assert_eq!(map(1, 0.3), map(1, 0.3));
    assert_ne!(map(1, 0.3), map(2, 0.3));
    assert_eq!(map(1, 0.0), values(saliency(&network, images(1), &[0]).unwrap()));
}

#[test]
fn a_class_that_nothing_speaks_for_has_empty_maps() {
    let fc = TensorData::new(vec![0f32; 4 * 27], [4, 27]);
    let network = state::write(network(small()), [("fc1.weight".to_string(), fc)].into());
    let maps = [grad_cam, grad_cam_plus_plus].map(|cam| cam(&network, images(1), &[2], None));
    let maps = maps.map(|map| values(map.unwrap()));
    assert_eq!(maps, [[0.0; 36]; 2]);
}

#[test]
fn images_and_classes_that_the_network_does_not_have_are_refused() {
    let network = network(small());
    let refused = |images, classes: &[usize]| message(saliency(&network, images, classes));
    let zeros = |shape| Tensor::<4>::zeros(shape, &Device::flex());
    assert_eq!(refused(images(1), &[4]), "class is 4, but must be below 4");
    assert_eq!(
        refused(images(2), &[1]),
        "the number of classes given is 1, but must be 2, one for each image"
    );
    assert_eq!(
        refused(zeros([1, 1, 28, 28]), &[1]),
        "the shape of the images is [1, 1, 28, 28], but must be [1 or more, 2, 6, 6], as `small` takes them"
    );
    assert!(refused(zeros([0, 2, 6, 6]), &[]).starts_with("the shape of the images is [0, "));
    let bad = images(1) / 0.0;
    assert_eq!(refused(bad, &[1]), "a pixel is NaN or infinite, but must be finite");
    let autoencoder = self::network(ConvAutoencoder::default().architecture());
    let input = autoencoder.architecture().input;
    let images = zeros([1, input[0], input[1], input[2]]);
    let told = message(predicted(&autoencoder, images));
    assert!(told.ends_with("not a logit for each class"), "{told}");
}

#[test]
fn weights_that_are_not_finite_are_named() {
    let with = |value: f32| {
        let weight = TensorData::new(vec![value; 4 * 27], [4, 27]);
        state::write(network(small()), [("fc1.weight".to_string(), weight)].into())
    };
    let refused = |value| message(saliency(&with(value), images(1), &[0]));
    let expected = "`small`: `fc1.weight` has values that are NaN or infinite";
    assert_eq!(refused(f32::NAN), expected);
    assert_eq!(refused(f32::INFINITY), expected);
    let settings = Occlusion::default();
    let told = message(occlusion(&with(3e38), images(1), &[0], settings));
    assert_eq!(told, "`small`: its logits or their gradients overflow");
}

#[test]
fn settings_that_make_no_map_are_refused() {
    let network = network(small());
    let smooth = |samples, noise| {
        message(smooth_grad(&network, images(1), &[0], SmoothGrad { samples, noise, seed: 0 }))
    };
    assert_eq!(smooth(0, 0.1), "samples is 0, but must be at least 1");
    assert_eq!(smooth(1, f64::NAN), "noise is NaN, but must be 0 or more, and finite");
    assert_eq!(smooth(1, -0.5), "noise is -0.5, but must be 0 or more, and finite");

    let integrated = |settings| {
        message(integrated_gradients(&network, images(1), &[0], &settings).map(|(map, _)| map))
    };
    let steps = |steps, rule| IntegratedGradients { steps, rule, baseline: None };
    let told = integrated(steps(0, Rule::GaussLegendre));
    assert_eq!(told, "steps is 0, but must be at least 1");
    let told = integrated(steps(1, Rule::RiemannTrapezoid));
    assert_eq!(told, "steps is 1, but must be at least 2");
    let baseline = |value, batch| {
        let baseline = Some(Tensor::full([batch, 2, 6, 6], value, &Device::flex()));
        integrated(IntegratedGradients { baseline, ..Default::default() })
    };
    assert_eq!(
        baseline(0.0, 3),
        "the shape of the baseline is [3, 2, 6, 6], but must be [1, 2, 6, 6], or one image"
    );
    assert!(baseline(f64::NAN, 1).starts_with("a pixel of the baseline is NaN"));

    let covered = |window, stride, baseline| {
        message(occlusion(&network, images(1), &[0], Occlusion { window, stride, baseline }))
    };
    assert_eq!(
        covered([7, 2], [1, 1], 0.0),
        "window is 7 × 2, but must be 1 × 1 to 6 × 6, the size of the image"
    );
    assert!(covered([0, 2], [1, 1], 0.0).starts_with("window is 0 × 2"));
    assert_eq!(
        covered([2, 2], [3, 1], 0.0),
        "stride is 3 × 1, but must be 1 × 1 to 2 × 2, the size of the window"
    );
    assert!(covered([2, 2], [1, 0], 0.0).starts_with("stride is 1 × 0"));
    assert_eq!(covered([2, 2], [1, 1], f64::INFINITY), "baseline is inf, but must be finite");
    assert_eq!(message(upsample(images(1), [0, 4])), "size is 0 × 4, but must be at least 1 × 1");
}

#[test]
fn layers_without_maps_and_unknown_ones_are_refused_with_the_nearest_names() {
    let told = |layer| message(grad_cam(&network(small()), images(1), &[0], Some(layer)));
    assert_eq!(told("fc1"), "layer `fc1` of `small`: it gives features, not maps");
    assert_eq!(
        told("conv2"),
        "`small` has no layer named `conv2`; its layers are conv1, bn1, relu1, pool1, flatten1, fc1"
    );
    assert!(told("\u{1b}[2J").starts_with("`small` has no layer named `\\u{1b}[2J`; "));
    let resnet = network(ResNet::resnet18_cifar(10).architecture().unwrap());
    let image = || Tensor::<4>::zeros([1, 3, 32, 32], &Device::flex());
    let told = message(grad_cam(&resnet, image(), &[0], Some("layer4.1.conv3")));
    let (start, nearest) = told.split_once(" layers are ").unwrap();
    assert!(
        start.starts_with(
            "`resnet18_cifar` has no layer named `layer4.1.conv3`; the nearest of its "
        )
    );
    // One character away, in the order of the network.
    assert!(nearest.starts_with("layer4.1.conv1, layer4.1.conv2, "), "{nearest}");

    let mlp = network(Mlp::new(3).architecture());
    let told = message(grad_cam(&mlp, Tensor::zeros([1, 1, 28, 28], &Device::flex()), &[0], None));
    assert!(
        told.ends_with(": it has no convolution whose maps have more than one pixel"),
        "{told}"
    );
}

#[test]
fn guided_backpropagation_is_refused_where_an_activation_is_not_relu() {
    let net = small().layer("act", Op::Gelu { approximate: Default::default() }).linear("fc2", 2);
    let told = message(guided_backprop(&network(net), images(1), &[0]));
    let reason = "guided backpropagation is defined for ReLU alone";
    assert_eq!(told, format!("layer `act` of `small`: it is `gelu`; {reason}"));
    // Also within a block.
    let net = network(EfficientNetLite::lite0(3).architecture().unwrap());
    let [channels, height, width] = net.architecture().input;
    let image = Tensor::zeros([1, channels, height, width], &Device::flex());
    let told = message(guided_backprop(&net, image, &[0]));
    assert!(told.contains("it is `relu6`; "), "{told}");
}
