use burn::tensor::Device;
use selvedge_data::{
    BatchLoader, BatchSource, DataError, DataErrorKind, ImageExamples, Mix, Normalization,
    Sampling, Split, Transforms, View,
};
use selvedge_kernels::is_cpu;
use selvedge_models::DataSpec;

use crate::TrainError;
use crate::fit::checksum;
use crate::settings::written;

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
    /// How the images of a batch of training are mixed, if they are.
    pub mix: Option<Mix>,
    /// Uniform noise that is added to all images, of at most this in units of the normalized values, for a model that
    /// is to take it away: a [`Reconstruct`](crate::Reconstruct) is compared with the images without it.
    pub input_noise: Option<f64>,
    /// Whether training compares a reconstruction with the noisy image; validation still takes the one without noise.
    pub noisy_targets: bool,
    /// Which training images an epoch has: each once, unless classes or images are weighted.
    pub sampling: Sampling,
    /// Whether the last batch of an epoch of training is left out if it is smaller than the others.
    pub drop_last: bool,
    /// How many batches a thread prepares ahead; `None` is 2 for a GPU, which would wait for them, and none for a
    /// CPU, which computes meanwhile.
    pub prefetch: Option<usize>,
}

impl FitData {
    /// Images that are normalized so, and not transformed; each once an epoch, none left out or prepared
    /// ahead.
    pub fn new(train: View, validation: View, normalization: Normalization) -> Self {
        Self {
            train,
            validation: Some(validation),
            normalization,
            transforms: Transforms::new(),
            mix: None,
            input_noise: None,
            noisy_targets: false,
            sampling: Sampling::default(),
            drop_last: false,
            prefetch: None,
        }
    }

    /// Images without others that decide which epoch was best: that is the epoch of lowest training loss.
    pub fn without_validation(train: View, normalization: Normalization) -> Self {
        Self { validation: None, ..Self::new(train.clone(), train, normalization) }
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

    /// The same images, those of each batch of training mixed so.
    #[must_use]
    pub fn with_mix(self, mix: Mix) -> Self {
        Self { mix: Some(mix), ..self }
    }

    /// The same images, with noise that a model is to take away: uniform, of at most `amount` in units of the
    /// normalized values. Training refuses an amount that is negative or not finite.
    #[must_use]
    pub fn with_input_noise(self, amount: f64) -> Self {
        Self { input_noise: Some(amount), ..self }
    }

    /// The same images, which training compares with themselves, noise and all: only validation takes those without
    /// it.
    #[must_use]
    pub fn with_noisy_targets(self) -> Self {
        Self { noisy_targets: true, ..self }
    }

    /// The same images, with those of an epoch of training chosen so.
    #[must_use]
    pub fn with_sampling(self, sampling: Sampling) -> Self {
        Self { sampling, ..self }
    }

    /// The same images, without the last batch of an epoch of training if it is smaller than the others.
    #[must_use]
    pub fn with_drop_last(self, drop_last: bool) -> Self {
        Self { drop_last, ..self }
    }

    /// The same images, so many batches prepared ahead by a thread, or none. The result is the same.
    #[must_use]
    pub fn with_prefetch(self, batches: usize) -> Self {
        Self { prefetch: Some(batches), ..self }
    }

    /// The loader, or a thread before it where that is asked for.
    fn source(&self, loader: BatchLoader, device: &Device) -> Box<dyn BatchSource + '_> {
        match self.prefetch.unwrap_or(if is_cpu(device) { 0 } else { 2 }) {
            0 => Box::new(loader),
            ahead => Box::new(loader.prefetched(ahead)),
        }
    }

