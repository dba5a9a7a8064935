//! The transfer study in a folder: what is finished is kept, carried on and never replaced by another.

#[path = "common/tiny_study.rs"]
mod tiny_study;

use std::fs;
use std::path::{Path, PathBuf};

use selvedge::prelude::*;
use selvedge::study::StudyError;
use selvedge::study::transfer::{TransferOutcome, TransferStudy};
use selvedge::train::{ObserverError, StepDone, StepInterval};

fn study() -> TransferStudy {
    tiny_study::study(&[0.5, 0.2], &[1, 2], 2)
}

fn context() -> Context {
    Context::new(&selvedge::device::open("flex").unwrap())
}

fn run_in(study: &TransferStudy, folder: &Path) -> Result<TransferOutcome, Box<StudyError>> {
    study.run_in(folder, "flex", &context()).map_err(Box::new)
}

/// What a study found, without what is measured by the clock: its figures and the bytes of its models.
fn found(outcome: &TransferOutcome) -> (serde_json::Value, Vec<Vec<u8>>) {
    let models = outcome.pretrained.iter().chain(outcome.finals.iter().map(|run| &run.model));
    let models = models.map(|model| model.to_bytes().unwrap()).collect();
    (without_seconds(serde_json::to_value(&outcome.results).unwrap()), models)
}

fn figures(folder: &Path) -> serde_json::Value {
    let text = fs::read_to_string(folder.join("results.json")).unwrap();
    without_seconds(serde_json::from_str(&text).unwrap())
}

fn without_seconds(mut json: serde_json::Value) -> serde_json::Value {
    json["wall_seconds"].take();
    json["images_per_second"].take();
    for pretraining in json["pretrain"].as_array_mut().unwrap() {
        for epoch in pretraining["epochs"].as_array_mut().unwrap() {
            epoch["seconds"].take();
        }
    }
    json
}

/// The folder of a study whose trials are finished, and what it found.
fn finished() -> (tempfile::TempDir, (serde_json::Value, Vec<Vec<u8>>)) {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run_in(&study(), folder.path()).unwrap();
    let found = found(&outcome);
    assert!(outcome.results.complete && found.1.len() == 3);
    (folder, found)
}

fn trials(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.join("trials")).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn a_study_that_lacks_any_of_its_trials_ends_with_the_same_bits() {
    let (folder, expected) = finished();
    assert_eq!(found(&study().run("flex", &context()).unwrap()), expected, "in memory");
    let mut names = trials(folder.path());
    names.retain(|path| !path.ends_with("study.toml"));
    // A record of each of two pre-trainings and eight runs, and six models.
    assert_eq!(names.len(), 16);
    // Each file alone is lost, and all together.
    for lost in names.iter().map(std::slice::from_ref).chain([names.as_slice()]) {
        for path in lost {
            fs::remove_file(path).unwrap();
        }
        let outcome = run_in(&study(), folder.path()).unwrap();
        assert!(found(&outcome) == expected, "{lost:?}");
    }
}

#[test]
fn a_damaged_trial_is_named_and_done_again() {
    let (folder, expected) = finished();
    let mut names = trials(folder.path());
    names.retain(|path| !path.ends_with("study.toml"));
    for path in names {
        let whole = fs::read(&path).unwrap();
        for damaged in [whole[..whole.len() / 2].to_vec(), vec![b'x'; whole.len()], Vec::new()] {
            fs::write(&path, damaged).unwrap();
            let outcome = run_in(&study(), folder.path()).unwrap();
            assert_eq!(outcome.damaged, std::slice::from_ref(&path));
            assert!(found(&outcome) == expected, "{}", path.display());
        }
    }
}

#[test]
fn a_finished_study_is_read_and_not_done_again() {
    let (folder, expected) = finished();
    let times = || -> Vec<_> {
        let paths = trials(folder.path());
        paths.iter().map(|path| path.metadata().unwrap().modified().unwrap()).collect()
    };
    let before = times();
    // The time of each trial's end since the beginning of the study.
    let seconds = trials(folder.path()).into_iter().filter_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| line.strip_prefix("study_seconds = ")?.parse::<f64>().ok())
    });
    let last = seconds.fold(0.0, f64::max);
    let again = run_in(&study(), folder.path()).unwrap();
    assert!(found(&again) == expected);
    assert_eq!(times(), before);
    assert!(last > 0.0 && again.results.wall_seconds >= last);
}

#[test]
fn a_study_that_was_stopped_goes_on_with_what_is_not_finished() {
    let (_whole, expected) = finished();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("study");
    let stop = Stop::default();
    let context = context().with_stop(stop.clone());
    let outcome = std::thread::scope(|scope| {
        let run = scope.spawn(|| study().run_in(&folder, "flex", &context).unwrap());
        while !folder.join("trials/pretrain-seed1.toml").exists() && !run.is_finished() {
            std::thread::yield_now();
        }
        stop.request();
        run.join().unwrap()
    });
    let complete = outcome.results.complete;
    outcome.finish().unwrap();
    assert_eq!(figures(&folder)["complete"], complete);
    let outcome = run_in(&study(), &folder).unwrap();
    assert!(found(&outcome) == expected);
    outcome.finish().unwrap();
    // As text: serde_json may read a number a bit off.
    let whole: serde_json::Value = serde_json::from_str(&expected.0.to_string()).unwrap();
    for part in ["curve", "rows", "pretrain"] {
        assert_eq!(figures(&folder)[part], whole[part]);
    }
}

