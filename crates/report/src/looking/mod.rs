//! What a trained classifier sees in images: which pixels matter by every method that fits it, its maps and filters, what
//! excites its classes, and the images that it takes for alike.
//!
//! ```
//! use burn::tensor::Device;
//! use selvedge_models::{Bundle, Cnn, Initialization};
//! use selvedge_report::looking::{Look, LookedAt};
//!
//! let network = Cnn::cnn2(2).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
//! let classes = ["trouser", "sandal"].map(String::from).to_vec();
//! let bundle = Bundle::from_parts(network, classes, vec![0.286], vec![0.353]);
//! let pixels = (0..784).map(|i| (i % 251) as u8).collect();
//! let look = Look::new(&bundle, vec![LookedAt { name: "a.png".into(), pixels }]);
//! let seen = look.compute()?;
//! let sheet = seen.sheet()?;
//! assert!(sheet.to_svg().contains("Grad-CAM"));
//! assert!(seen.page("look_inside clothes.safetensors a.png")?.to_html().contains("a.png"));
//! # Ok::<(), selvedge_report::looking::LookError>(())
//! ```

mod alike;
mod error;
mod method;
mod misled;
mod names;
mod page;
mod reference;
mod through;

use burn::tensor::Tensor;
use selvedge_models::explain::{
    Maximization, Maximized, PixelRange, Target, first_filters, maximize_activation,
};
use selvedge_models::{Bundle, ModelError, Prediction};
use selvedge_train::{Robustness, Stop};

use crate::plot::{ContactSheet, LayerMaps, MethodMaps, Picture, SheetImage, pixels};

pub use alike::Alike;
pub use error::LookError;
pub use method::Method;
use misled::Misled;
pub use names::class_of;
use names::cut;
pub use reference::Reference;
use through::Through;

/// The names of all pictures that [`Seen::pictures`] can have: the contact sheet, the nearest images, the t-SNE map, the
/// maps of the first image, one filter through all layers, the first filters, what excites the classes, images changed by
/// attacks, and the accuracy on corrupted images.
pub const PICTURES: [&str; 9] =
    ["sheet", "neighbors", "tsne", "maps", "through", "filters", "excited", "misled", "robustness"];

/// Most images that are looked at together.
const MOST_IMAGES: usize = 50;

/// An image as the network takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedAt {
    /// What it is called.
    pub name: String,
    /// `[channel, row, column]`, row-major, in the shape of the network's input.
    pub pixels: Vec<u8>,
}

/// What is asked of a classifier.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    bundle: &'a Bundle,
    images: Vec<LookedAt>,
    class: Option<usize>,
    layer: Option<String>,
    excite: bool,
    filter: Option<Target>,
    epsilon: Option<f64>,
    stop: Stop,
}

/// What was found.
#[derive(Debug)]
pub struct Seen<'a> {
    bundle: &'a Bundle,
    images: Vec<LookedAt>,
    predictions: Vec<Prediction>,
    /// The class that is explained, of each image.
    classes: Vec<usize>,
    methods: Vec<MethodMaps>,
    layers: Vec<LayerMaps>,
    /// Of the first image.
    through: Option<Through>,
    filters: Option<(String, Vec<Vec<u8>>, [usize; 3])>,
    excited: Vec<(String, Vec<Maximized>)>,
    /// The filter among them.
    filter: Option<Target>,
    misled: Option<Misled>,
    alike: Option<Alike>,
    /// With what was measured, in words.
    robustness: Option<(Robustness, String)>,
    /// What is not shown, and why.
    notes: Vec<String>,
}

impl<'a> Look<'a> {
    /// At 1 to 50 images, for the class that is predicted of each.
    pub fn new(bundle: &'a Bundle, images: Vec<LookedAt>) -> Self {
        Self {
            bundle,
            images,
            class: None,
            layer: None,
            excite: false,
            filter: None,
            epsilon: None,
            stop: Stop::default(),
        }
    }

    /// The same, for one class of all images.
    #[must_use]
    pub fn with_class(self, class: Option<usize>) -> Self {
        Self { class, ..self }
    }

    /// The same, with Grad-CAM of the layer at a path instead of the last one with maps.
    #[must_use]
    pub fn with_layer(self, layer: Option<String>) -> Self {
        Self { layer, ..self }
    }

    /// The same, with images that excite the classes that are explained, 40 passes for each; or without.
    #[must_use]
    pub fn with_excitation(self, excite: bool) -> Self {
        Self { excite, ..self }
    }

