//! What the batch of a step gives, on one device or shared among several.
//!
//! Each device has a copy of the weights and its part of the images (data-parallel training, as PyTorch's
//! `DistributedDataParallel`). The copies are made anew for every step, and gradients come back to the first
//! device, where they are added up in the order of the devices. It is written with copies from device to device: Burn
//! 0.22's collective operations exist for CUDA alone.

use std::ops::Range;
use std::panic::resume_unwind;
use std::thread::scope;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use selvedge_data::{Batch, SplitMix64};
use selvedge_models::{Model, Rng};

use super::gradients::weighted_sum;
use crate::TrainError;
use crate::task::Task;

/// What a batch gives; of tensors that are out of the graph.
pub(super) struct Learned {
    /// The mean loss, `[1]`.
    pub loss: Tensor<1>,
    /// `[batch, values]`.
    pub outputs: Tensor<2>,
    /// Those of the mean loss.
    pub gradients: GradientsParams,
}

/// How a batch becomes gradients.
pub(super) struct Learning<'a, T> {
    pub task: &'a T,
    pub classes: usize,
    /// The devices beside the one on which the model and its batches are, with autodiff.
    pub others: &'a [Device],
}

impl<T: Task> Learning<'_, T> {
    /// The gradients of a batch; what is random follows from `seed`.
    pub fn learn<M: Model>(
        &self,
        model: &M,
        batch: &Batch,
        seed: u64,
    ) -> Result<Learned, TrainError> {
        let mut parts = parts(batch.len(), 1 + self.others.len());
        let first = parts.remove(0);
        if parts.is_empty() {
            return self.alone(model, batch, seed);
        }
        let main = batch.images.device();
        let learned = scope(|scope| {
            let others = parts.iter().zip(self.others).enumerate();
            // All at once: `map` alone would start each after the one before it.
            let threads: Vec<_> = others
                .map(|(at, (range, device))| {
                    let part = batch.part(range.clone()).to_device(device);
                    // Made for inference first: only thus does the copy have running statistics of its own
                    // whatever the module.
                    let model = model.valid().fork(&device.clone().without_autodiff()).train();
                    let seed = SplitMix64::stream(seed, 1 + at as u64).next_u64();
                    let main = &main;
                    scope.spawn(move || {
                        let learned = self.alone(&model, &part, seed)?;
                        Ok::<_, TrainError>((self.task.weight(&part), learned.on(main, &model)))
                    })
                })
                .collect();
            let part = batch.part(first);
            let mine = self.alone(model, &part, seed);
            // Every thread has ended before an error is told.
            let others: Vec<_> = threads.into_iter().map(|thread| thread.join()).collect();
            let others = others.into_iter().map(|ended| ended.unwrap_or_else(|p| resume_unwind(p)));
            let others: Result<Vec<_>, _> = others.collect();
            Ok::<_, TrainError>(std::iter::once((self.task.weight(&part), mine?)).chain(others?))
        })?;
        Ok(Learned::mean(model, learned.collect()))
    }

    fn alone<M: Model>(&self, model: &M, batch: &Batch, seed: u64) -> Result<Learned, TrainError> {
        let outputs = model.forward_train(batch.images.clone(), &mut Rng::seed_from_u64(seed));
        let loss = self.task.loss(outputs.clone(), batch, self.classes)?;
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        Ok(Learned { loss: loss.inner(), outputs: outputs.inner(), gradients })
    }
}

impl Learned {
    fn on<M: Model>(self, device: &Device, model: &M) -> Self {
        let plain = device.clone().without_autodiff();
        Self {
            loss: self.loss.to_device(&plain),
            outputs: self.outputs.to_device(&plain),
            gradients: self.gradients.to_device(&plain, model),
        }
    }

    /// Those of the whole batch, from those of its parts and what each part counts for.
    fn mean<M: Model>(model: &M, parts: Vec<(f64, Self)>) -> Self {
        let whole: f64 = parts.iter().map(|(weight, _)| weight).sum();
        let (mut losses, mut outputs, mut gradients) = (Vec::new(), Vec::new(), Vec::new());
        for (weight, part) in parts {
            outputs.push(part.outputs);
            // A part that counts for nothing has no mean; a batch of such parts has none, either.
            if weight > 0.0 || whole == 0.0 {
                losses.push(part.loss.mul_scalar(weight / whole));
                gradients.push((weight / whole, part.gradients));
            }
        }
        Self {
            loss: Tensor::cat(losses, 0).sum(),
            outputs: Tensor::cat(outputs, 0),
            gradients: weighted_sum(model, gradients),
        }
    }
}

/// At most so many parts of a batch, as equal as they can be, none empty.
fn parts(images: usize, devices: usize) -> Vec<Range<usize>> {
    let count = devices.min(images).max(1);
    (0..count).map(|i| images * i / count..images * (i + 1) / count).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_hold_every_image_once_and_none_is_empty(images in 1usize..200, devices in 1usize..9) {
            let parts = parts(images, devices);
            prop_assert_eq!(parts.iter().cloned().flatten().collect::<Vec<_>>(), (0..images).collect::<Vec<_>>());
            let sizes = || parts.iter().map(|part| part.len());
            prop_assert!(sizes().min() >= Some(1) && sizes().max().unwrap() <= sizes().min().unwrap() + 1);
        }
    }

    #[test]
    fn running_statistics_are_those_of_the_first_part_whatever_the_module() {
        use burn::module::Module;
        use burn::tensor::{Distribution, TensorData};
        use selvedge_models::state;

        use crate::Classify;
        use crate::test_model::Shared;

        let device = Device::flex().autodiff();
        let images = Tensor::<4>::random([9, 1, 4, 4], Distribution::Default, &device);
        let batch = Batch::hard(images, vec![0, 1, 0, 1, 0, 1, 0, 1, 0]).unwrap();
        let statistics = |others: &[Device], batch: &Batch| -> TensorData {
            let model = Shared::new(16, 2).train();
            let learning = Learning { task: &Classify::default(), classes: 2, others };
            learning.learn(&model, batch, 7).unwrap();
            state::read(&model.valid()).remove("norm.running_mean").unwrap()
        };
        let other = [device];
        let expected = statistics(&[], &batch.part(0..4));
        assert_eq!(statistics(&other, &batch), expected);
        assert_ne!(statistics(&[], &batch), expected);
    }
}
