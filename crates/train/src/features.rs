//! The features of a frozen trunk, computed once.
//!
//! As long as only the head of a network learns, its trunk gives the same outputs for the same image
//! in every epoch. Compute them once, train the head on them, and put the two together again:
//!
//! ```
//! use burn::tensor::Device;
//! use selvedge_data::ImageDataset;
//! use selvedge_models::{Architecture, Initialization};
//! use selvedge_train::features::FeatureData;
//! use selvedge_train::{Context, FitConfig, FitData, evaluate, fit};
//!
//! # let pixels = (0..64).flat_map(|i| [if i % 2 == 0 { 20 } else { 200 }; 16]).collect();
//! # let labels = (0..64).map(|i| i % 2).collect();
//! # let names = vec!["dark".to_string(), "bright".to_string()];
//! # let images = ImageDataset::new("brightness", pixels, [1, 4, 4], labels, names)?;
//! # let split = images.view().split_stratified(0.75, 1)?;
//! # let data = FitData::from(&split);
//! # let context = Context::new(&Device::flex());
//! # let config = FitConfig { learning_rate: 0.05, batch_size: 16, ..FitConfig::default() };
//! # let net = Architecture::new("tiny", [1, 4, 4]).conv("conv1", 4, 3, 0).relu().flatten();
//! # let network = net.linear("fc1", 2).init(Initialization::PyTorch, 0, &Device::flex())?;
//! let (trunk, head) = network.cut_at("fc1")?;
//! let features = FeatureData::extract(&trunk, &data, &context)?; // one pass over the images
//! let fitted = fit(head, &features, &config, &context)?; // no image is looked at any more
//! let network = trunk.join(fitted.model)?;
//! let whole = evaluate(&network, &split.validation, &data.normalization, &context)?;
//! # assert_eq!(whole.metrics.accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! To look at them, [`Pca`] and [`Tsne`] make a map of the features of any layer ([`Features::of_layer`]), and
//! [`Features::nearest`] finds the images that a network takes for alike.
//!
//! Where that takes hours, [`Features::extract_into`] keeps what is computed on the disk, and goes on there.
//!
//! The trunk runs as in inference: without dropout, and with the running statistics of batch
//! normalization. To keep a dropout before the head, cut before it: the head then begins with it.
//! Images that are augmented anew in every epoch have no features that could be kept.
//!
//! # Memory
//!
//! Features are held as 4-byte values: [`Features::bytes`] says how many bytes they take, and it
//! depends on the cut. VGG-16 for 224 × 224 pixels and 60,000 images:
//!
//! | cut before | features an image | memory |
//! |---|---|---|
//! | `classifier.0` (after the pool) | 512 × 7 × 7 | 6.0 GB |
//! | `classifier.3` | 4096 | 0.98 GB |
//! | `classifier.6` (only the last layer learns) | 4096 | 0.98 GB |
//!
//! # Time
//!
//! Measured on two cores (AMD EPYC, AVX2) by `cargo bench --package selvedge-benches --profile dev --bench features`: VGG-16 up to
//! its last layer takes 2.9 images of 224 × 224 a second, so that 60,000 images take 5.7 hours, once;
//! the last layer alone then learns from 158,000 a second, 0.4 s an epoch.

mod neighbors;
mod pca;
mod pieces;
mod tsne;

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use selvedge_data::{
    BatchLoader, BatchSource, DataError, EpochSeed, Examples, Normalization, SplitMix64, View,
};
use selvedge_kernels::with_team;
use selvedge_models::{ModelError, Network, Shape};

pub use neighbors::{Distance, Neighbor};
pub use pca::Pca;
pub use tsne::{Tsne, TsneMap};

use crate::error::{require, require_shape};
use crate::metrics::to_host;
use crate::{Context, FitData, FitSource, TrainError};

/// The features of some images, in the order of the images, with their labels. Clones share them.
#[derive(Clone, Debug)]
pub struct Features {
    /// `[image, channel, row, column]`
    values: Arc<Vec<f32>>,
    shape: [usize; 3],
    labels: Arc<Vec<u16>>,
    classes: Arc<[String]>,
}

impl Features {
    /// The bytes that the features of so many images take.
    ///
    /// # Errors
    ///
    /// [`ModelError`] if the trunk's layers do not fit one another.
    pub fn bytes(trunk: &Network, images: usize) -> Result<u64, ModelError> {
        Ok(bytes_of(trunk.architecture().output_shape()?, images))
    }

