use selvedge_data::{BatchLoader, BatchSource, Normalization, View};
use selvedge_kernels::with_team;
use selvedge_models::Model;

use crate::metrics::to_host;
use crate::task::{check_images, measure, no_batches};
use crate::{
    Classify, ConfusionMatrix, Context, Evaluation, Predictions, Reconstruct, Reconstruction, Task,
    TrainError,
};

/// Loss, accuracy and confusion matrix of a classifier on `view`, without dropout and with the running
/// statistics of batch normalization.
///
/// A requested stop of `context` is not looked at: a measurement is whole or it is nothing.
///
/// # Errors
///
/// [`TrainError::Data`] if the images cannot be batched, [`TrainError::ImageShape`] if the model takes
/// images of another shape, [`TrainError::Classes`] if it has another number of logits than `view` has
/// classes.
pub fn evaluate<M: Model>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Evaluation, TrainError> {
    let batch = model.inference_batch();
    evaluate_on(model, &BatchLoader::new(view.clone(), batch, normalization, &context.device)?)
}

/// As [`evaluate`], on the batches of any source: of
/// [`Features`](crate::features::Features), for example.
///
/// # Errors
///
/// [`TrainError::Data`] if a batch cannot be had, [`TrainError::ImageShape`] if the model takes images of
/// another shape, [`TrainError::Classes`] if it has another number of logits than there are classes.
pub fn evaluate_on<M: Model>(
    model: &M,
    source: &dyn BatchSource,
) -> Result<Evaluation, TrainError> {
    let mut confusion = ConfusionMatrix::new(source.classes());
    let task = Classify::default();
    let metrics = measure(&task, &model.valid(), source, |labels, predictions| {
        for (&predicted, &label) in predictions.iter().zip(labels) {
            confusion.add(usize::from(label), predicted);
        }
    })?;
    Ok(Evaluation { metrics, confusion })
}

/// The logits of a classifier for every image of `view`, in its order, without dropout and with the
/// running statistics of batch normalization: for everything that [`evaluate`] does not measure.
///
/// They take four bytes an image and class.
///
/// # Errors
///
/// As [`evaluate`]; [`TrainError::Setting`] if a logit is infinite or not a number.
pub fn predictions<M: Model>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Predictions, TrainError> {
    let batch = model.inference_batch();
    predictions_on(model, &BatchLoader::new(view.clone(), batch, normalization, &context.device)?)
}

/// As [`predictions`], on the batches of any source, in the order in which it gives them. Of soft
/// targets the most probable class is the truth.
///
/// # Errors
///
/// As [`evaluate_on`]; [`TrainError::Setting`] if a logit is infinite or not a number.
pub fn predictions_on<M: Model>(
    model: &M,
    source: &dyn BatchSource,
) -> Result<Predictions, TrainError> {
    let model = model.valid();
    check_images(&model, source)?;
    let classes = source.classes().len();
    let (mut labels, mut logits) = (Vec::new(), Vec::new());
    with_team(|| {
        for batch in source.batches(0) {
            let batch = batch?;
            let outputs = model.forward(batch.images.clone());
            let width = outputs.dims()[1];
            if width != classes {
                return Err(TrainError::Classes { logits: width, classes });
            }
            logits.extend(to_host(outputs));
            labels.extend(batch.labels);
        }
        Ok(())
    })?;
    if labels.is_empty() {
        return Err(no_batches("validation or test"));
    }
    Predictions::new(source.classes(), labels, logits)
}

/// What `task` measures of `model` on all batches of one epoch.
///
/// # Errors
///
/// [`TrainError::Data`] if a batch cannot be had, [`TrainError::ImageShape`] if the model takes images of
/// another shape, or what [`Task::loss`] gives for outputs that do not fit.
pub fn evaluate_task<T: Task, M: Model>(
    task: &T,
    model: &M,
    source: &dyn BatchSource,
) -> Result<T::Score, TrainError> {
    task.check()?;
    task.check_data(source)?;
    measure(task, &model.valid(), source, |_, _| {})
}

/// How well `model` reconstructs the images of `view`.
///
/// # Errors
///
/// [`TrainError::Data`] if the images cannot be batched, [`TrainError::ImageShape`] if the model takes
/// images of another shape, [`TrainError::Pixels`] if it gives another number of values than an image
/// has pixels.
pub fn evaluate_autoencoder<M: Model>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Reconstruction, TrainError> {
    let batch = model.inference_batch();
    let source = BatchLoader::new(view.clone(), batch, normalization, &context.device)?;
    evaluate_task(&Reconstruct::default(), model, &source)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use selvedge_data::ImageDataset;
    use selvedge_models::{Architecture, Initialization, Network};

    use super::*;

    /// Ten images of one grey each, of three classes.
    fn greys() -> View {
        let pixels = (0..10).flat_map(|i| [25 * i as u8; 4]).collect();
        let labels = (0..10).map(|i| i % 3).collect();
        let classes = ["a", "b", "c"].map(String::from).to_vec();
        ImageDataset::new("greys", pixels, [1, 2, 2], labels, classes).unwrap().view()
    }

    fn network(classes: usize) -> Network {
        let network = Architecture::new("tiny", [1, 2, 2]).flatten().linear("fc1", classes);
        network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
    }

    #[test]
    fn predictions_come_in_the_order_of_the_view_whatever_the_batches() {
        let (view, unit) = (greys(), Normalization::unit());
        let context = Context::new(&Device::flex());
        let whole = predictions(&network(3), &view, &unit, &context).unwrap();
        assert_eq!((whole.labels(), whole.classes()), (view.labels(), view.classes()));
        let loader = BatchLoader::new(view.clone(), 4, &unit, &context.device).unwrap();
        let parts = predictions_on(&network(3), &loader).unwrap();
        for (a, b) in whole.logits().iter().zip(parts.logits()) {
            assert!((a - b).abs() < 1e-6);
        }
        let measured = evaluate(&network(3), &view, &unit, &context).unwrap();
        assert_eq!(whole.confusion(), measured.confusion);
        assert!((whole.log_loss() - measured.metrics.loss).abs() < 1e-6);
    }

    #[test]
    fn predictions_of_another_number_of_classes_are_refused() {
        let context = Context::new(&Device::flex());
        let error = predictions(&network(4), &greys(), &Normalization::unit(), &context);
        let message = error.unwrap_err().to_string();
        assert_eq!(message, "the model gives 4 logits, but the images have 3 classes");
    }
}
