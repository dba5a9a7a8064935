//! What changes while a run goes on.

use burn::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Gradients;
use rand::SeedableRng;
use selvedge_models::{Model, Rng};

use crate::{EpochRecord, History, Score, TrainError};

/// Keeps dropout apart from the initial weights, which are drawn by the same generator ("dropout").
const DROPOUT: u64 = 0x0064_726F_706F_7574;

const WHOLE: &str = "the model is put back after every step";

/// The whole state of a run: whatever the next step depends on, besides settings and data.
pub(super) struct TrainState<M, S> {
    /// `None` only within a step, while the optimizer holds it.
    model: Option<M>,
    optimizer: ModuleOptimizer,
    /// What dropout is drawn from.
    pub rng: Rng,
    /// The epochs that are complete.
    pub history: History<S>,
    /// The epoch of lowest validation loss so far, with its model, ready for inference.
    pub best: Option<(EpochRecord<S>, M)>,
}

impl<M: Model, S: Score> TrainState<M, S> {
    /// Before the first step; `model` is on the training device.
    pub fn new(model: M, optimizer: ModuleOptimizer, seed: u64) -> Self {
        Self {
            model: Some(model),
            optimizer,
            rng: Rng::seed_from_u64(seed ^ DROPOUT),
            history: History { epochs: Vec::new() },
            best: None,
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &M {
        self.model.as_ref().expect(WHOLE)
    }

    /// The outputs while training, `[batch, values]`.
    pub fn outputs(&mut self, images: burn::tensor::Tensor<4>) -> burn::tensor::Tensor<2> {
        self.model.as_ref().expect(WHOLE).forward_train(images, &mut self.rng)
    }

    /// One step of the optimizer.
    pub fn step(&mut self, gradients: Gradients, rates: &ModuleLearningRate) {
        let model = self.model.take().expect(WHOLE);
        let gradients = GradientsParams::from_grads(gradients, &model);
        self.model = Some(self.optimizer.step(rates.clone(), model, gradients));
    }

    /// Notes a complete epoch; `snapshot` is its model, ready for inference.
    pub fn finish_epoch(&mut self, record: EpochRecord<S>, snapshot: M) {
        self.history.epochs.push(record.clone());
        let loss = record.validation.loss();
        if self.best.as_ref().is_none_or(|(best, _)| loss < best.validation.loss()) {
            self.best = Some((record, snapshot));
        }
    }

    /// The epochs since the best one.
    pub fn epochs_without_progress(&self) -> usize {
        let best = self.best.as_ref().map_or(0, |(best, _)| best.epoch);
        self.history.epochs.len() - best
    }

    /// The best epoch with its model, and the history.
    pub fn into_best(self, what: &str) -> Result<(EpochRecord<S>, M, History<S>), TrainError> {
        let (best, model) = self.best.ok_or_else(|| TrainError::Stopped { what: what.into() })?;
        Ok((best, model, self.history))
    }
}
