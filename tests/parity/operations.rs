//! Single operations, their gradients and running statistics, against what
//! `tests/python/make_operations.py` recorded of PyTorch.

use std::collections::BTreeMap;

use selvedge::burn::optim::GradientsParams;
use selvedge::burn::tensor::TensorData;
use selvedge::models::state::{self, State};
use selvedge::models::{basics, transfer};
use selvedge::prelude::*;
use serde::Deserialize;

use super::{TOLERANCE, largest, values};

#[derive(Deserialize)]
struct Case {
    network: Architecture,
    batch: usize,
    tensors: Vec<(String, Vec<usize>)>,
    shape: Vec<usize>,
    inference: Vec<f64>,
    output: Vec<f64>,
    gradients: BTreeMap<String, Vec<f64>>,
    buffers: BTreeMap<String, Vec<f64>>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../data/operations.json")).unwrap()
}

/// Tensors under the script's formula.
fn filled(case: &Case) -> State {
    let fill = |(t, (name, shape)): (usize, &(String, Vec<usize>))| {
        let value = |j: usize| {
            let s = (1.7 * (j * j) as f64 + t as f64).sin() / 2.0;
            let value = match (shape.len(), name.rsplit('.').next()) {
                (_, Some("running_var")) => s.abs() + 0.5,
                (1, Some("weight")) => s + 1.0,
                _ => s,
            };
            value as f32
        };
        let values = (0..shape.iter().product()).map(value).collect();
        (name.clone(), TensorData::new::<f32, _>(values, shape.clone()))
    };
    case.tensors.iter().enumerate().map(fill).collect()
}

fn images(batch: usize, [channels, height, width]: [usize; 3]) -> TensorData {
    let shape = [batch, channels, height, width];
    let pixel = |j: usize| match j % 7 {
        0 => [0.0, -3.0, 3.0, 6.0][j / 7 % 4],
        _ => (3.0 * (0.9 * (j * j) as f64 + 0.2).sin()) as f32,
    };
    TensorData::new::<f32, _>((0..shape.iter().product()).map(pixel).collect(), shape)
}

fn assert_close(what: &str, found: &TensorData, expected: &[f64]) {
    let found = values(found);
    assert_eq!(found.len(), expected.len(), "{what}");
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let error = (f - e).abs() / largest(expected).max(1e-3);
        assert!(error < TOLERANCE, "{what}[{i}]: {f} instead of {e}, off by {error:.1e}");
    }
}

/// The network with the recorded parameters, for training.
fn network(case: &Case, device: &Device) -> Network {
    let network = case.network.init(Initialization::PyTorch, 0, device).unwrap();
    state::write(network, filled(case))
}

#[test]
fn outputs_gradients_and_statistics_are_pytorchs() {
    for device in super::devices() {
        let device = selvedge::device::open(&device).unwrap().autodiff();
        for case in cases() {
            let name = &case.network.name;
            let network = network(&case, &device);
            let pixels = Tensor::<4>::from_data(images(case.batch, case.network.input), &device);
            let pixels = pixels.require_grad();
            let output = network.forward(pixels.clone());
            assert_close(&format!("{name} output"), &output.to_data(), &case.output);
            let weights = (0..case.output.len()).map(|j| (0.8 * j as f64).cos() as f32);
            let weights = TensorData::new::<f32, _>(weights.collect(), output.dims());
            let gradients = (output * Tensor::from_data(weights, &device)).sum().backward();
            let of_images = pixels.grad(&gradients).unwrap().into_data();
            let gradients = GradientsParams::from_grads(gradients, &network);
            let mut found = state::gradients(&network, &gradients);
            found.insert("images".into(), of_images);
            assert_eq!(found.keys().collect::<Vec<_>>(), case.gradients.keys().collect::<Vec<_>>());
            for (part, expected) in &case.gradients {
                assert_close(&format!("{name} gradient of {part}"), &found[part], expected);
            }
            let state = state::read(&network);
            for (buffer, expected) in &case.buffers {
                assert_close(&format!("{name} {buffer}"), &state[buffer], expected);
            }
        }
    }
}

