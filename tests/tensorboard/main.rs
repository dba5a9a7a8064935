//! TensorBoard reads every value that [`EventWriter`] writes.
//!
//! `tests/data/tensorboard` holds two event files, of a run and of the same run carried on, and
//! `read.json`, which says what TensorBoard read in them. A machine without Python proves that it
//! writes the same bytes, one with Python reads them anew: `$PYTHON` (python3) that has `tensorboard`.
//!
//! After a change of what is written, record it with
//!
//! ```sh
//! TENSORBOARD_RECORD=1 PYTHON=python3 cargo test --test tensorboard
//! ```

mod observer;
mod reader;

use std::fs;
use std::path::{Path, PathBuf};

use reader::{read_with_tensorboard, records, scalars, without_version};
use selvedge::report::tensorboard::{EventError, EventOptions, EventWriter, RunStatus};
use serde_json::{Value, json};

const RECORD: &str = "tests/data/tensorboard";
const FILES: [&str; 2] =
    ["events.out.tfevents.1000000000.first", "events.out.tfevents.1000000100.resumed"];
const HOW_TO_RECORD: &str = "TENSORBOARD_RECORD=1 PYTHON=python3 cargo test --test tensorboard";

/// The events that a file begins with: its version and the start of a session.
const HEAD: usize = 2;

/// A run of three steps, then the same run from step 3 on, as if the checkpoint were of step 2. Gives
/// the two files.
fn write_run(folder: &Path) -> [PathBuf; 2] {
    let mut options = EventOptions { wall_time: Some(1e9), ..EventOptions::default() };
    let mut first = EventWriter::with_options(folder, &options).unwrap();
    let hparams = [
        ("learning_rate", 0.0625.into()),
        ("batch_size", 64.into()),
        ("optimizer", "adam".into()),
        ("augment", false.into()),
    ];
    first.hparams(&hparams, &["validation/loss", "validation/accuracy"]).unwrap();
    first.text("config", 0, "# Grüße\n\n| a | b |\n|---|---|\n| 1 | 2 |").unwrap();
    let pixels: Vec<u8> = (0..18).collect();
    first.image("rgb", 1, [3, 2, 3], &pixels).unwrap();
    first.image("grey", 1, [1, 2, 3], &pixels[..6]).unwrap();
    for (step, loss) in [(1, 0.5), (2, f64::NAN), (3, 0.125)] {
        first.scalar("validation/loss", step, loss).unwrap();
        first.histogram("fc1.weight", step, [-2.5, -2.5, 0.0, 0.125, 3.0]).unwrap();
    }
    options = EventOptions { first_step: Some(3), wall_time: Some(1e9 + 100.5) };
    let mut resumed = EventWriter::with_options(folder, &options).unwrap();
    for (step, loss) in [(3, 0.0), (4, -0.25)] {
        resumed.scalar("validation/loss", step, loss).unwrap();
    }
    resumed.end(RunStatus::Success).unwrap();
    [first.path().into(), resumed.path().into()]
}

/// What TensorBoard has to read in the files of [`write_run`].
fn expected() -> Value {
    // The buckets are PyTorch's, without the empty ones between others:
    // from torch.utils.tensorboard.summary import make_histogram
    // bins = SummaryWriter("/tmp/x").default_bins
    // h = make_histogram(np.array([-2.5, -2.5, 0, 0.125, 3]), bins)
    // print([(l, b) for l, b in zip(h.bucket_limit, h.bucket) if b])
    // The limit of an empty bucket is where the next one begins: the limit before it in `bins`.
    let histogram = json!([
        ["-2.5", "3.0", "5.0", "-1.875", "21.515625"],
        [
            ["-2.379100905625872", "2.0"],
            ["0.0", "0.0"],
            ["1e-12", "1.0"],
            ["0.12394802823537933", "0.0"],
            ["0.13634283105891729", "1.0"],
            ["2.8787120958073054", "0.0"],
            ["3.1665833053880363", "1.0"]
        ]
    ]);
    let histogram = |step: u64| json!([step, "1000000000.0", histogram]);
    json!({
        "file_version": 2.0,
        "scalars": { "validation/loss": [
            [1, "1000000000.0", "0.5"],
            [2, "1000000000.0", "nan"],
            [3, "1000000100.5", "0.0"],
            [4, "1000000100.5", "-0.25"],
        ]},
        "histograms": { "fc1.weight": [histogram(1), histogram(2)] },
        "images": {
            "grey": [[1, "1000000000.0", ["L", [3, 2], "000102030405"]]],
            // Red, green and blue of each pixel are 6 bytes apart in `[channels, height, width]`.
            "rgb": [[1, "1000000000.0", ["RGB", [3, 2], "00060c01070d02080e03090f040a10050b11"]]],
        },
        "texts": { "config": [
            [0, "1000000000.0", ["# Grüße\n\n| a | b |\n|---|---|\n| 1 | 2 |"]],
        ]},
        "text_tags": ["config"],
        "graph": null,
        "hparams": {
            "_hparams_/experiment": { "experiment": {
                "hparamInfos": [
                    { "name": "learning_rate", "type": "DATA_TYPE_FLOAT64" },
                    { "name": "batch_size", "type": "DATA_TYPE_FLOAT64" },
                    { "name": "optimizer", "type": "DATA_TYPE_STRING" },
                    { "name": "augment", "type": "DATA_TYPE_BOOL" },
                ],
                "metricInfos": [
                    { "name": { "tag": "validation/loss" } },
                    { "name": { "tag": "validation/accuracy" } },
                ],
            }},
            "_hparams_/session_start_info": { "sessionStartInfo": {
                "hparams": {
                    "augment": false,
                    "batch_size": "64.0",
                    "learning_rate": "0.0625",
                    "optimizer": "adam",
                },
                "startTimeSecs": "1000000000.0",
            }},
            "_hparams_/session_end_info": { "sessionEndInfo": {
                "status": "STATUS_SUCCESS",
                "endTimeSecs": "1000000100.5",
            }},
        },
    })
}

