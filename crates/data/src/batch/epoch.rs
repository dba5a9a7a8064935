//! The batches of one epoch, and their order.

use super::examples::{EpochSeed, Examples};
use super::host::{HostBatch, Picked};
use super::loader::Order;
use super::sampling::draw;
use super::{Batch, BatchLoader, ImageExamples};
use crate::{DataError, SplitMix64};

/// Keeps the noise of a batch apart from whatever else is drawn from the same seed ("noise").
const NOISE: u64 = 0x006E_6F69_7365;

/// Keeps the order of images apart from whatever else is drawn from the same seed ("order").
const ORDER: u64 = 0x006F_7264_6572;

impl<E: Examples> BatchLoader<E> {
    pub(super) fn host_batches(&self, epoch: usize, first_batch: usize) -> HostBatches<'_, E> {
        let len = self.examples.len();
        let (positions, before) = match &self.order {
            Order::Own => ((0..len).collect(), Vec::new()),
            Order::Shuffled => (epoch_order(len, self.seed, epoch), Vec::new()),
            Order::Sampled(sums) => draw(sums, self.seed, epoch),
        };
        let next = first_batch.saturating_mul(self.batch_size).min(self.num_images());
        HostBatches { loader: self, epoch, positions, before, next }
    }
}

/// The order in which a [`BatchLoader`] that shuffles by `seed` visits the positions `0..len` in an
/// epoch, for whatever else is to be read in the same order.
pub fn epoch_order(len: usize, seed: u64, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    SplitMix64::stream(seed ^ ORDER, epoch as u64).shuffle(&mut order);
    order
}

/// The batches of one epoch, made by [`BatchLoader::epoch`].
#[derive(Debug)]
pub struct Batches<'a, E = ImageExamples> {
    pub(super) batches: HostBatches<'a, E>,
}

impl<E: Examples> Iterator for Batches<'_, E> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batches.next()?.and_then(|batch| batch.on(&self.batches.loader.device));
        if batch.is_err() {
            self.batches.end();
        }
        Some(batch)
    }

    /// Exact unless a batch fails.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let loader = self.batches.loader;
        let images = loader.num_images() - self.batches.next;
        let batches = images.div_ceil(loader.batch_size);
        (batches.min(1), Some(batches))
    }
}

impl<E: Examples> std::iter::FusedIterator for Batches<'_, E> {}

/// The batches of one epoch, before they are on the device.
#[derive(Debug)]
pub(super) struct HostBatches<'a, E> {
    loader: &'a BatchLoader<E>,
    epoch: usize,
    positions: Vec<usize>,
    /// As in [`Picked`].
    before: Vec<u32>,
    next: usize,
}

impl<E: Examples> HostBatches<'_, E> {
    fn end(&mut self) {
        self.next = self.loader.num_images();
    }
}

impl<E: Examples> Iterator for HostBatches<'_, E> {
    type Item = Result<HostBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.next.saturating_add(self.loader.batch_size).min(self.loader.num_images());
        if self.next == end {
            return None;
        }
        let range = self.next..end;
        let before = self.before.get(range.clone()).unwrap_or(&[]);
        let picked = Picked { positions: &self.positions[range], before };
        let draws = EpochSeed { seed: self.loader.seed, epoch: self.epoch };
        let mut batch = HostBatch::read(&self.loader.examples, picked, draws);
        let number = self.next / self.loader.batch_size;
        if let (Some(mix), Ok(batch)) = (self.loader.mix, &mut batch) {
            let classes = self.loader.examples.classes().len();
            mix.apply(batch, classes, draws.seed, [self.epoch, number]);
        }
        if let (Some(amount), Ok(batch)) = (self.loader.noise, &mut batch) {
            let of_epoch = SplitMix64::stream(draws.seed ^ NOISE, self.epoch as u64).next_u64();
            if self.loader.keeps_clean {
                batch.keep_clean();
            }
            batch.add_noise(amount, SplitMix64::stream(of_epoch, number as u64));
        }
        self.next = end;
        if batch.is_err() {
            self.end();
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests;
