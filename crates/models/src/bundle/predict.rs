//! From the bytes of images to the probabilities of their classes.

use std::borrow::Cow;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};

use super::Bundle;
use crate::{InferenceNetwork, ModelError, Shape};

/// What a classifier makes of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The index of the most probable class.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// The probability of each class, in the order of the bundle's classes: the softmax of the outputs.
    pub probabilities: Vec<f32>,
}

/// How the pixels of one channel become values: `(p / 255 − mean) / std` as
/// `(p − 255 mean) / (255 std)`, bit for bit as in `selvedge-data`, whose images the network learned from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Affine {
    shift: f32,
    divisor: f32,
}

impl Affine {
    fn apply(self, pixel: u8) -> f32 {
        (f32::from(pixel) - self.shift) / self.divisor
    }
}

/// The normalization of each channel.
pub(super) fn affine(
    mean: &[f32],
    std: &[f32],
    channels: usize,
) -> Result<Vec<Affine>, ModelError> {
    let setting = |name, value: String, expected: String| {
        Err(ModelError::Setting { name, value, expected: expected.into() })
    };
    for (name, values) in [("number of means", mean), ("number of standard deviations", std)] {
        if values.len() != 1 && values.len() != channels {
            let expected = format!("1 or {channels}, one a channel");
            return setting(name, values.len().to_string(), expected);
        }
    }
    let of = |values: &[f32], channel: usize| match values {
        [all] => *all,
        each => each[channel],
    };
    let mut affine = Vec::with_capacity(channels);
    for channel in 0..channels {
        let (mean, std) = (of(mean, channel), of(std, channel));
        if !mean.is_finite() {
            return setting("mean", mean.to_string(), "finite".into());
        }
        if !(std.is_finite() && std > 0.0) {
            return setting("standard deviation", std.to_string(), "above 0 and finite".into());
        }
        let this = Affine { shift: 255.0 * mean, divisor: 255.0 * std };
        let finite = [0, 255].into_iter().all(|pixel| this.apply(pixel).is_finite());
        if !(this.divisor.is_finite() && finite) {
            let expected = "such that every pixel becomes a finite value".into();
            return setting("normalization", format!("mean {mean:?}, std {std:?}"), expected);
        }
        affine.push(this);
    }
    Ok(affine)
}

