use burn::tensor::Device;
use selvedge_data::{
    BatchLoader, BatchSource, ImageExamples, Normalization, Split, Transforms, View,
};
use selvedge_models::DataSpec;

use crate::TrainError;
use crate::fit::checksum;

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

    /// What decides which epoch was best: batches of `batch_size` on `device`; `None` if the training data
    /// does.
    ///
    /// # Errors
    ///
    /// [`TrainError`] if it cannot be batched.
    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Option<Box<dyn BatchSource + '_>>, TrainError>;

    /// What tells this data from other data, for the settings of a run folder.
    fn settings(&self) -> toml::Table {
        toml::Table::new()
    }

    /// What the saved models of a run are to say of their data: nothing, unless it is written.
    fn spec(&self) -> Option<&dyn DataSpec> {
        None
    }
}

/// The images that a classifier or an autoencoder is trained on.
///
/// `FitData::from(split)` standardizes all images by the training images.
#[derive(Clone, Debug)]
pub struct FitData {
    /// The images that are learned.
    pub train: View,
    /// The images that decide which epoch was best; `None` if the training images do.
    pub validation: Option<View>,
    /// How pixels become values.
    pub normalization: Normalization,
    /// What is done to a training image before; validation images stay as they are.
    pub transforms: Transforms,
}

impl FitData {
    /// Images that are normalized so, and not transformed.
    pub fn new(train: View, validation: View, normalization: Normalization) -> Self {
        let validation = Some(validation);
        Self { train, validation, normalization, transforms: Transforms::new() }
    }

    /// Images without others that decide which epoch was best: that is the epoch of lowest training loss.
    pub fn without_validation(train: View, normalization: Normalization) -> Self {
        Self { train, validation: None, normalization, transforms: Transforms::new() }
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

/// A number that changes with the labels and the pixels of a view.
fn view_checksum(view: &View) -> String {
    let words = (0..view.len()).flat_map(|i| {
        let pixels = view.image(i).chunks(8).map(|chunk| {
            let mut bytes = [0; 8];
            bytes[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(bytes)
        });
        // An eighth of the words tell images apart, and cost an eighth of the time.
        std::iter::once(u64::from(view.label(i))).chain(pixels.step_by(8))
    });
    checksum(words)
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

impl FitSource for FitData {
    fn train(
        &self,
        batch_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError> {
        let view = self.train.clone();
        let examples = ImageExamples::transformed(view, &self.transforms, &self.normalization)?;
        Ok(Box::new(BatchLoader::of(examples, batch_size, device)?.with_shuffle(seed)))
    }

    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Option<Box<dyn BatchSource + '_>>, TrainError> {
        let Some(view) = self.validation.clone() else { return Ok(None) };
        Ok(Some(Box::new(BatchLoader::new(view, batch_size, &self.normalization, device)?)))
    }

    fn settings(&self) -> toml::Table {
        let mut table = toml::Table::new();
        let mut add = |name: &str, value: toml::Value| table.insert(name.into(), value);
        for (name, view) in [("train", Some(&self.train)), ("validation", self.validation.as_ref())]
        {
            if let Some(view) = view {
                add(&format!("{name}_images"), (view.len() as i64).into());
                add(&format!("{name}_checksum"), view_checksum(view).into());
            }
        }
        add(
            "classes",
            self.train.classes().iter().cloned().map(toml::Value::from).collect::<Vec<_>>().into(),
        );
        let floats = |values: &[f32]| {
            let values = values.iter().map(|&value| toml::Value::Float(value.into()));
            toml::Value::from(values.collect::<Vec<_>>())
        };
        add("mean", floats(&self.normalization.mean));
        add("std", floats(&self.normalization.std));
        if !self.transforms.is_empty() {
            add("transforms", format!("{:?}", self.transforms).into());
        }
        table
    }

    fn spec(&self) -> Option<&dyn DataSpec> {
        Some(self)
    }
}
