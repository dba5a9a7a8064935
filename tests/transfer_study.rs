//! The transfer study: every run starts afresh, and the results have the documented form.

use selvedge::files::Output;
use selvedge::prelude::*;
use selvedge::study::transfer::{FinalRun, Start, TransferConfig, TransferOutcome, TransferStudy};

/// Images with one bright row or column; the label is its position. `offset` makes other images.
fn lines(count: usize, vertical: bool, offset: usize) -> View {
    let pixel = |i: usize, p: usize| {
        let (row, column) = (p / 12, p % 12);
        let along = if vertical { column } else { row };
        let noise = ((i * 144 + p + offset) as f64 * 78.233).sin().abs() * 90.0;
        noise as u8 + if along / 3 == i % 4 { 100 } else { 0 }
    };
    let images = (0..count).flat_map(|i| (0..144).map(move |p| pixel(i, p))).collect();
    let labels = (0..count).map(|i| (i % 4) as u16).collect();
    let classes = (0..4).map(|i| format!("line {i}")).collect();
    ImageDataset::new("lines", images, [1, 12, 12], labels, classes).unwrap().view()
}

fn split(vertical: bool) -> Split {
    let [train, validation] =
        [(200, 0), (40, 1_000_000)].map(|(count, offset)| lines(count, vertical, offset));
    Split::new(train, validation, Some(lines(60, vertical, 2_000_000))).unwrap()
}

fn study(config: TransferConfig) -> TransferStudy {
    let network = Architecture::new("tiny", [1, 12, 12])
        .conv("conv1", 6, 3, 0)
        .relu()
        .max_pool(2)
        .flatten()
        .linear("fc1", 16)
        .relu()
        .linear("fc2", 4);
    TransferStudy {
        source_name: "vertical".into(),
        source: split(true),
        target_name: "horizontal".into(),
        target: split(false),
        source_network: network.clone(),
        target_network: network,
        config,
    }
}

fn config(fractions: &[f64], seeds: &[u64]) -> TransferConfig {
    TransferConfig {
        fractions: fractions.to_vec(),
        seeds: seeds.to_vec(),
        pretrain_epochs: 2,
        fit: FitConfig { epochs: 2, batch_size: 16, ..FitConfig::default() },
        ..TransferConfig::default()
    }
}

fn run(config: TransferConfig) -> TransferOutcome {
    study(config).run("flex", &context()).unwrap()
}

fn context() -> Context {
    Context::new(&selvedge::device::open("flex").unwrap())
}

#[test]
fn a_point_does_not_depend_on_the_points_before_it() {
    let alone = run(config(&[0.5], &[7]));
    let among = run(config(&[0.1, 0.25, 0.5], &[7, 8]));
    for start in Start::ALL {
        let of = |outcome: &TransferOutcome| {
            let points = outcome.results.runs(0.5, start);
            points.filter(|p| p.seed == 7).cloned().collect::<Vec<_>>()
        };
        assert_eq!(of(&alone).len(), 1);
        assert_eq!(of(&alone), of(&among), "{start:?}");
    }
}

#[test]
fn runs_at_the_same_time_give_the_same_bits_in_the_same_order() {
    // Dropout, too: its draws belong to the run.
    let mut study = study(config(&[0.25, 1.0, 0.5], &[1, 2]));
    study.target_network = Architecture::new("tiny", [1, 12, 12])
        .conv("conv1", 6, 3, 0)
        .relu()
        .max_pool(2)
        .channel_dropout(0.2)
        .flatten()
        .linear("fc1", 16)
        .relu()
        .dropout(0.3)
        .linear("fc2", 4);
    let by = |jobs| study.run("flex", &context().with_jobs(jobs)).unwrap();
    let one = by(1);
    for jobs in [2, 3, 50] {
        let several = by(jobs);
        assert_eq!(several.results.curve, one.results.curve, "{jobs} jobs");
        assert_eq!(several.finals.len(), 2);
        for (kept, expected) in several.finals.iter().zip(&one.finals) {
            assert_eq!((kept.start, kept.fraction), (expected.start, 1.0));
            let losses =
                |run: &FinalRun| run.history.epochs.iter().map(|e| e.train).collect::<Vec<_>>();
            assert_eq!(losses(kept), losses(expected));
            assert_eq!(kept.test.metrics, expected.test.metrics);
        }
    }
}

