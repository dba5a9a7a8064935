//! What the examples answer to wrong input: one clear line, an exit status that is not 0, no
//! backtrace, nothing left behind.

#[path = "common/command.rs"]
mod command;
#[path = "common/refused.rs"]
mod refused;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use command::example;
use refused::assert_refused;

fn transfer_learning(arguments: &[&str]) -> Output {
    example("transfer_learning").arg("--quick").args(arguments).output().unwrap()
}

/// A copy of the committed data set's folder, with one file changed.
fn data_with(file: &str, change: impl Fn(Vec<u8>) -> Vec<u8>) -> tempfile::TempDir {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("datasets/fashion-mnist");
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if name != file {
            std::fs::copy(&path, folder.path().join(name)).unwrap();
        } else {
            let bytes = change(std::fs::read(&path).unwrap());
            let mut changed = std::fs::File::create(folder.path().join(name)).unwrap();
            changed.write_all(&bytes).unwrap();
        }
    }
    folder
}

/// A folder for results that must not come into being.
struct Nowhere(tempfile::TempDir);

impl Nowhere {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn assert_empty(&self) {
        assert!(!self.out().exists(), "{} is left behind", self.out().display());
    }
}

#[test]
fn a_misspelled_flag_is_answered_with_the_right_one() {
    assert_refused(&transfer_learning(&["--fraction", "0.5"]), &["--fraction", "--fractions"]);
}

#[test]
fn quick_and_full_exclude_each_other() {
    assert_refused(&transfer_learning(&["--full"]), &["--quick", "--full"]);
}

#[test]
fn an_impossible_fraction_is_refused() {
    for fraction in ["0", "1.5", "-1", "nan", "150%", "half"] {
        let flag = format!("--fractions={fraction}");
        assert_refused(&transfer_learning(&[&flag]), &["--fractions"]);
    }
}

#[test]
fn impossible_settings_are_refused_by_name() {
    for (flag, name) in [
        ("--batch-size=0", "batch size"),
        ("--epochs=0", "epochs"),
        ("--pretrain-epochs=0", "pretrain epochs"),
        ("--seeds=0", "seeds"),
        ("--seeds=18446744073709551615", "seeds"),
        ("--fractions=5%,5%", "fraction"),
        ("--lr=-0.1", "learning rate"),
        ("--lr=nan", "learning rate"),
        ("--dropout=1", "dropout"),
        ("--opt=newton", "--opt"),
        ("--batch-size=many", "--batch-size"),
    ] {
        assert_refused(&transfer_learning(&[flag]), &[name]);
    }
}

#[test]
fn an_unknown_device_is_answered_with_those_that_exist() {
    let output = transfer_learning(&["--device", "abacus"]);
    assert_refused(&output, &["`abacus`", "flex, ndarray, wgpu and cuda"]);
}

#[test]
fn a_device_that_was_not_compiled_in_names_its_feature() {
    for device in ["ndarray", "wgpu", "cuda"] {
        if !selvedge::device::compiled().contains(&device) {
            let output = transfer_learning(&["--device", device]);
            assert_refused(&output, &[&format!("--features {device}")]);
        }
    }
}

#[test]
fn a_missing_data_folder_is_named() {
    let nowhere = Nowhere::new();
    let out = nowhere.out();
    let output = transfer_learning(&[
        "--data-path",
        "no/such/folder",
        "--output-dir",
        out.to_str().unwrap(),
    ]);
    assert_refused(&output, &["no/such/folder"]);
    nowhere.assert_empty();
}

#[test]
fn a_truncated_data_file_is_named() {
    let file = "train-images-idx3-ubyte.gz";
    let data = data_with(file, |bytes| bytes[..bytes.len() / 2].to_vec());
    let nowhere = Nowhere::new();
    let out = nowhere.out();
    let arguments =
        ["--data-path", data.path().to_str().unwrap(), "--output-dir", out.to_str().unwrap()];
    assert_refused(&transfer_learning(&arguments), &[file]);
    nowhere.assert_empty();
}

