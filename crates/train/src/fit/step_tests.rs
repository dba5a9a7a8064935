//! What happens between the gradients of a batch and the model that is kept, in numbers.

use burn::tensor::Device;
use selvedge_data::{ImageDataset, Normalization, View};
use selvedge_models::{Architecture, Initialization, Network, state};

use super::*;
use crate::{FitData, OptimizerConfig};

/// Images of one grey each; bright ones are of class 1.
fn greys(count: usize) -> View {
    let grey = |i: usize| if i.is_multiple_of(2) { 20 + i as u8 } else { 200 - i as u8 };
    let pixels = (0..count).flat_map(|i| [grey(i); 16]).collect();
    let labels = (0..count).map(|i| (i % 2) as u16).collect();
    let classes = vec!["dark".into(), "bright".into()];
    ImageDataset::new("greys", pixels, [1, 4, 4], labels, classes).unwrap().view()
}

fn network() -> Network {
    let network = Architecture::new("two", [1, 4, 4]).flatten().linear("fc1", 3).linear("fc2", 2);
    network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
}

/// Plain gradient descent in steps over all 16 images.
fn descent(epochs: usize) -> FitConfig {
    FitConfig {
        epochs,
        batch_size: 16,
        learning_rate: 0.1,
        optimizer: OptimizerConfig::sgd(0.0),
        ..FitConfig::default()
    }
}

/// The values of a parameter, with its name.
type Named = (String, Vec<f32>);

/// The parameters after a run, and the training losses.
fn run(config: &FitConfig) -> (Vec<Named>, Vec<f64>) {
    let data = FitData::new(greys(16), greys(16), Normalization::unit());
    let fitted = fit(network(), &data, config, &Context::new(&Device::flex())).unwrap();
    assert_eq!(fitted.best.epoch, config.epochs, "every epoch is better than the one before");
    (values(&fitted.model), fitted.history.epochs.iter().map(|e| e.train.loss).collect())
}

fn values(network: &Network) -> Vec<Named> {
    let state = state::read(network).into_iter();
    state.map(|(name, data)| (name, data.try_to_vec().unwrap())).collect()
}

/// Whether all values differ by no more than rounding does.
#[track_caller]
fn assert_close(found: &[Named], expected: &[Named]) {
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 3e-7, "{name}: {a}, not {b}");
        }
    }
}

/// The values of both, `share` of the second.
fn mixed(a: &[Named], b: &[Named], share: f32) -> Vec<Named> {
    let mix = |((name, a), (_, b)): (&Named, &Named)| {
        let values = a.iter().zip(b).map(|(a, b)| a * (1.0 - share) + b * share);
        (name.clone(), values.collect())
    };
    a.iter().zip(b).map(mix).collect()
}

/// How far each value went in the first step.
fn moved(config: &FitConfig) -> Vec<f32> {
    let (before, after) = (values(&network()), run(config).0);
    let pairs = before.iter().zip(&after);
    pairs.flat_map(|((_, a), (_, b))| a.iter().zip(b).map(|(a, b)| b - a)).collect()
}

#[test]
fn batches_of_one_step_are_one_batch() {
    let whole = run(&descent(3));
    for (batch_size, accumulate) in [(4, 4), (8, 2), (6, 3), (5, 4), (16, 5)] {
        // Of 6 the last batch has 4 images; of 5 one.
        let parts = run(&FitConfig { batch_size, accumulate, ..descent(3) });
        assert_close(&parts.0, &whole.0);
        for (a, b) in parts.1.iter().zip(&whole.1) {
            assert!((a - b).abs() < 1e-6, "{batch_size}: {a}, not {b}");
        }
    }
}

#[test]
fn the_l2_penalty_is_twice_the_weight_decay_and_not_in_the_reported_loss() {
    let plain = run(&descent(2));
    let penalised = run(&FitConfig { l2: 0.05, ..descent(2) });
    let decayed = run(&FitConfig { weight_decay: 0.1, ..descent(2) });
    assert_close(&penalised.0, &decayed.0);
    assert_ne!(penalised.0, plain.0);
    // The first batch is that of the initial weights, whatever is added to the gradient.
    assert_eq!(penalised.1[0], plain.1[0]);
}

#[test]
fn gradients_clipped_by_norm_are_one_vector_of_that_length() {
    let norm = |moved: &[f32]| moved.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    let free = moved(&descent(1));
    // A step is 0.1 of the gradient.
    let length = norm(&free) / 0.1;
    let clipped = moved(&FitConfig { clip: Some(Clip::Norm(0.25 * length)), ..descent(1) });
    assert!((norm(&clipped) / norm(&free) - 0.25).abs() < 1e-4);
    for (a, b) in clipped.iter().zip(&free) {
        assert!((a - 0.25 * b).abs() < 1e-6, "the direction stays: {a} {b}");
    }
    let loose = moved(&FitConfig { clip: Some(Clip::Norm(2.0 * length)), ..descent(1) });
    assert_eq!(loose, free);
}

