use burn::tensor::Device;
use selvedge_data::{ImageDataset, Normalization};
use selvedge_models::{Architecture, Initialization, Network};

use super::*;
use crate::test_model::Shared;
use crate::{Classify, FitData, OptimizerConfig, Stop, fit};

/// Images of 2 × 2, bright above or below.
fn data() -> FitData {
    let pixels = (0..200u32).map(|i| if (i / 2) % 2 == (i / 4) % 2 { 200 } else { (i % 50) as u8 });
    let labels = (0..50).map(|i| (i % 2) as u16).collect();
    let classes = vec!["above".into(), "below".into()];
    let view = ImageDataset::new("t", pixels.collect(), [1, 2, 2], labels, classes).unwrap().view();
    FitData::new(view.clone(), view, Normalization::unit())
}

fn network() -> Network {
    let network = Architecture::new("tiny", [1, 2, 2]).conv("conv1", 3, 1, 0).batch_norm("bn1");
    let network = network.relu().flatten().linear("fc1", 2);
    network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
}

fn config() -> FitConfig {
    FitConfig { batch_size: 16, optimizer: OptimizerConfig::sgd(0.0), ..FitConfig::default() }
}

fn context() -> Context {
    Context::new(&Device::flex())
}

fn find(finder: LearningRateFinder) -> Result<LearningRateCurve, TrainError> {
    finder.find(&Classify::default(), &network(), &data(), &config(), &context())
}

#[test]
fn rates_grow_by_the_same_factor_from_the_first_to_the_last() {
    let finder = LearningRateFinder { start: 1e-4, end: 1e-2, steps: 21, ..Default::default() };
    let curve = find(finder).unwrap();
    assert!(!curve.diverged);
    let rates: Vec<f64> = curve.points.iter().map(|point| point.learning_rate).collect();
    assert_eq!(rates.len(), 21);
    for (i, rate) in rates.iter().enumerate() {
        // Twenty equal factors of 100^(1/20).
        assert!((rate / (1e-4 * 10f64.powf(i as f64 / 10.0)) - 1.0).abs() < 1e-12, "{rates:?}");
    }
}

#[test]
fn the_smoothed_loss_is_the_average_with_falling_weights() {
    let curve = find(LearningRateFinder { smoothing: 0.5, ..Default::default() }).unwrap();
    let losses: Vec<f64> = curve.points.iter().map(|point| point.loss).collect();
    // Weights 1/2, 1/4, 1/8 from the third loss back, 7/8 in all.
    let third = (0.5 * losses[2] + 0.25 * losses[1] + 0.125 * losses[0]) / 0.875;
    assert_eq!(curve.points[0].smoothed, losses[0]);
    assert!((curve.points[2].smoothed - third).abs() < 1e-12);
}

#[test]
fn the_search_ends_where_the_loss_has_grown_and_suggests_a_rate_that_learns() {
    // Two labels are wrong, so that large weights have a large loss.
    let view = data().train;
    let labels = (0..50).map(|i| u16::from((i % 2 == 1) != (i == 10 || i == 30))).collect();
    let pixels = (0..50).flat_map(|i| view.image(i).to_vec()).collect();
    let classes = view.classes().to_vec();
    let view = ImageDataset::new("t", pixels, [1, 2, 2], labels, classes).unwrap().view();
    let data = FitData::new(view.clone(), view, Normalization::unit());
    let network = Architecture::new("tiny", [1, 2, 2]).flatten().linear("fc1", 8).relu();
    let network = network.linear("fc2", 2).init(Initialization::PyTorch, 0, &Device::flex());
    let network = network.unwrap();

    let finder = LearningRateFinder { start: 1e-4, end: 1e4, smoothing: 0.9, ..Default::default() };
    let task = Classify::default();
    let curve = finder.find(&task, &network, &data, &config(), &context()).unwrap();
    assert!(curve.diverged && curve.points.len() < 100, "{}", curve.points.len());
    for learning_rate in [curve.valley().unwrap(), curve.steepest().unwrap()] {
        let config = FitConfig { learning_rate, epochs: 40, ..config() };
        let fitted = fit(network.clone(), &data, &config, &context()).unwrap();
        let first = fitted.history.epochs[0].train.loss;
        assert!(fitted.best.score().loss < 0.75 * first, "{learning_rate}: {:?}", fitted.best);
    }
}

#[test]
fn the_model_stays_as_it_is_and_the_same_curve_comes_again() {
    fn twice<M: Model>(model: &M) {
        let before = state::read(model);
        let find =
            || find_learning_rate(&Classify::default(), model, &data(), &config(), &context());
        let (first, second) = (find().unwrap(), find().unwrap());
        assert!(first.points.iter().any(|p| p.loss != first.points[0].loss), "nothing was trained");
        assert_eq!(first, second);
        assert_eq!(state::read(model), before);
    }
    twice(&network());
    twice(&Shared::new(4, 2));
}

#[test]
fn impossible_searches_are_refused() {
    let usual = LearningRateFinder::default();
    for (finder, names) in [
        (LearningRateFinder { start: 0.0, ..usual }, "first learning rate is 0"),
        (LearningRateFinder { start: f64::NAN, ..usual }, "first learning rate is NaN"),
        (LearningRateFinder { end: 1e-7, ..usual }, "last learning rate is 0.0000001"),
        (LearningRateFinder { end: f64::INFINITY, ..usual }, "last learning rate is inf"),
        (LearningRateFinder { steps: 19, ..usual }, "steps of the search is 19"),
        (LearningRateFinder { smoothing: 1.0, ..usual }, "smoothing of the loss is 1"),
        (LearningRateFinder { diverged_at: 1.0, ..usual }, "divergence factor is 1"),
    ] {
        let error = find(finder).unwrap_err().to_string();
        assert!(error.contains(names), "{error}");
    }
    let task = Classify::default();
    let search = |model: &Network, data: &FitData, context: &Context| {
        find_learning_rate(&task, model, data, &config(), context).unwrap_err()
    };
    let frozen = network().freeze(&"*".parse().unwrap()).unwrap();
    assert!(matches!(search(&frozen, &data(), &context()), TrainError::NothingToTrain));
    let stop = Stop::default();
    stop.request();
    let error = search(&network(), &data(), &context().with_stop(stop));
    assert!(matches!(error, TrainError::Stopped { .. }), "{error}");
    let none = FitData { train: data().train.range(0..0).unwrap(), ..data() };
    assert!(matches!(search(&network(), &none, &context()), TrainError::Data(_)));
}
