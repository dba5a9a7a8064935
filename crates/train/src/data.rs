use burn::tensor::Device;
use selvedge_data::{
    BatchLoader, BatchSource, DataError, DataErrorKind, ImageExamples, Normalization, Split,
    Transforms, View,
};
use selvedge_models::DataSpec;

use crate::TrainError;

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
///
/// `FitData::from(split)` standardizes all images by the training images.
#[derive(Clone, Debug)]
pub struct FitData {
    /// The images that are learned.
    pub train: View,
    /// The images that decide which epoch was best.
    pub validation: View,
    /// How pixels become values.
    pub normalization: Normalization,
    /// What is done to a training image before; validation images stay as they are.
    pub transforms: Transforms,
}

impl FitData {
    /// Images that are normalized so, and not transformed.
    pub fn new(train: View, validation: View, normalization: Normalization) -> Self {
        Self { train, validation, normalization, transforms: Transforms::new() }
    }

    /// The same images, normalized in another way.
    #[must_use]
    pub fn with_normalization(self, normalization: Normalization) -> Self {
        Self { normalization, ..self }
    }

    /// The same images, transformed so in training.
    #[must_use]
    pub fn with_transforms(self, transforms: Transforms) -> Self {
        Self { transforms, ..self }
    }

    /// The names of the classes; a label is a position among them.
    pub fn classes(&self) -> &[String] {
        self.train.classes()
    }
}

impl DataSpec for FitData {
    fn classes(&self) -> &[String] {
        self.train.classes()
    }

    fn mean_std(&self) -> (&[f32], &[f32]) {
        (&self.normalization.mean, &self.normalization.std)
    }
}

impl From<&Split> for FitData {
    fn from(split: &Split) -> Self {
        let normalization = Normalization::standardized(&split.train);
        Self::new(split.train.clone(), split.validation.clone(), normalization)
    }
}

impl From<Split> for FitData {
    fn from(split: Split) -> Self {
        Self::from(&split)
    }
}

/// The images, of which there must be some.
fn some<'a>(view: &'a View, part: &str) -> Result<&'a View, DataError> {
    let reason = || format!("{part} images: expected at least 1, found none");
    match view.is_empty() {
        true => Err(DataError::new(DataErrorKind::InvalidInput, reason())),
        false => Ok(view),
    }
}

impl FitSource for FitData {
    fn train(
        &self,
        batch_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError> {
        let view = some(&self.train, "training")?.clone();
        let examples = ImageExamples::transformed(view, &self.transforms, &self.normalization)?;
        Ok(Box::new(BatchLoader::of(examples, batch_size, device)?.with_shuffle(seed)))
    }

    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError> {
        let view = some(&self.validation, "validation")?;
        Ok(Box::new(BatchLoader::new(view.clone(), batch_size, &self.normalization, device)?))
    }
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;

    use super::*;

    #[test]
    fn a_part_without_images_is_named() {
        let one = ImageDataset::new("one", vec![7], [1, 1, 1], vec![0], vec!["c".into()]).unwrap();
        let none = one.view().range(0..0).unwrap();
        let data = |train: &View, validation: &View| {
            FitData::new(train.clone(), validation.clone(), Normalization::raw())
        };
        let device = Device::default();
        let error = data(&none, &one.view()).train(1, 0, &device).err().unwrap().to_string();
        assert_eq!(error, "training images: expected at least 1, found none");
        let error = data(&one.view(), &none).validation(1, &device).err().unwrap().to_string();
        assert_eq!(error, "validation images: expected at least 1, found none");
    }
}