#[test]
fn inference_layer_by_layer_and_by_basic_operations_is_pytorchs() {
    let device = selvedge::device::open("flex").unwrap();
    for case in cases() {
        let name = &case.network.name;
        let network = network(&case, &device).valid();
        let pixels = || Tensor::<4>::from_data(images(case.batch, case.network.input), &device);
        assert_close(name, &network.forward(pixels()).into_data(), &case.inference);
        let mut seen = Vec::new();
        let hooked = network.forward_hooked(pixels(), |layer, output| {
            seen.push((layer.to_string(), output.dims()));
        });
        assert_close(name, &hooked.into_data(), &case.inference);
        let (last, dims) = seen.last().unwrap();
        assert_eq!((last.as_str(), &dims[1..]), ("layer", &case.shape[..]), "{name}");
        let own = basics::forward(&case.network, &state::read(&network), pixels());
        assert_close(name, &own.into_data(), &case.inference);
    }
}

#[test]
fn an_operation_is_described_frozen_transferred_and_kept_in_files_like_any_other() {
    let device = selvedge::device::open("flex").unwrap().autodiff();
    for case in cases() {
        let (net, name) = (&case.network, &case.network.name);
        // JSON, its defaults left out, and back.
        let text = serde_json::to_string(net).unwrap();
        assert_eq!(&serde_json::from_str::<Architecture>(&text).unwrap(), net);
        let output = net.output_shape().unwrap();
        assert_eq!(output.size(), case.shape.iter().product::<usize>(), "{name}");
        let summary = net.summary().unwrap();
        let learned = |name: &str| !name.contains("running_");
        let count: usize = case
            .tensors
            .iter()
            .filter(|(name, _)| learned(name))
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        assert_eq!(summary.parameters(), count, "{name}");
        assert!(summary.to_string().contains("layer "), "{name}");

        let source = network(&case, &device);
        if count > 0 {
            let target = net.init(Initialization::PyTorch, 1, &device).unwrap();
            let (target, report) =
                target.transfer_from(&source, &Keep::Matching("*".parse().unwrap())).unwrap();
            let transfer::Report { copied, .. } = report;
            assert_eq!(copied.len(), case.tensors.len(), "{name}");
            assert_eq!(state::read(&target), state::read(&source), "{name}");

            // Frozen, it learns nothing and leaves its statistics as they are.
            let frozen = source.clone().freeze(&"*".parse().unwrap()).unwrap();
            assert_eq!(frozen.trainable_params(), 0, "{name}");
            frozen.forward(Tensor::from_data(images(case.batch, net.input), &device));
            assert_eq!(state::read(&frozen), state::read(&source), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        source.save_safetensors(&path).unwrap();
        let empty = net.init(Initialization::PyTorch, 2, &device).unwrap();
        let read = empty.load_safetensors(&path).unwrap();
        assert_eq!(state::read(&read), state::read(&source), "{name}");
    }
}

#[test]
fn a_network_cut_before_an_operation_and_joined_gives_the_same_bits() {
    let device = selvedge::device::open("flex").unwrap();
    for case in cases() {
        // Something to cut behind; features reach theirs from a flattening.
        let mut net = case.network.clone();
        if net.layers.len() == 1 {
            net.layers.insert(0, Architecture::new("", net.input).sigmoid().layers.remove(0));
        }
        let network = net.init(Initialization::PyTorch, 3, &device).unwrap().valid();
        let pixels = || Tensor::<4>::from_data(images(case.batch, net.input), &device);
        let whole = network.forward(pixels()).into_data();
        let (trunk, head) = network.cut_at("layer").unwrap();
        let [channels, height, width] = head.architecture().input;
        let features = trunk.forward(pixels()).reshape([case.batch, channels, height, width]);
        assert_eq!(head.forward(features).into_data(), whole, "{}", net.name);
        let joined = trunk.join(head).unwrap();
        assert_eq!(joined.architecture(), &net);
        assert_eq!(joined.forward(pixels()).into_data(), whole, "{}", net.name);
    }
}
