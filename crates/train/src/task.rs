//! What a model learns: to name classes, or to reconstruct its input.

use burn::module::Module;
use burn::tensor::Tensor;
use selvedge_data::Batch;
use selvedge_models::Rng;

use crate::error::require_shape;
use crate::evaluate::{check_classes, cross_entropy, to_host};
use crate::metrics::{Totals, predictions};
use crate::{Autoencoder, BatchSource, Classifier, Metrics, Reconstruction, Score, TrainError};

/// What the loop of [`fit`](crate::fit) must know of a task.
pub(crate) trait Task<M: Module> {
    type Score: Score;

    /// The outputs while training, `[batch, features]`.
    fn learn(model: &M, batch: &Batch, rng: &mut Rng) -> Tensor<2>;

    /// The outputs of a model that is ready for inference.
    fn infer(model: &M, batch: &Batch) -> Tensor<2>;

    /// Images a batch in inference.
    fn inference_batch(model: &M) -> usize;

    /// The model's name in messages.
    fn name(model: &M) -> &str;

    /// `[channels, height, width]` of the images that it takes, if it takes no others.
    fn input_shape(model: &M) -> Option<[usize; 3]>;

    /// Refuses outputs that do not fit the batch.
    fn check(outputs: &Tensor<2>, batch: &Batch, classes: usize) -> Result<(), TrainError>;

    /// The mean loss over the batch, with one entry.
    fn loss(outputs: Tensor<2>, batch: &Batch) -> Tensor<1>;

    /// The class of each image; nothing where there are no classes to tell apart.
    fn predictions(outputs: Tensor<2>) -> Vec<usize>;

    fn score(totals: &Totals) -> Self::Score;
}

/// Cross-entropy and accuracy.
pub(crate) struct Classify;

impl<M: Classifier> Task<M> for Classify {
    type Score = Metrics;

    fn learn(model: &M, batch: &Batch, rng: &mut Rng) -> Tensor<2> {
        model.logits_train(batch.images.clone(), rng)
    }

    fn infer(model: &M, batch: &Batch) -> Tensor<2> {
        model.logits(batch.images.clone())
    }

    fn inference_batch(model: &M) -> usize {
        model.inference_batch()
    }

    fn name(model: &M) -> &str {
        model.name()
    }

    fn input_shape(model: &M) -> Option<[usize; 3]> {
        model.input_shape()
    }

    fn check(outputs: &Tensor<2>, _: &Batch, classes: usize) -> Result<(), TrainError> {
        check_classes(outputs, classes)
    }

    fn loss(outputs: Tensor<2>, batch: &Batch) -> Tensor<1> {
        cross_entropy(outputs, batch.labels.clone())
    }

    fn predictions(outputs: Tensor<2>) -> Vec<usize> {
        let classes = outputs.dims()[1];
        predictions(&to_host(outputs), classes).collect()
    }

    fn score(totals: &Totals) -> Metrics {
        totals.metrics()
    }
}

/// The mean squared error against the input.
pub(crate) struct Reconstruct;

impl<M: Autoencoder> Task<M> for Reconstruct {
    type Score = Reconstruction;

    fn learn(model: &M, batch: &Batch, rng: &mut Rng) -> Tensor<2> {
        model.reconstruction_train(batch.images.clone(), rng)
    }

    fn infer(model: &M, batch: &Batch) -> Tensor<2> {
        model.reconstruction(batch.images.clone())
    }

    fn inference_batch(model: &M) -> usize {
        model.inference_batch()
    }

    fn name(model: &M) -> &str {
        model.name()
    }

    fn input_shape(model: &M) -> Option<[usize; 3]> {
        model.input_shape()
    }

    fn check(outputs: &Tensor<2>, batch: &Batch, _: usize) -> Result<(), TrainError> {
        let (outputs, pixels) = (outputs.dims()[1], batch.images.dims()[1..].iter().product());
        match outputs == pixels {
            true => Ok(()),
            false => Err(TrainError::Pixels { outputs, pixels }),
        }
    }

    fn loss(outputs: Tensor<2>, batch: &Batch) -> Tensor<1> {
        let error = outputs - batch.images.clone().flatten(1, 3);
        (error.clone() * error).mean()
    }

    fn predictions(_: Tensor<2>) -> Vec<usize> {
        Vec::new()
    }

    fn score(totals: &Totals) -> Reconstruction {
        Reconstruction { loss: totals.metrics().loss }
    }
}

/// Refuses images that the model does not take.
pub(crate) fn check_images<T: Task<M>, M: Module>(
    model: &M,
    source: &dyn BatchSource,
) -> Result<(), TrainError> {
    match T::input_shape(model) {
        Some(takes) => require_shape(T::name(model), takes, source.image_shape()),
        None => Ok(()),
    }
}

/// The score of a model that is ready for inference, showing `seen` every batch with its predictions.
pub(crate) fn measure<T: Task<M>, M: Module>(
    model: &M,
    source: &dyn BatchSource,
    mut seen: impl FnMut(&Batch, &[usize]),
) -> Result<T::Score, TrainError> {
    check_images::<T, M>(model, source)?;
    let mut totals = Totals::default();
    for batch in source.batches(0) {
        let outputs = T::infer(model, &batch);
        T::check(&outputs, &batch, source.classes().len())?;
        let loss = T::loss(outputs.clone(), &batch).into_scalar::<f32>();
        let predictions = T::predictions(outputs);
        totals.add(&batch, loss as f64, &predictions);
        seen(&batch, &predictions);
    }
    Ok(T::score(&totals))
}
