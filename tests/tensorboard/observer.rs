//! What a run tells its observers is what TensorBoard shows of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use selvedge::burn::tensor::TensorData;
use selvedge::models::named;
use selvedge::models::state::State;
use selvedge::report::{Pictures, TensorBoard};
use selvedge::train::{
    EndReason, EpochDone, EpochRow, Observer, RunEnded, RunStarted, StepDone, StepInterval, Tensors,
};
use serde_json::{Value, json};

use crate::reader::{read_with_tensorboard, scalars};

const COLUMNS: &[&str] = &["loss", "accuracy"];

/// Optimizer steps an epoch.
const STEPS: usize = 3;

#[derive(Debug)]
struct Weights;

impl Tensors for Weights {
    fn values(&self) -> State {
        let one = |name: &str| (name.into(), TensorData::from([1.0f32, 2.0]));
        BTreeMap::from(["conv1.weight", "fc1.weight", "bn1.running_mean"].map(one))
    }

    fn gradients(&self) -> State {
        BTreeMap::from([("fc1.weight".into(), TensorData::from([0.5f32, -0.5]))])
    }
}

fn row(epoch: usize) -> EpochRow {
    EpochRow {
        columns: COLUMNS,
        epoch,
        train: vec![1.0 / epoch as f64, 0.5],
        validation: Some(vec![2.0 / epoch as f64, 0.25]),
        learning_rate: 0.125,
        seconds: 1.0,
    }
}

/// Starts a run of which so many epochs are complete.
fn start(observer: &mut dyn Observer, complete: usize, folder: Option<&Path>) {
    tell(complete, folder, |run| observer.run_started(run).unwrap());
}

/// Tells of a run of which so many epochs are complete.
fn tell(complete: usize, folder: Option<&Path>, what: impl FnOnce(&RunStarted)) {
    let settings = [
        ("optimizer.name", "adam"),
        ("learning_rate", "0.125"),
        ("augment", "true"),
        ("data.train_images", "192"),
        ("data.train_checksum", "12e4"),
        ("schedule", "inf"),
    ];
    let run = RunStarted {
        label: "birds",
        model: "cnn2_small",
        layers: Some(&named("cnn2_small").unwrap()),
        epochs: 4,
        images: 192,
        batches: STEPS,
        columns: COLUMNS,
        rows: &(1..=complete).map(row).collect::<Vec<_>>(),
        step: STEPS * complete,
        batch: 0,
        folder,
        config: "[optimizer]\nname = \"adam\"\n",
        settings: &settings.map(|(name, value)| (name.into(), value.into())),
    };
    what(&run);
}

fn epoch(observer: &mut dyn Observer, epoch: usize) {
    let done = EpochDone {
        row: &row(epoch),
        text: "",
        epochs: 4,
        step: STEPS * epoch,
        is_best: true,
        images_per_second: 512.0,
        seconds_left: 1.0,
        tensors: &Weights,
    };
    observer.epoch(&done).unwrap();
}

/// A step within an epoch that is never completed.
fn step(observer: &mut dyn Observer, step: usize) {
    let done = StepDone {
        epoch: step / STEPS + 1,
        epochs: 4,
        step,
        batch: step % STEPS,
        images: 64,
        images_of: 192,
        columns: COLUMNS,
        recent: &[0.75, 0.5],
        so_far: &[0.5, 0.5],
        text: "",
        learning_rate: 0.25,
        images_per_second: 256.0,
        seconds_left: 1.0,
    };
    observer.step(&done).unwrap();
}

fn end(observer: &mut dyn Observer, epochs: usize, reason: EndReason) {
    let rows: Vec<_> = (1..=epochs).map(row).collect();
    observer.run_ended(&RunEnded { rows: &rows, best: rows.last(), reason }).unwrap();
}

/// The event files of a folder in the order of their names.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.file_name().unwrap().to_string_lossy().contains("tfevents"))
        .filter(|path| path.is_file())
        .collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// The steps and values of one scalar.
fn curve(file: &[u8], tag: &str) -> Vec<(i64, f32)> {
    let found = scalars(file).into_iter().filter(|(_, name, _)| name == tag);
    found.map(|(step, _, value)| (step, value)).collect()
}

