use std::borrow::Cow;

use burn::tensor::{Device, Int, Tensor, TensorData};
use rayon::prelude::*;

use crate::normalize::Affine;
use crate::{DataError, Normalization, SplitMix64, View};

/// Batches of at least this many pixels are assembled by several threads; below it, handing work
/// to other threads costs more than it saves.
const PARALLEL_PIXELS: usize = 1 << 20;

/// Images and labels on a device, ready for a model.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Normalized pixels, `[batch, channels, height, width]`.
    pub images: Tensor<4>,
    /// Labels, `[batch]`.
    pub labels: Tensor<1, Int>,
    /// The same labels on the host.
    pub targets: Vec<u8>,
}

impl Batch {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// Cuts a [`View`] into batches: gathers the images, converts and normalizes them into one buffer
/// and makes it a tensor on the device.
///
/// An epoch's order is a function of seed and epoch alone, and a batch's bits do not depend on the
/// number of threads.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::{BatchLoader, ImageDataset, Normalization};
///
/// let classes = vec!["dark".to_owned(), "light".to_owned()];
/// let view = ImageDataset::new("t", vec![0, 51, 255], [1, 1, 1], vec![0, 0, 1], classes)?.view();
/// let loader = BatchLoader::new(view, 2, &Normalization::unit(), &Device::flex())?;
/// let batches: Vec<_> = loader.epoch(0).collect();
/// assert_eq!(batches.len(), 2);
/// assert_eq!(batches[0].images.dims(), [2, 1, 1, 1]);
/// assert_eq!(batches[1].targets, [1]);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BatchLoader {
    view: View,
    batch_size: usize,
    channels: Vec<Affine>,
    device: Device,
    shuffle: Option<u64>,
}

/// Keeps the order of images apart from whatever else is drawn from the same seed ("order").
const ORDER: u64 = 0x006F_7264_6572;

impl BatchLoader {
    /// Batches of `batch_size` images in the view's order; the last one of an epoch may be
    /// smaller.
    ///
    /// # Errors
    ///
    /// If the view has no images, the batch size is 0, or the normalization has another number of
    /// channels or gives anything but finite numbers.
    pub fn new(
        view: View,
        batch_size: usize,
        normalization: &Normalization,
        device: &Device,
    ) -> Result<Self, DataError> {
        if batch_size == 0 {
            return Err(DataError::BatchSize);
        }
        if view.is_empty() {
            return Err(DataError::NoImages { what: "batches" });
        }
        let [channels, ..] = view.shape();
        Ok(Self {
            channels: normalization.channels(channels)?,
            view,
            batch_size,
            device: device.clone(),
            shuffle: None,
        })
    }

    /// Puts the images into a new random order in every epoch (see [`SplitMix64`]).
    pub fn with_shuffle(mut self, seed: u64) -> Self {
        self.shuffle = Some(seed);
        self
    }

    /// The images that the batches are cut from.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Images per batch, but for the last of an epoch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Batches per epoch.
    pub fn num_batches(&self) -> usize {
        self.view.len().div_ceil(self.batch_size)
    }

    /// Images per epoch.
    pub fn num_images(&self) -> usize {
        self.view.len()
    }

