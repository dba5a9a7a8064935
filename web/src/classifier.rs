use burn::tensor::{Device, Tensor};
use selvedge_models::{Bundle, Shape, explain};
use serde::Serialize;

use crate::{Background, PageError, Picture};

/// The most maps of a layer that are shown: those of a page's width and some rows.
const MOST_MAPS: usize = 64;

/// A trained classifier, and the picture that it is shown.
#[derive(Debug)]
pub struct Classifier {
    bundle: Bundle,
    /// `[channels, height, width]`, as the network takes it.
    pixels: Option<Vec<u8>>,
}

/// What is to be known of a classifier.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// The network's name.
    pub name: String,
    /// `[channels, height, width]` of its images.
    pub input: [usize; 3],
    /// The names of the classes.
    pub classes: Vec<String>,
    /// How many values are learned.
    pub parameters: usize,
    /// Products that are added up for one image.
    pub multiply_adds: u64,
    /// The layers whose outputs are maps, in their order.
    pub layers: Vec<LayerLine>,
    /// The layer that Grad-CAM looks at; none for networks without convolutions.
    pub cam_layer: Option<String>,
}

/// A layer whose output are maps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerLine {
    /// Its path in the network.
    pub path: String,
    /// What it does.
    pub operation: String,
    /// `[channels, height, width]` of its output.
    pub shape: [usize; 3],
}

/// What the network says of the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Classified {
    /// The index of the most probable class.
    pub class: usize,
    /// The probability of each class.
    pub probabilities: Vec<f32>,
    /// Whether the picture was inverted.
    pub inverted: bool,
}

/// The maps of a layer, all on one scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Maps {
    /// `[maps, height, width]`: the first 64 of the layer, 0 the least value of the whole layer and 255 the largest.
    pub pixels: Vec<u8>,
    /// `[channels, height, width]` of the layer.
    pub shape: [usize; 3],
    /// The least value of the layer.
    pub least: f32,
    /// The largest value of the layer.
    pub largest: f32,
}

/// What the network answers to, for every pixel of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// `[height, width]`: 255 is the largest value, 0 is 0.
    pub pixels: Vec<u8>,
    /// The largest value.
    pub largest: f32,
}

impl Classifier {
    /// The classifier of a bundle, from the bytes of its file.
    ///
    /// # Errors
    ///
    /// As [`Bundle::from_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PageError> {
        let bundle = Bundle::from_bytes(bytes, &Device::flex())?;
        Ok(Self { bundle, pixels: None })
    }

    /// What is to be known of it.
    ///
    /// # Errors
    ///
    /// As [`Architecture::summary`](selvedge_models::Architecture::summary): never for a bundle that was read.
    pub fn description(&self) -> Result<Description, PageError> {
        let architecture = self.bundle.network().architecture();
        let summary = architecture.summary()?;
        let layers = summary.rows.iter().filter_map(|row| match row.output {
            Shape::Images(shape) => {
                Some(LayerLine { path: row.name.clone(), operation: row.operation.clone(), shape })
            }
            Shape::Features(_) => None,
        });
        Ok(Description {
            name: architecture.name.clone(),
            input: architecture.input,
            classes: self.bundle.classes().to_vec(),
            parameters: summary.parameters(),
            multiply_adds: summary.multiply_adds(),
            layers: layers.collect(),
            cam_layer: explain::cam_layer(architecture).ok(),
        })
    }

    /// Takes a picture and says what it shows.
    ///
    /// # Errors
    ///
    /// As [`Picture::fitted`] and [`Bundle::predict_image`].
    pub fn classify(
        &mut self,
        picture: &Picture<'_>,
        background: Background,
    ) -> Result<Classified, PageError> {
        let input = self.bundle.network().architecture().input;
        let (pixels, inverted) = picture.fitted(input, self.bundle.resize(), background)?;
        let prediction = self.bundle.predict_image(&pixels)?;
        self.pixels = Some(pixels);
        let (class, probabilities) = (prediction.class, prediction.probabilities);
        Ok(Classified { class, probabilities, inverted })
    }

    /// The picture as the network takes it, `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// [`PageError::Order`] before there is a picture.
    pub fn pixels(&self) -> Result<&[u8], PageError> {
        self.pixels.as_deref().ok_or(PageError::Order("choose a picture first"))
    }

    /// What a layer makes of the picture.
    ///
    /// # Errors
    ///
    /// [`PageError::Order`] before there is a picture; as
    /// [`Network::feature_maps`](selvedge_models::Network::feature_maps).
    pub fn maps(&self, layer: &str) -> Result<Maps, PageError> {
        let found = self.bundle.network().feature_maps(&[layer], self.image()?)?;
        let (_, maps) = found.into_iter().next().expect("one layer was asked for");
        let [_, channels, height, width] = maps.dims();
        let values = values(maps)?;
        let (least, largest) = bounds(&values);
        let shown = channels.min(MOST_MAPS) * height * width;
        let pixels = values[..shown].iter().map(|value| byte(value - least, largest - least));
        Ok(Maps { pixels: pixels.collect(), shape: [channels, height, width], least, largest })
    }

    /// How much each pixel changes the class's logit: the largest absolute gradient over the channels.
    ///
    /// # Errors
    ///
    /// [`PageError::Order`] before there is a picture; as [`explain::saliency`].
    pub fn saliency(&self, class: usize) -> Result<Map, PageError> {
        let gradient = explain::saliency(self.bundle.network(), self.image()?, &[class])?;
        map(explain::largest_over_channels(gradient))
    }

    /// Where the last convolution finds the class, in the size of the picture.
    ///
    /// # Errors
    ///
    /// [`PageError::Order`] before there is a picture; as [`explain::grad_cam`].
    pub fn grad_cam(&self, class: usize) -> Result<Map, PageError> {
        let maps = explain::grad_cam(self.bundle.network(), self.image()?, &[class], None)?;
        let [_, height, width] = self.bundle.network().architecture().input;
        map(explain::upsample(maps, [height, width])?)
    }

    /// The picture as a normalized tensor, `[1, channels, height, width]`.
    fn image(&self) -> Result<Tensor<4>, PageError> {
        Ok(self.bundle.normalized(self.pixels()?)?)
    }
}

/// The values of a tensor.
fn values(tensor: Tensor<4>) -> Result<Vec<f32>, PageError> {
    let values = tensor.into_data().try_to_vec::<f32>();
    values.map_err(|_| PageError::Order("the values of the layer cannot be read"))
}

/// The least and the largest of the values that are finite.
fn bounds(values: &[f32]) -> (f32, f32) {
    let finite = values.iter().copied().filter(|value| value.is_finite());
    let (least, largest) = finite.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    if least <= largest { (least, largest) } else { (0.0, 0.0) }
}

/// `value` of `whole` as a byte.
fn byte(value: f32, whole: f32) -> u8 {
    // Casts keep within the range, and make 0 of a NaN.
    if whole > 0.0 { (255.0 * value / whole).round() as u8 } else { 0 }
}

fn map(tensor: Tensor<4>) -> Result<Map, PageError> {
    let values = values(tensor)?;
    let (_, largest) = bounds(&values);
    Ok(Map { pixels: values.iter().map(|value| byte(*value, largest)).collect(), largest })
}
