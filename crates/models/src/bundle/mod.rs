//! A trained classifier as one file: weights, architecture, classes and normalization.
//!
//! ```
//! use burn::tensor::Device;
//! use selvedge_models::{Bundle, Cnn, Initialization};
//!
//! let device = Device::flex();
//! let network = Cnn::cnn3(2).architecture().init(Initialization::PyTorch, 0, &device)?;
//! let classes = ["trouser", "sandal"].map(String::from).to_vec();
//! let bundle = Bundle::from_parts(network, classes, vec![0.286], vec![0.353]);
//!
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("shoes.safetensors");
//! bundle.save(&path)?;
//! let bundle = Bundle::load(&path, &device)?;
//! let pixels = [0; 28 * 28];
//! let prediction = bundle.predict_image(&pixels)?;
//! println!("{}: {}", prediction.name, prediction.probabilities[prediction.class]);
//! # Ok::<(), selvedge_models::ModelError>(())
//! ```
//!
//! # What is in the file
//!
//! A safetensors file as [`Network::save_safetensors`] writes it: PyTorch's `load_file` and
//! `load_state_dict` take the weights as they are. The texts of its `__metadata__` say the rest:
//!
//! | key | text |
//! |---|---|
//! | `format` | `pt`: the names and layouts are PyTorch's |
//! | `bundle` | `1`, the version of what is described here |
//! | `selvedge` | the version of the program that wrote it |
//! | `architecture` | an [`Architecture`](crate::Architecture) as JSON |
//! | `classes` | a JSON list of names, in the order of the outputs |
//! | `normalization` | `{"mean":[…],"std":[…]}`: a pixel p of 0 to 255 becomes (p / 255 − mean) / std; one value for all channels, or one for each |
//! | `resize` | only where it is known: `{"shorter_side":256}` or `"stretch"`, how an image of any size becomes one that the network takes, see [`ImageResize`] |
//!
//! The same bundle gives the same bytes.
//!
//! # Damaged and hostile files
//!
//! A file is refused with one line before anything is set aside for the network: if its architecture is
//! not sound or needs more than 2²⁸ values for an image, if its tensors are not those of the architecture,
//! if there are not as many classes as outputs, or if the normalization divides by what is not above 0 or
//! gives values that are not finite. The rest is as in [`weights`](crate::weights).

mod limits;
mod metadata;
mod predict;
mod resize;
#[cfg(test)]
mod tests;

pub use predict::Prediction;
pub use resize::ImageResize;

#[cfg(feature = "files")]
use std::path::Path;
use std::sync::OnceLock;

use burn::tensor::Device;

use crate::weights::{Format, WeightFile};
use crate::{InferenceNetwork, Initialization, ModelError, Network};

/// What a bundle keeps of the data that a network learned from.
pub trait DataSpec {
    /// The names of the classes, in the order of the network's outputs.
    fn classes(&self) -> &[String];

    /// The mean and the standard deviation by which pixels are normalized, on the scale on which a pixel of
    /// 255 is 1; one value for all channels, or one for each.
    fn mean_std(&self) -> (&[f32], &[f32]);
}

/// A classifier with all that is needed to use it: its network, its classes and the normalization of its
/// images. See the [module](self) for the file that it makes.
///
/// Whether the parts fit each other is asked when they are used: [`check`](Self::check).
#[derive(Clone, Debug)]
pub struct Bundle {
    network: Network,
    classes: Vec<String>,
    mean: Vec<f32>,
    std: Vec<f32>,
    resize: Option<ImageResize>,
    /// The network as predictions are computed with it, once there was one.
    inference: OnceLock<InferenceNetwork>,
}

impl Bundle {
    /// A network with the classes and the normalization of the data that it learned from.
    pub fn new(network: Network, data: &impl DataSpec) -> Self {
        let (mean, std) = data.mean_std();
        Self::from_parts(network, data.classes().to_vec(), mean.to_vec(), std.to_vec())
    }

    /// A network with these classes, in the order of its outputs, and this normalization: a pixel p of 0 to
    /// 255 becomes (p / 255 − `mean`) / `std`, with one value for all channels, or one for each.
    pub fn from_parts(
        network: Network,
        classes: Vec<String>,
        mean: Vec<f32>,
        std: Vec<f32>,
    ) -> Self {
        Self { network, classes, mean, std, resize: None, inference: OnceLock::new() }
    }

    /// The same, with how images of any size became those that the network learned from.
    #[must_use]
    pub fn with_resize(self, resize: Option<ImageResize>) -> Self {
        Self { resize, ..self }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// The network alone.
    pub fn into_network(self) -> Network {
        self.network
    }

    /// The names of the classes, in the order of the network's outputs.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The mean that is subtracted from pixels, on the scale on which a pixel of 255 is 1.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation that pixels are divided by, on the same scale.
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// How images of any size became those that the network learned from; `None` where it is not known, as
    /// of images that were all of one size.
    pub fn resize(&self) -> Option<ImageResize> {
        self.resize
    }

    /// `Ok` if there are as many classes as outputs, and a normalization for every channel that gives finite
    /// values, and images are not made smaller than the network takes them.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] with what does not fit.
    pub fn check(&self) -> Result<(), ModelError> {
        let normalization = [&self.mean[..], &self.std[..]];
        metadata::check(self.network.architecture(), &self.classes, normalization, self.resize)
    }

    /// Writes the bundle; an existing file is replaced once the new one is whole and on the disk. A symbolic
    /// link is followed.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); [`ModelError::File`] if the file cannot be written.
    #[cfg(feature = "files")]
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        self.network.save_safetensors_with(path.as_ref(), &self.metadata()?)
    }

    /// The bytes of the file that [`save`](Self::save) writes.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check); [`ModelError::File`] if the values cannot be read from the device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.network.to_safetensors_bytes_with(&self.metadata()?)
    }

    /// Reads a bundle onto `device`.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be read, is damaged, is no bundle or one of a later version,
    /// or if its parts do not fit each other; [`ModelError::Mismatch`] if its tensors are not those of its
    /// architecture.
    pub fn load(path: impl AsRef<std::path::Path>, device: &Device) -> Result<Self, ModelError> {
        Self::read(&WeightFile::open(path.as_ref(), &[])?, device)
    }

    /// As [`load`](Self::load), from the bytes of the file.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8], device: &Device) -> Result<Self, ModelError> {
        Self::read(&WeightFile::of_bytes(bytes)?, device)
    }

    fn read(file: &WeightFile<'_>, device: &Device) -> Result<Self, ModelError> {
        if file.format != Format::Safetensors {
            return Err(file.error(format!("a file of {}, {}", file.format, metadata::NO_BUNDLE)));
        }
        let described = metadata::read(&file.metadata).map_err(|reason| file.error(reason))?;
        let metadata::Described { architecture, classes, normalization, resize } = described;
        // Before memory is set aside for it: what is in the file bounds what the network takes.
        file.check_architecture(&architecture)?;
        let network = architecture.init(Initialization::PyTorch, 0, device);
        let network = network.map_err(|error| file.error(error.to_string()))?;
        let network = file.load_into(network)?;
        let bundle = Self::from_parts(network, classes, normalization.mean, normalization.std);
        Ok(bundle.with_resize(resize))
    }
}