#[test]
fn gradients_clipped_by_value_are_cut_one_by_one() {
    let free = moved(&descent(1));
    let largest = free.iter().fold(0.0f32, |m, v| m.max(v.abs())) / 0.1;
    let most = 0.5 * largest;
    let clip = Some(Clip::Value(f64::from(most)));
    let clipped = moved(&FitConfig { clip, ..descent(1) });
    for (a, b) in clipped.iter().zip(&free) {
        assert!((a - b.clamp(-0.1 * most, 0.1 * most)).abs() < 1e-7, "{a} {b}");
    }
    assert_ne!(clipped, free);
}

#[test]
fn an_exponential_average_keeps_its_share_and_takes_the_rest() {
    let [one, two, three] = [1, 2, 3].map(|epochs| run(&descent(epochs)).0);
    let averaged = |averaging| run(&FitConfig { averaging: Some(averaging), ..descent(3) }).0;
    // It begins with the first weights: (w1 · .75 + w2 · .25) · .75 + w3 · .25.
    let expected = mixed(&mixed(&one, &two, 0.25), &three, 0.25);
    assert_close(&averaged(Averaging::exponential(0.75)), &expected);
    // Updated after the second and the fourth step.
    let averaging = Some(Averaging::Exponential { decay: 0.75, every: 2 });
    let found = run(&FitConfig { averaging, ..descent(4) }).0;
    assert_close(&found, &mixed(&two, &run(&descent(4)).0, 0.25));
}

#[test]
fn running_statistics_are_averaged_with_the_weights() {
    let normed = |epochs, averaging| {
        // Without validation images the training loss decides, and the last epoch is the best.
        let data = FitData::new(greys(16), greys(16), Normalization::unit());
        let data = FitData { validation: None, ..data };
        let net = Architecture::new("normed", [1, 4, 4]).conv("conv1", 2, 3, 0).batch_norm("bn1");
        let net = net.relu().flatten().linear("fc1", 2);
        let network = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let config = FitConfig { averaging, batch_size: 8, learning_rate: 0.01, ..descent(epochs) };
        let fitted = fit(network, &data, &config, &Context::new(&Device::flex())).unwrap();
        assert_eq!(fitted.best.epoch, epochs);
        values(&fitted.model)
    };
    let plain = normed(3, None);
    assert!(plain.iter().any(|(name, _)| name == "bn1.running_mean"));
    // An average that keeps nothing is the last weights.
    assert_close(&normed(3, Some(Averaging::exponential(0.0))), &plain);
    let [one, two] = [1, 2].map(|epochs| normed(epochs, None));
    let averaging = Averaging::Exponential { decay: 0.75, every: 2 };
    let expected = mixed(&mixed(&one, &two, 0.25), &plain, 0.25);
    assert_close(&normed(3, Some(averaging)), &expected);
}

#[test]
fn a_stochastic_average_is_the_mean_of_the_epochs_from_one_on() {
    let [one, two, three] = [1, 2, 3].map(|epochs| run(&descent(epochs)).0);
    let averaged = |from_epoch| {
        let averaging = Some(Averaging::Stochastic { from_epoch });
        run(&FitConfig { averaging, ..descent(3) }).0
    };
    assert_close(&averaged(1), &mixed(&mixed(&one, &two, 0.5), &three, 1.0 / 3.0));
    assert_close(&averaged(2), &mixed(&two, &three, 0.5));
    assert_close(&averaged(3), &three);
}

#[test]
fn biases_do_not_decay_if_that_is_asked_and_a_group_decays_as_it_says() {
    let plain = run(&descent(1)).0;
    let all = run(&FitConfig { weight_decay: 0.5, ..descent(1) }).0;
    let some = FitConfig { weight_decay: 0.5, decay_biases_and_norms: false, ..descent(1) };
    for (((name, found), (_, plain)), (_, all)) in run(&some).0.iter().zip(&plain).zip(&all) {
        assert_ne!(plain, all, "{name}");
        assert_eq!(found, if name.ends_with("bias") { plain } else { all }, "{name}");
    }
    // A group of one's own counts before both.
    let group = ParamGroup::new("fc1.bias", 1.0).unwrap().with_weight_decay(0.5);
    let none = ParamGroup::new("fc2.weight", 1.0).unwrap().with_weight_decay(0.0);
    let own = run(&FitConfig { param_groups: vec![group, none], ..some }).0;
    for (((name, found), (_, plain)), (_, all)) in own.iter().zip(&plain).zip(&all) {
        let decays = matches!(name.as_str(), "fc1.bias" | "fc1.weight");
        assert_eq!(found, if decays { all } else { plain }, "{name}");
    }
}

#[test]
fn a_schedule_moves_the_rate_of_the_steps() {
    // The rate of the second epoch is a tenth: its step is a tenth of what it would be.
    let schedule = crate::Schedule::step(1, 0.1);
    let [one, two] = [1, 2].map(|epochs| run(&descent(epochs)).0);
    let slow = run(&FitConfig { schedule, ..descent(2) }).0;
    assert_close(&slow, &mixed(&one, &two, 0.1));
}
