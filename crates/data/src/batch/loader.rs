use std::borrow::Cow;

use burn::tensor::{Device, Tensor, TensorData};

use super::examples::{self, EpochSeed, Examples};
use super::{Batch, BatchSource, ImageExamples};
use crate::error::Repr;
use crate::{DataError, Normalization, SplitMix64, View};

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
    examples: E,
    batch_size: usize,
    device: Device,
    seed: u64,
    shuffle: bool,
}

/// Keeps the order of images apart from whatever else is drawn from the same seed ("order").
const ORDER: u64 = 0x006F_7264_6572;

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
        Ok(Self { examples, batch_size, device: device.clone(), seed: 0, shuffle: false })
    }

    /// Puts the examples into a new random order in every epoch (see [`SplitMix64`]), and draws whatever
    /// is random about them from the same seed.
    pub fn with_shuffle(mut self, seed: u64) -> Self {
        self.seed = seed;
        self.shuffle = true;
        self
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
        self.examples.len().div_ceil(self.batch_size)
    }

    /// Examples per epoch.
    pub fn num_images(&self) -> usize {
        self.examples.len()
    }

    /// One pass over all examples. Each batch is put together when it is asked for; one that cannot be
    /// ends the epoch with its error.
    pub fn epoch(&self, epoch: usize) -> Batches<'_, E> {
        let order = self.shuffle.then(|| epoch_order(self.examples.len(), self.seed, epoch));
        Batches { loader: self, epoch, order, next: 0 }
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
        self.assemble(positions, 0)
    }

    fn assemble(&self, positions: &[usize], epoch: usize) -> Result<Batch, DataError> {
        let draws = EpochSeed { seed: self.seed, epoch };
        let [channels, height, width] = self.examples.shape();
        let values = self.examples.gather(positions, draws)?;
        let expected = positions.len() * channels * height * width;
        if values.len() != expected {
            return Err(Repr::BatchTargets { what: "values", expected, found: values.len() }.into());
        }
        let data = TensorData::new(values, [positions.len(), channels, height, width]);
        let images = || Tensor::from_data(data, &self.device);
        if self.examples.has_soft_targets() {
            let probabilities = examples::soft_targets(&self.examples, positions, draws);
            Batch::soft(images(), probabilities, self.examples.classes().len())
        } else {
            let labels = examples::labels(&self.examples, positions)?;
            Batch::hard(images(), labels)
        }
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
        self.examples.len()
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
    loader: &'a BatchLoader<E>,
    epoch: usize,
    /// None: the examples' own order.
    order: Option<Vec<usize>>,
    next: usize,
}

impl<E: Examples> Iterator for Batches<'_, E> {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let len = self.loader.num_images();
        let end = self.next.saturating_add(self.loader.batch_size).min(len);
        if self.next == end {
            return None;
        }
        let positions: Cow<[usize]> = match &self.order {
            Some(order) => order[self.next..end].into(),
            None => (self.next..end).collect::<Vec<_>>().into(),
        };
        let batch = self.loader.assemble(&positions, self.epoch);
        self.next = if batch.is_ok() { end } else { len };
        Some(batch)
    }

    /// Exact unless a batch fails.
    fn size_hint(&self) -> (usize, Option<usize>) {
        let images = self.loader.num_images() - self.next;
        let batches = images.div_ceil(self.loader.batch_size);
        (batches.min(1), Some(batches))
    }
}

impl<E: Examples> std::iter::FusedIterator for Batches<'_, E> {}

#[cfg(test)]
mod tests;
