//! Batches: what a model is fitted to and evaluated on.
//!
//! [`BatchSource`] is what the training loop asks for; [`BatchLoader`] makes one of any [`Examples`]:
//! images with their transforms and normalization ([`ImageExamples`]), features of a frozen trunk, or
//! what a program keeps itself.

mod epoch;
mod examples;
mod host;
mod images;
mod loader;
mod mix;
mod prefetch;
mod sampling;
mod source;
mod whole;

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::DataError;
use crate::error::Repr;

pub use epoch::{Batches, epoch_order};
pub use examples::{EpochSeed, Examples};
pub use images::ImageExamples;
pub use loader::BatchLoader;
pub use mix::Mix;
pub use prefetch::Prefetch;
pub use sampling::Sampling;
pub use source::BatchSource;

/// What a loss compares a model's outputs with, on the device.
#[derive(Debug, Clone)]
pub enum Targets {
    /// The index of each example's class, `[batch]`.
    Hard(Tensor<1, Int>),
    /// The probability of each class, `[batch, classes]`; the rows sum to 1.
    Soft(Tensor<2>),
}

/// Images and targets on a device, ready for a model.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Normalized pixels, `[batch, channels, height, width]`; features of a trunk have the same form.
    pub images: Tensor<4>,
    /// What the loss compares the outputs with, on the device of the images.
    pub targets: Targets,
    /// The class of each example, on the host; of soft targets the most probable one.
    pub labels: Vec<u16>,
    /// The images before [noise](BatchLoader::with_input_noise) was added to them: what a denoising autoencoder is to
    /// give. `None` where the images are as they were.
    pub clean: Option<Tensor<4>>,
}

/// The most by which the probabilities of a soft target may miss 1 in all.
const SUM_TOLERANCE: f32 = 1e-3;

impl Batch {
    /// A batch whose examples belong to one class each. The targets are put on the device of the images.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_data::Batch;
    ///
    /// let images = Tensor::<4>::zeros([2, 1, 28, 28], &Device::flex());
    /// let batch = Batch::hard(images, vec![3, 0])?;
    /// assert_eq!(batch.len(), 2);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is not one label for each image.
    pub fn hard(images: Tensor<4>, labels: Vec<u16>) -> Result<Self, DataError> {
        let [count, ..] = images.dims();
        if labels.len() != count {
            return Err(Repr::BatchTargets {
                what: "labels",
                expected: count,
                found: labels.len(),
            }
            .into());
        }
        let indices: Vec<i32> = labels.iter().map(|&label| i32::from(label)).collect();
        let targets = Tensor::from_data(TensorData::new(indices, [count]), &images.device());
        Ok(Self { images, targets: Targets::Hard(targets), labels, clean: None })
    }

    /// A batch whose examples belong to every class with some probability: `probabilities` are
    /// `[batch, classes]`, row by row. The targets are put on the device of the images.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_data::Batch;
    ///
    /// let images = Tensor::<4>::zeros([2, 1, 28, 28], &Device::flex());
    /// let batch = Batch::soft(images, vec![0.1, 0.9, 0.5, 0.5], 2)?;
    /// assert_eq!(batch.labels, [1, 0]);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is not one probability for each image and class, or those of an image are not at least 0
    /// each and 1 in all (to a thousandth).
    pub fn soft(
        images: Tensor<4>,
        probabilities: Vec<f32>,
        classes: usize,
    ) -> Result<Self, DataError> {
        let [count, ..] = images.dims();
        let expected = count.checked_mul(classes).filter(|&expected| expected > 0);
        if expected != Some(probabilities.len()) {
            let (expected, found) = (expected.unwrap_or(count), probabilities.len());
            return Err(Repr::BatchTargets { what: "probabilities", expected, found }.into());
        }
        let mut labels = Vec::with_capacity(count);
        for (index, row) in probabilities.chunks_exact(classes).enumerate() {
            let sum: f32 = row.iter().sum();
            // Also refuses NaN, which compares as false.
            let possible = row.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() <= SUM_TOLERANCE;
            if !possible {
                return Err(Repr::Probabilities { index, sum }.into());
            }
            let best = (1..classes)
                .fold(0, |best, class| if row[class] > row[best] { class } else { best });
            labels.push(class_index(best)?);
        }
        let data = TensorData::new(probabilities, [count, classes]);
        let targets = Tensor::from_data(data, &images.device());
        Ok(Self { images, targets: Targets::Soft(targets), labels, clean: None })
    }