#[test]
fn a_data_file_of_garbage_is_named() {
    let file = "t10k-labels-idx1-ubyte.gz";
    let data = data_with(file, |bytes| bytes.iter().map(|b| b ^ 0x5a).collect());
    let output = transfer_learning(&["--data-path", data.path().to_str().unwrap()]);
    assert_refused(&output, &[file]);
}

#[test]
fn an_output_folder_that_is_a_file_is_refused_before_anything_is_trained() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("taken");
    std::fs::write(&taken, "mine").unwrap();
    let output = transfer_learning(&["--output-dir", taken.to_str().unwrap()]);
    assert_refused(&output, &["cannot write", "taken"]);
    assert_eq!(std::fs::read_to_string(&taken).unwrap(), "mine");
}

#[test]
fn help_explains_every_setting() {
    let output = example("transfer_learning").arg("--help").output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success());
    for flag in [
        "--quick",
        "--full",
        "--fractions",
        "--epochs",
        "--pretrain-epochs",
        "--seeds",
        "--batch-size",
        "--lr",
        "--opt",
        "--dropout",
        "--device",
        "--data-path",
        "--output-dir",
        "--resume",
    ] {
        assert!(help.contains(flag), "{flag} is missing");
    }
}

#[test]
fn test_images_that_are_training_images_are_refused() {
    let data = data_with("t10k-images-idx3-ubyte.gz", |bytes| bytes);
    for kind in ["images-idx3", "labels-idx1"] {
        let from = data.path().join(format!("train-{kind}-ubyte.gz"));
        std::fs::copy(from, data.path().join(format!("t10k-{kind}-ubyte.gz"))).unwrap();
    }
    let output = transfer_learning(&["--data-path", data.path().to_str().unwrap()]);
    let told = "this is train-images-idx3-ubyte of Fashion-MNIST, not t10k-images-idx3-ubyte";
    assert_refused(&output, &["t10k-images-idx3-ubyte.gz", told]);
}

#[test]
fn a_divergence_is_one_line_and_leaves_nothing() {
    let nowhere = Nowhere::new();
    let out = nowhere.out();
    let arguments = ["--lr", "1e30", "--opt", "sgd", "--output-dir"];
    let output = example("transfer_learning")
        .args(["--quick", "--batch-size", "16"])
        .args(arguments)
        .arg(&out)
        .output()
        .unwrap();
    assert_refused(&output, &["pre-training on FM-2, seed 1 diverged", "epoch 1, batch 2"]);
    nowhere.assert_empty();
}