    /// The same, with images that excite a filter, given as the path of its layer and its number from 0: `conv3:1`; and with
    /// what the filter of that number makes of the first image in every layer.
    ///
    /// # Errors
    ///
    /// [`LookError::Model`] for a text that is not both.
    pub fn with_filter(self, filter: Option<&str>) -> Result<Self, LookError> {
        let target = |text: &str| {
            let parts = text.rsplit_once(':').filter(|(layer, _)| !layer.is_empty());
            let channel = parts.and_then(|(_, channel)| channel.parse().ok());
            match (parts, channel) {
                (Some((layer, _)), Some(channel)) => {
                    Ok(Target::Channel { layer: layer.into(), channel })
                }
                _ => {
                    let expected = "a layer and a number, such as conv1:0".into();
                    Err(ModelError::Setting { name: "filter", value: cut(text), expected })
                }
            }
        };
        Ok(Self { filter: filter.map(target).transpose()?, ..self })
    }

    /// The same, with images that are changed by at most `epsilon` of a pixel's range so that another class is predicted,
    /// by FGSM and PGD.
    ///
    /// # Errors
    ///
    /// [`LookError::Model`] if it is not above 0, or above 1, which is the whole range.
    pub fn with_attack(self, epsilon: Option<f64>) -> Result<Self, LookError> {
        if let Some(wrong) = epsilon.filter(|epsilon| !(*epsilon > 0.0 && *epsilon <= 1.0)) {
            let (name, value, expected) = ("epsilon", wrong.to_string(), "above 0 and at most 1");
            return Err(ModelError::Setting { name, value, expected: expected.into() }.into());
        }
        Ok(Self { epsilon, ..self })
    }

    /// The same, ended by `stop` after the method or picture that is being computed.
    #[must_use]
    pub fn with_stop(self, stop: Stop) -> Self {
        Self { stop, ..self }
    }

    fn unless_stopped(&self) -> Result<(), LookError> {
        match self.stop.is_requested() {
            true => Err(LookError::Stopped),
            false => Ok(()),
        }
    }

    /// Computes all that is shown.
    ///
    /// # Errors
    ///
    /// [`LookError::Model`] for no images or more than 50, for images of another size than the network's, a class or layer
    /// that the network does not have, and weights that are NaN or infinite. [`LookError::Stopped`] if the stop was
    /// requested.
    pub fn compute(self) -> Result<Seen<'a>, LookError> {
        let count = self.images.len();
        if !(1..=MOST_IMAGES).contains(&count) {
            let expected = "1 to 50".into();
            let value = count.to_string();
            return Err(
                ModelError::Setting { name: "the number of images", value, expected }.into()
            );
        }
        let (network, mut notes) = (self.bundle.network(), Vec::new());
        let bytes: Vec<u8> = self.images.iter().flat_map(|image| &image.pixels).copied().collect();
        let images = self.bundle.normalized(&bytes)?;
        let predicted = selvedge_models::explain::predicted(network, images.clone())?;
        let classes = self.class.map_or(predicted.clone(), |class| vec![class; count]);
        let predictions = self.bundle.predict(&bytes)?;
        let mut methods = Vec::new();
        for method in Method::ALL {
            self.unless_stopped()?;
            match method.maps(network, images.clone(), &classes, self.layer.as_deref()) {
                Ok(maps) => methods.push(MethodMaps::new(method.name(), maps)),
                // A layer that was asked for by name is not there.
                Err(error) if !method.may_not_fit(&error, self.layer.is_some()) => {
                    return Err(error.into());
                }
                Err(error) => notes.push(format!("{} is not shown: {error}", method.name())),
            }
        }
        let architecture = network.architecture();
        let behind = architecture.convolutions().into_iter().map(|(_, shown)| shown);
        let shown: Vec<String> = spread(behind.collect(), MOST_LAYERS);
        let first = images.clone().narrow(0, 0, count.min(page::MOST_WITH_MAPS)).inner();
        let maps = plain(network).feature_maps(&shown, first)?;
        let layers = maps.into_iter().map(|(name, maps)| LayerMaps::new(name, maps)).collect();
        let filters = first_filters(network).ok().map(|(layer, weight)| filters(layer, weight));
        let mut excited = Vec::new();
        let range = Some(PixelRange::normalized(self.bundle.mean(), self.bundle.std()));
        let settings = Maximization { range, ..Maximization::default() };
        let of_classes = if self.excite { distinct(&classes, MOST_EXCITED) } else { Vec::new() };
        for target in of_classes.into_iter().map(Target::Class).chain(self.filter.clone()) {
            self.unless_stopped()?;
            let name = match &target {
                Target::Class(class) => self.bundle.classes()[*class].clone(),
                Target::Channel { channel, .. } => format!("filter {channel}"),
            };
            excited.push((name, maximize_activation(network, None, &target, &settings)?));
        }
        self.unless_stopped()?;
        let mislead = |epsilon| Misled::compute(self.bundle, images.clone(), &predicted, epsilon);
        let misled = self.epsilon.map(mislead).transpose()?;
        let mut through = None;
        if let Some(Target::Channel { channel, .. }) = &self.filter {
            match Through::of(network, images.clone().narrow(0, 0, 1), *channel) {
                Ok(found) => through = Some(found),
                // A linear layer may have more of them than any convolution.
                Err(error) => {
                    notes.push(format!("filter {channel} of every layer is not shown: {error}"))
                }
            }
        }
        Ok(Seen {
            bundle: self.bundle,
            images: self.images,
            predictions,
            classes,
            methods,
            layers,
            through,
            filters,
            excited,
            filter: self.filter,
            misled,
            alike: None,
            robustness: None,
            notes,
        })
    }
}

