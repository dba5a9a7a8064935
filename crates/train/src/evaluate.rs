use selvedge_data::{BatchLoader, BatchSource, Normalization, View};
use selvedge_models::Model;

use crate::task::measure;
use crate::{
    Classify, ConfusionMatrix, Context, Evaluation, Reconstruct, Reconstruction, Task, TrainError,
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
    let metrics = measure(&task, &model.valid(), source, |batch, predictions| {
        for (&predicted, &label) in predictions.iter().zip(&batch.labels) {
            confusion.add(usize::from(label), predicted);
        }
    })?;
    Ok(Evaluation { metrics, confusion })
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
