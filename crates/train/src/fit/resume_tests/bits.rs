//! The end of a run that was stopped is that of one that was not.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Tensor;
use selvedge_data::Batch;
use selvedge_models::{Model, state};

use super::{StopAfter, config, context, data, left, network};
use crate::fit::{Averaging, Clip, Divergence, FitConfig, Fitted, fit, fit_task};
use crate::test_model::Shared;
use crate::{
    Classify, CrossEntropy, Observer, ObserverError, OptimizerConfig, RunStarted, Stop, TrainError,
};

/// A run in `folder`, stopped after every `steps` steps and carried on until it is complete; and how often. It
/// leaves the models that are passed in as they are.
fn in_pieces<M: Model>(
    model: impl Fn() -> M,
    config: &FitConfig,
    folder: &Path,
    steps: usize,
) -> (Fitted<M>, usize) {
    for pieces in 1.. {
        let stop = Stop::default();
        let context = context().with_run_folder(folder).with_stop(stop.clone());
        let context = context.with_observer(StopAfter(steps, stop));
        let given = model();
        let before = state::read(&given);
        match fit(given.clone(), &data(), config, &context) {
            Ok(fitted) if !fitted.stopped => return (fitted, pieces),
            Ok(_) | Err(TrainError::Stopped { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert_eq!(state::read(&given), before, "the model that was passed in changed");
    }
    unreachable!("the loop ends when the run is complete")
}

#[test]
fn a_run_in_pieces_ends_in_the_bits_of_a_run_in_one() {
    let adam = config();
    let momentum = FitConfig {
        optimizer: OptimizerConfig::sgd(0.9),
        learning_rate: 0.05,
        weight_decay: 1e-3,
        clip: Some(Clip::Norm(0.5)),
        ..config()
    };
    let averaged = FitConfig {
        averaging: Some(Averaging::exponential(0.9)),
        accumulate: 4,
        optimizer: OptimizerConfig::rms_prop(0.5),
        ..config()
    };
    let stochastic = FitConfig {
        averaging: Some(Averaging::Stochastic { from_epoch: 2 }),
        l2: 1e-3,
        ..config()
    };
    for config in [adam, momentum, averaged, stochastic] {
        let whole = left(&fit(network(), &data(), &config, &context()).unwrap());
        // 6 batches an epoch: in the middle of epochs, and at their ends.
        for steps in [1, 3, 4] {
            let folder = tempfile::tempdir().unwrap();
            let (fitted, pieces) = in_pieces(network, &config, &folder.path().join("run"), steps);
            assert!(pieces > 1, "never stopped");
            assert_eq!(left(&fitted), whole, "{steps} steps, {config:?}");
        }
    }
}

#[test]
fn statistics_that_clones_share_are_those_of_the_best_epoch_also_after_resuming() {
    let values = state::read(&Shared::new(64, 4));
    let model = || state::write(Shared::new(64, 4), values.clone());
    // Equal accuracies at the end: the first of them is the best.
    let config = FitConfig {
        epochs: 8,
        learning_rate: 0.02,
        monitor: "accuracy".into(),
        averaging: Some(Averaging::exponential(0.5)),
        ..config()
    };
    let whole = fit(model(), &data(), &config, &context()).unwrap();
    assert!(whole.best.epoch < 8, "the last epoch is the best: nothing is shown");
    let measured = |fitted: &Fitted<Shared>| {
        let data = data();
        let validation = data.validation.as_ref().unwrap();
        crate::evaluate(&fitted.model, validation, &data.normalization, &context()).unwrap().metrics
    };
    assert_eq!(Some(measured(&whole)), whole.best.validation);

    let folder = tempfile::tempdir().unwrap();
    let (fitted, stopped) = in_pieces(model, &config, folder.path(), 5);
    assert!(stopped > 2, "stopped {stopped} times");
    assert_eq!(state::read(&fitted.model), state::read(&whole.model));
    assert_eq!(fitted.best.validation, whole.best.validation);
}

#[test]
fn a_run_that_goes_on_within_an_epoch_keeps_the_model_of_the_last_one() {
    struct Refuses;
    impl Observer for Refuses {
        fn run_started(&mut self, _: &RunStarted<'_>) -> Result<(), ObserverError> {
            Err("not now".into())
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let stop = Stop::default();
    let there = context().with_run_folder(folder.path());
    // Six batches an epoch: in the second.
    let stopping = there.clone().with_stop(stop.clone()).with_observer(StopAfter(8, stop));
    assert!(fit(network(), &data(), &config(), &stopping).unwrap().stopped);
    let last = || fs::read(folder.path().join("weights/last.safetensors")).unwrap();
    let before = last();
    let refused = fit(network(), &data(), &config(), &there.with_observer(Refuses));
    assert!(matches!(refused, Err(TrainError::Observer(_))));
    assert!(last() == before, "weights/last.safetensors is of a part of an epoch");
}

#[test]
fn a_loss_that_is_not_finite_later_gives_the_best_model_before() {
    let calls = AtomicUsize::new(0);
    // Six batches of training and one of validation an epoch: the third batch of the third epoch.
    let loss = |logits: Tensor<2>, batch: &Batch| {
        let value = CrossEntropy::default().mean(logits, &batch.targets)?;
        Ok(match calls.fetch_add(1, Ordering::Relaxed) {
            16 => value * f32::NAN,
            _ => value,
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let context = context().with_run_folder(folder.path());
    let fitted = fit_task(&Classify { loss }, network(), &data(), &config(), &context).unwrap();
    let Divergence { epoch, batch, loss } = fitted.diverged.unwrap();
    assert!((epoch, batch) == (3, 3) && loss.is_nan(), "{epoch} {batch} {loss}");
    assert_eq!(fitted.history.epochs.len(), 2);
    let images = data();
    let validation = images.validation.as_ref().unwrap();
    let again = crate::evaluate(&fitted.model, validation, &images.normalization, &context);
    assert_eq!(Some(again.unwrap().metrics), fitted.best.validation);
    let short = FitConfig { epochs: 2, ..config() };
    let two = fit(network(), &images, &short, &super::context()).unwrap();
    assert_eq!(state::read(&fitted.model), state::read(&two.model));
}
