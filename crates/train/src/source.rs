use burn::tensor::Device;
use selvedge_data::{Batch, BatchLoader, Normalization, View};

use crate::TrainError;

/// Labelled images in batches on a device: a [`BatchLoader`], a
/// [`FeatureLoader`](crate::features::FeatureLoader), or what a program makes itself.
pub trait BatchSource {
    /// Images an epoch.
    fn num_images(&self) -> usize;

    /// `[channels, height, width]` of every image.
    fn image_shape(&self) -> [usize; 3];

    /// The names of the classes; a label is a position among them.
    fn classes(&self) -> &[String];

    /// The batches of one epoch, which together hold every image once. The same epoch gives the same
    /// batches.
    fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Batch> + '_>;
}

impl BatchSource for BatchLoader {
    fn num_images(&self) -> usize {
        BatchLoader::num_images(self)
    }

    fn image_shape(&self) -> [usize; 3] {
        self.view().shape()
    }

    fn classes(&self) -> &[String] {
        self.view().classes()
    }

    fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Batch> + '_> {
        Box::new(self.epoch(epoch))
    }
}

/// What a model is trained on: [`FitData`] of images,
/// [`FeatureData`](crate::features::FeatureData), or what a program makes itself.
pub trait FitSource {
    /// What is learned: batches of `batch_size` on `device`, in an order that follows from `seed`
    /// and the epoch.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if it cannot be batched.
    fn train(
        &self,
        batch_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError>;

    /// What decides which epoch was best: batches of `batch_size` on `device`.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if it cannot be batched.
    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError>;
}

/// The images that a classifier or an autoencoder is trained on.
#[derive(Clone, Debug)]
pub struct FitData {
    /// The images that are learned.
    pub train: View,
    /// The images that decide which epoch was best.
    pub validation: View,
    /// How pixels become numbers.
    pub normalization: Normalization,
}

impl FitSource for FitData {
    fn train(
        &self,
        batch_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError> {
        let loader = BatchLoader::new(self.train.clone(), batch_size, &self.normalization, device)?;
        Ok(Box::new(loader.with_shuffle(seed)))
    }

    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError> {
        let view = self.validation.clone();
        Ok(Box::new(BatchLoader::new(view, batch_size, &self.normalization, device)?))
    }
}
