//! The examples for the course reports: what they leave in their folders, that they go on there, and what they refuse.

#[path = "common/command.rs"]
mod command;
#[path = "common/refused.rs"]
mod refused;

use command::example;
use refused::assert_refused;

#[test]
fn report_a_draws_maps_of_each_class_and_reconstructions_and_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out").display().to_string();
    let run = |more: &[&str]| {
        let arguments = ["--quick", "--device=flex", "--output-dir", &out];
        let output = example("report_a").args(arguments).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let read = |name: &str| std::fs::read(folder.path().join("out").join(name)).unwrap();
    let first = run(&[]);
    assert!(first.contains("CNN, epoch 1 of 1: test loss"), "{first}");
    assert!(first.contains("autoencoder, epoch 1 of 1: mean squared error: validation 0."));
    let names = ["maps", "maps_t_shirt_top", "maps_sandal", "maps_bag", "reconstructions"];
    let pictures: Vec<Vec<u8>> = names.map(|name| read(&format!("{name}.png"))).into();
    let svg = String::from_utf8(read("maps_trouser.svg")).unwrap();
    // Of three layers six maps and a bar, and the image.
    assert_eq!(svg.matches("<image ").count(), 3 * 7 + 1);
    assert_eq!(run(&["--resume"]), first);
    assert_eq!(names.map(|name| read(&format!("{name}.png"))).to_vec(), pictures);
    let both = example("report_a").args(["--quick", "--epochs=3"]).output().unwrap();
    assert_refused(&both, &["--quick", "--epochs"]);
}

/// What the examples for the course reports leave in their folders, and that they go on there.
#[test]
fn the_examples_of_the_reports_leave_their_pictures_and_are_resumed() {
    let runs = tempfile::tempdir().unwrap();
    for (name, arguments, said, files) in [
        (
            "report_b",
            &[][..],
            "target clean: test loss ",
            &["samples.png", "reconstructions.png", "noisy/results.csv", "clean/results.csv"][..],
        ),
        (
            "report_c",
            &["--model=mnist_cnn", "--log-every=4"],
            "before training: test loss ",
            &["images_seen.svg", "images_seen.png", "predictions.png", "confusion_matrix.svg"],
        ),
        (
            "report_e",
            &[],
            "identity ",
            &["activations.svg", "activations.png", "tanh/weights/best.safetensors"],
        ),
    ] {
        let folder = runs.path().join(name);
        let run = |last: &[&str]| {
            let mut command = example(name);
            command.arg("--quick").args(arguments).arg("--output-dir").arg(&folder).args(last);
            let output = command.output().unwrap();
            let errors = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{name}: {errors}");
            (String::from_utf8(output.stdout).unwrap(), errors)
        };
        let (answer, messages) = run(&[]);
        assert!(answer.contains(said), "{name}: {answer}");
        for file in files {
            assert!(folder.join(file).is_file(), "{name}: no {file}");
        }
        if name == "report_c" {
            // 1000 images in batches of 64 are 16 steps.
            assert!(messages.contains("epoch 1/1: 256/1000 images (26 %) · loss "), "{messages}");
            let steps = std::fs::read_to_string(folder.join("steps.csv")).unwrap();
            assert_eq!(steps.lines().count(), 5, "{steps}");
        }
        // As if it was killed before it drew the last epoch.
        let curves = folder.join("results.png");
        let drawn = std::fs::read(&curves).ok();
        assert_eq!(drawn.is_some(), name == "report_c", "{name}");
        if drawn.is_some() {
            std::fs::remove_file(&curves).unwrap();
        }
        let (again, messages) = run(&["--resume"]);
        assert_eq!(again, answer, "{name}");
        assert_eq!(std::fs::read(&curves).ok(), drawn, "{name}");
        assert!(!messages.contains("epoch 1/1"), "{name} trained again: {messages}");
    }
}

#[test]
fn wrong_arguments_of_the_examples_of_the_reports_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("run");
    for (name, argument, parts) in [
        ("report_b", "--noise=-1", ["noise", "-1"]),
        ("report_b", "--epochs=0", ["epochs is 0", "at least 1"]),
        ("report_c", "--model=mnist_cnn4", ["'mnist_cnn4'", "bn_cnn"]),
        ("report_c", "--log-every=0", ["--log-every", "'0'"]),
        ("report_c", "--dataset=minst", ["minst", "fashion_mnist"]),
        ("report_e", "--lr=-1", ["learning rate", "-1"]),
        ("report_e", "--data-path=no/such/folder", ["no/such/folder", "not a folder"]),
    ] {
        let arguments = ["--quick", argument, "--output-dir", output.to_str().unwrap()];
        assert_refused(&example(name).args(arguments).output().unwrap(), &parts);
        assert!(!output.exists(), "{name} {argument} leaves a folder");
    }
}