#[cfg(unix)]
#[test]
fn help_into_a_closed_pipe_is_no_error() {
    let command = format!("{} --help | true", example("transfer_learning").get_program().display());
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn export_onnx_writes_what_the_library_exports_and_says_how_to_run_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let device = selvedge::device::open("flex").unwrap();
    let architecture = selvedge::models::named("transfer_cnn").unwrap();
    let network = architecture.init(selvedge::models::Initialization::PyTorch, 1, &device).unwrap();
    let (weights, out) = (path("weights.safetensors"), path("model.onnx"));
    network.save_safetensors(&weights).unwrap();
    let files = ["--weights", &weights, "--out", &out];
    let export =
        |arguments: &[&str]| example("export_onnx").args(files).args(arguments).output().unwrap();

    let classes = export(&["--network=transfer_cnn", "--classes=a,b,c"]);
    assert_refused(&classes, &["number of class names is 3, but must be 5, one an output"]);
    assert_refused(&export(&["--network=cnn3"]), &["do not fit `cnn3`"]);
    assert_refused(&export(&["--network=resnet19"]), &["resnet19", "one of cnn2_small, "]);
    assert_refused(&export(&["--network=transfer_cnn", "--mean=0.3"]), &["--std"]);
    assert!(!Path::new(&out).exists());

    let output = export(&["--network=transfer_cnn"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read(&out).unwrap() == network.to_onnx_bytes().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "input   images: float32 [batch, 1, 28, 28]\n",
        "output  logits: float32 [batch, 5]\n",
        "  (logits,) = session.run([\"logits\"], {\"images\": pixels})\n",
    ] {
        assert!(text.contains(line), "no {line} in: {text}");
    }
}

#[test]
fn what_train_keeps_is_taken_by_predict_and_finetune() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let run = |name: &str, arguments: &[&str]| {
        let output = example(name).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    };
    let model = path("fm2/weights/best.safetensors");
    let trained = run("train", &["--classes=fm2", "--epochs=1", "--output-dir", &path("fm2")]);
    assert!(trained.contains("test: loss") && trained.contains("macro avg"), "{trained}");
    for file in [
        "config.toml",
        "results.csv",
        "results.svg",
        "confusion_matrix.svg",
        "worst_images.png",
        "weights/best.safetensors",
        "weights/last.safetensors",
    ] {
        assert!(folder.path().join("fm2").join(file).is_file(), "no {file}");
    }
    let predicted = run("predict", &[&model, "--classes=fm2", "--count=100"]);
    let right = predicted.lines().last().unwrap().split(' ').next().unwrap();
    // Five classes: 20 would be right by chance, with a standard deviation of 4.
    assert!(right.parse::<u32>().unwrap() > 60, "{predicted}");
    let fraction = ["--classes=fm1", "--fraction=5%", "--epochs=1", "--output-dir", &path("fm1")];
    let arguments = [&["--weights", model.as_str()][..], &fraction].concat();
    let tuned = run("finetune", &arguments);
    assert!(tuned.contains("head alone: test") && tuned.contains("all layers: test"), "{tuned}");
    let first = std::fs::read(folder.path().join("fm1/model.safetensors")).unwrap();
    let again = run("finetune", &[&arguments[..], &["--lr=0.01"]].concat());
    let second = folder.path().join("fm12");
    assert!(again.contains(&format!("the network is in {}\n", second.display())), "{again}");
    assert!(second.join("model.safetensors").is_file());
    assert_eq!(std::fs::read(folder.path().join("fm1/model.safetensors")).unwrap(), first);
}

#[test]
fn wrong_arguments_of_train_predict_and_finetune_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("no.safetensors");
    std::fs::write(&file, "this is no file of weights").unwrap();
    let file = file.display().to_string();
    let refused = |name: &str, arguments: &[&str], parts: &[&str]| {
        assert_refused(&example(name).args(arguments).output().unwrap(), parts);
    };
    refused("train", &["--model=resnet19"], &["resnet19", "cnn2_small"]);
    refused("train", &["--dataset=minst"], &["minst", "fashion_mnist"]);
    refused("train", &["--dataset=mnist", "--classes=fm1"], &["FM-1", "Fashion-MNIST"]);
    refused("train", &["--epochs=0"], &["epochs is 0"]);
    refused("train", &["--model=conv_autoencoder"], &["conv_autoencoder", "no linear layer"]);
    refused("train", &["--architecture=nothing.json"], &["nothing.json: No such file"]);
    refused("predict", &[&file], &["no.safetensors"]);
    let weights = ["--model=cnn2_small", "--weights", &file];
    let nowhere = [&weights[..], &["--output-dir", "/dev/null/x"]].concat();
    refused("finetune", &nowhere, &["cannot write /dev/null/x"]);
    refused("finetune", &["--weights", &file], &["no.safetensors"]);
    refused("finetune", &["no/photos", "--model=resnet18"], &["no/photos: not there"]);
    refused("finetune", &["no/photos"], &["--model"]);
    refused("predict", &[&file, "--top-k=0"], &["at least 1"]);
    refused("predict", &[&file, "--count=0"], &["--count", "at least 1"]);
    refused("inspect_weights", &[&file, "--key="], &["--key <KEY>"]);
}

#[test]
fn a_number_of_many_digits_is_said_in_few() {
    for setting in ["--lr=-1e300", "--weight-decay=-1e300", "--clip-grad-norm=-1e300"] {
        assert_refused(&transfer_learning(&[setting]), &["is -1e300, but must be"]);
    }
}