impl Bundle {
    /// What the network makes of images, given one after the other as the bytes of their pixels,
    /// `[images, channels, height, width]`: the rows of the first channel, then those of the next.
    ///
    /// They are normalized and computed in batches of [`Architecture::inference_batch`]. A network in
    /// training is used as after [`valid`](Module::valid). After the first prediction a bundle holds its weights as they
    /// were and as they predict fastest ([`Network::for_inference`](crate::Network::for_inference)).
    ///
    /// [`Architecture::inference_batch`]: crate::Architecture::inference_batch
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] if the bytes are not those of whole images, or as [`check`](Self::check);
    /// [`ModelError::Outputs`] if the network gives values for an image that are not finite.
    pub fn predict(&self, pixels: &[u8]) -> Result<Vec<Prediction>, ModelError> {
        let size = self.image_size(pixels)?;
        let architecture = self.network.architecture();
        let affine = affine(&self.mean, &self.std, architecture.input[0])?;
        let network = self.for_inference();
        let batch = architecture.inference_batch()?;
        let mut predictions = Vec::with_capacity(pixels.len() / size);
        for images in pixels.chunks(size * batch) {
            let images = self.images(images, &affine);
            let outputs = network.forward(images).try_into_data_as::<f32>();
            let outputs = outputs.map_err(|error| self.outputs_failed(error.to_string()))?;
            let outputs = outputs.as_slice::<f32>();
            let outputs = outputs.map_err(|error| self.outputs_failed(error.to_string()))?;
            for logits in outputs.chunks_exact(self.classes.len()) {
                let prediction = self.prediction(logits, predictions.len())?;
                predictions.push(prediction);
            }
        }
        Ok(predictions)
    }

    /// The network as predictions are computed with it. One on a training device may have changed since the last call.
    fn for_inference(&self) -> Cow<'_, InferenceNetwork> {
        let trains = self.network.devices().iter().any(Device::is_autodiff);
        if trains {
            return Cow::Owned(self.network.for_inference());
        }
        if let Some(network) = self.inference.get() {
            return Cow::Borrowed(network);
        }
        // Not under the lock: threads that pack the weights may take up another prediction meanwhile.
        let network = self.network.for_inference();
        Cow::Borrowed(self.inference.get_or_init(|| network))
    }

    /// The same images as values, `[images, channels, height, width]`, normalized as the network takes them, on its device:
    /// for [`explain`](crate::explain), say.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Bundle, Cnn, Initialization, explain};
    ///
    /// let network = Cnn::cnn2(2).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
    /// let classes = ["trouser", "sandal"].map(String::from).to_vec();
    /// let bundle = Bundle::from_parts(network, classes, vec![0.5], vec![0.25]);
    /// let images = bundle.normalized(&[255; 784])?;
    /// assert_eq!(images.clone().max().into_scalar::<f32>(), 2.0);
    /// let map = explain::saliency(bundle.network(), images, &[1])?;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] as [`predict`](Self::predict).
    pub fn normalized(&self, pixels: &[u8]) -> Result<Tensor<4>, ModelError> {
        self.image_size(pixels)?;
        let channels = self.network.architecture().input[0];
        Ok(self.images(pixels, &affine(&self.mean, &self.std, channels)?))
    }

    /// The number of values of an image, if the bundle can be used and the bytes are those of whole images.
    fn image_size(&self, pixels: &[u8]) -> Result<usize, ModelError> {
        self.check()?;
        let size = Shape::Images(self.network.architecture().input).size();
        match pixels.len().is_multiple_of(size) {
            true => Ok(size),
            false => Err(self.wrong_size(pixels, format!("a multiple of {size}"))),
        }
    }

    /// Whole images as values.
    fn images(&self, pixels: &[u8], affine: &[Affine]) -> Tensor<4> {
        let [channels, height, width] = self.network.architecture().input;
        let mut values = Vec::with_capacity(pixels.len());
        let planes = pixels.chunks_exact(height * width);
        for (plane, affine) in planes.zip(affine.iter().cycle()) {
            values.extend(plane.iter().map(|&pixel| affine.apply(pixel)));
        }
        let shape = [pixels.len() / (channels * height * width), channels, height, width];
        let device = self.network.devices().into_iter().next().unwrap_or_default();
        Tensor::from_data(TensorData::new(values, shape), &device)
    }

    /// What the network makes of one image, `[channels, height, width]`; see [`predict`](Self::predict).
    ///
    /// # Errors
    ///
    /// As [`predict`](Self::predict).
    pub fn predict_image(&self, pixels: &[u8]) -> Result<Prediction, ModelError> {
        let size = Shape::Images(self.network.architecture().input).size();
        let mut predictions = match pixels.len() == size {
            true => self.predict(pixels)?,
            false => Vec::new(),
        };
        predictions.pop().ok_or_else(|| self.wrong_size(pixels, size.to_string()))
    }

    fn wrong_size(&self, pixels: &[u8], expected: String) -> ModelError {
        let images = Shape::Images(self.network.architecture().input);
        ModelError::Setting {
            name: "number of bytes",
            value: pixels.len().to_string(),
            expected: format!("{expected}, for {images}").into(),
        }
    }

    fn outputs_failed(&self, reason: String) -> ModelError {
        let architecture = self.network.architecture().name.clone();
        ModelError::Outputs { architecture, reason }
    }

    /// The classes of the image of this index by its logits.
    fn prediction(&self, logits: &[f32], image: usize) -> Result<Prediction, ModelError> {
        if logits.iter().any(|logit| !logit.is_finite()) {
            return Err(
                self.outputs_failed(format!("its outputs for image {image} are not finite"))
            );
        }
        let larger = |best, (class, logit): (usize, &f32)| match logits[best] < *logit {
            true => class,
            false => best,
        };
        let class = logits.iter().enumerate().fold(0, larger);
        let exp = |logit: &f32| f64::from(*logit - logits[class]).exp();
        let exponentials: Vec<f64> = logits.iter().map(exp).collect();
        let sum: f64 = exponentials.iter().sum();
        let probabilities = exponentials.iter().map(|e| (e / sum) as f32).collect();
        Ok(Prediction { class, name: self.classes[class].clone(), probabilities })
    }
}