    /// Some of the images, with what belongs to them.
    ///
    /// # Panics
    ///
    /// If the range is empty or has images that the batch has not.
    #[must_use]
    pub fn part(&self, images: Range<usize>) -> Self {
        Self {
            images: self.images.clone().slice([images.clone()]),
            targets: match &self.targets {
                Targets::Hard(classes) => Targets::Hard(classes.clone().slice([images.clone()])),
                Targets::Soft(rows) => Targets::Soft(rows.clone().slice([images.clone()])),
            },
            labels: self.labels[images.clone()].to_vec(),
            clean: self.clean.as_ref().map(|clean| clean.clone().slice([images])),
        }
    }

    /// The same batch on another device.
    #[must_use]
    pub fn to_device(self, device: &Device) -> Self {
        Self {
            images: self.images.to_device(device),
            targets: match self.targets {
                Targets::Hard(classes) => Targets::Hard(classes.to_device(device)),
                Targets::Soft(rows) => Targets::Soft(rows.to_device(device)),
            },
            labels: self.labels,
            clean: self.clean.map(|clean| clean.to_device(device)),
        }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

fn class_index(class: usize) -> Result<u16, DataError> {
    u16::try_from(class)
        .map_err(|_| Repr::ClassCount { name: "batch".to_owned(), found: class + 1 }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(count: usize) -> Tensor<4> {
        Tensor::zeros([count, 1, 2, 2], &Device::flex())
    }

    #[test]
    fn hard_targets_are_the_labels() {
        let batch = Batch::hard(images(3), vec![2, 0, 65_535]).unwrap();
        let Targets::Hard(targets) = &batch.targets else { panic!("expected hard targets") };
        let targets: Vec<i64> = targets.clone().into_data().iter().collect();
        assert_eq!(targets, [2, 0, 65_535]);
        assert_eq!((batch.len(), batch.is_empty()), (3, false));
    }

    #[test]
    fn the_label_of_a_soft_target_is_its_most_probable_class_the_first_of_equal_ones() {
        let rows = vec![0.2, 0.5, 0.3, 0.4, 0.2, 0.4];
        let batch = Batch::soft(images(2), rows.clone(), 3).unwrap();
        assert_eq!(batch.labels, [1, 0]);
        let Targets::Soft(targets) = &batch.targets else { panic!("expected soft targets") };
        assert_eq!(targets.dims(), [2, 3]);
        assert_eq!(targets.clone().into_data().try_to_vec::<f32>().unwrap(), rows);
    }

    #[test]
    fn a_part_has_the_targets_and_the_labels_of_its_images() {
        let batch = Batch::soft(images(3), vec![0.2, 0.8, 0.6, 0.4, 0.3, 0.7], 2).unwrap();
        let part = Batch { clean: Some(images(3)), ..batch }.part(1..3).to_device(&Device::flex());
        assert_eq!((part.images.dims()[0], part.labels.as_slice()), (2, &[0, 1][..]));
        assert_eq!(part.clean.unwrap().dims(), [2, 1, 2, 2]);
        let Targets::Soft(targets) = part.targets else { panic!("expected soft targets") };
        assert_eq!(targets.into_data().try_to_vec::<f32>().unwrap(), [0.6, 0.4, 0.3, 0.7]);
        let hard = Batch::hard(images(3), vec![5, 6, 7]).unwrap().part(0..2);
        let Targets::Hard(targets) = hard.targets else { panic!("expected hard targets") };
        assert_eq!(targets.into_data().iter::<i64>().collect::<Vec<_>>(), [5, 6]);
    }

    #[test]
    fn targets_that_do_not_fit_the_images_are_refused() {
        let message = |result: Result<Batch, DataError>| result.unwrap_err().to_string();
        assert_eq!(message(Batch::hard(images(2), vec![0])), "batch: expected 2 labels, found 1");
        assert_eq!(
            message(Batch::soft(images(2), vec![1.0; 3], 2)),
            "batch: expected 4 probabilities, found 3"
        );
        assert!(Batch::soft(images(2), vec![], 0).is_err());
        for row in [[0.5, 0.6], [-0.5, 1.5], [f32::NAN, 1.0], [f32::INFINITY, 0.0]] {
            let error = message(Batch::soft(images(1), row.to_vec(), 2));
            assert!(error.starts_with("soft target of image 0 of the batch: expected"), "{error}");
        }
    }
}
