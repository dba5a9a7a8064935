//! What the features of a frozen trunk cost, and what they save: one pass of VGG-16 without its last
//! layer over images of 224 × 224, and a step of the last layer on features; and for a small network
//! a step with everything but the last layer frozen. In images a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge::burn::optim::GradientsParams;
use selvedge::burn::tensor::{Int, TensorData};
use selvedge::models::Vgg;
use selvedge::prelude::*;
use selvedge::train::{cross_entropy, with_team};

fn features(c: &mut Criterion) {
    let device = selvedge::device::open("auto").expect("a device is compiled in");
    let vgg = Vgg::vgg16(10).architecture().expect("the published size is allowed");
    let vgg = vgg.init(Initialization::PyTorch, 0, &device).expect("a known network");
    let (trunk, head) = vgg.cut_at("classifier.6").expect("its last layer");
    let mut group = c.benchmark_group("features");
    group.sample_size(10);

    let batch = trunk.architecture().inference_batch().expect("a known network");
    let images = images(batch, [3, 224, 224], &device);
    let trunk = trunk.for_inference();
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(format!("vgg16 trunk/{batch}"), |b| {
        with_team(|| b.iter(|| trunk.forward(images.clone()).into_data()));
    });
    step(&mut group, "vgg16 head", head, 100);
    let small = TransferCnn::new(10).architecture();
    let small = small.init(Initialization::PyTorch, 0, &device).expect("a known network");
    let frozen = small.clone().freeze_before("fc3").expect("its last layer");
    step(&mut group, "transfer_cnn", small, 128);
    step(&mut group, "transfer_cnn, all but the head frozen", frozen, 128);
    group.finish();
}

/// A training step: forward, loss, backward, Adam.
fn step(
    group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>,
    name: &str,
    network: Network,
    batch: usize,
) {
    let input = network.architecture().input;
    let device = network.devices().remove(0).autodiff();
    let images = images(batch, input, &device);
    let labels: Vec<i32> = (0..batch as i32).map(|i| i % 10).collect();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [batch]), &device);
    let targets = Targets::Hard(labels);
    let mut model = Some(network.train());
    let mut optimizer = OptimizerConfig::adam().init(0.0).expect("known settings");
    group.throughput(Throughput::Elements(batch as u64));
    group.bench_function(format!("{name}/{batch}"), |b| {
        let step = || {
            let network = model.take().expect("put back below");
            let loss =
                cross_entropy(network.forward(images.clone()), &targets).expect("known classes");
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            model = Some(optimizer.step(1e-3, network, gradients));
            loss.into_scalar::<f32>()
        };
        with_team(|| b.iter(step));
    });
}

/// Images whose pixels follow a formula.
fn images(count: usize, [channels, height, width]: [usize; 3], device: &Device) -> Tensor<4> {
    let numbers = count * channels * height * width;
    let pixels: Vec<f32> = (0..numbers).map(|i| (i as f32 * 0.05).sin()).collect();
    Tensor::from_data(TensorData::new(pixels, [count, channels, height, width]), device)
}

criterion_group!(benches, features);
criterion_main!(benches);