/// Layers whose maps are shown, filters, and classes that are excited, at most.
const MOST_LAYERS: usize = 6;
const MOST_FILTERS: usize = 40;
const MOST_EXCITED: usize = 4;

impl Seen<'_> {
    /// What the network makes of each image.
    pub fn predictions(&self) -> &[Prediction] {
        &self.predictions
    }

    /// What is not shown, and why: methods that are not defined for this network, say.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The same with the images that the network takes for alike.
    #[must_use]
    pub fn with_alike(mut self, alike: Alike) -> Self {
        self.notes.extend(alike.note().map(String::from));
        Self { alike: Some(alike), ..self }
    }

    /// The same with its accuracy on corrupted images. `measured` says which, such as `2000 test images of fashion_mnist`.
    #[must_use]
    pub fn with_robustness(self, robustness: Robustness, measured: impl Into<String>) -> Self {
        Self { robustness: Some((robustness, measured.into())), ..self }
    }

    /// The images with what every method points at.
    ///
    /// # Errors
    ///
    /// [`LookError::Plot`] for images of two channels, or more than three: they are no pictures.
    pub fn sheet(&self) -> Result<Picture, LookError> {
        let images = self.shown();
        let sheet = ContactSheet { images, methods: self.methods.clone() };
        let name = &self.bundle.network().architecture().name;
        let unsigned = "saliency and SmoothGrad are sizes without a sign";
        let subtitle = format!("{name}, {}; {unsigned}", self.asked());
        Ok(sheet.picture("Which pixels matter?", Some(&subtitle))?)
    }

    /// Which class is explained, in words.
    fn asked(&self) -> String {
        let same = self.classes.iter().zip(&self.predictions).all(|(class, p)| *class == p.class);
        match same {
            true => "for the class that it predicts".into(),
            false => format!("for the class {}", self.bundle.classes()[self.classes[0]]),
        }
    }

    fn shown(&self) -> Vec<SheetImage<'_>> {
        let shape = self.bundle.network().architecture().input;
        let pairs = self.images.iter().zip(&self.predictions);
        let image = |(image, prediction): (&'_ LookedAt, &Prediction)| {
            let share = 100.0 * prediction.probabilities[prediction.class];
            let line = format!("{}, {share:.1} %", prediction.name);
            (image.name.clone(), line)
        };
        let captions: Vec<(String, String)> = pairs.map(image).collect();
        let images = self.images.iter().zip(captions);
        images
            .map(|(image, (name, line))| SheetImage {
                pixels: &image.pixels,
                shape,
                caption: vec![name, line],
            })
            .collect()
    }
}

/// The network on the plain device, as in inference.
fn plain(network: &selvedge_models::Network) -> selvedge_models::Network {
    use burn::module::Module;

    network.valid()
}

/// At most `most` of the items, evenly from the first to the last.
fn spread<T: Clone>(items: Vec<T>, most: usize) -> Vec<T> {
    match items.len() {
        count if count > most => {
            (0..most).map(|i| items[i * (count - 1) / (most - 1)].clone()).collect()
        }
        _ => items,
    }
}

/// The classes without repetitions, in the order in which they come.
fn distinct(classes: &[usize], most: usize) -> Vec<usize> {
    let mut found: Vec<usize> = Vec::new();
    for class in classes {
        if !found.contains(class) && found.len() < most {
            found.push(*class);
        }
    }
    found
}

/// Filters as grey or coloured images with one scale for all, 0 in the middle.
fn filters(layer: String, weight: Tensor<4>) -> (String, Vec<Vec<u8>>, [usize; 3]) {
    let [count, channels, height, width] = weight.dims();
    // Of other numbers of channels than pictures have, their mean.
    let (weight, channels) = match channels {
        1 | 3 => (weight, channels),
        _ => (weight.mean_dim(1), 1),
    };
    let largest = weight.clone().abs().max().into_scalar::<f32>().max(f32::MIN_POSITIVE);
    let all = pixels(weight / (2.0 * largest) + 0.5);
    let size = channels * height * width;
    let images = all.chunks(size).take(count.min(MOST_FILTERS)).map(<[u8]>::to_vec).collect();
    (layer, images, [channels, height, width])
}

#[cfg(test)]
mod tests;