#[test]
fn a_finished_study_that_is_stopped_at_once_keeps_its_models() {
    let folder = tempfile::tempdir().unwrap();
    let names = || -> Vec<PathBuf> {
        let entries = fs::read_dir(&folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    };
    let outcome = run_in(&study(), folder.path()).unwrap();
    let expected = found(&outcome);
    outcome.finish().unwrap();
    let before = names();
    assert!(before.contains(&folder.path().join("transferred.safetensors")), "{before:?}");
    let stopped = context();
    stopped.stop.request();
    let outcome = study().run_in(&folder, "flex", &stopped).unwrap();
    assert!(found(&outcome) == expected);
    outcome.finish().unwrap();
    assert_eq!(names(), before);
    // One whose model is damaged is not finished before its trial was done again.
    let damaged = folder.path().join("trials/0.5-random-seed1.safetensors");
    fs::write(&damaged, "").unwrap();
    let outcome = study().run_in(&folder, "flex", &stopped).unwrap();
    assert!(!outcome.results.complete && outcome.damaged == [damaged]);
    assert_eq!(outcome.results.progress(), "7 of 8 runs are complete");
    drop(outcome);
    assert!(found(&run_in(&study(), folder.path()).unwrap()) == expected);
}

/// Stops a study after a step of its first training.
struct StopAfter(usize, Stop);

impl Observer for StopAfter {
    fn interval(&self) -> StepInterval {
        StepInterval::Steps(self.0)
    }

    fn step(&mut self, _: &StepDone<'_>) -> Result<(), ObserverError> {
        self.1.request();
        Ok(())
    }
}

#[test]
fn a_long_training_goes_on_where_it_was_and_leaves_nothing_of_its_own() {
    let mut study = study();
    study.config.pretrain_epochs = 8;
    let expected = found(&study.run("flex", &context()).unwrap());
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("study");
    let stop = Stop::default();
    let stopped = context().with_stop(stop.clone()).with_observer(StopAfter(25, stop));
    let outcome = study.run_in(&folder, "flex", &stopped).unwrap();
    assert!(!outcome.results.complete && outcome.results.pretrain.is_empty());
    drop(outcome);
    let unfinished = folder.join("trials/pretrain-seed1.run");
    assert!(unfinished.join("results.csv").is_file(), "{:?}", trials(&folder));
    let again = run_in(&study, &folder).unwrap();
    assert!(found(&again) == expected);
    assert!(trials(&folder).iter().all(|path| path.extension().unwrap() != "run"));
}

#[test]
fn another_study_is_refused_with_the_settings_that_differ_and_nothing_is_touched() {
    let (folder, expected) = finished();
    let folder = folder.path();
    let before = trials(folder);
    let mut longer = study();
    longer.config.fit.epochs = 3;
    longer.config.seeds.push(3);
    longer.source = tiny_study::split(false);
    let error = run_in(&longer, folder).unwrap_err().to_string();
    let begin = format!("{} holds another study: ", folder.display());
    assert!(error.starts_with(&begin), "{error}");
    for part in
        ["epochs is 2 there, 3 here", "seeds is [1, 2] there, [1, 2, 3] here", "source.images is "]
    {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
    assert!(!error.contains('\n') && !error.contains("target"), "{error}");
    let device = study().run_in(folder, "cuda", &context()).unwrap_err().to_string();
    assert!(device.ends_with(": device is \"flex\" there, \"cuda\" here"), "{device}");
    assert_eq!(trials(folder), before);
    assert!(found(&run_in(&study(), folder).unwrap()) == expected);
}

#[test]
fn a_folder_of_something_else_is_refused_and_not_touched() {
    for name in ["results.json", "config.toml", "trials/0.5-random-seed1.toml"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "mine").unwrap();
        let error = run_in(&study(), folder.path()).unwrap_err().to_string();
        let reason = format!("it holds {name}, and there is no trials/study.toml");
        assert!(error.ends_with(&reason), "{error}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }
    // What a process leaves that was killed as it began.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("trials/.selvedge-4194305-0")).unwrap();
    fs::write(folder.path().join(".lock"), "4194305").unwrap();
    assert!(run_in(&study(), folder.path()).unwrap().results.complete);
}

#[test]
fn two_studies_do_not_share_a_folder() {
    let parent = tempfile::tempdir().unwrap();
    let first = run_in(&study(), parent.path()).unwrap();
    let error = run_in(&study(), parent.path()).unwrap_err().to_string();
    assert!(error.contains("is writing to it"), "{error}");
    drop(first);
    run_in(&study(), parent.path()).unwrap();
}

/// The folder is deleted while the study runs, of short trainings and of such as are saved while they go on.
#[test]
fn what_cannot_be_written_costs_no_figures() {
    for epochs in [2, 5] {
        let mut study = study();
        (study.config.pretrain_epochs, study.config.fit.epochs) = (epochs, epochs);
        let expected = study.run("flex", &context()).unwrap().results.curve;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("study");
        let outcome = std::thread::scope(|scope| {
            let run = scope.spawn(|| run_in(&study, &folder).unwrap());
            while !folder.join("trials/pretrain-seed1.toml").exists() && !run.is_finished() {
                std::thread::yield_now();
            }
            // A file in the place of the folder: nobody, not even root, can write there.
            let _ = fs::rename(&folder, parent.path().join("moved"));
            let _ = fs::write(&folder, "");
            run.join().unwrap()
        });
        assert_eq!(outcome.results.curve, expected);
        assert!(outcome.results.table().lines().count() == 3);
        let error = outcome.finish().unwrap_err().to_string();
        assert!(error.starts_with("cannot write ") && !error.contains('\n'), "{error}");
    }
}