    /// Computes what `trunk` makes of every image of `view`, once.
    ///
    /// # Errors
    ///
    /// [`TrainError::ImageShape`] if the trunk takes images of another shape; [`TrainError::Memory`] if
    /// there is no room for the features; [`TrainError::Data`] if the images cannot be batched;
    /// [`TrainError::Stopped`] if the stop of `context` was raised before the last image.
    pub fn extract(
        trunk: &Network,
        view: &View,
        normalization: &Normalization,
        context: &Context,
    ) -> Result<Self, TrainError> {
        let batch = trunk.architecture().inference_batch()?;
        let source = BatchLoader::new(view.clone(), batch, normalization, &context.device)?;
        Self::extract_from(trunk, &source, context)
    }

    /// As [`extract`](Self::extract), of the first epoch of any source of batches, in its order.
    ///
    /// # Errors
    ///
    /// As [`extract`](Self::extract).
    pub fn extract_from(
        trunk: &Network,
        source: &dyn BatchSource,
        context: &Context,
    ) -> Result<Self, TrainError> {
        let output = trunk.architecture().output_shape()?;
        let fast = trunk.for_inference();
        Self::computed(trunk, output, source, context, |images| Ok(to_host(fast.forward(images))))
    }

    /// What the layer at a path of `network`, within blocks as well, makes of every image of `view`: the paths are those
    /// of [`Network::feature_maps`].
    ///
    /// Maps are many features, one for each of their pixels. Every layer of the network is computed alone, which takes
    /// longer than [`extract`](Self::extract) of a trunk that was cut behind the layer.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_data::{ImageDataset, Normalization};
    /// use selvedge_models::{Cnn, Initialization};
    /// use selvedge_train::{Context, features::Features};
    ///
    /// let classes = vec!["a".to_string(), "b".to_string()];
    /// let images = ImageDataset::new("t", vec![7; 2 * 784], [1, 28, 28], vec![0, 1], classes)?.view();
    /// let network = Cnn::cnn2(2).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
    /// let context = Context::new(&Device::flex());
    /// let features = Features::of_layer(&network, "relu2", &images, &Normalization::unit(), &context)?;
    /// assert_eq!((features.len(), features.shape()), (2, [40, 14, 14]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`extract`](Self::extract), and [`ModelError::UnknownLayer`] for a layer that is not there.
    pub fn of_layer(
        network: &Network,
        layer: &str,
        view: &View,
        normalization: &Normalization,
        context: &Context,
    ) -> Result<Self, TrainError> {
        let architecture = network.architecture();
        let output = architecture.output_of(layer)?;
        let batch = architecture.inference_batch()?;
        let source = BatchLoader::new(view.clone(), batch, normalization, &context.device)?;
        let valid = network.valid();
        Self::computed(network, output, &source, context, |images| {
            let mut found = Vec::new();
            valid.forward_hooked(images, |path, output| {
                if path == layer {
                    found = to_host(output.clone().into_features());
                }
            });
            Ok(found)
        })
    }

    /// What `compute` makes of the batches of the first epoch, of the shape `output` for each image.
    fn computed(
        network: &Network,
        output: Shape,
        source: &dyn BatchSource,
        context: &Context,
        compute: impl Fn(Tensor<4>) -> Result<Vec<f32>, TrainError>,
    ) -> Result<Self, TrainError> {
        let architecture = network.architecture();
        require_shape(&architecture.name, architecture.input, source.image_shape())?;
        let images = source.num_images();
        let shape = match output {
            Shape::Images(sides) => sides,
            Shape::Features(n) => [n, 1, 1],
        };
        let bytes = bytes_of(output, images);
        let out_of_memory = |_| TrainError::Memory { images, bytes };
        let elements = usize::try_from(bytes / size_of::<f32>() as u64);
        let mut values: Vec<f32> = Vec::new();
        let elements = elements.map_err(|_| TrainError::Memory { images, bytes })?;
        values.try_reserve_exact(elements).map_err(out_of_memory)?;
        let mut labels: Vec<u16> = Vec::with_capacity(images);
        let what = format!("{} · features", context.progress.label());
        let display = context.progress.pass(what.clone(), images);
        with_team(|| {
            for batch in source.batches(0) {
                if context.stop.is_requested() {
                    return Err(TrainError::Stopped { what });
                }
                let batch = batch?;
                values.extend(compute(batch.images)?);
                labels.extend(batch.labels);
                display.update(labels.len(), String::new);
            }
            Ok(())
        })?;
        display.finish_pass(labels.len());
        Ok(Self {
            values: values.into(),
            shape,
            labels: labels.into(),
            classes: source.classes().into(),
        })
    }

