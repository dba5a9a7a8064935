//! Which options the examples refuse: those without effect, and settings that are wrong whatever the images are.

#[path = "common/example.rs"]
mod example;
#[path = "common/refused.rs"]
mod refused;

use std::process::Command;

use refused::assert_refused;

fn example(name: &str) -> Command {
    let mut command = Command::new(example::program(name));
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Asserts that the arguments are refused as wrong ones, whatever is in the files that they name.
#[track_caller]
fn assert_wrong(name: &str, arguments: &[&str], parts: &[&str]) {
    let output = example(name).args(arguments).output().unwrap();
    assert_refused(&output, parts);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
}

#[test]
fn options_without_effect_are_refused() {
    for option in [
        "--lr-mult=10",
        "--freeze-epochs=2",
        "--key=model",
        "--rename=linear=fc",
        "--partial",
        "--input-channels=sum",
        "--head-only",
    ] {
        let arguments = ["no/photos", "--model=cnn2_small", option];
        assert_wrong("finetune", &arguments, &["--weights", "--pretrained"]);
    }
    let head = ["no/photos", "--pretrained=resnet18", "--head-only", "--lr-mult=10"];
    assert_wrong("finetune", &head, &["'--head-only'", "'--lr-mult <FACTOR>'"]);
    for option in [
        "--epochs=3",
        "--transforms=x.json",
        "--mixup-alpha=0.2",
        "--cutmix-alpha=1",
        "--memory-limit=8",
    ] {
        let (flag, _) = option.split_once('=').unwrap();
        let head = ["no/photos", "--pretrained=resnet18", "--head-only", option];
        assert_wrong("finetune", &head, &["'--head-only'", flag, "cannot be used with"]);
    }
    for option in ["--dataset", "--classes", "--data-path"] {
        let value = if option == "--classes" { "fm1" } else { "mnist" };
        let arguments = ["no/photos", "--model=cnn2_small", option, value];
        assert_wrong("finetune", &arguments, &["[DIR]", option, "cannot be used with"]);
    }
    for option in [
        "--image-size=30",
        "--channels=3",
        "--resize=stretch",
        "--resize-size=30",
        "--skip-damaged",
        "--validation-fraction=0.3",
    ] {
        assert_wrong("finetune", &["--model=cnn2_small", option], &["not provided", "DIR"]);
        let (flag, _) = option.split_once('=').unwrap_or((option, ""));
        for published in ["--classes=fm1", "--dataset=mnist", "--data-path=datasets"] {
            let arguments = ["--model=cnn2_small", published, option];
            assert_wrong("finetune", &arguments, &[flag, "cannot be used with"]);
        }
    }
    for option in ["--key=model", "--rename=linear=fc", "--partial", "--input-channels=mean"] {
        assert_wrong("inspect_weights", &[option], &["not provided", "FILE"]);
    }
    for option in ["--format=csv", "--top-k=2"] {
        assert_wrong("predict", &["no.safetensors", option], &["not provided", "FILES"]);
    }
    for option in ["--dataset=mnist", "--classes=fm1", "--count=3", "--data-path=x"] {
        let arguments = ["no.safetensors", "no.png", option];
        assert_wrong("predict", &arguments, &["cannot be used with"]);
    }
}

#[test]
fn settings_are_checked_before_any_image_is_read() {
    let refused = |setting: &str, parts: &[&str]| {
        assert_wrong("finetune", &["no/photos", "--model=cnn2_small", setting], parts);
    };
    for alpha in ["-1", "0", "nan", "1e300", "many"] {
        for flag in ["--mixup-alpha", "--cutmix-alpha"] {
            let line = format!("invalid value '{alpha}' for '{flag} <ALPHA>'");
            refused(&format!("{flag}={alpha}"), &[&line, "above 0 and at most 1000"]);
        }
    }
    refused("--monitor=foo", &["'foo'", "--monitor", "loss, accuracy, macro_f1"]);
    for share in ["0", "1", "1.5", "-0.2", "nan"] {
        let line = format!("invalid value '{share}' for '--validation-fraction <SHARE>'");
        refused(&format!("--validation-fraction={share}"), &[&line, "above 0 and below 1"]);
    }
    refused("--memory-limit=0", &["--memory-limit", "above 0"]);
    assert_wrong("train", &["--label-smoothing=1"], &["--label-smoothing", "below 1"]);
    assert_wrong("train", &["--monitor=foo"], &["'foo'", "--monitor"]);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("transforms.json");
    std::fs::write(&file, r#"[{"name": "random_horizontal_flip", "p": 2}]"#).unwrap();
    let transforms = format!("--transforms={}", file.display());
    let path = ["no/photos", "--model=cnn2_small", &transforms];
    let output = example("finetune").args(path).output().unwrap();
    assert_refused(&output, &["transforms.json: ", "a number from 0 to 1, found 2"]);
    let output = example("train").args([&transforms, "--data-path=no/such/folder"]).output();
    assert_refused(&output.unwrap(), &["transforms.json: ", "a number from 0 to 1, found 2"]);
    let huge = ["no/photos", "--model=resnet18", "--image-size=2000"];
    let output = example("finetune").args(huge).output().unwrap();
    assert_refused(
        &output,
        &["64 images of 3 × 2000 × 2000", "above --memory-limit 16: ", " fits"],
    );
    let output = example("finetune").args([&huge[..], &["--memory-limit=1e6"]].concat()).output();
    assert_refused(&output.unwrap(), &["no/photos: not there"]);
}

#[test]
fn settings_that_another_one_leaves_without_effect_are_refused() {
    for (settings, line) in [
        (
            &["--resize=stretch", "--resize-size=30"][..],
            "--resize-size: not used with --resize stretch",
        ),
        (&["--momentum=0.5"], "--momentum: expected --opt sgd, sgd_nesterov, rmsprop or muon"),
        (
            &["--lr-scheduler=linearlr", "--lr-gamma=0.5"],
            "--lr-gamma: expected --lr-scheduler steplr or ",
        ),
    ] {
        let arguments = [&["no/photos", "--model=cnn2_small"], settings].concat();
        assert_refused(&example("finetune").args(arguments).output().unwrap(), &[line]);
    }
    let refused = |name: &str, arguments: &[&str]| {
        let line = "--momentum: expected --opt sgd, sgd_nesterov, rmsprop or muon, found adan";
        assert_refused(&example(name).args(arguments).output().unwrap(), &[line]);
    };
    refused("train", &["--opt=adan", "--momentum=0.5"]);
    refused("transfer_learning", &["--quick", "--opt=adan", "--momentum=0.5"]);
}
