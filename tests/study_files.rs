//! Every study file of the repository runs, in less than a minute with `--quick`; the records of the reports are found,
//! and `docs/studies.md` says what is.

#[path = "common/example.rs"]
mod example;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use selvedge::prelude::*;
use selvedge::study::StudyConfig;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn study(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(example::program("study"));
    command.current_dir(root()).args(arguments).arg("--device=flex");
    finished(command, folder)
}

/// Runs it with a store and an output of its own.
fn finished(mut command: Command, folder: &Path) -> Output {
    command.arg("--store").arg(folder.join("store")).arg("--output-dir").arg(folder.join("output"));
    command.output().unwrap()
}

/// The study files, those of the examples and those of the reports.
fn files() -> Vec<PathBuf> {
    let folders = ["examples/studies", "docs/reports/studies"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    files
}

/// Weights that are no part of the repository.
const PUBLISHED: &str = "efficientnet_lite0";

/// A study of color images that begins with published weights, on grey ones and with weights of chance: a file of the
/// name that the published ones have takes their place.
fn study_with_weights(file: &Path, folder: &Path) -> Output {
    let network = named(PUBLISHED).unwrap().with_classes(10).unwrap();
    let network = network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
    let classes = (0..10).map(|class| class.to_string()).collect();
    let bundle = Bundle::from_parts(network, classes, vec![0.5], vec![0.5]);
    bundle.save(folder.join(PUBLISHED)).unwrap();
    let mut command = Command::new(example::program("study"));
    command.current_dir(folder).env("SELVEDGE_DATA", root().join("datasets")).arg(file);
    let images =
        ["name=fashion_mnist", "channels=3", "image_size=32"].map(|i| format!("dataset.{i}"));
    command.args(["--quick", "--device=flex"]).args(images);
    finished(command, folder)
}

#[test]
fn every_study_file_runs_quickly() {
    let folder = tempfile::tempdir().unwrap();
    for file in files() {
        let mut arguments = vec![file.to_str().unwrap(), "--quick"];
        // MNIST and CIFAR-10 are no part of the repository: their protocols run on the images that are.
        let text = fs::read_to_string(&file).unwrap();
        if text.contains("dataset = \"mnist\"") {
            arguments.push("dataset=fashion_mnist");
        } else if text.contains("dataset = \"cifar10\"") {
            // Parts of 32 × 32 pixels are larger than these images.
            arguments.extend(["dataset=fashion_mnist", "~transforms"]);
        }
        let output = match text.contains(PUBLISHED) {
            true => study_with_weights(&file, folder.path()),
            false => study(&arguments, folder.path()),
        };
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}: {errors}", file.display());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("Best: "), "{}: {text}", file.display());
        assert!(!text.contains("failed"), "{}: {text}", file.display());
        let names = ["table.txt", "variants.csv", "trials.csv", "results.json", "optuna.jsonl"];
        for name in names {
            assert!(
                folder.path().join("output").join(name).is_file(),
                "{}: {name}",
                file.display()
            );
        }
    }
}

#[test]
fn a_study_says_what_it_is_about() {
    for file in files() {
        let study = StudyConfig::read(&file).unwrap();
        assert!(study.question.ends_with('?'), "{}: {:?}", file.display(), study.question);
    }
}

#[test]
fn mistakes_end_the_program_with_one_line_and_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("study.toml");
    let path = file.to_str().unwrap();
    for (text, arguments, expected) in [
        (
            "[base]\nepoch = 1",
            &[][..],
            "study.toml: line 2: base.epoch: `epoch` is unknown; did you mean `epochs`?",
        ),
        (
            "[base]\nmodel = 'cnn9'",
            &[],
            "line 2: variant \"base\": network is cnn9, but must be one of",
        ),
        ("[base]\ndataset = 'mnits'", &[], "mnits"),
        (
            "[vary]\nepochs = [1, 0]",
            &[],
            "line 2: vary.epochs: epochs is 0, but must be at least 1",
        ),
        ("", &["lr=fast"], "base.learning_rate: it is \"fast\", but must be a number"),
    ] {
        fs::write(&file, text).unwrap();
        let output = study(&[&[path], arguments].concat(), folder.path());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert_eq!(errors.lines().count(), 1, "{errors}");
        assert!(errors.starts_with("error: ") && errors.contains(expected), "{errors}");
        assert!(!folder.path().join("output").exists());
    }
}

#[test]
fn the_documentation_lists_the_keys_and_the_searches_that_there_are() {
    let text = fs::read_to_string(root().join("docs/studies.md")).unwrap();
    // What an unknown key is answered with, where none is near, is all that there are.
    let all = |section: &str| -> Vec<String> {
        let message = format!("[{section}]\nzzzz = 1").parse::<StudyConfig>().unwrap_err().message;
        let (_, names) = message.split_once("there are ").unwrap();
        names.split(", ").map(String::from).collect()
    };
    for key in all("study") {
        assert!(text.contains(&format!("| `{key}` |")), "[study] {key}");
    }
    for key in ["dataset", "model", "task", "normalization", "initialization", "pretrain", "freeze"]
    {
        assert!(
            all("base").contains(&key.to_string()) && text.contains(&format!("| `{key}`")),
            "[base] {key}"
        );
    }
    let message = "[study]\nsearch = 'zzzz'".parse::<StudyConfig>().unwrap_err().message;
    let (_, names) = message.split_once("there are ").unwrap();
    for name in names.split(", ") {
        assert!(text.contains(&format!("| `{name}` |")), "search {name}");
    }
}

#[test]
fn the_records_of_the_reports_are_those_of_their_studies() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store/trials");
    fs::create_dir_all(&store).unwrap();
    let records = root().join("docs/reports/data/trials");
    for record in fs::read_dir(records).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(record.path(), store.join(record.file_name())).unwrap();
    }
    let count = || fs::read_dir(&store).unwrap().count();
    let before = count();
    let output = study(&["docs/reports/studies/a1.toml"], folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(count(), before, "settings, images or numerics are not those of the records");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("98.76 ± 0.14 %"), "docs/reports/a.md has another figure: {text}");
}
