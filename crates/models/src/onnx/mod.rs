//! Networks as ONNX files, for production and the browser.
//!
//! ```
//! use burn::tensor::Device;
//! use selvedge_models::{Cnn, Initialization, onnx::OnnxExport};
//!
//! let network = Cnn::cnn2(2).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
//! # let folder = tempfile::tempdir().unwrap();
//! # let path = folder.path().join("model.onnx");
//! OnnxExport::new(&network)
//!     .with_classes(["trouser", "sandal"])
//!     .with_normalization(&[0.286], &[0.353])
//!     .save(&path)?;
//! # Ok::<(), selvedge_models::ModelError>(())
//! ```
//!
//! # What is in the file
//!
//! | | |
//! |---|---|
//! | input | `images`, `[batch, channels, height, width]` of `f32`, for any batch |
//! | output | what [`Network::forward`] gives after [`valid`](burn::module::Module::valid), `[batch, features]` |
//! | name of the output | `reconstruction` if it has as many values as an image, else `logits` if the last layer is linear, else `features` |
//! | nodes | one a layer, under the layer's path (`layer1.0.conv1`); dropout, stochastic depth and identities are left out |
//! | weights | under PyTorch's names and in its layouts (`fc.weight` is `[out_features, in_features]`) |
//! | operators | those of ONNX's own set, version 17; IR version 8 |
//! | metadata | what [`OnnxExport`] was given |
//!
//! An autoencoder's images come out flattened, as from [`Network::forward`]: their values are in
//! the order of the input's. The version is the one that PyTorch's exporter long wrote, and is read
//! by every ONNX Runtime from 1.12 (2022), in the browser too.
//!
//! Some layers need more than an operator of the same name. GELU, SiLU and group normalization, which the
//! version has no operators for, are composed of others, and a layer normalization of images has a
//! transposition before and after it. Nearest-neighbour upsampling is a
//! `Resize` with the mode `asymmetric` and rounding down, so that pixel x comes from ⌊x / scale⌋.
//! An adaptive average pool is a `GlobalAveragePool` to one pixel, an `AveragePool` where its result
//! divides the image, and for all other sizes the image between two constant matrices that average
//! its rows and its columns: the same windows as PyTorch's, which no pool of ONNX has. So is an average
//! pool whose last windows may reach over the border.

mod average;
mod graph;
mod norms;
mod plain;
mod proto;
mod tensor;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeMap;

use burn::module::Module;

use self::graph::Graph;
use self::proto::Entry;
use self::write::File;
use crate::{ModelError, Network, Op};

/// The name of the input.
pub const INPUT: &str = "images";

/// The version of the operators.
pub const OPSET: i64 = 17;

/// The version of the file format.
pub const IR_VERSION: i64 = 8;

impl Network {
    /// Writes the network for inference as ONNX; see [`onnx`](self) for what is in the file, and
    /// [`OnnxExport`] for adding class names and the normalization. An existing file is replaced
    /// once the new one is whole; a link is followed, and what is not a regular file is refused.
    ///
    /// # Errors
    ///
    /// As [`OnnxExport::save`].
    #[cfg(feature = "files")]
    pub fn save_onnx(&self, path: impl AsRef<std::path::Path>) -> Result<(), ModelError> {
        OnnxExport::new(self).save(path)
    }

    /// The network for inference as the bytes of an ONNX file.
    ///
    /// # Errors
    ///
    /// As [`OnnxExport::to_bytes`].
    pub fn to_onnx_bytes(&self) -> Result<Vec<u8>, ModelError> {
        OnnxExport::new(self).to_bytes()
    }
}

/// An export to ONNX, with what a user of the file needs to know besides the network.
///
/// It is stored as the model's metadata, text by text: in Python
/// `session.get_modelmeta().custom_metadata_map`.
#[derive(Clone, Debug)]
pub struct OnnxExport<'a> {
    network: &'a Network,
    classes: Option<Vec<String>>,
    normalization: Option<[Vec<f32>; 2]>,
    others: BTreeMap<String, String>,
}

impl<'a> OnnxExport<'a> {
    /// An export of the network alone.
    pub fn new(network: &'a Network) -> Self {
        Self { network, classes: None, normalization: None, others: BTreeMap::new() }
    }