#[test]
fn a_run_that_is_killed_and_carried_on_is_shown_as_if_it_had_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut killed = TensorBoard::new().every(StepInterval::Steps(1));
    start(&mut killed, 0, Some(folder));
    epoch(&mut killed, 1);
    epoch(&mut killed, 2);
    step(&mut killed, 2 * STEPS + 1);
    drop(killed);
    // The last checkpoint is of epoch 1.
    let mut resumed = TensorBoard::new();
    start(&mut resumed, 1, Some(folder));
    (2..=4).for_each(|at| epoch(&mut resumed, at));
    end(&mut resumed, 4, EndReason::Complete);

    let [first, second] = &files(folder)[..] else { panic!("not two files") };
    assert_eq!(curve(first, "validation/loss"), [(3, 2.0), (6, 1.0)]);
    assert_eq!(curve(first, "batches/loss"), [(7, 0.75)]);
    assert_eq!(curve(second, "validation/loss"), [(6, 1.0), (9, 2.0 / 3.0), (12, 0.5)]);
    for (tag, value) in [
        ("train/accuracy", 0.5),
        ("validation/accuracy", 0.25),
        ("learning_rate", 0.125),
        ("images_per_second", 512.0),
    ] {
        assert_eq!(curve(second, tag), [6, 9, 12].map(|step| (step, value)), "{tag}");
    }
    assert_eq!(curve(second, "epoch"), [(6, 2.0), (9, 3.0), (12, 4.0)]);

    let Some((read, _)) = read_with_tensorboard(folder) else { return };
    let steps = |kind: &str, tag: &str| -> Vec<u64> {
        let events = read[kind][tag].as_array().unwrap();
        events.iter().map(|event| event[0].as_u64().unwrap()).collect()
    };
    assert_eq!(steps("scalars", "validation/loss"), [3, 6, 9, 12]);
    assert_eq!(read["scalars"].get("batches/loss"), Some(&json!([])), "it was not repeated");
    assert_eq!(steps("histograms", "gradients/fc1.weight"), [3, 6, 9, 12]);
    let histograms: Vec<_> = read["histograms"].as_object().unwrap().keys().collect();
    assert_eq!(
        histograms,
        ["gradients/fc1.weight", "weights/fc1.weight"],
        "frozen ones are left out"
    );
    let config = "```toml\n[optimizer]\nname = \"adam\"\n```\n";
    let texts: Vec<_> = read["texts"]["config"].as_array().unwrap().iter().collect();
    assert!(texts.iter().all(|text| text[2] == json!([config])));
    assert_eq!(steps("texts", "config"), [0, 3]);
    // Kernel 3 with padding 1 keeps 28 × 28 pixels, and pools halve them.
    assert_eq!(read["graph"]["conv2"], json!(["Conv2d", ["pool1"], [-1, 20, 14, 14]]));
    assert_eq!(read["graph"]["images"], json!(["Placeholder", [], [-1, 1, 28, 28]]));
    let hparams = |part: &str| -> Value { read["hparams"][format!("_hparams_/{part}")].clone() };
    let set = &hparams("session_start_info")["sessionStartInfo"]["hparams"];
    assert_eq!(
        *set,
        json!({
            "model.name": "cnn2_small",
            "data.train_images": "192.0",
            "schedule": "inf",
            "optimizer.name": "adam",
            "learning_rate": "0.125",
            "augment": true,
        })
    );
    assert_eq!(hparams("session_end_info")["sessionEndInfo"]["status"], "STATUS_SUCCESS");
}

#[test]
fn an_epoch_whose_run_was_killed_between_checkpoint_and_events_is_shown_once_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut killed = TensorBoard::new();
    start(&mut killed, 0, Some(folder));
    epoch(&mut killed, 1);
    // Written again later: what the first file says of epoch 2 is not shown any more.
    epoch(&mut killed, 2);
    start(&mut TensorBoard::new(), 1, Some(folder));
    // Killed with the checkpoint of epoch 2 on the disk.
    let mut resumed = TensorBoard::new();
    start(&mut resumed, 2, Some(folder));
    epoch(&mut resumed, 3);
    // And with that of epoch 4, the last one: what is complete is told of it again and again.
    for _ in 0..2 {
        tell(4, Some(folder), |run| TensorBoard::new().run_found_complete(run).unwrap());
    }
    let files = files(folder);
    let curves: Vec<_> = files.iter().map(|file| curve(file, "validation/loss")).collect();
    let expected =
        [vec![(3, 2.0), (6, 1.0)], vec![], vec![(6, 1.0), (9, 2.0 / 3.0)], vec![(12, 0.5)]];
    assert_eq!(curves, expected);
    assert_eq!(curve(&files[2], "epoch"), [(6, 2.0), (9, 3.0)]);
    assert_eq!(curve(&files[3], "learning_rate"), [(12, 0.125)]);
    assert!(files[3].windows(16).any(|bytes| bytes == b"session_end_info"), "it has ended");

    let Some((read, _)) = read_with_tensorboard(folder) else { return };
    let events = read["scalars"]["validation/loss"].as_array().unwrap();
    assert_eq!(events.iter().map(|event| &event[0]).collect::<Vec<_>>(), [3, 6, 9, 12]);
}

