use burn::tensor::Device;
use selvedge_data::{BatchLoader, ImageDataset, Normalization, View};
use selvedge_models::{Architecture, Initialization, Network};

use super::*;
use crate::{Context, FitConfig, FitData, OptimizerConfig, evaluate_task, fit_task};

/// Eleven images of 2 × 2, of three classes of which one is rare.
fn view() -> View {
    let pixels = (0..44).map(|i| (i * 37 % 256) as u8).collect();
    let labels = vec![0, 0, 1, 0, 0, 0, 1, 2, 0, 1, 0];
    let classes = ["a", "b", "c"].map(String::from).to_vec();
    ImageDataset::new("t", pixels, [1, 2, 2], labels, classes).unwrap().view()
}

fn network(outputs: usize) -> Network {
    let network = Architecture::new("tiny", [1, 2, 2]).flatten().linear("fc1", outputs);
    network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
}

fn score<T: Task>(task: &T, batch_size: usize) -> T::Score {
    let normalization = Normalization::unit();
    let source = BatchLoader::new(view(), batch_size, &normalization, &Device::flex()).unwrap();
    evaluate_task(task, &network(3), &source).unwrap()
}

#[test]
fn the_mean_over_batches_is_that_of_all_images_at_once_whatever_they_weigh() {
    let class_weights = balanced_class_weights(&view().class_counts()).unwrap();
    let alpha = class_weights.clone();
    let weighted = CrossEntropy { class_weights, label_smoothing: 0.1 };
    for loss in [weighted.into(), Focal { alpha, ..Focal::default() }.into()] {
        let task = Classify::<ClassificationLoss> { loss };
        let whole = score(&task, 11);
        for batch_size in [1, 2, 4, 10] {
            let parts = score(&task, batch_size);
            // Each batch's mean is rounded to 32 bits.
            assert!((parts.loss - whole.loss).abs() < 1e-6, "{task:?}: {parts} {whole}");
            assert_eq!(parts.accuracy, whole.accuracy);
        }
    }
}

#[test]
fn batches_of_one_step_count_by_what_their_images_weigh() {
    let class_weights = balanced_class_weights(&view().class_counts()).unwrap();
    let task = Classify { loss: CrossEntropy { class_weights, ..CrossEntropy::default() } };
    let data = FitData::new(view(), view(), Normalization::unit());
    let after_a_step = |batch_size, accumulate| {
        let optimizer = OptimizerConfig::sgd(0.0);
        let (epochs, learning_rate) = (1, 1.0);
        let config = FitConfig {
            epochs,
            batch_size,
            accumulate,
            learning_rate,
            optimizer,
            ..FitConfig::default()
        };
        let context = Context::new(&Device::flex());
        let fitted = fit_task(&task, network(3), &data, &config, &context).unwrap();
        let state = selvedge_models::state::read(&fitted.model);
        state.into_values().flat_map(|data| data.try_to_vec::<f32>().unwrap()).collect::<Vec<_>>()
    };
    let whole = after_a_step(11, 1);
    for (a, b) in whole.iter().zip(after_a_step(4, 3)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

fn fit_message<T: Task>(task: &T, data: &FitData, outputs: usize) -> String {
    let config = FitConfig { epochs: 1, ..FitConfig::default() };
    let fitted = fit_task(task, network(outputs), data, &config, &Context::new(&Device::flex()));
    fitted.map(drop).unwrap_err().to_string()
}

#[test]
fn losses_that_do_not_fit_the_data_are_refused_before_anything_is_trained() {
    let data = FitData::new(view(), view(), Normalization::unit());
    let weights = |class_weights: &[f64]| Classify {
        loss: CrossEntropy { class_weights: class_weights.into(), ..CrossEntropy::default() },
    };
    let message = fit_message(&weights(&[1.0, 0.0, 1.0]), &data, 3);
    assert_eq!(message, "class weight is 0, but must be above 0");
    let message = fit_message(&weights(&[1.0, 1.0]), &data, 3);
    assert_eq!(message, "number of class weights is 2, but must be one for each class");

    let task = Reconstruct { loss: PixelLoss::BinaryCrossEntropyWithLogits };
    let standardized = data.with_normalization(Normalization::standardized(&view()));
    let message = fit_message(&task, &standardized, 4);
    assert!(message.starts_with("pixel is ") && message.contains("from 0 to 1"), "{message}");
}

#[test]
fn a_closure_is_a_loss() {
    let double = Classify {
        loss: |logits: Tensor<2>, batch: &Batch| {
            cross_entropy(logits, &batch.targets).map(|loss| loss * 2.0)
        },
    };
    let (plain, double) = (score(&Classify::default(), 4), score(&double, 4));
    assert!((double.loss - 2.0 * plain.loss).abs() < 1e-6, "{double} {plain}");
}
