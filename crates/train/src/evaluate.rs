use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};
use selvedge_data::{BatchLoader, Normalization, View};

use crate::task::{Classify, measure};
use crate::{BatchSource, Classifier, ConfusionMatrix, Context, Evaluation, TrainError};

/// Loss, accuracy and confusion matrix of `model` on `view`, without dropout and with the running
/// statistics of batch normalisation.
///
/// A requested stop of `context` is not looked at: a measurement is whole or it is nothing.
///
/// # Errors
///
/// [`TrainError::Data`] if the images cannot be batched, [`TrainError::ImageShape`] if the model takes
/// images of another shape, [`TrainError::Classes`] if it has another number of logits than `view` has
/// classes.
pub fn evaluate<M: Classifier>(
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
/// [`TrainError::ImageShape`] if the model takes images of another shape, [`TrainError::Classes`] if it
/// has another number of logits than there are classes.
pub fn evaluate_on<M: Classifier>(
    model: &M,
    source: &dyn BatchSource,
) -> Result<Evaluation, TrainError> {
    let mut confusion = ConfusionMatrix::new(source.classes());
    let metrics = measure::<Classify, M>(&model.valid(), source, |batch, predictions| {
        for (&predicted, &truth) in predictions.iter().zip(&batch.targets) {
            confusion.add(truth as usize, predicted);
        }
    })?;
    Ok(Evaluation { metrics, confusion })
}

/// The mean over the batch of -log softmax(logits)\[label\], in nats, as PyTorch's `cross_entropy`.
///
/// `logits` are `[batch, classes]`, `labels` `[batch]`; the result has one entry.
pub fn cross_entropy(logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
    let picked = log_softmax(logits, 1).gather(1, labels.unsqueeze_dim(1));
    picked.mean().neg()
}

pub(crate) fn check_classes(logits: &Tensor<2>, classes: usize) -> Result<(), TrainError> {
    let logits = logits.dims()[1];
    match logits == classes {
        true => Ok(()),
        false => Err(TrainError::Classes { logits, classes }),
    }
}

pub(crate) fn to_host(logits: Tensor<2>) -> Vec<f32> {
    logits.into_data().try_to_vec_as().expect("logits are floats")
}
