//! Weights go from torchvision to Selvedge and back without a bit's change.
//!
//! `tests/python/torchvision_round_trip.py` writes and compares them. Where Python has no `torch`,
//! `torchvision` and `safetensors`, only the record of a run is looked at,
//! `docs/torchvision_round_trip.md`. Every day it is ResNet-18 alone; VGG-16, which takes 3 GB of disk
//! and 4 GB of memory, comes with
//!
//! ```sh
//! TORCHVISION_ALL=1 PYTHON=python3 cargo test --test torchvision -- --nocapture
//! ```

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use selvedge::burn::tensor::TensorData;
use selvedge::models::catalog;
use selvedge::models::weights::{self, FitKind};
use selvedge::prelude::*;

const SCRIPT: &str = "tests/python/torchvision_round_trip.py";
const RECORD: &str = include_str!("../docs/torchvision_round_trip.md");

/// The files that the script writes, and what it calls them.
const FILES: [(&str, &str); 3] =
    [("zip.pt", "torch.save"), ("legacy.pth", "old format"), ("safetensors", "safetensors")];

/// The networks, with their numbers of tensors: those of torchvision's state dicts, without the counts
/// of batches.
const RESNET: (&str, usize) = ("resnet18", 102);
const VGG: (&str, usize) = ("vgg16", 32);

fn python() -> String {
    std::env::var("PYTHON").unwrap_or("python3".into())
}

/// Whether there is a Python that can run the script.
fn has_torchvision() -> bool {
    let imports = ["-c", "import safetensors, torch, torchvision"];
    Command::new(python()).args(imports).output().is_ok_and(|output| output.status.success())
}

/// Runs the script and gives what it prints.
fn script(command: &str, network: &str, folder: &Path) -> String {
    let mut python = Command::new(python());
    python.current_dir(env!("CARGO_MANIFEST_DIR")).args([SCRIPT, command, network]).arg(folder);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Reads a file of weights into the network that it fits, and writes it again, with what the network
/// makes of two images.
fn carry_over(path: &Path, network: &str) {
    let file = weights::inspect(path).unwrap();
    let fit = file.best_fits(&catalog()).into_iter().find(|fit| fit.kind == FitKind::Exact);
    let architecture = fit.expect("the file fits a known network").architecture;
    assert_eq!(architecture.name, network);
    let device = selvedge::device::open("flex").unwrap();
    let fresh = architecture.init(Initialization::PyTorch, 0, &device).unwrap();
    let network = file.load_into(fresh).unwrap();
    let with = |suffix| path.with_added_extension(suffix);
    network.save_safetensors(with("back")).unwrap();

    // The same numbers as in the script, exact in f32.
    let [channels, height, width] = architecture.input;
    let numbers = 2 * channels * height * width;
    let pixels: Vec<f32> = (0..numbers).map(|i| (i * 37 % 256) as f32 / 256.0).collect();
    let images = TensorData::new(pixels, [2, channels, height, width]);
    let logits = network.valid().forward(Tensor::from_data(images, &device)).into_data();
    let mut lines = String::new();
    for value in logits.try_to_vec::<f32>().unwrap() {
        writeln!(lines, "{value:e}").unwrap();
    }
    std::fs::write(with("outputs"), lines).unwrap();
}

/// What the script says of a network that passed, up to what a machine measures.
fn expected((network, tensors): (&str, usize)) -> Vec<String> {
    let line = |(_, format)| {
        format!(
            "{network}, {format}: strict load accepted, {tensors} tensors the same bit for bit, \
             outputs differ by "
        )
    };
    let passed = format!("{network} passed");
    FILES.into_iter().map(line).chain([passed]).collect()
}

fn assert_passed(text: &str, network: (&str, usize)) {
    for line in expected(network) {
        assert!(text.lines().any(|l| l.starts_with(&line)), "no `{line}` in\n{text}");
    }
}

#[test]
fn torchvision_takes_back_what_it_gave_bit_for_bit() {
    if !has_torchvision() {
        println!("skipped: {} has no torch, torchvision and safetensors", python());
        return;
    }
    let all = std::env::var_os("TORCHVISION_ALL").is_some();
    let networks = if all { vec![RESNET, VGG] } else { vec![RESNET] };
    for network in networks {
        let folder = tempfile::tempdir().unwrap();
        script("write", network.0, folder.path());
        for (file, _) in FILES {
            carry_over(&folder.path().join(file), network.0);
        }
        let text = script("check", network.0, folder.path());
        print!("{text}");
        assert_passed(&text, network);
    }
}

#[test]
fn the_record_is_of_a_run_in_which_both_networks_passed() {
    assert_passed(RECORD, RESNET);
    assert_passed(RECORD, VGG);
}
