//! What the example `inspect_weights` says about files of weights.

use std::path::Path;
use std::process::{Command, Output};

use selvedge::models::{Op, named};
use selvedge::prelude::*;

/// Cargo builds the examples of a package before its tests, in the folder beside theirs.
fn inspect_weights(arguments: &[&Path]) -> Output {
    let test = std::env::current_exe().unwrap();
    let folder = test.parent().and_then(Path::parent).unwrap().join("examples");
    let program = folder.join(format!("inspect_weights{}", std::env::consts::EXE_SUFFIX));
    Command::new(program).args(arguments).env("RUST_BACKTRACE", "1").output().unwrap()
}

/// What a successful run prints.
#[track_caller]
fn printed(arguments: &[&Path]) -> String {
    let output = inspect_weights(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn network(name: &str) -> Network {
    let device = selvedge::device::open("auto").unwrap();
    named(name).unwrap().init(Init::PyTorch, 0, &device).unwrap()
}

#[test]
fn without_a_file_the_networks_are_listed_with_their_parameters() {
    let text = printed(&[]);
    assert_eq!(text.lines().count(), selvedge::models::catalog().len());
    // torchvision's documentation.
    for (name, parameters) in [("resnet18", "11689512"), ("vgg16_bn", "138365992")] {
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(line.split_whitespace().any(|word| word == parameters), "{line}");
    }
}

#[test]
fn the_summary_and_the_fits_of_a_file_are_printed_best_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    network("cnn3").save_safetensors(&path).unwrap();
    let text = printed(&[&path]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("safetensors, 22975 numbers in 10 tensors (F32)"), "{}", lines[0]);
    assert_eq!(lines[1], "fits exactly: cnn3 with 5 outputs for images of 1 × 28 × 28");
    assert!(lines[2].contains(" tensors fit: "), "{}", lines[2]);
    assert_eq!(lines.last().unwrap().split_whitespace().next(), Some("cnn3"));
}

#[test]
fn a_converted_file_holds_the_same_weights_in_either_format() {
    let folder = tempfile::tempdir().unwrap();
    let [first, burnpack, last] =
        ["a.safetensors", "b.bpk", "c.safetensors"].map(|name| folder.path().join(name));
    network("bn_cnn").save_safetensors(&first).unwrap();
    printed(&[&first, Path::new("--convert"), &burnpack]);
    printed(&[&burnpack, Path::new("--convert"), &last]);
    assert!(std::fs::read(&burnpack).unwrap().starts_with(b"NRUB"));
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&last).unwrap());
}

#[test]
fn what_cannot_be_inspected_or_converted_is_answered_on_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let [text, strange, out] = ["a.pt", "b.bpk", "out.bpk"].map(|name| folder.path().join(name));
    std::fs::write(&text, "no weights").unwrap();
    let op = Op::Conv2d { out_channels: 1, kernel: 1, stride: 1, padding: 0, bias: false };
    let net = Architecture::new("strange", [1, 1, 1]).layer("strange", op);
    let device = selvedge::device::open("auto").unwrap();
    net.init(Init::PyTorch, 0, &device).unwrap().save_burnpack(&strange).unwrap();
    let convert = Path::new("--convert");
    let network = [Path::new("--network"), Path::new("resnet18")];
    for (arguments, part) in [
        (vec![text.as_path()], "neither a file of PyTorch"),
        (vec![folder.path().join("nothing.pt").as_path()], "No such file"),
        (vec![&strange, convert, &out], "no network to convert it with"),
        (vec![&strange, network[0], network[1], convert, &out], "unexpected strange.weight"),
        (vec![convert, &out], "required"),
    ] {
        let output = inspect_weights(&arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        assert_eq!(errors.trim_end().lines().count(), 1, "{errors}");
        assert!(errors.contains(part), "no `{part}` in: {errors}");
        assert!(!out.exists());
    }
}
