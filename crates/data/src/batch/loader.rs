use std::sync::Arc;

use burn::tensor::Device;

use super::epoch::Batches;
use super::examples::{EpochSeed, Examples};
use super::host::{HostBatch, Picked};
use super::{Batch, BatchSource, ImageExamples, Mix, Prefetch, Sampling};
use crate::error::Repr;
use crate::transform::require;
use crate::{DataError, DataErrorKind, Normalization, View};

/// Cuts [`Examples`], most often [the images of a view](ImageExamples), into batches: puts the values
/// of several into one buffer and makes it a tensor on the device.
///
/// An epoch's order, and what is drawn at random for an example, are functions of seed and epoch alone,
/// and a batch's bits do not depend on the number of threads.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{BatchLoader, DataError, ImageDataset, Normalization};
///
/// let classes = vec!["dark".to_owned(), "light".to_owned()];
/// let view = ImageDataset::new("t", vec![0, 51, 255], [1, 1, 1], vec![0, 0, 1], classes)?.view();
/// let loader = BatchLoader::new(view, 2, &Normalization::unit(), &Device::flex())?;
/// let batches = loader.epoch(0).collect::<Result<Vec<_>, DataError>>()?;
/// assert_eq!(batches.len(), 2);
/// assert_eq!(batches[0].images.dims(), [2, 1, 1, 1]);
/// assert_eq!(batches[1].labels, [1]);
/// # Ok::<(), DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchLoader<E = ImageExamples> {
    pub(super) examples: E,
    pub(super) batch_size: usize,
    pub(super) device: Device,
    pub(super) seed: u64,
    pub(super) order: Order,
    drop_last: bool,
    pub(super) mix: Option<Mix>,
    pub(super) noise: Option<f64>,
    /// Whether the images without noise are given, too.
    pub(super) keeps_clean: bool,
}

/// Which examples an epoch has, in which order.
#[derive(Debug, Clone)]
pub(super) enum Order {
    /// Each once, in their own order.
    Own,
    /// Each once, in a random order.
    Shuffled,
    /// With replacement, by the sums of their weights.
    Sampled(Arc<[f64]>),
}

impl BatchLoader {
    /// Batches of `batch_size` images in the view's order, normalized; the last one of an epoch may be
    /// smaller. For transformed images, see [`of`](Self::of).
    ///
    /// # Errors
    ///
    /// If the view has no images, the batch size is 0, or the normalization has another number of
    /// channels or gives anything but finite values.
    pub fn new(
        view: View,
        batch_size: usize,
        normalization: &Normalization,
        device: &Device,
    ) -> Result<Self, DataError> {
        check(view.len(), batch_size)?;
        Self::of(ImageExamples::new(view, normalization)?, batch_size, device)
    }

    /// The images that the batches are cut from, before they are transformed.
    pub fn view(&self) -> &View {
        self.examples.view()
    }
}

impl<E: Examples> BatchLoader<E> {
    /// Batches of `batch_size` examples in their order; the last one of an epoch may be smaller.
    ///
    /// # Errors
    ///
    /// If there are no examples, or the batch size is 0.
    pub fn of(examples: E, batch_size: usize, device: &Device) -> Result<Self, DataError> {
        check(examples.len(), batch_size)?;
        Ok(Self {
            examples,
            batch_size,
            device: device.clone(),
            seed: 0,
            order: Order::Own,
            drop_last: false,
            mix: None,
            noise: None,
            keeps_clean: true,
        })
    }

    /// Puts the examples into a new random order in every epoch (see [`SplitMix64`](crate::SplitMix64)), and draws whatever
    /// is random about them from the same seed.
    pub fn with_shuffle(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.order = Order::Shuffled;
        self
    }

    /// Chooses the examples of every epoch so, and draws whatever is random about them from the same
    /// seed.
    ///
    /// # Errors
    ///
    /// If there is not one weight for each class or example, one is negative or not a number, or all are
    /// 0; if classes are weighted whose examples have soft targets.
    pub fn with_sampling(mut self, sampling: &Sampling, seed: u64) -> Result<Self, DataError> {
        self.seed = seed;
        self.order = match sampling.sums(&self.examples)? {
            Some(sums) => Order::Sampled(sums.into()),
            None => Order::Shuffled,
        };
        Ok(self)
    }

    /// Leaves out the last batch of an epoch if it is smaller than the others, as PyTorch's `drop_last`.
    /// Where the order is random, other examples are left out in every epoch.
    ///
    /// # Errors
    ///
    /// If there are fewer examples than a batch has, so that nothing would be left.
    pub fn with_drop_last(mut self, drop_last: bool) -> Result<Self, DataError> {
        let len = self.examples.len();
        if drop_last && len < self.batch_size {
            let message = format!(
                "batch size: expected at most {len}, the number of images, where the last smaller batch is dropped, found {}",
                self.batch_size
            );
            return Err(DataError::new(DataErrorKind::InvalidInput, message));
        }
        self.drop_last = drop_last;
        Ok(self)
    }

