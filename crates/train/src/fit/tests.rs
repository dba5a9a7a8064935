use super::*;
use crate::{FitData, OptimizerConfig, Progress, Stop, evaluate};
use burn::tensor::Device;
use selvedge_data::{ImageDataset, Normalization, View};
use selvedge_models::{Architecture, Initialization, Network, state};

/// Images of one grey each; bright ones are of class 1.
fn greys(count: usize) -> View {
    let pixels = (0..count).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
    let labels = (0..count).map(|i| (i % 2) as u16).collect();
    let classes = vec!["dark".into(), "bright".into()];
    ImageDataset::new("greys", pixels, [1, 4, 4], labels, classes).unwrap().view()
}

fn data(normalization: Normalization) -> FitData {
    let (train, validation) = (greys(50), greys(20));
    FitData::new(train, validation, normalization)
}

fn network() -> Network {
    let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
    network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
}

fn sgd(learning_rate: f64, epochs: usize) -> FitConfig {
    let optimizer = OptimizerConfig::sgd(0.0);
    FitConfig { learning_rate, epochs, batch_size: 16, optimizer, ..FitConfig::default() }
}

#[test]
fn a_diverging_run_names_epoch_and_batch() {
    let result = fit(network(), &data(Normalization::raw()), &sgd(1e36, 3), &context());
    let Err(TrainError::Diverged { epoch, batch, loss, .. }) = result else {
        panic!("it did not diverge")
    };
    // The first batch is computed with the initial weights; its step ruins them.
    assert!(epoch == 1 && batch == 2 && !loss.is_finite(), "{epoch} {batch} {loss}");
}

fn context() -> Context {
    Context::new(&Device::flex())
}

#[test]
fn the_model_is_the_one_of_the_best_epoch() {
    // One step too far in every epoch: on raw pixels this rate makes the loss jump about.
    let data = data(Normalization::raw());
    let fitted = fit(network(), &data, &sgd(0.002, 12), &context()).unwrap();
    let best = fitted.history.best().unwrap();
    let losses: Vec<f64> = fitted.history.epochs.iter().map(|e| e.score().loss).collect();
    assert!(best.epoch < 12, "the last epoch is the best, so nothing is shown: {losses:?}");
    assert_eq!(best, &fitted.best);
    let validation = data.validation.as_ref().unwrap();
    let again = evaluate(&fitted.model, validation, &data.normalization, &context()).unwrap();
    assert_eq!(Some(again.metrics), best.validation);
}

#[test]
fn patience_ends_a_run_that_no_longer_improves() {
    let early_stopping = Some(EarlyStopping::patience(2));
    let config = FitConfig { early_stopping, ..sgd(0.002, 50) };
    let fitted = fit(network(), &data(Normalization::raw()), &config, &context()).unwrap();
    assert_eq!(fitted.history.epochs.len(), fitted.best.epoch + 2);
    assert!(!fitted.stopped);
}

#[test]
fn a_stop_before_the_first_epoch_leaves_nothing_to_report() {
    let stop = Stop::default();
    stop.request();
    let context = context().with_stop(stop);
    let result = fit(network(), &data(Normalization::unit()), &sgd(0.1, 2), &context);
    assert!(matches!(result, Err(TrainError::Stopped { .. })));
}