#[test]
fn an_epoch_is_shown_whole_or_not_at_all_and_never_at_a_step_that_is_not_its_last() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut killed = TensorBoard::new().histograms_every(0);
    start(&mut killed, 0, Some(folder));
    epoch(&mut killed, 1);
    epoch(&mut killed, 2);
    let name = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&name).unwrap();
    assert_eq!(curve(&whole, "train/loss"), [(3, 1.0), (6, 0.5)]);
    // Nothing but the last event can have been cut.
    for cut in [1, 60, 150] {
        fs::write(&name, &whole[..whole.len() - cut]).unwrap();
        assert_eq!(curve(&whole[..whole.len() - cut], "train/loss"), [(3, 1.0)], "{cut}");
    }
    // The run went on without being shown, and was stopped within the third epoch.
    tell(2, Some(folder), |run| {
        let within = RunStarted { step: run.step + 1, batch: 1, ..*run };
        TensorBoard::new().run_started(&within).unwrap();
    });
    let all: Vec<_> = files(folder).iter().flat_map(|file| curve(file, "epoch")).collect();
    assert_eq!(all, [(3, 1.0)]);
    // What looks like an event file and is none disturbs nothing.
    fs::create_dir(folder.join("events.out.tfevents.1000000000.folder")).unwrap();
    start(&mut TensorBoard::new(), 2, Some(folder));
    let last = curve(files(folder).last().unwrap(), "epoch");
    assert_eq!(last, [(6, 2.0)]);
}

#[test]
fn a_run_that_was_not_shown_before_has_no_point_made_up_for_it() {
    let folder = tempfile::tempdir().unwrap();
    // Of epoch 2 it is not known which step was its last: the checkpoint may be a later one.
    start(&mut TensorBoard::new(), 2, Some(folder.path()));
    tell(2, Some(folder.path()), |run| TensorBoard::new().run_found_complete(run).unwrap());
    let [file] = &files(folder.path())[..] else { panic!("not one file") };
    assert_eq!(curve(file, "epoch"), []);
}

#[test]
fn a_run_that_starts_anew_replaces_all_that_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for epochs in [3, 1] {
        let mut observer = TensorBoard::new().in_folder(folder.path()).histograms_every(2);
        start(&mut observer, 0, None);
        (1..=epochs).for_each(|at| epoch(&mut observer, at));
        end(&mut observer, epochs, EndReason::Stopped);
    }
    let Some((read, _)) = read_with_tensorboard(folder.path()) else { return };
    assert_eq!(read["scalars"]["train/loss"].as_array().unwrap().len(), 1);
    assert_eq!(
        read["histograms"]["weights/fc1.weight"],
        json!([]),
        "the second epoch is not repeated"
    );
}

#[test]
fn a_run_without_a_folder_is_refused_before_it_begins() {
    let run = RunStarted {
        label: "",
        model: "",
        layers: None,
        epochs: 1,
        images: 1,
        batches: 1,
        columns: COLUMNS,
        rows: &[],
        step: 0,
        batch: 0,
        folder: None,
        config: "",
        settings: &[],
    };
    let message = TensorBoard::new().run_started(&run).unwrap_err().to_string();
    assert!(message.starts_with("there is no folder for TensorBoard: "), "{message}");
    Pictures::new().run_started(&run).unwrap();
}

#[test]
fn pictures_are_there_after_the_first_epoch_and_show_the_last_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let picture = || fs::read_to_string(folder.path().join("results.svg")).unwrap();
    let mut observer = Pictures::new();
    start(&mut observer, 1, Some(folder.path()));
    epoch(&mut observer, 2);
    let early = picture();
    assert!(early.contains("birds") && early.contains("accuracy (%)"));
    (3..=4).for_each(|at| epoch(&mut observer, at));
    end(&mut observer, 4, EndReason::EarlyStopping);
    assert_ne!(picture(), early);
    let png = fs::read(folder.path().join("results.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_picture_that_cannot_be_written_ends_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let mut observer = Pictures::new().in_folder(&gone);
    start(&mut observer, 0, None);
    epoch(&mut observer, 1);
    end(&mut observer, 1, EndReason::Complete);
    assert!(!gone.exists());
}