    /// Mixes the images of every batch of an epoch, and their targets, which become probabilities: for
    /// training. What is drawn follows from the seed, the epoch and the batch's number.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_data::{BatchLoader, ImageDataset, Mix, Normalization, Targets};
    ///
    /// let classes = vec!["dark".to_owned(), "light".to_owned()];
    /// let view = ImageDataset::new("t", vec![0, 255], [1, 1, 1], vec![0, 1], classes)?.view();
    /// let loader = BatchLoader::new(view, 2, &Normalization::unit(), &Device::flex())?
    ///     .with_shuffle(1)
    ///     .with_mix(Mix::Mixup { alpha: 0.2 })?;
    /// let batch = loader.epoch(0).next().unwrap()?;
    /// assert!(matches!(batch.targets, Targets::Soft(_)));
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting is out of range.
    pub fn with_mix(mut self, mix: Mix) -> Result<Self, DataError> {
        mix.check()?;
        self.mix = Some(mix);
        Ok(self)
    }

    /// Adds uniform noise of at most `amount`, in units of the normalized values, to the images of every batch, and
    /// keeps those without in [`Batch::clean`]: for a denoising autoencoder. What is drawn follows from the seed, the
    /// epoch and the batch's number.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_data::{BatchLoader, ImageDataset, Normalization};
    ///
    /// let view = ImageDataset::new("t", vec![0, 255], [1, 1, 1], vec![0, 0], vec!["c".into()])?.view();
    /// let loader = BatchLoader::new(view, 2, &Normalization::unit(), &Device::flex())?.with_input_noise(0.1)?;
    /// let batch = loader.epoch(0).next().unwrap()?;
    /// let difference = (batch.images - batch.clean.unwrap()).abs().max().into_scalar::<f32>();
    /// assert!(difference > 0.0 && difference <= 0.1);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the amount is negative or not finite.
    pub fn with_input_noise(mut self, amount: f64) -> Result<Self, DataError> {
        let holds = amount >= 0.0 && amount.is_finite();
        require(holds, "input noise", "at least 0", amount)?;
        self.noise = Some(amount);
        Ok(self)
    }

    /// The same batches, without the images from before [noise](Self::with_input_noise) was added: an autoencoder is
    /// compared with the noisy ones.
    #[must_use]
    pub fn with_noisy_targets(mut self) -> Self {
        self.keeps_clean = false;
        self
    }

    /// The same batches, up to `ahead` of them prepared by a thread before they are asked for; 0 counts
    /// as 1.
    pub fn prefetched(self, ahead: usize) -> Prefetch<E>
    where
        E: 'static,
    {
        Prefetch::new(self, ahead)
    }

    /// Draws whatever is random about the examples from this seed, otherwise from 0, and leaves their
    /// order.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What the batches are cut from.
    pub fn examples(&self) -> &E {
        &self.examples
    }

    /// Examples per batch, but for the last of an epoch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Batches per epoch.
    pub fn num_batches(&self) -> usize {
        match self.drop_last {
            true => self.examples.len() / self.batch_size,
            false => self.examples.len().div_ceil(self.batch_size),
        }
    }

    /// Examples per epoch.
    pub fn num_images(&self) -> usize {
        self.examples.len().min(self.num_batches().saturating_mul(self.batch_size))
    }

    /// One pass over all examples. Each batch is put together when it is asked for; one that cannot be
    /// ends the epoch with its error.
    pub fn epoch(&self, epoch: usize) -> Batches<'_, E> {
        self.epoch_from(epoch, 0)
    }

    /// As [`epoch`](Self::epoch), from a batch on, counted from 0; those before it are not put together.
    pub fn epoch_from(&self, epoch: usize, first_batch: usize) -> Batches<'_, E> {
        Batches { batches: self.host_batches(epoch, first_batch) }
    }

    /// One batch of the examples at the given positions, in the given order, with what is random about
    /// them as in epoch 0.
    ///
    /// # Errors
    ///
    /// If there are no positions, one is beyond the examples, or an example cannot be had.
    pub fn gather(&self, positions: &[usize]) -> Result<Batch, DataError> {
        if positions.is_empty() {
            return Err(Repr::NoImages { what: "batch" }.into());
        }
        let len = self.examples.len();
        if let Some(&found) = positions.iter().find(|&&p| p >= len) {
            return Err(Repr::Position { len, found }.into());
        }
        let picked = Picked { positions, before: &[] };
        let draws = EpochSeed { seed: self.seed, epoch: 0 };
        HostBatch::read(&self.examples, picked, draws)?.on(&self.device)
    }
}

fn check(examples: usize, batch_size: usize) -> Result<(), DataError> {
    if batch_size == 0 {
        return Err(Repr::BatchSize.into());
    }
    if examples == 0 {
        return Err(Repr::NoImages { what: "batches" }.into());
    }
    Ok(())
}

impl<E: Examples> BatchSource for BatchLoader<E> {
    fn num_images(&self) -> usize {
        BatchLoader::num_images(self)
    }

    fn image_shape(&self) -> [usize; 3] {
        self.examples.shape()
    }

    fn classes(&self) -> &[String] {
        self.examples.classes()
    }

    fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
        Box::new(self.epoch(epoch))
    }

    fn num_batches(&self) -> Option<usize> {
        Some(BatchLoader::num_batches(self))
    }

    fn batches_from(
        &self,
        epoch: usize,
        first_batch: usize,
    ) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
        Box::new(self.epoch_from(epoch, first_batch))
    }
}

#[cfg(test)]
mod tests;