#[test]
fn tensorboard_reads_every_value_that_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let written = write_run(folder.path());
    let record = Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORD);
    if let Some((read, version)) = read_with_tensorboard(folder.path()) {
        assert_eq!(read, expected());
        if std::env::var_os("TENSORBOARD_RECORD").is_some() {
            fs::create_dir_all(&record).unwrap();
            for (path, name) in written.iter().zip(FILES) {
                fs::copy(path, record.join(name)).unwrap();
            }
            let mut read = read;
            read["tensorboard"] = version.into();
            let text = serde_json::to_string_pretty(&read).unwrap() + "\n";
            fs::write(record.join("read.json"), text).unwrap();
        }
    }
    for (path, name) in written.iter().zip(FILES) {
        assert!(
            fs::read(path).unwrap() == fs::read(record.join(name)).unwrap(),
            "{name} is no longer what TensorBoard has read; record it with\n{HOW_TO_RECORD}"
        );
    }
    let (read, _) = without_version(&fs::read(record.join("read.json")).unwrap());
    assert_eq!(read, expected());
}

#[test]
fn every_event_can_be_read_as_soon_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path()).unwrap();
    for step in 0..20u8 {
        events.scalar("loss", step.into(), f64::from(step) / 4.0).unwrap();
        let read = scalars(&fs::read(events.path()).unwrap());
        assert_eq!(read.len(), usize::from(step) + 1);
        assert_eq!(read.last(), Some(&(step.into(), "loss".into(), f32::from(step) / 4.0)));
    }
}

#[test]
fn a_file_cut_anywhere_in_its_last_record_gives_all_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path()).unwrap();
    events.scalar("loss", 1, 0.5).unwrap();
    events.scalar("loss", 2, 0.25).unwrap();
    let before = fs::metadata(events.path()).unwrap().len() as usize;
    events.histogram("weight", 2, [1.0, 2.0]).unwrap();
    let path = events.path().to_path_buf();
    let whole = fs::read(&path).unwrap();
    assert_eq!(records(&whole).len(), HEAD + 3);
    let losses = [(1, "loss".into(), 0.5), (2, "loss".into(), 0.25)];
    for end in before..whole.len() {
        assert_eq!(scalars(&whole[..end]), losses, "cut after {end} bytes");
    }
    // TensorBoard goes on with the next file.
    fs::write(&path, &whole[..(before + whole.len()) / 2]).unwrap();
    EventWriter::resume(folder.path(), 3).unwrap().scalar("loss", 3, 0.125).unwrap();
    if let Some((read, _)) = read_with_tensorboard(folder.path()) {
        let rows = read["scalars"]["loss"].as_array().unwrap();
        let values: Vec<_> = rows.iter().map(|row| row[2].as_str().unwrap()).collect();
        assert_eq!(values, ["0.5", "0.25", "0.125"]);
        assert_eq!(read["histograms"], json!({}));
    }
}

#[test]
fn a_new_file_comes_after_all_older_ones_whatever_the_clock_says() {
    let folder = tempfile::tempdir().unwrap();
    let future = folder.path().join("events.out.tfevents.4000000000.other-host.99.7");
    fs::write(&future, "").unwrap();
    let [first, resumed] = write_run(folder.path());
    assert!(future < first && first < resumed, "{first:?}, {resumed:?}");
    assert_eq!(fs::metadata(&future).unwrap().len(), 0);
}

#[test]
fn a_folder_that_vanishes_is_named_in_one_line_and_so_is_one_that_cannot_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path().join("run")).unwrap();
    events.scalar("loss", 1, 0.5).unwrap();
    fs::remove_dir_all(folder.path().join("run")).unwrap();
    let message = events.scalar("loss", 2, 0.5).unwrap_err().to_string();
    assert!(message.starts_with(&format!("cannot write {}: ", events.path().display())));
    assert_eq!(message.lines().count(), 1);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = EventWriter::create(&file).unwrap_err();
    assert!(error.to_string().starts_with(&format!("cannot write {}: ", file.display())));
}

#[test]
fn what_is_no_image_is_refused_and_the_file_stays_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut events = EventWriter::create(folder.path()).unwrap();
    let refused = |result: Result<(), EventError>| result.unwrap_err().to_string();
    let begin = "cannot write the image `x` for TensorBoard: ";
    for (shape, reason) in [
        ([5, 1, 2], "it has 5 channels, but must have 1 to 4"),
        ([1, 3, 3], "1 × 3 × 3 pixels are not 10 bytes"),
        ([3, usize::MAX, 2], "3 × 18446744073709551615 × 2 pixels are not 10 bytes"),
    ] {
        assert_eq!(refused(events.image("x", 1, shape, &[0; 10])), format!("{begin}{reason}"));
    }
    assert!(refused(events.image("x", 1, [1, 0, 2], &[])).starts_with(begin));
    assert!(refused(events.png("x", 1, b"no PNG")).starts_with(begin));
    assert_eq!(records(&fs::read(events.path()).unwrap()).len(), HEAD);
}