    /// One pass over all images. Each batch is assembled when it is asked for.
    pub fn epoch(&self, epoch: usize) -> Batches<'_> {
        let order = self.shuffle.map(|seed| epoch_order(self.view.len(), seed, epoch));
        Batches { loader: self, order, next: 0 }
    }

    /// One batch of the images at the given positions of the view, in the given order.
    ///
    /// # Errors
    ///
    /// If there are no positions, or one is beyond the view.
    pub fn gather(&self, positions: &[usize]) -> Result<Batch, DataError> {
        if positions.is_empty() {
            return Err(DataError::NoImages { what: "batch" });
        }
        self.view.check_positions(positions)?;
        Ok(self.assemble(positions))
    }

    fn assemble(&self, positions: &[usize]) -> Batch {
        let [channels, height, width] = self.view.shape();
        let count = positions.len();
        let pixels = self.pixels(positions, height * width);
        let targets: Vec<u8> = positions.iter().map(|&p| self.view.label(p)).collect();
        let labels: Vec<i32> = targets.iter().map(|&l| i32::from(l)).collect();
        Batch {
            images: Tensor::from_data(
                TensorData::new(pixels, [count, channels, height, width]),
                &self.device,
            ),
            labels: Tensor::from_data(TensorData::new(labels, [count]), &self.device),
            targets,
        }
    }

    /// Normalized pixels, `[batch, channels, height, width]`.
    fn pixels(&self, positions: &[usize], plane: usize) -> Vec<f32> {
        let image_size = plane * self.channels.len();
        let size = positions.len() * image_size;
        if size < PARALLEL_PIXELS || rayon::current_num_threads() == 1 {
            let mut pixels = Vec::with_capacity(size);
            for &position in positions {
                let planes = self.view.image(position).chunks_exact(plane);
                for (image, channel) in planes.zip(&self.channels) {
                    pixels.extend(image.iter().map(|&p| channel.apply(p)));
                }
            }
            return pixels;
        }
        let mut pixels: Vec<f32> = Vec::with_capacity(size);
        // Filling with zeros first would cost as much as a second thread gains.
        pixels.spare_capacity_mut()[..size]
            .par_chunks_mut(image_size)
            .zip(positions)
            .with_min_len(64)
            .for_each(|(output, &position)| {
                let planes = self.view.image(position).chunks_exact(plane);
                let outputs = output.chunks_exact_mut(plane);
                for ((image, channel), output) in planes.zip(&self.channels).zip(outputs) {
                    for (value, &p) in output.iter_mut().zip(image) {
                        value.write(channel.apply(p));
                    }
                }
            });
        // SAFETY: the first `size` elements are initialised. They are `positions.len()` chunks of
        // `image_size`, one per position; each is exactly one plane per channel, and so is each
        // image, because `channels` has one entry per channel of the view's images.
        unsafe { pixels.set_len(size) };
        pixels
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
pub struct Batches<'a> {
    loader: &'a BatchLoader,
    /// None: the view's own order.
    order: Option<Vec<usize>>,
    next: usize,
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let end = self.next.saturating_add(self.loader.batch_size).min(self.loader.num_images());
        if self.next == end {
            return None;
        }
        let positions: Cow<[usize]> = match &self.order {
            Some(order) => order[self.next..end].into(),
            None => (self.next..end).collect::<Vec<_>>().into(),
        };
        self.next = end;
        Some(self.loader.assemble(&positions))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let images = self.loader.num_images() - self.next;
        let batches = images.div_ceil(self.loader.batch_size);
        (batches, Some(batches))
    }
}