    /// Features that were computed elsewhere: `[image, channel, row, column]`, with the shape of an image's and the label
    /// of each image among the classes.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there are not as many values as labels and shape say, or none, and for a label without a
    /// class.
    pub fn from_values(
        values: Vec<f32>,
        shape: [usize; 3],
        labels: Vec<u16>,
        classes: Vec<String>,
    ) -> Result<Self, TrainError> {
        let sides = [labels.len()].into_iter().chain(shape);
        let size = sides.fold(1_usize, |size, side| size.saturating_mul(side));
        let expected = "above 0, and the number of labels times the sizes of the shape";
        let fits = size == values.len() && size > 0;
        require(fits, "the number of values", values.len(), expected)?;
        let unknown = labels.iter().find(|label| usize::from(**label) >= classes.len());
        let expected = "below the number of classes";
        require(unknown.is_none(), "a label", unknown.unwrap_or(&0), expected)?;
        Ok(Self { values: values.into(), shape, labels: labels.into(), classes: classes.into() })
    }

    /// How many features an image has.
    fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// `Ok` if none is NaN or infinite.
    fn require_finite(&self) -> Result<(), TrainError> {
        let finite = self.values.iter().all(|value| value.is_finite());
        require(finite, "a feature", "NaN or infinite", "finite")
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// `[channels, height, width]` of an image's features; `[n, 1, 1]` for `n` features without a
    /// place in the image.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The names of the classes; a label is a position among them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The label of each image.
    pub fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The features of one image, `[channel, row, column]`.
    ///
    /// # Panics
    ///
    /// If `position` is not below [`len`](Self::len).
    pub fn image(&self, position: usize) -> &[f32] {
        let size = self.size();
        &self.values[position * size..][..size]
    }

    /// Batches of features in their order; [`BatchLoader::with_shuffle`] visits them in the order in which
    /// it visits the images by the same seed.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] if there are no images or the batch size is 0.
    pub fn loader(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<BatchLoader<Self>, TrainError> {
        Ok(BatchLoader::of(self.clone(), batch_size, device)?)
    }
}

fn bytes_of(output: Shape, images: usize) -> u64 {
    let values = (output.size() as u64).saturating_mul(images as u64);
    (size_of::<f32>() as u64).saturating_mul(values)
}

impl Examples for Features {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn label(&self, position: usize) -> u16 {
        self.labels[position]
    }

    fn write(
        &self,
        position: usize,
        _: &mut SplitMix64,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        values.copy_from_slice(self.image(position));
        Ok(())
    }

    fn gather(&self, positions: &[usize], _: EpochSeed) -> Result<Vec<f32>, DataError> {
        // Without filling the batch with zeros first.
        let size: usize = self.shape.iter().product();
        let mut values = Vec::with_capacity(positions.len() * size);
        positions.iter().for_each(|&position| values.extend_from_slice(self.image(position)));
        Ok(values)
    }
}

/// The features that a head is trained on: what [`FitData`] is for images.
#[derive(Clone, Debug)]
pub struct FeatureData {
    /// What is learned.
    pub train: Features,
    /// What decides which epoch was best.
    pub validation: Option<Features>,
}

impl FeatureData {
    /// The features of the training and of the validation images.
    ///
    /// # Errors
    ///
    /// As [`Features::extract`].
    pub fn extract(trunk: &Network, data: &FitData, context: &Context) -> Result<Self, TrainError> {
        let of = |view| Features::extract(trunk, view, &data.normalization, context);
        Ok(Self {
            train: of(&data.train)?,
            validation: data.validation.as_ref().map(of).transpose()?,
        })
    }
}

impl FitSource for FeatureData {
    fn train(
        &self,
        batch_size: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Box<dyn BatchSource + '_>, TrainError> {
        Ok(Box::new(self.train.loader(batch_size, device)?.with_shuffle(seed)))
    }

    fn validation(
        &self,
        batch_size: usize,
        device: &Device,
    ) -> Result<Option<Box<dyn BatchSource + '_>>, TrainError> {
        let Some(features) = &self.validation else { return Ok(None) };
        Ok(Some(Box::new(features.loader(batch_size, device)?)))
    }
}

#[cfg(test)]
mod map_tests;
#[cfg(test)]
mod tests;
