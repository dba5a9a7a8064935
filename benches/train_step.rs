//! One full training step (forward, loss, backward, optimizer) of each network, on the default
//! device, in images a second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge::burn::optim::GradientsParams;
use selvedge::burn::tensor::{Int, TensorData};
use selvedge::prelude::*;
use selvedge::train::cross_entropy;

fn train_step(c: &mut Criterion) {
    let device = selvedge::device::open("auto").expect("a device is compiled in");
    let networks = [
        (Cnn::cnn2_small(5).architecture(), 128),
        (Cnn::cnn2(5).architecture(), 256),
        (Cnn::cnn3(5).architecture(), 256),
        (Cnn::cnn5(5).architecture(), 256),
        (TransferCnn::new(5).architecture(), 128),
    ];
    let mut group = c.benchmark_group("train_step");
    group.sample_size(10);
    for (network, batch) in networks {
        let device = device.clone().autodiff();
        let (images, labels) = batch_of(batch, &device);
        let mut model = Some(network.init(Init::PyTorch, 0, &device).expect("a known network"));
        let mut optimizer = OptimizerConfig::Adam.init(0.0).expect("known settings");
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("{}/{batch}", network.name), |b| {
            b.iter(|| {
                let network = model.take().expect("put back below");
                let loss = cross_entropy(network.forward(images.clone()), labels.clone());
                let gradients = GradientsParams::from_grads(loss.backward(), &network);
                model = Some(optimizer.step(1e-3, network, gradients));
                loss.into_scalar::<f32>()
            });
        });
    }
    group.finish();
}

/// A batch of 28 × 28 grey images whose pixels and labels follow a formula.
fn batch_of(count: usize, device: &Device) -> (Tensor<4>, Tensor<1, Int>) {
    let pixels: Vec<f32> = (0..count * 784).map(|i| (i as f32 * 0.05).sin()).collect();
    let labels: Vec<i32> = (0..count as i32).map(|i| i % 5).collect();
    let images = Tensor::from_data(TensorData::new(pixels, [count, 1, 28, 28]), device);
    (images, Tensor::from_data(TensorData::new(labels, [count]), device))
}

criterion_group!(benches, train_step);
criterion_main!(benches);