impl ExactSizeIterator for Batches<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageDataset;
    use crate::test_data::synthetic;

    fn loader(batch_size: usize) -> BatchLoader {
        let view = synthetic(&[20, 30]).view();
        BatchLoader::new(view, batch_size, &Normalization::raw(), &Device::flex()).unwrap()
    }

    fn pixels(batch: &Batch) -> Vec<f32> {
        batch.images.clone().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn an_epoch_has_every_image_once_with_its_label() {
        let loader = loader(8).with_shuffle(1);
        assert_eq!(loader.num_batches(), 7);
        assert_eq!(loader.epoch(0).len(), 7);
        let view = loader.view().clone();
        let mut expected: Vec<(Vec<u8>, u8)> =
            (0..view.len()).map(|i| (view.image(i).to_vec(), view.label(i))).collect();
        let mut found = Vec::new();
        let mut sizes = Vec::new();
        for batch in loader.epoch(0) {
            sizes.push(batch.len());
            assert_eq!(batch.images.dims(), [batch.len(), 1, 2, 3]);
            let labels: Vec<i64> = batch.labels.clone().into_data().iter().collect();
            assert!(labels.iter().zip(&batch.targets).all(|(&l, &t)| l == i64::from(t)));
            for (image, &label) in pixels(&batch).chunks(6).zip(&batch.targets) {
                found.push((image.iter().map(|&p| p as u8).collect(), label));
            }
        }
        assert_eq!(sizes, [8, 8, 8, 8, 8, 8, 2]);
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn order_is_a_function_of_seed_and_epoch() {
        let targets = |seed, epoch| -> Vec<f32> {
            let loader = loader(50).with_shuffle(seed);
            loader.epoch(epoch).flat_map(|b| pixels(&b)).collect()
        };
        assert_eq!(targets(1, 0), targets(1, 0));
        assert_ne!(targets(1, 0), targets(1, 1));
        assert_ne!(targets(1, 0), targets(2, 0));
    }

    #[test]
    fn without_shuffle_the_order_is_the_views_in_every_epoch() {
        let loader = loader(7);
        let targets: Vec<u8> = loader.epoch(4).flat_map(|b| b.targets).collect();
        assert_eq!(targets, loader.view().labels());
    }

    #[test]
    fn channels_are_normalized_each_by_its_own_values() {
        let data =
            ImageDataset::new("t", vec![0, 255, 0, 255], [2, 1, 2], vec![0], vec!["c".into()])
                .unwrap();
        let scaling = Normalization { mean: vec![0.5, 0.0], std: vec![0.5, 0.25] };
        let loader = BatchLoader::new(data.view(), 1, &scaling, &Device::flex()).unwrap();
        let batch = loader.gather(&[0]).unwrap();
        assert_eq!(pixels(&batch), [-1.0, 1.0, 0.0, 4.0]);
    }

    #[test]
    fn a_big_batch_has_the_same_bits_for_any_number_of_threads() {
        // 1,400 images of 3 × 16 × 16 are above the threshold for several threads.
        let count = 1400;
        let mut rng = SplitMix64::new(0);
        let bytes = (0..count * 768).map(|_| rng.below(256) as u8).collect();
        let labels = vec![0; count];
        let data = ImageDataset::new("t", bytes, [3, 16, 16], labels, vec!["c".into()]).unwrap();
        let scaling = Normalization::standardized(&data.view());
        let loader = BatchLoader::new(data.view(), count, &scaling, &Device::flex())
            .unwrap()
            .with_shuffle(9);
        assert!(count * 768 >= PARALLEL_PIXELS);
        let bits = |threads| -> Vec<u32> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let batch = pool.install(|| loader.epoch(0).next()).unwrap();
            pixels(&batch).into_iter().map(f32::to_bits).collect()
        };
        let one = bits(1);
        assert_eq!(one, bits(2));
        assert_eq!(one, bits(5));
    }

    #[test]
    fn impossible_batches_are_refused() {
        let view = synthetic(&[3]).view();
        let device = Device::flex();
        let message = |view: View, size, n: &Normalization| {
            BatchLoader::new(view, size, n, &device).unwrap_err().to_string()
        };
        let raw = Normalization::raw();
        assert_eq!(message(view.clone(), 0, &raw), "batch size: expected at least 1, found 0");
        assert_eq!(
            message(view.range(0..0).unwrap(), 1, &raw),
            "batches: expected at least 1 image, found none"
        );
        let three = Normalization { mean: vec![0.0; 3], std: vec![1.0; 3] };
        assert_eq!(
            message(view.clone(), 1, &three),
            "normalization: expected 1 or 1 values each, found 3 means and 3 standard deviations"
        );
        let loader = BatchLoader::new(view, usize::MAX, &raw, &device).unwrap();
        assert_eq!(loader.epoch(0).next().unwrap().len(), 3);
        assert!(matches!(loader.gather(&[]), Err(DataError::NoImages { .. })));
        assert!(matches!(loader.gather(&[3]), Err(DataError::Position { len: 3, found: 3 })));
    }
}
