//! Bundles are used in PyTorch as they are, and normalize images as the data that a network learned from.
//!
//! `tests/python/bundle_in_pytorch.py` loads the bundle. Where Python has no `torch` and `safetensors`, only
//! the record of a run is looked at, `docs/bundle_in_pytorch.md`.

use std::fmt::Write;
use std::process::Command;

use selvedge::burn::tensor::TensorData;
use selvedge::data::Normalization;
use selvedge::models::{Bundle, named};
use selvedge::prelude::*;

const SCRIPT: &str = "tests/python/bundle_in_pytorch.py";
const RECORD: &str = include_str!("../docs/bundle_in_pytorch.md");

/// The outputs of the network.
const CLASSES: usize = 10;

/// What the script says of a bundle that passed, up to what a machine measures. The network has four
/// convolutions and two linear layers with weight and bias, and four batch normalizations with four tensors.
const PASSED: &str = "bn_cnn: built from the bundle's texts, strict load accepted, 28 tensors, \
                      probabilities of 10 classes differ by ";

/// A network with batch normalizations, and two images in the bytes of their pixels.
fn bundle() -> (Bundle, Vec<u8>) {
    let architecture = named("bn_cnn").unwrap();
    let [channels, height, width] = architecture.input;
    let device = selvedge::device::open("flex").unwrap();
    let network = architecture.init(Initialization::PyTorch, 3, &device).unwrap();
    let classes = (0..CLASSES).map(|digit| digit.to_string()).collect();
    let bundle = Bundle::from_parts(network, classes, vec![0.286], vec![0.353]);
    let pixels = (0..2 * channels * height * width).map(|i| (i * 37 % 256) as u8);
    (bundle, pixels.collect())
}

#[test]
fn pytorch_takes_a_bundle_as_it_is() {
    let python = std::env::var("PYTHON").unwrap_or("python3".into());
    let imports = ["-c", "import safetensors, torch"];
    let has_torch = Command::new(&python).args(imports).output();
    if !has_torch.is_ok_and(|output| output.status.success()) {
        println!("skipped: {python} has no torch and safetensors");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (bundle, pixels) = bundle();
    bundle.save(folder.path().join("net.safetensors")).unwrap();
    let mut lines = String::new();
    for prediction in bundle.predict(&pixels).unwrap() {
        for probability in prediction.probabilities {
            writeln!(lines, "{probability:e}").unwrap();
        }
    }
    std::fs::write(folder.path().join("probabilities"), lines).unwrap();
    let mut script = Command::new(python);
    script.current_dir(env!("CARGO_MANIFEST_DIR")).arg(SCRIPT).arg(folder.path());
    let output = script.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    print!("{text}");
    assert_passed(&text);
}

#[test]
fn the_record_is_of_a_run_that_passed() {
    assert_passed(RECORD);
}

fn assert_passed(text: &str) {
    assert!(text.lines().any(|line| line.starts_with(PASSED)), "no `{PASSED}` in\n{text}");
}

#[test]
fn a_bundle_normalizes_as_the_data_does_bit_for_bit() {
    let (bundle, pixels) = bundle();
    let normalization = Normalization { mean: bundle.mean().into(), std: bundle.std().into() };
    let values: Vec<f32> = pixels.iter().map(|&pixel| normalization.value(0, pixel)).collect();
    let [channels, height, width] = bundle.network().architecture().input;
    let images = TensorData::new(values, [2, channels, height, width]);
    let device = selvedge::device::open("flex").unwrap();
    // The network that predicts, which rounds differently from the one that trains.
    let network = bundle.network().for_inference();
    let outputs = network.forward(Tensor::from_data(images, &device));
    let outputs = outputs.into_data().try_to_vec::<f32>().unwrap();
    let predictions = bundle.predict(&pixels).unwrap();
    for (prediction, logits) in predictions.iter().zip(outputs.chunks(CLASSES)) {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        let exp = |logit: &f32| f64::from(*logit - largest).exp();
        let sum: f64 = logits.iter().map(exp).sum();
        let softmax: Vec<f32> = logits.iter().map(|logit| (exp(logit) / sum) as f32).collect();
        assert_eq!(prediction.probabilities, softmax);
    }
    assert_eq!(predictions.len(), 2);
}
