//! What is in the folder of a run, and what is refused or mended there.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use selvedge_data::Normalization;
use selvedge_models::{Architecture, Initialization, state};

use super::{config, context, data, left, network, squares};
use crate::fit::{FitConfig, checkpoint, fit};
use crate::{EpochDone, FitData, Observer, ObserverError, OptimizerConfig, RunStarted};

#[test]
fn a_run_folder_changes_nothing_and_holds_what_is_documented() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("a/run");
    let context_there = context().with_run_folder(&run).with_save_every(2);
    let fitted = fit(network(), &data(), &config(), &context_there).unwrap();
    assert_eq!(left(&fitted), left(&fit(network(), &data(), &config(), &context()).unwrap()));
    assert_eq!(fitted.unsaved, None);
    let mut names: Vec<_> = fs::read_dir(&run)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["checkpoints", "config.toml", "results.csv", "weights"]);
    let csv = fs::read_to_string(run.join("results.csv")).unwrap();
    assert_eq!(csv, fitted.history.to_csv());
    let best = selvedge_models::Bundle::load(run.join("weights/best.safetensors"), &Device::flex());
    let best = best.unwrap();
    assert_eq!(state::read(best.network()), state::read(&fitted.model));
    assert_eq!(best.classes(), data().classes());
    assert!(run.join("weights/last.safetensors").is_file());
}