#[test]
fn images_of_another_shape_are_refused_before_anything_is_computed() {
    // As many pixels as the network takes, so that only the shape tells them apart.
    let classes = vec!["dark".into(), "bright".into()];
    let flat = ImageDataset::new("flat", vec![9; 64], [1, 2, 8], vec![0; 4], classes).unwrap();
    let unit = Normalization::unit();
    let greys = data(unit.clone());
    let expected = "`tiny` takes images of 1 × 4 × 4, but these are of 1 × 2 × 8";
    for data in [
        FitData { train: flat.view(), ..greys.clone() },
        // A stop would end the run before the first validation; this is noticed before.
        FitData { validation: Some(flat.view()), ..greys },
    ] {
        let stop = Stop::default();
        stop.request();
        let context = context().with_stop(stop);
        let error = fit(network(), &data, &sgd(0.1, 1), &context).map(drop).unwrap_err();
        assert_eq!(error.to_string(), expected);
        let error = crate::fit_autoencoder(network(), &data, &sgd(0.1, 1), &context);
        assert_eq!(error.map(drop).unwrap_err().to_string(), expected);
    }
    let error = evaluate(&network(), &flat.view(), &unit, &context()).unwrap_err();
    assert_eq!(error.to_string(), expected);
    let error = crate::evaluate_autoencoder(&network(), &flat.view(), &unit, &context());
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[test]
fn a_model_for_other_classes_is_refused() {
    let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 3);
    let network = network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
    let error = fit(network, &data(Normalization::unit()), &sgd(0.1, 1), &context());
    let message = error.map(drop).unwrap_err().to_string();
    assert_eq!(message, "the model gives 3 logits, but the images have 2 classes");
}

#[test]
fn showing_progress_changes_nothing() {
    let run = |progress| {
        let context = context().with_progress(progress);
        let fitted = fit(network(), &data(Normalization::unit()), &sgd(0.1, 2), &context);
        state::read(&fitted.unwrap().model)
    };
    let hidden = run(Progress::Hidden);
    assert_eq!(run(Progress::Lines("lines".into())), hidden);
    assert_eq!(run(Progress::Bar("bar".into())), hidden);
}

#[test]
fn the_model_that_was_passed_in_is_not_changed() {
    let before = network();
    let kept = before.clone();
    fit(before, &data(Normalization::unit()), &sgd(0.1, 2), &context()).unwrap();
    assert_eq!(state::read(&kept), state::read(&network()));
}

#[test]
fn the_mean_squared_error_of_a_constant_output_is_known() {
    // Weights 0, bias 0.5, one pixel of 0 and one of 1 an image: an error of 0.25 everywhere.
    let dataset =
        ImageDataset::new("t", [0, 255].repeat(3), [1, 1, 2], vec![0; 3], vec!["c".into()]);
    let view = dataset.unwrap().view();
    let network = Architecture::new("constant", [1, 1, 2]).flatten().linear("fc1", 2);
    let network = network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
    let values = |n: usize, v: f32| burn::tensor::TensorData::new(vec![v; n], [n]);
    let weight = burn::tensor::TensorData::new(vec![0.0f32; 4], [2, 2]);
    let constant = [("fc1.bias".into(), values(2, 0.5)), ("fc1.weight".into(), weight)];
    let network = state::write(network, constant.into());
    let unit = Normalization::unit();
    let score = crate::evaluate_autoencoder(&network, &view, &unit, &context()).unwrap();
    assert_eq!(score.loss, 0.25);
}

#[test]
fn an_autoencoder_for_other_images_is_refused() {
    let error =
        crate::fit_autoencoder(network(), &data(Normalization::unit()), &sgd(0.1, 1), &context());
    let message = error.map(drop).unwrap_err().to_string();
    assert_eq!(message, "the model gives 2 values, but an image has 16 pixels");
}

#[test]
fn a_model_all_of_which_is_frozen_is_refused() {
    let frozen = network().freeze(&"*".parse().unwrap()).unwrap();
    let error = fit(frozen, &data(Normalization::unit()), &sgd(0.1, 1), &context());
    assert!(matches!(error, Err(TrainError::NothingToTrain)));
}

#[test]
fn what_is_frozen_stays_as_it_was_and_stays_frozen() {
    let network = Architecture::new("two", [1, 4, 4]).flatten().linear("fc1", 6).linear("fc2", 2);
    let network = network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
    let network = network.freeze(&"fc1".parse().unwrap()).unwrap();
    let config = FitConfig { weight_decay: 0.1, ..sgd(0.1, 2) };
    let fitted = fit(network.clone(), &data(Normalization::unit()), &config, &context()).unwrap();
    assert_eq!(fitted.model.frozen(), ["fc1.weight", "fc1.bias"]);
    let [before, after] = [&network, &fitted.model].map(state::read);
    for (name, value) in &after {
        assert_eq!(value == &before[name], name.starts_with("fc1."), "{name}");
    }
}
