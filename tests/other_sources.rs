//! Weights under the names of other sources give what PyTorch computes from them.
//!
//! `tests/python/other_sources.py` writes files with real packages. Where Python has no `torch`, `torchvision`,
//! `timm` and `transformers`, only the record of a run is looked at, in `docs/weights.md`. Every day it is
//! ResNet-18; VGG-11 of timm, which takes 0.5 GB, and ResNet-50 come with
//!
//! ```sh
//! SOURCES_ALL=1 PYTHON=python3 cargo test --test other_sources -- --nocapture
//! ```

use std::path::Path;
use std::process::Command;

use selvedge::burn::tensor::TensorData;
use selvedge::models::named;
use selvedge::models::weights::{self, FitKind, InputChannels, LoadOptions};
use selvedge::prelude::*;

const SCRIPT: &str = "tests/python/other_sources.py";
const RECORD: &str = include_str!("../docs/weights.md");

/// The files, the network that each is of, its image size, and whose names they have.
const FILES: [(&str, &str, usize, &str); 13] = [
    ("pytorch_cifar", "resnet18_cifar_avg", 32, "pytorch-cifar"),
    ("timm_resnet18", "resnet18", 64, "torchvision"),
    ("hugging_face_resnet18", "resnet18", 64, "Hugging Face"),
    ("averaged", "resnet18", 64, "torchvision"),
    ("lightning_compiled", "resnet18", 64, "torchvision"),
    ("backbone", "resnet18", 64, "torchvision"),
    ("grey", "resnet18", 64, "torchvision"),
    ("pytorch_cifar_vgg11", "vgg11_bn_cifar", 32, "pytorch-cifar, as here"),
    ("timm_mobilenetv2_100", "mobilenet_v2", 64, "timm"),
    ("timm_tf_efficientnet_lite0", "efficientnet_lite0", 64, "timm"),
    ("timm_efficientnet_lite0", "efficientnet_lite0_timm", 64, "timm, as here"),
    ("timm_vgg11_bn", "vgg11_bn", 224, "timm"),
    ("hugging_face_resnet50", "resnet50", 64, "Hugging Face"),
];

/// As many of them are looked at every day.
const EVERY_DAY: usize = 11;

/// Sources of names that the networks have here, so that no source is told.
const OURS: [&str; 3] = ["torchvision", "pytorch-cifar, as here", "timm, as here"];

fn python() -> String {
    std::env::var("PYTHON").unwrap_or("python3".into())
}

/// Whether there is a Python that can run the script.
fn has_packages() -> bool {
    let imports = ["-c", "import timm, torch, torchvision, transformers"];
    Command::new(python()).args(imports).output().is_ok_and(|output| output.status.success())
}

/// Runs the script and gives what it prints.
fn script(folder: &Path, arguments: &[&str]) -> String {
    let mut python = Command::new(python());
    python.current_dir(env!("CARGO_MANIFEST_DIR")).args([SCRIPT, "write"]).arg(folder);
    let output = python.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a line of the record begins with.
fn beginning((file, network, _, source): (&str, &str, usize, &str)) -> String {
    format!("{file}: {network}, names of {source}, outputs differ by ")
}

/// Reads a file into the network that it is of and compares the outputs with PyTorch's; the line of the record.
fn compare(folder: &Path, entry: (&str, &str, usize, &str)) -> String {
    let (name, network, size, source) = entry;
    let channels = if name == "grey" { 1 } else { 3 };
    let file = weights::inspect(folder.join(format!("{name}.pth"))).unwrap();
    let network = named(network).unwrap().with_classes(10).unwrap();
    let network = network.with_input([channels, size, size]).unwrap();
    let fit = file.fits(&network);
    let told = if OURS.contains(&source) { "" } else { source };
    assert_eq!((fit.kind, fit.sources.join(" or ").as_str()), (FitKind::Exact, told), "{name}");

    let options = LoadOptions { input_channels: InputChannels::Sum, ..LoadOptions::default() };
    let device = selvedge::device::open("flex").unwrap();
    let (network, report) = file.network(&network, &options, &device).unwrap();
    assert!(report.missing.is_empty() && report.unexpected.is_empty(), "{name}: {report}");

    // The same numbers as in the script, exact in f32.
    let pixels: Vec<f32> =
        (0..2 * channels * size * size).map(|i| (i * 37 % 256) as f32 / 256.0).collect();
    let images = TensorData::new(pixels, [2, channels, size, size]);
    let logits = network.valid().forward(Tensor::from_data(images, &device)).into_data();
    let found = logits.try_to_vec::<f32>().unwrap();
    let text = std::fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
    let expected: Vec<f32> = text.lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs() / largest);
    let difference = differences.fold(0.0f32, f32::max);
    assert!(difference < 1e-4, "{name}: {difference}");
    format!("{}{difference:.1e} of the largest", beginning(entry))
}

#[test]
fn files_of_other_sources_give_what_pytorch_computes() {
    if !has_packages() {
        println!("skipped: {} has no torch, torchvision, timm and transformers", python());
        return;
    }
    let all = std::env::var_os("SOURCES_ALL").is_some();
    let folder = tempfile::tempdir().unwrap();
    print!("{}", script(folder.path(), if all { &["all"] } else { &[] }));
    for entry in FILES.into_iter().take(if all { FILES.len() } else { EVERY_DAY }) {
        println!("{}", compare(folder.path(), entry));
    }
}

#[test]
fn the_record_is_of_a_run_in_which_all_files_passed() {
    for entry in FILES {
        let line = beginning(entry);
        assert!(RECORD.lines().any(|l| l.starts_with(&line)), "no `{line}` in docs/weights.md");
    }
}
