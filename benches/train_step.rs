//! One full training step (forward, loss, backward, optimizer) of the network of every experiment, and
//! inference up to VGG-16's last pool, on the default device, in images a second.
//!
//! Networks, batch sizes and optimizers are those of `benches/peers/compare`.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge::burn::optim::GradientsParams;
use selvedge::burn::tensor::{Int, TensorData};
use selvedge::models::{Shape, named};
use selvedge::prelude::*;
use selvedge::train::{cross_entropy, end_of_step, mean_squared_error, with_team};

/// An optimizer and its settings.
#[derive(Clone, Copy)]
struct Rule {
    kind: OptimizerConfig,
    learning_rate: f64,
    weight_decay: f64,
}

const ADAM: Rule = Rule { kind: OptimizerConfig::adam(), learning_rate: 1e-3, weight_decay: 0.0 };
/// Of the course networks on MNIST.
const MOMENTUM: Rule = Rule { kind: sgd(0.9), learning_rate: 1e-3, weight_decay: 0.04 };
/// Of the multi-layer perceptron.
const SGD: Rule = Rule { kind: sgd(0.0), learning_rate: 0.1, weight_decay: 0.0 };

const fn sgd(momentum: f64) -> OptimizerConfig {
    OptimizerConfig::sgd(momentum)
}

const TRAINED: [(&str, usize, Rule); 17] = [
    ("cnn2_small", 128, ADAM),
    ("cnn2", 256, ADAM),
    ("cnn3", 256, ADAM),
    ("cnn5", 256, ADAM),
    ("conv_autoencoder", 128, ADAM),
    ("encoder_cnn", 128, ADAM),
    ("transfer_cnn", 128, ADAM),
    ("mnist_cnn", 64, MOMENTUM),
    ("mnist_cnn2", 64, MOMENTUM),
    ("mnist_cnn3", 64, MOMENTUM),
    ("bn_cnn", 64, MOMENTUM),
    ("fashion_cnn", 100, ADAM),
    ("mlp_relu", 32, SGD),
    ("linear_autoencoder", 100, ADAM),
    ("resnet18_cifar", 64, ADAM),
    ("airbench93", 1024, ADAM),
    ("airbench94", 1024, ADAM),
];

fn train_step(c: &mut Criterion) {
    let device = selvedge::device::open("auto").expect("a device is compiled in");
    for (name, batch, rule) in TRAINED {
        let device = device.clone().autodiff();
        bench(c, "train_step", name, batch, || training(name, batch, rule, &device));
    }
    bench(c, "inference", "vgg16_features", 8, || vgg16_features(8, &device));
}

/// Times the step that `build` makes; a network that was not asked for is not built.
fn bench<S: FnMut() -> f32>(
    c: &mut Criterion,
    group: &str,
    name: &str,
    batch: usize,
    build: impl Fn() -> S,
) {
    let mut group = c.benchmark_group(group);
    group.sample_size(10).throughput(Throughput::Elements(batch as u64));
    let mut step = None;
    group.bench_function(format!("{name}/{batch}"), |b| {
        let step = step.get_or_insert_with(&build);
        // As in `fit`.
        with_team(|| b.iter(step));
    });
    group.finish();
}

/// A training step, which gives its loss.
fn training(name: &str, batch: usize, rule: Rule, device: &Device) -> impl FnMut() -> f32 + use<> {
    let architecture = named(name).expect("a network of the catalog");
    let images = images(batch, architecture.input, device);
    let classes = architecture.output_shape().map(Shape::size).expect("a sound network");
    let labels: Vec<i32> = (0..batch).map(|i| (i % classes) as i32).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), device);
    let targets = Targets::Hard(labels);
    let mut model =
        Some(architecture.init(Initialization::PyTorch, 0, device).expect("a sound network"));
    let mut optimizer = rule.kind.init(rule.weight_decay).expect("known settings");
    let autoencoder = name.contains("autoencoder");
    move || {
        let network = model.take().expect("put back below");
        let output = network.forward(images.clone());
        let loss = match autoencoder {
            true => mean_squared_error(output, images.clone().flatten(1, 3))
                .expect("as many outputs as pixels"),
            false => cross_entropy(output, &targets).expect("known classes"),
        };
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        model = Some(optimizer.step(rule.learning_rate, network, gradients));
        end_of_step();
        loss.into_scalar()
    }
}

/// A pass through the convolutions of VGG-16, which gives the mean of the features.
fn vgg16_features(batch: usize, device: &Device) -> impl FnMut() -> f32 + use<> {
    let mut architecture = named("vgg16").expect("a network of the catalog");
    architecture.layers.retain(|layer| layer.name.starts_with("features."));
    let images = images(batch, architecture.input, device);
    let network = architecture.init(Initialization::PyTorch, 0, device).expect("a sound network");
    let network = network.for_inference();
    move || network.forward(images.clone()).mean().into_scalar()
}

/// Images whose pixels follow a formula.
fn images(count: usize, [channels, height, width]: [usize; 3], device: &Device) -> Tensor<4> {
    let numbers = count * channels * height * width;
    let pixels: Vec<f32> = (0..numbers).map(|i| (i as f32 * 0.05).sin()).collect();
    Tensor::from_data(TensorData::new(pixels, [count, channels, height, width]), device)
}

criterion_group!(benches, train_step);
criterion_main!(benches);
