use rayon::prelude::*;

use super::examples::{EXAMPLES_PER_THREAD, EpochSeed, Examples, parallel};
use crate::normalize::Affine;
use crate::transform::{Buffers, Prepared, Visit};
use crate::{DataError, Normalization, SplitMix64, Transforms, View};

/// The images of a [`View`], each [transformed](Transforms), then [normalized](Normalization).
///
/// Images to learn from are transformed; those to evaluate on are only normalized.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::transform::{RandomCrop, RandomHorizontalFlip};
/// use selvedge_data::{BatchLoader, ImageDataset, ImageExamples, Normalization, Transforms};
///
/// # let classes = vec!["dark".to_owned(), "light".to_owned()];
/// # let pixels = (0..32).map(|i| i * 8).collect();
/// # let train = ImageDataset::new("t", pixels, [1, 4, 4], vec![0, 1], classes)?.view();
/// let normalization = Normalization::standardized(&train);
/// let augmentation =
///     Transforms::new().with(RandomCrop::new([4, 4], 1)).with(RandomHorizontalFlip::default());
/// let examples = ImageExamples::transformed(train, &augmentation, &normalization)?;
/// let loader = BatchLoader::of(examples, 128, &Device::flex())?.with_shuffle(1);
/// # assert_eq!(loader.epoch(0).count(), 1);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageExamples {
    view: View,
    transforms: Prepared,
    /// One per channel of the transformed images.
    channels: Vec<Affine>,
}

impl ImageExamples {
    /// The images as they are, normalized.
    ///
    /// # Errors
    ///
    /// If the normalization has another number of channels or gives anything but finite values.
    pub fn new(view: View, normalization: &Normalization) -> Result<Self, DataError> {
        Self::transformed(view, &Transforms::new(), normalization)
    }

    /// The images, transformed anew in every epoch, then normalized.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); or if a transform does not fit the images, or has a setting that is out of
    /// range.
    pub fn transformed(
        view: View,
        transforms: &Transforms,
        normalization: &Normalization,
    ) -> Result<Self, DataError> {
        let transforms = transforms.prepare(view.shape())?;
        let [channels, ..] = transforms.output_shape();
        Ok(Self { channels: normalization.channels(channels)?, view, transforms })
    }

    /// The images before they are transformed.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The bytes of one image, transformed.
    fn pixels<'a>(
        &'a self,
        position: usize,
        draws: EpochSeed,
        buffers: &'a mut Buffers,
    ) -> &'a [u8] {
        let visit = Visit { draws, position };
        self.transforms.apply(self.view.image(position), Some(visit), &mut visit.rng(), buffers)
    }

    /// Pixels in one channel.
    fn plane(&self) -> usize {
        let [_, height, width] = self.shape();
        height * width
    }
}

impl Examples for ImageExamples {
    fn len(&self) -> usize {
        self.view.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.transforms.output_shape()
    }

    fn classes(&self) -> &[String] {
        self.view.classes()
    }

    fn label(&self, position: usize) -> u16 {
        self.view.label(position)
    }

    fn write(
        &self,
        position: usize,
        rng: &mut SplitMix64,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        let mut buffers = Buffers::default();
        let image = self.view.image(position);
        let pixels = self.transforms.apply(image, None, rng, &mut buffers);
        let plane = self.plane();
        let planes = pixels.chunks_exact(plane).zip(values.chunks_exact_mut(plane));
        for ((image, values), channel) in planes.zip(&self.channels) {
            for (value, &p) in values.iter_mut().zip(image) {
                *value = channel.apply(p);
            }
        }
        Ok(())
    }

    fn gather(&self, positions: &[usize], draws: EpochSeed) -> Result<Vec<f32>, DataError> {
        let plane = self.plane();
        let image_size = plane * self.channels.len();
        let size = positions.len() * image_size;
        let mut values: Vec<f32> = Vec::with_capacity(size);
        if !parallel(size) {
            let mut buffers = Buffers::default();
            for &position in positions {
                let pixels = self.pixels(position, draws, &mut buffers);
                for (image, channel) in pixels.chunks_exact(plane).zip(&self.channels) {
                    values.extend(image.iter().map(|&p| channel.apply(p)));
                }
            }
            return Ok(values);
        }
        // Filling with zeros first would cost as much as a second thread gains.
        values.spare_capacity_mut()[..size]
            .par_chunks_mut(image_size)
            .zip(positions)
            .with_min_len(EXAMPLES_PER_THREAD)
            .for_each_init(Buffers::default, |buffers, (output, &position)| {
                let pixels = self.pixels(position, draws, buffers);
                // Asserted, because what follows is sound only so.
                assert_eq!(
                    pixels.len(),
                    image_size,
                    "a transform gives images of its output shape"
                );
                let outputs = output.chunks_exact_mut(plane);
                for ((image, channel), output) in
                    pixels.chunks_exact(plane).zip(&self.channels).zip(outputs)
                {
                    for (value, &p) in output.iter_mut().zip(image) {
                        value.write(channel.apply(p));
                    }
                }
            });
        // SAFETY: the first `size` elements are initialised. They are `positions.len()` chunks of
        // `image_size`, one per position; each was written plane by plane from as many pixels, as was
        // asserted, because there is one entry of `channels` per plane.
        unsafe { values.set_len(size) };
        Ok(values)
    }
}