    fn noisy(&self, loader: BatchLoader) -> Result<BatchLoader, DataError> {
        match self.input_noise {
            Some(amount) => loader.with_input_noise(amount),
            None => Ok(loader),
        }
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
        let loader = BatchLoader::of(examples, batch_size, device)?;
        let loader = loader.with_sampling(&self.sampling, seed)?.with_drop_last(self.drop_last)?;
        let loader = match self.mix {
            Some(mix) => loader.with_mix(mix)?,
            None => loader,
        };
        let loader = self.noisy(loader)?;
        let loader = if self.noisy_targets { loader.with_noisy_targets() } else { loader };
        Ok(self.source(loader, device))
    }

    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Option<Box<dyn BatchSource + '_>>, TrainError> {
        let Some(view) = &self.validation else { return Ok(None) };
        let view = some(view, "validation")?.clone();
        let loader = BatchLoader::new(view, batch_size, &self.normalization, device)?;
        Ok(Some(self.source(self.noisy(loader)?, device)))
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
            add("transforms", written(&self.transforms));
        }
        if let Some(mix) = &self.mix {
            add("mix", written(mix));
        }
        if let Some(amount) = self.input_noise {
            add("input_noise", amount.into());
        }
        if self.noisy_targets {
            add("noisy_targets", true.into());
        }
        if self.sampling != Sampling::default() {
            add("sampling", written(&self.sampling));
        }
        if self.drop_last {
            add("drop_last", true.into());
        }
        table
    }

    fn spec(&self) -> Option<&dyn DataSpec> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use selvedge_data::ImageDataset;
    use selvedge_models::{Architecture, Initialization, state};

    use super::*;
    use crate::{Context, FitConfig, fit};

    /// Twenty images of 4 × 4, four of them of the second class.
    fn data() -> FitData {
        let pixels = (0..320).map(|i| (i * 37 % 256) as u8).collect();
        let labels = (0..20).map(|i| u16::from(i % 5 == 0)).collect();
        let classes = vec!["usual".into(), "rare".into()];
        let view = ImageDataset::new("t", pixels, [1, 4, 4], labels, classes).unwrap().view();
        FitData::new(view.clone(), view, Normalization::unit())
    }

    fn labels(data: &FitData, batch_size: usize) -> Vec<Vec<u16>> {
        let source = data.train(batch_size, 1, &Device::flex()).unwrap();
        source.batches(0).map(|batch| batch.unwrap().labels).collect()
    }

    #[test]
    fn epochs_of_training_are_dropped_from_and_sampled_as_asked() {
        assert_eq!(labels(&data(), 8).iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 4]);
        let dropping = labels(&data().with_drop_last(true), 8);
        assert_eq!(dropping, labels(&data(), 8)[..2]);
        let rare = Sampling::Classes { weights: vec![0.0, 1.0] };
        assert_eq!(labels(&data().with_sampling(rare), 20), [[1; 20]]);
        let error = data().with_drop_last(true).train(21, 0, &Device::flex()).map(drop);
        assert!(error.unwrap_err().to_string().contains("at most 20"));
        // Validation sees every image.
        let data = data().with_drop_last(true);
        assert_eq!(data.validation(8, &Device::flex()).unwrap().unwrap().num_batches(), Some(3));
    }

    #[test]
    fn an_autoencoder_of_noisy_images_is_compared_with_those_without_noise() {
        use crate::{PixelLoss, Reconstruct, Task};
        let data = data().with_input_noise(0.25);
        let source = data.train(20, 1, &Device::flex()).unwrap();
        let batch = source.batches(0).next().unwrap().unwrap();
        let clean = batch.clean.clone().unwrap();
        let noise = (batch.images.clone() - clean.clone()).abs().max().into_scalar::<f32>();
        assert!(noise > 0.2 && noise <= 0.2500001, "{noise}");
        let task = Reconstruct { loss: PixelLoss::Mse };
        let loss = |outputs: burn::tensor::Tensor<4>| {
            task.loss(outputs.flatten(1, 3), &batch, 2).unwrap().into_scalar::<f32>()
        };
        assert_eq!(loss(clean), 0.0);
        // The variance of a uniform number in ±0.25 is 0.25² / 3.
        assert!((loss(batch.images.clone()) - 0.0208).abs() < 0.004);
        // Towards noisy targets, training gives none without noise; validation does.
        let noisy = data.clone().with_noisy_targets();
        let source = noisy.train(20, 1, &Device::flex()).unwrap();
        let given = source.batches(0).next().unwrap().unwrap();
        assert!(given.clean.is_none());
        given.images.into_data().assert_eq(&batch.images.clone().into_data(), true);
        let source = noisy.validation(20, &Device::flex()).unwrap().unwrap();
        assert!(source.batches(0).next().unwrap().unwrap().clean.is_some());
        // Another epoch has other noise, validation always the same.
        let source = data.train(20, 1, &Device::flex()).unwrap();
        let first = |epoch| source.batches(epoch).next().unwrap().unwrap().images.into_data();
        assert_ne!(first(0), first(1));
        assert_eq!(first(1), first(1));
        let validation = data.validation(20, &Device::flex()).unwrap().unwrap();
        assert!(validation.batches(0).next().unwrap().unwrap().clean.is_some());
        assert!(
            data.clone().with_input_noise(-1.0).train(20, 1, &Device::flex()).map(drop).is_err()
        );
    }

    #[test]
    fn batches_that_are_prepared_ahead_train_to_the_same_bits() {
        let run = |prefetch| {
            let network = Architecture::new("tiny", [1, 4, 4]).flatten().linear("fc1", 2);
            let network = network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
            let config = FitConfig { epochs: 3, batch_size: 6, ..FitConfig::default() };
            let data = data().with_prefetch(prefetch);
            state::read(
                &fit(network, &data, &config, &Context::new(&Device::flex())).unwrap().model,
            )
        };
        assert_eq!(run(2), run(0));
    }

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