#[test]
fn random_runs_know_nothing_of_the_pre_training() {
    let short = run(config(&[0.5], &[3]));
    let long = run(TransferConfig { pretrain_epochs: 4, ..config(&[0.5], &[3]) });
    let test =
        |outcome: &TransferOutcome, start| outcome.results.runs(0.5, start).next().unwrap().test;
    assert_eq!(test(&short, Start::Random), test(&long, Start::Random));
    assert_ne!(test(&short, Start::Transferred), test(&long, Start::Transferred));
}

#[test]
fn every_fraction_seed_and_start_has_one_run() {
    let results = run(config(&[0.1, 1.0], &[1, 2, 3])).results;
    assert_eq!(results.curve.len(), 2 * 3 * 2);
    for (fraction, images) in [(0.1, 20), (1.0, 200)] {
        for start in Start::ALL {
            let points: Vec<_> = results.runs(fraction, start).collect();
            assert_eq!(points.iter().map(|p| p.seed).collect::<Vec<_>>(), [1, 2, 3]);
            assert!(points.iter().all(|p| p.images == images));
        }
    }
    assert_eq!(results.rows.len(), 2);
    assert!(results.complete && results.pretrain.len() == 3);
}

#[test]
fn each_seed_has_a_pre_training_of_its_own() {
    let both = run(config(&[0.5], &[3, 4])).results;
    assert_eq!(both.pretrain.iter().map(|p| p.seed).collect::<Vec<_>>(), [3, 4]);
    assert_ne!(both.pretrain[0].test, both.pretrain[1].test);
    for (index, seed) in [3, 4].into_iter().enumerate() {
        // All of a seed is as if it had been alone.
        let alone = run(config(&[0.5], &[seed])).results;
        assert_eq!(alone.pretrain[0].test, both.pretrain[index].test);
        let of_seed: Vec<_> = both.curve.iter().filter(|p| p.seed == seed).cloned().collect();
        assert_eq!(alone.curve, of_seed);
    }
}

#[test]
fn a_pre_training_that_diverges_is_an_error() {
    let optimizer = OptimizerConfig::sgd(0.0);
    let mut wild = config(&[0.5], &[1]);
    wild.fit = FitConfig { learning_rate: 1e36, optimizer, ..wild.fit };
    let error = study(wild).run("flex", &context()).unwrap_err().to_string();
    assert!(error.starts_with("the run diverged: the loss is "), "{error}");
}

#[test]
fn a_run_on_the_target_that_diverges_is_reported_and_leaves_no_point() {
    // Scaled by a source of nearly equal pixels, the target's pixels are huge. Without ReLU, whose
    // zeros would end it, two layers drive each other up without bound.
    let mut study = study(config(&[0.5], &[1]));
    study.config.fit.learning_rate = 0.05;
    study.source = dim(&study.source);
    let linear = Architecture::new("linear", [1, 12, 12]).flatten().linear("fc1", 16);
    study.source_network = linear.linear("fc2", 4);
    study.target_network = study.source_network.clone();
    study.config.fit.optimizer = OptimizerConfig::sgd(0.9);
    for jobs in [1, 2] {
        let results = study.run("flex", &context().with_jobs(jobs)).unwrap().results;
        assert!(results.curve.is_empty(), "{:?}", results.curve);
        let reported: Vec<Start> = results.diverged.iter().map(|d| d.start).collect();
        assert_eq!(reported, [Start::Random, Start::Transferred]);
        assert_eq!(results.table().matches(": diverged in epoch ").count(), 2);
    }
}

