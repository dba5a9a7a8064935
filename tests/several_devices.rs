//! One network that several devices train together.
//!
//! `SELVEDGE_DEVICES=cuda:0,cuda:1 cargo test --features cuda --test several_devices` takes GPUs, and
//! `SELVEDGE_DEVICES=wgpu,wgpu:cpu … --features wgpu` two that Mesa's lavapipe makes of the CPU; else two parts of the
//! work are two threads' on the flex device.

use selvedge::burn::tensor::{Device, TensorData};
use selvedge::data::{ImageDataset, View};
use selvedge::models::state;
use selvedge::prelude::*;
use selvedge::train::OptimizerConfig;

fn devices() -> Vec<Device> {
    let names = std::env::var("SELVEDGE_DEVICES").unwrap_or_else(|_| "flex,flex".into());
    let devices = selvedge::device::open_all(&names).unwrap().0;
    assert!(devices.len() > 1, "one device shares nothing");
    devices
}

/// Noise, brighter in the second class.
fn images(count: usize) -> View {
    let noise = |i: usize, p: usize| ((i * 144 + p) as f64 * 12.9898).sin().abs() * 150.0;
    let pixel = |i: usize, p: usize| noise(i, p) as u8 + if i % 2 == 1 { 60 } else { 0 };
    let pixels = (0..count).flat_map(|i| (0..144).map(move |p| pixel(i, p))).collect();
    let labels = (0..count).map(|i| (i % 2) as u16).collect();
    let classes = vec!["dark".into(), "bright".into()];
    ImageDataset::new("noise", pixels, [1, 12, 12], labels, classes).unwrap().view()
}

/// With every kind of layer that has weights but for batch normalization, whose statistics are those of a part.
fn network(device: &Device) -> Network {
    let net = Architecture::new("several", [1, 12, 12]).conv("conv1", 6, 3, 1).relu().max_pool(2);
    let net = net.conv("conv2", 8, 3, 0).relu().flatten().linear("fc1", 16).relu().linear("fc2", 2);
    net.init(Initialization::PyTorch, 3, device).unwrap()
}

/// Tensors of the network after one step of SGD with the learning rate 1, and the loss before it.
fn step(devices: &[Device], count: usize) -> (state::State, f64) {
    let optimizer = OptimizerConfig::sgd(0.0);
    let config = FitConfig {
        epochs: 1,
        batch_size: count,
        learning_rate: 1.0,
        optimizer,
        ..FitConfig::default()
    };
    let data = FitData::without_validation(images(count), Normalization::unit());
    let context = Context::new(&devices[0]).with_others(&devices[1..]);
    let fitted = fit(network(&devices[0]), &data, &config, &context).unwrap();
    (state::read(&fitted.model), fitted.best.train.loss)
}

fn values(data: &TensorData) -> Vec<f64> {
    data.iter::<f64>().collect()
}

#[test]
fn gradients_of_two_devices_are_those_of_one_to_a_hundred_thousandth() {
    let devices = devices();
    let before = state::read(&network(&devices[0]));
    // Parts of one size, and of two sizes.
    for count in [24, 25] {
        let ((alone, loss), (together, shared)) =
            (step(&devices[..1], count), step(&devices, count));
        assert!((loss - shared).abs() <= 1e-5 * loss, "{count} images: {loss} {shared}");
        for (name, before) in &before {
            let before = values(before);
            let gradient = |after: &state::State| -> Vec<f64> {
                before
                    .iter()
                    .zip(values(&after[name]))
                    .map(|(before, after)| before - after)
                    .collect()
            };
            let (alone, together) = (gradient(&alone), gradient(&together));
            let largest = alone.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
            assert!(largest > 1e-4, "{name} did not learn");
            for (a, b) in alone.iter().zip(&together) {
                assert!((a - b).abs() <= 1e-5 * largest, "{count} images, {name}: {a} {b}");
            }
        }
    }
}

#[test]
fn two_devices_train_a_network_with_normalization_and_dropout() {
    let devices = devices();
    let net =
        Architecture::new("whole", [1, 12, 12]).conv("conv1", 6, 3, 1).batch_norm("bn1").relu();
    let net = net.max_pool(2).channel_dropout(0.1).flatten().linear("fc1", 16).relu().dropout(0.2);
    let network = net.linear("fc2", 2).init(Initialization::PyTorch, 3, &devices[0]).unwrap();
    let config = FitConfig { epochs: 4, batch_size: 16, ..FitConfig::default() };
    let data = FitData::new(images(120), images(40), Normalization::unit());
    let context = Context::new(&devices[0]).with_others(&devices[1..]);
    let run = || fit(network.clone(), &data, &config, &context).unwrap();
    let fitted = run();
    let best = fitted.best.validation.unwrap();
    assert!(best.accuracy > 0.95, "{best}");
    // The running statistics are of images that were normalized, not those that a fresh network has.
    assert!(
        values(&state::read(&fitted.model)["bn1.running_mean"]).iter().all(|mean| *mean != 0.0)
    );
    // On CPUs the sum of the parts has one order, whoever is first.
    if std::env::var("SELVEDGE_DEVICES").is_err() {
        assert_eq!(state::read(&fitted.model), state::read(&run().model));
    }
}

#[test]
fn a_run_folder_is_for_the_number_of_devices_that_it_was_begun_with() {
    let devices = devices();
    let folder = tempfile::tempdir().unwrap();
    let config = FitConfig { epochs: 1, batch_size: 16, ..FitConfig::default() };
    let data = FitData::new(images(32), images(16), Normalization::unit());
    let context = Context::new(&devices[0]).with_run_folder(folder.path().join("run"));
    let run = |context: &Context| fit(network(&devices[0]), &data, &config, context).map(drop);
    run(&context.clone().with_others(&devices[1..])).unwrap();
    let message = run(&context).unwrap_err().to_string();
    assert!(message.contains("devices"), "{message}");
    run(&context.with_others(&devices[1..])).unwrap();
}