#[test]
fn a_complete_run_is_not_computed_again() {
    struct Forbidden;
    impl Observer for Forbidden {
        fn run_started(&mut self, _: &RunStarted<'_>) -> Result<(), ObserverError> {
            Err("a complete run was started again".into())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let context = context().with_run_folder(folder.path());
    let first = fit(network(), &data(), &config(), &context).unwrap();
    let again = fit(network(), &data(), &config(), &context.with_observer(Forbidden)).unwrap();
    assert_eq!(left(&again), left(&first));
}

#[test]
fn other_settings_are_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    let context = context().with_run_folder(folder.path());
    fit(network(), &data(), &config(), &context).unwrap();
    let other = FitConfig { epochs: 2, optimizer: OptimizerConfig::sgd(0.0), ..config() };
    let error = fit(network(), &data(), &other, &context).map(drop).unwrap_err().to_string();
    let begins = format!(
        "the run in {path} was started with other settings: fit.epochs is 4 there, 2 here; "
    );
    assert!(error.starts_with(&begins), "{error}");
    assert!(error.contains("fit.optimizer.name is adam there, sgd here"), "{error}");
    let fewer = FitData::new(squares(80, 0), squares(40, 1000), Normalization::unit());
    let error = fit(network(), &fewer, &config(), &context).map(drop).unwrap_err().to_string();
    assert!(error.contains("data.train_images is 90 there, 80 here"), "{error}");
    let others = FitData::new(squares(90, 7), squares(40, 1000), Normalization::unit());
    let error = fit(network(), &others, &config(), &context).map(drop).unwrap_err().to_string();
    assert!(error.contains("data.train_checksum is "), "{error}");
}

#[test]
fn another_network_of_the_same_name_is_refused_and_so_are_other_weights() {
    let folder = tempfile::tempdir().unwrap();
    let context = context().with_run_folder(folder.path());
    let with_dropout = |probability| {
        let network = Architecture::new("small", [1, 8, 8]).flatten().dropout(probability);
        network.linear("fc", 4)
    };
    let init = |architecture: Architecture, seed| {
        architecture.init(Initialization::PyTorch, seed, &Device::flex()).unwrap()
    };
    fit(init(with_dropout(0.25), 1), &data(), &config(), &context).unwrap();
    let refused = |network| fit(network, &data(), &config(), &context).map(drop).unwrap_err();
    let error = refused(init(with_dropout(0.5), 1)).to_string();
    assert!(error.contains("is 0.25 there, 0.5 here"), "{error}");
    let error = refused(init(with_dropout(0.25), 2)).to_string();
    assert!(error.contains("model.initial_checksum is "), "{error}");
    assert!(!error.contains("0.25"), "{error}");
}

#[test]
fn a_folder_of_something_else_is_refused_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    let context = context().with_run_folder(folder.path());
    let error = fit(network(), &data(), &config(), &context).map(drop).unwrap_err().to_string();
    let path = folder.path().display();
    let expected =
        format!("{path} is not the folder of a run: there is thesis.txt in it, and no config.toml");
    assert_eq!(error, expected);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// The latest checkpoint in a run's folder, and the one before it.
fn checkpoints(run: &Path) -> Vec<std::path::PathBuf> {
    let mut checkpoints = checkpoint::Checkpoints::open(run.join("checkpoints")).unwrap();
    let list = checkpoints.list().unwrap();
    for path in &list {
        // What is there can be read.
        checkpoints.load(path).map(drop).unwrap();
    }
    list
}

#[test]
fn a_damaged_checkpoint_is_passed_over_for_the_one_before_it() {
    let whole = left(&fit(network(), &data(), &config(), &context()).unwrap());
    for (file, damage) in [
        ("model.safetensors", "flip"),
        ("optimizer.burnpack", "truncate"),
        ("state.toml", "truncate"),
        ("SHA256SUMS", "truncate"),
        ("best.safetensors", "remove"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let context = context().with_run_folder(folder.path());
        fit(network(), &data(), &config(), &context).unwrap();
        let list = checkpoints(folder.path());
        assert_eq!(list.len(), 2);
        let path = list[0].join(file);
        let mut bytes = fs::read(&path).unwrap();
        match damage {
            "flip" => {
                let at = bytes.len() / 2;
                bytes[at] ^= 1;
                fs::write(&path, bytes).unwrap();
            }
            "truncate" => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
            _ => fs::remove_file(&path).unwrap(),
        }
        let fitted = fit(network(), &data(), &config(), &context).unwrap();
        assert_eq!(left(&fitted), whole, "{file}");
        assert_eq!(checkpoints(folder.path()).len(), 2, "the damaged one was written again");
    }
}

#[test]
fn a_run_without_a_whole_checkpoint_says_what_is_wrong_with_each() {
    let folder = tempfile::tempdir().unwrap();
    let context = context().with_run_folder(folder.path());
    fit(network(), &data(), &config(), &context).unwrap();
    let list = checkpoints(folder.path());
    fs::write(list[0].join("model.safetensors"), "").unwrap();
    let state = fs::read_to_string(list[1].join("state.toml")).unwrap();
    fs::write(list[1].join("state.toml"), state.replace("version = 1", "version = 7")).unwrap();
    let error = fit(network(), &data(), &config(), &context).map(drop).unwrap_err().to_string();
    assert!(error.contains("epoch-4 cannot be used: model.safetensors is damaged"), "{error}");
    assert!(error.contains("epoch-3 cannot be used: state.toml is damaged"), "{error}");
    assert!(error.ends_with("to begin again") && !error.contains('\n'), "{error}");
}

#[test]
fn a_folder_in_which_another_run_is_under_way_is_refused() {
    struct Second(std::path::PathBuf, std::sync::mpsc::Sender<String>);
    impl Observer for Second {
        fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
            if done.row.epoch == 1 {
                let context = context().with_run_folder(&self.0);
                let error = fit(network(), &data(), &config(), &context).map(drop).unwrap_err();
                self.1.send(error.to_string())?;
            }
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let context = context().with_run_folder(folder.path());
    let context = context.with_observer(Second(folder.path().into(), sender));
    fit(network(), &data(), &config(), &context).unwrap();
    let error = receiver.recv().unwrap();
    let me = std::process::id();
    assert_eq!(
        error,
        format!("cannot write {}: process {me} is writing to it", folder.path().display())
    );
}

#[test]
fn a_folder_that_vanishes_costs_no_result() {
    struct Remover(std::path::PathBuf);
    impl Observer for Remover {
        fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
            if done.row.epoch == 2 {
                fs::remove_dir_all(&self.0)?;
                // A file where the folder was: nothing can be written there any more.
                fs::write(&self.0, "")?;
            }
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let context = context().with_run_folder(&run).with_observer(Remover(run.clone()));
    let fitted = fit(network(), &data(), &config(), &context).unwrap();
    assert_eq!(fitted.history.epochs.len(), 4);
    let unsaved = fitted.unsaved.unwrap();
    assert!(unsaved.starts_with(&format!("cannot write {}", run.display())), "{unsaved}");
}

#[test]
fn checkpoints_after_every_no_step_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let context = context().with_run_folder(&run).with_save_every(0);
    let error = fit(network(), &data(), &config(), &context).map(drop).unwrap_err().to_string();
    assert_eq!(error, "steps from one checkpoint to the next is 0, but must be at least 1");
    assert!(!run.exists());
}

#[test]
fn a_seed_that_toml_has_no_number_for_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let context = context().with_run_folder(folder.path());
    let with_seed = |seed| FitConfig { epochs: 1, seed, ..config() };
    fit(network(), &data(), &with_seed(u64::MAX), &context).unwrap();
    fit(network(), &data(), &with_seed(u64::MAX), &context).unwrap();
    let error = fit(network(), &data(), &with_seed(u64::MAX - 1), &context).map(drop).unwrap_err();
    let expected = "fit.seed is 18446744073709551615 there, 18446744073709551614 here";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_line_that_could_not_be_written_is_there_after_a_checkpoint_within_the_next_epoch() {
    /// Puts a folder in the place of the table, for the second epoch.
    struct Blocker(std::path::PathBuf);
    impl Observer for Blocker {
        fn epoch(&mut self, done: &EpochDone<'_>) -> Result<(), ObserverError> {
            match done.row.epoch {
                1 => {
                    fs::remove_file(&self.0)?;
                    fs::create_dir(&self.0)?;
                }
                2 => fs::remove_dir(&self.0)?,
                _ => {}
            }
            Ok(())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("results.csv");
    let context = context().with_run_folder(folder.path()).with_save_every(2);
    let context = context.with_observer(Blocker(table.clone()));
    let fitted = fit(network(), &data(), &FitConfig { epochs: 3, ..config() }, &context).unwrap();
    assert_eq!(fitted.unsaved, None);
    assert_eq!(fs::read_to_string(table).unwrap(), fitted.history.to_csv());
}