/// The same classes in images of 100 and 101.
fn dim(split: &Split) -> Split {
    let dim = |view: &View| {
        let pixels = (0..view.len()).flat_map(|i| view.image(i).iter().map(|p| 100 + p / 130));
        let labels = (0..view.len()).map(|i| view.label(i)).collect();
        let classes = view.classes().to_vec();
        ImageDataset::new("dim", pixels.collect(), [1, 12, 12], labels, classes).unwrap().view()
    };
    let test = split.test().unwrap();
    // So dark that some of them are alike.
    Split::with_shared_images(dim(&split.train), dim(&split.validation), Some(dim(test))).unwrap()
}

#[test]
fn a_study_that_is_stopped_at_once_has_nothing_and_leaves_nothing() {
    let stop = Stop::default();
    stop.request();
    let context = context().with_stop(stop);
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("runs/stopped");
    let outcome = study(config(&[0.5], &[1])).run_in(&folder, "flex", &context).unwrap();
    assert!(!outcome.results.complete && outcome.pretrained.is_none());
    assert_eq!(outcome.results.progress(), "0 of 2 runs are complete");
    assert!(outcome.results.answer().ends_with("No pair of runs is complete"));
    outcome.finish().unwrap();
    assert!(!parent.path().join("runs").exists());
}

#[test]
fn the_results_have_the_documented_form() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::new(folder.path()).unwrap();
    run(config(&[0.25], &[5])).write(&output).unwrap();
    let text = std::fs::read_to_string(output.path("results.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["experiment"], "transfer_learning");
    assert_eq!(json["device"], "flex");
    assert_eq!(json["seeds"], serde_json::json!([5]));
    assert_eq!(json["pretrain"][0]["dataset"], "vertical");
    assert_eq!(json["pretrain"][0]["epochs"][1]["epoch"], 2);
    assert_eq!(json["complete"], true);
    for at in [
        "/version",
        "/config/fit/batch_size",
        "/pretrain/0/best_epoch",
        "/pretrain/0/epochs/0/train/loss",
        "/pretrain/0/epochs/0/validation/accuracy",
        "/pretrain/0/epochs/0/seconds",
        "/pretrain/0/test/accuracy",
        "/curve/0/best_epoch",
        "/curve/0/train/accuracy",
        "/curve/0/validation/loss",
        "/curve/1/test/accuracy",
        "/rows/0/random/mean",
        "/rows/0/difference/pairs",
        "/rows/0/difference/adjusted_p",
        "/images_per_second",
        "/wall_seconds",
    ] {
        assert!(json.pointer(at).is_some_and(|v| !v.is_null()), "{at} is missing");
    }
    // 2 epochs of 200 images of the source, and twice 2 of a quarter of the target's 200.
    let number = |at: &str| json.pointer(at).and_then(|v| v.as_f64()).unwrap();
    let images = number("/images_per_second") * number("/wall_seconds");
    assert!((images - 600.0).abs() < 1e-6, "{images}");
    assert_eq!(json["curve"][0]["start"], "random");
    assert_eq!(json["curve"][1]["start"], "transferred");
    assert_eq!(json["curve"][0]["fraction"], 0.25);
    let lines = std::fs::read_to_string(output.path("curve.csv")).unwrap().lines().count();
    assert_eq!(lines, 3);
}

#[test]
fn a_folder_holds_the_files_of_its_last_study_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let output = Output::new(folder.path()).unwrap();
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let mut outcome = run(config(&[0.25], &[5]));
    outcome.write(&output).unwrap();
    let whole = [
        "confusion.png",
        "confusion.svg",
        "curve.csv",
        "curve.png",
        "curve.svg",
        "history.png",
        "history.svg",
        "pretrained.safetensors",
        "random.safetensors",
        "results.json",
        "transferred.safetensors",
    ];
    assert_eq!(names(), whole);
    // As if the run from transferred weights had diverged.
    outcome.finals.retain(|run| run.start == Start::Random);
    outcome.write(&output).unwrap();
    let left = whole.iter().filter(|name| !name.starts_with("con") && !name.starts_with("tra"));
    assert!(names().iter().eq(left), "{:?}", names());
}
