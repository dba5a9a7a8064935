use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use selvedge_data::{BatchLoader, Normalization, View};

use crate::metrics::{Totals, predictions};
use crate::{Classifier, ConfusionMatrix, Context, Evaluation, TrainError};

/// Images a batch when nothing is learned from them: larger batches gain nothing on a CPU, and fit
/// any GPU.
const EVALUATION_BATCH: usize = 256;

/// Loss, accuracy and confusion matrix of `model` on `view`, without dropout and with the running
/// statistics of batch normalisation.
///
/// A requested stop of `context` is not looked at: a measurement is whole or it is nothing.
///
/// # Errors
///
/// [`TrainError::Data`] if the images cannot be batched, [`TrainError::Classes`] if the model has
/// another number of logits than `view` has classes.
pub fn evaluate<M: Classifier>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    context: &Context,
) -> Result<Evaluation, TrainError> {
    let model = model.valid();
    let loader = BatchLoader::new(view.clone(), EVALUATION_BATCH, normalization, &context.device)?;
    let mut totals = Totals::default();
    let mut confusion = ConfusionMatrix::new(view.classes());
    for batch in loader.epoch(0) {
        let logits = model.logits(batch.images);
        let classes = check_classes(&logits, view)?;
        let loss = cross_entropy(logits.clone(), batch.labels).into_scalar::<f32>();
        let mut right = 0;
        for (predicted, &truth) in predictions(&to_host(logits), classes).zip(&batch.targets) {
            confusion.add(truth as usize, predicted);
            right += usize::from(predicted == truth as usize);
        }
        totals.add(batch.targets.len(), loss as f64, right);
    }
    let metrics = totals.metrics();
    Ok(Evaluation { metrics, confusion })
}

/// The mean over the batch of -log softmax(logits)\[label\], in nats, as PyTorch's `cross_entropy`.
///
/// `logits` are `[batch, classes]`, `labels` `[batch]`; the result has one entry.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let picked = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1));
    picked.mean().neg()
}

pub(crate) fn check_classes(logits: &Tensor<2>, view: &View) -> Result<usize, TrainError> {
    let (logits, classes) = (logits.dims()[1], view.num_classes());
    if logits == classes {
        return Ok(classes);
    }
    Err(TrainError::Classes { logits, classes })
}

pub(crate) fn to_host(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_to_vec_as().expect("logits are floats")
}
