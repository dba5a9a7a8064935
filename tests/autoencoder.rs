//! What an autoencoder learns from images without labels, and what its encoder is worth for a
//! classifier: from scratch, frozen, and fine-tuned. On small parts of Fashion-MNIST.

use selvedge::models::{ConvAutoencoder, LinearAutoencoder, state};
use selvedge::prelude::*;
use selvedge::train::features::FeatureData;

/// Trouser, dress, sandal, sneaker and ankle boot.
fn odd_classes() -> Split {
    let images = FASHION_MNIST.load(&Source::default().without_download()).unwrap();
    let classes = ClassSubset::new("odd classes", [1, 3, 5, 7, 9]).unwrap();
    let split = images.split_official().unwrap().select(&classes).unwrap();
    let some = |view: &View, images: usize| {
        view.stratified_fraction(images as f64 / view.len() as f64, 1).unwrap()
    };
    let test = some(split.test().unwrap(), 1000);
    Split::new(some(&split.train, 2000), some(&split.validation, 500), Some(test)).unwrap()
}

fn data(split: &Split) -> FitData {
    FitData::from(split).with_normalization(Normalization::unit())
}

fn context() -> Context {
    Context::new(&selvedge::device::open("flex").unwrap())
}

fn config(epochs: usize) -> FitConfig {
    FitConfig { epochs, batch_size: 100, seed: 1, ..FitConfig::default() }
}

/// The mean squared error of the training images' mean as a reconstruction of every validation image.
fn error_of_the_mean_image(split: &Split) -> f64 {
    let pixels = |view: &View, i: usize| -> Vec<f64> {
        view.image(i).iter().map(|&p| f64::from(p) / 255.0).collect()
    };
    let mut mean = vec![0.0; 784];
    for i in 0..split.train.len() {
        for (m, p) in mean.iter_mut().zip(pixels(&split.train, i)) {
            *m += p / split.train.len() as f64;
        }
    }
    let of = |i| {
        let image = pixels(&split.validation, i);
        image.iter().zip(&mean).map(|(p, m)| (p - m).powi(2)).sum::<f64>() / 784.0
    };
    (0..split.validation.len()).map(of).sum::<f64>() / split.validation.len() as f64
}

#[test]
fn an_encoder_is_carried_over_and_frozen_or_fine_tuned() {
    let (split, context) = (odd_classes(), context());
    let (data, device) = (data(&split), &context.device);
    let network = LinearAutoencoder::default();
    let autoencoder = network.architecture().init(Initialization::HeNormal, 1, device).unwrap();
    let autoencoder = fit_autoencoder(autoencoder, &data, &config(10), &context).unwrap();
    let (error, baseline) = (autoencoder.best.score().loss, error_of_the_mean_image(&split));
    assert!(error < 0.6 * baseline, "{error}, the mean image {baseline}");

    let scratch = network.classifier(256, 5).init(Initialization::HeNormal, 2, device).unwrap();
    let encoder = Keep::Matching("encoder*".parse().unwrap());
    let (tuned, report) = scratch.clone().transfer_from(&autoencoder.model, &encoder).unwrap();
    let expected = "copied 8: encoder1, encoder2, encoder3, encoder4\nfresh  4: fc1, fc2\nunfit  0";
    assert_eq!(report.to_string(), expected);
    let frozen = tuned.clone().freeze(&"encoder*".parse().unwrap()).unwrap();

    let start = state::read(&tuned);
    let mut accuracies = Vec::new();
    for (what, classifier) in [("scratch", scratch), ("frozen", frozen), ("fine-tuned", tuned)] {
        let fitted = fit(classifier, &data, &config(5), &context).unwrap();
        let test =
            evaluate(&fitted.model, split.test().unwrap(), &data.normalization, &context).unwrap();
        accuracies.push((what, test.metrics.accuracy));
        for (name, value) in state::read(&fitted.model) {
            let keeps = what == "frozen" && name.starts_with("encoder");
            assert_eq!(value == start[&name], keeps, "{what}: {name}");
        }
    }
    // Chance is 0.2; the classes are five kinds of clothing of which two are shoes alike.
    assert!(accuracies.iter().all(|(_, accuracy)| *accuracy > 0.7), "{accuracies:?}");
}

#[test]
fn a_frozen_encoder_gives_the_same_classifier_whether_its_features_are_cached_or_not() {
    let (split, context) = (odd_classes(), context());
    let (data, device) = (data(&split), &context.device);
    let network = LinearAutoencoder::default().classifier(256, 5);
    let network = network.init(Initialization::HeNormal, 2, device).unwrap();
    let frozen = network.clone().freeze(&"encoder*".parse().unwrap()).unwrap();
    let frozen = fit(frozen, &data, &config(3), &context).unwrap();

    let (trunk, head) = network.cut_at("fc1").unwrap();
    let features = FeatureData::extract(&trunk, &data, &context).unwrap();
    assert_eq!(features.train.shape(), [32, 1, 1]);
    let head = fit(head, &features, &config(3), &context).unwrap();
    let joined = trunk.join(head.model).unwrap();
    let test = |model: &Network| {
        evaluate(model, split.test().unwrap(), &data.normalization, &context).unwrap().metrics
    };
    let (cached, whole) = (test(&joined), test(&frozen.model));
    assert!((cached.loss - whole.loss).abs() < 1e-5, "{cached}, {whole}");
    assert!((cached.accuracy - whole.accuracy).abs() < 0.0015, "{cached}, {whole}");
}

#[test]
fn a_convolutional_autoencoder_learns_and_gives_its_convolutions_away() {
    let (split, context) = (odd_classes(), context());
    let data = FitData { train: split.train.stratified_fraction(0.2, 1).unwrap(), ..data(&split) };
    let network = ConvAutoencoder::default();
    let autoencoder =
        network.architecture().init(Initialization::PyTorch, 1, &context.device).unwrap();
    let fitted = fit_autoencoder(autoencoder, &data, &config(4), &context).unwrap();
    let losses: Vec<f64> = fitted.history.epochs.iter().map(|e| e.score().loss).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
    let again =
        evaluate_autoencoder(&fitted.model, &split.validation, &data.normalization, &context);
    assert_eq!(again.unwrap(), *fitted.best.score());

    let classifier =
        network.classifier(50, 5).init(Initialization::PyTorch, 2, &context.device).unwrap();
    let keep = Keep::Matching("conv*".parse().unwrap());
    let (_, report) = classifier.transfer_from(&fitted.model, &keep).unwrap();
    assert_eq!(report.to_string(), "copied 4: conv1, conv2\nfresh  4: fc1, fc2\nunfit  0");
}