    /// Adds the names of the classes in the order of the outputs, as the entry `classes`: a JSON list
    /// of strings.
    #[must_use]
    pub fn with_classes<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        Self { classes: Some(names.into_iter().map(Into::into).collect()), ..self }
    }

    /// Adds how a pixel p of 0 to 255 becomes the network's input, (p / 255 − mean) / std, as the
    /// entries `mean` and `std`: JSON lists of one number, or of one a channel.
    #[must_use]
    pub fn with_normalization(self, mean: &[f32], std: &[f32]) -> Self {
        Self { normalization: Some([mean.to_vec(), std.to_vec()]), ..self }
    }

    /// Adds an entry of another name: an author, a licence, the accuracy that was measured. The last
    /// one of a name counts.
    #[must_use]
    pub fn with_metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.others.insert(key.into(), value.into());
        self
    }

    /// The name of the output: `reconstruction`, `logits` or `features`; see [`onnx`](self).
    pub fn output_name(&self) -> &'static str {
        let architecture = self.network.architecture();
        let passes = |op: &&Op| !op.is_identity_in_inference();
        let last = architecture.layers.iter().map(|layer| &layer.op).rfind(passes);
        let pixels: usize = architecture.input.iter().product();
        if architecture.output_shape().is_ok_and(|shape| shape.size() == pixels) {
            "reconstruction"
        } else if matches!(last, Some(Op::Linear { .. })) {
            "logits"
        } else {
            "features"
        }
    }

    /// Writes the file; an existing one is replaced once the new one is whole. Weights are read one
    /// tensor at a time, so that this needs memory for the largest alone.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be written, else as [`to_bytes`](Self::to_bytes).
    #[cfg(feature = "files")]
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<(), ModelError> {
        let path = path.as_ref();
        let (file, _) = self.file()?;
        let written = file.write_to(path);
        written.map_err(|error| crate::weights::file_error(Some(path), error.to_string()))
    }

    /// The bytes of the file.
    ///
    /// # Errors
    ///
    /// [`ModelError::OnnxTooLarge`] if it had more than 2³¹ − 1 bytes, which no reader accepts;
    /// [`ModelError::Setting`] if there are not as many class names as outputs, means or standard
    /// deviations as channels, or a standard deviation is not above 0, or an entry is given twice;
    /// [`ModelError::DuplicateLayer`] if two layers within residual blocks have the same path;
    /// [`ModelError::Onnx`] if a weight cannot be read from the device.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ModelError> {
        let (file, size) = self.file()?;
        let mut bytes = Vec::with_capacity(size as usize);
        match file.write(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) => Err(ModelError::Onnx {
                architecture: self.network.architecture().name.clone(),
                reason: error.to_string(),
            }),
        }
    }

    /// What is to be written, and its size in bytes.
    fn file(&self) -> Result<(File, u64), ModelError> {
        let metadata = self.metadata()?;
        let file = File::new(Graph::new(&self.network.valid(), self.output_name())?, metadata);
        match file.size() {
            Ok(size) => Ok((file, size)),
            Err(bytes) => Err(ModelError::OnnxTooLarge {
                architecture: self.network.architecture().name.clone(),
                bytes,
            }),
        }
    }

    fn metadata(&self) -> Result<Vec<Entry>, ModelError> {
        let architecture = self.network.architecture();
        let mut entries = self.others.clone();
        let mut add = |key: &'static str, value: String| match entries.insert(key.into(), value) {
            None => Ok(()),
            Some(_) => Err(setting("metadata", format!("`{key}`, twice"), "given once")),
        };
        if let Some(classes) = &self.classes {
            let outputs = architecture.output_shape()?.size();
            if classes.len() != outputs {
                let expected = format!("{outputs}, one an output");
                return Err(setting("number of class names", classes.len(), expected));
            }
            add("classes", serde_json::json!(classes).to_string())?;
        }
        if let Some([mean, std]) = &self.normalization {
            check_normalization(mean, std, architecture.input[0])?;
            // Rust prints a list of finite numbers as JSON does, each with as few digits as it needs.
            add("mean", format!("{mean:?}"))?;
            add("std", format!("{std:?}"))?;
        }
        let entry = |(key, value)| Entry { key: Some(key), value: Some(value) };
        Ok(entries.into_iter().map(entry).collect())
    }
}

fn check_normalization(mean: &[f32], std: &[f32], channels: usize) -> Result<(), ModelError> {
    for (name, values) in [("number of means", mean), ("number of standard deviations", std)] {
        if values.len() != 1 && values.len() != channels {
            return Err(setting(name, values.len(), format!("1 or {channels}, one a channel")));
        }
    }
    if let Some(mean) = mean.iter().find(|mean| !mean.is_finite()) {
        return Err(setting("mean", mean, "finite"));
    }
    match std.iter().find(|std| !(std.is_finite() && **std > 0.0)) {
        Some(std) => Err(setting("standard deviation", std, "above 0 and finite")),
        None => Ok(()),
    }
}

fn setting(
    name: &'static str,
    value: impl ToString,
    expected: impl Into<std::borrow::Cow<'static, str>>,
) -> ModelError {
    ModelError::Setting { name, value: value.to_string(), expected: expected.into() }
}
