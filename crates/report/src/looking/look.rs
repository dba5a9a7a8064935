//! What is asked of a classifier, and the answer.

use burn::module::Module;
use burn::tensor::Tensor;
use selvedge_models::explain::{
    Maximization, PixelRange, Target, first_filters, maximize_activation,
};
use selvedge_models::{Bundle, ModelError, explain};
use selvedge_train::Stop;

use super::drawn::MOST_WITH_MAPS;
use super::filters::Filters;
use super::misled::Misled;
use super::names::cut;
use super::through::Through;
use super::{Excited, LookError, LookedAt, Method, Seen, spread};
use crate::plot::{LayerMaps, MethodMaps, require_drawable};

/// Most images that are looked at together.
const MOST_IMAGES: usize = 50;
/// Layers whose maps are shown, where none were asked for, and at most of those that were; and channels of each.
const MOST_LAYERS: usize = 6;
const MOST_NAMED: usize = 20;
const CHANNELS: usize = 8;
/// Classes that are excited.
const MOST_EXCITED: usize = 4;

/// What is asked of a classifier.
#[derive(Clone, Debug)]
pub struct Look<'a> {
    bundle: &'a Bundle,
    images: Vec<LookedAt>,
    class: Option<usize>,
    layer: Option<String>,
    maps: Vec<String>,
    channels: usize,
    excite: bool,
    from_image: bool,
    filter: Option<Target>,
    epsilon: Option<f64>,
    stop: Stop,
}

impl<'a> Look<'a> {
    /// At 1 to 50 images, for the class that is predicted of each.
    pub fn new(bundle: &'a Bundle, images: Vec<LookedAt>) -> Self {
        Self {
            bundle,
            images,
            class: None,
            layer: None,
            maps: Vec::new(),
            channels: CHANNELS,
            excite: false,
            from_image: false,
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

    /// The same, but what excites classes and filters begins with the first image instead of noise.
    #[must_use]
    pub fn with_excitation_from_image(self, from_image: bool) -> Self {
        Self { from_image, ..self }
    }

    /// The same, with the maps of the layers at these paths; of none, those behind up to six convolutions, from the
    /// first to the last.
    #[must_use]
    pub fn with_maps(self, maps: Vec<String>) -> Self {
        Self { maps, ..self }
    }

    /// The same, with so many channels of each of these layers, as far as it has them, instead of 8; `None` is all of
    /// them.
    #[must_use]
    pub fn with_channels(self, channels: Option<usize>) -> Self {
        Self { channels: channels.unwrap_or(usize::MAX), ..self }
    }

    /// The same, with images that excite a filter, given as the path of its layer and its number from 0: `conv3:1`; and
    /// with what the filter of that number makes of the first image in every layer.
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

    /// The same, with images that are changed by at most `epsilon` of a pixel's range so that another class is
    /// predicted, by FGSM and PGD.
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
    /// [`LookError::Model`] for no images or more than 50, for images of another size than the network's, a class or
    /// layer that the network does not have, more than 20 layers whose maps are asked for, and weights that are NaN or
    /// infinite. [`LookError::Plot`] for no channels of them, and for more than 2,048 maps. [`LookError::Stopped`] if
    /// the stop was requested.
    pub fn compute(self) -> Result<Seen<'a>, LookError> {
        let count = self.images.len();
        if !(1..=MOST_IMAGES).contains(&count) {
            let expected = format!("1 to {MOST_IMAGES}").into();
            let value = count.to_string();
            let name = "the number of images";
            return Err(ModelError::Setting { name, value, expected }.into());
        }
        if self.maps.len() > MOST_NAMED {
            let value = self.maps.len().to_string();
            let expected = format!("at most {MOST_NAMED}").into();
            let name = "the number of layers whose maps are shown";
            return Err(ModelError::Setting { name, value, expected }.into());
        }
        let (network, mut notes) = (self.bundle.network(), Vec::new());
        let bytes: Vec<u8> = self.images.iter().flat_map(|image| &image.pixels).copied().collect();
        let images = self.bundle.normalized(&bytes)?;
        let predicted = explain::predicted(network, images.clone())?;
        let classes = self.class.map_or(predicted.clone(), |class| vec![class; count]);
        let predictions = self.bundle.predict(&bytes)?;
        let (layers, convolutions) = self.layers(images.clone())?;
        // First of what takes long: a filter that is not there is told at once.
        let through = self.through(images.clone()).unwrap_or_else(|error| {
            // A linear layer may have more of them than any convolution.
            notes.push(format!("the filter of every layer is not shown: {error}"));
            None
        });
        let (excited, to_excite) = self.excited(images.clone(), &classes)?;
        let (mut methods, mut completeness) = (Vec::new(), None);
        for method in Method::ALL {
            self.unless_stopped()?;
            let layer = self.layer.as_deref();
            match method.maps_and_error(network, images.clone(), &classes, layer) {
                Ok((maps, error)) => {
                    methods.push(MethodMaps::new(method.name(), maps));
                    completeness = error.or(completeness);
                }
                // A layer that was asked for by name is not there.
                Err(error) if !method.may_not_fit(&error, self.layer.is_some()) => {
                    return Err(error.into());
                }
                Err(error) => notes.push(format!("{} is not shown: {error}", method.name())),
            }
        }
        let filters = first_filters(network).ok().map(|(layer, weight)| Filters::of(layer, weight));
        self.unless_stopped()?;
        let mislead = |epsilon| Misled::compute(self.bundle, images.clone(), &predicted, epsilon);
        let misled = self.epsilon.map(mislead).transpose()?;
        self.unless_stopped()?;
        Ok(Seen {
            bundle: self.bundle,
            images: self.images,
            predictions,
            classes,
            methods,
            completeness,
            layers,
            convolutions,
            channels: self.channels,
            through,
            filters,
            excited,
            to_excite,
            from_image: self.from_image,
            filter: self.filter,
            misled,
            alike: None,
            robustness: None,
            notes,
        })
    }

    /// Images that excite the filter and some of the classes, by their names; and how many classes there are.
    fn excited(
        &self,
        images: Tensor<4>,
        classes: &[usize],
    ) -> Result<(Vec<Excited>, usize), LookError> {
        let (network, mut excited) = (self.bundle.network(), Vec::new());
        let range = Some(PixelRange::normalized(self.bundle.mean(), self.bundle.std()));
        let settings = Maximization { range, ..Maximization::default() };
        let start = self.from_image.then(|| images.narrow(0, 0, 1));
        let mut excite = |name: String, target: &Target| {
            self.unless_stopped()?;
            excited.push((name, maximize_activation(network, start.clone(), target, &settings)?));
            Ok::<(), LookError>(())
        };
        if let Some(target @ Target::Channel { channel, .. }) = &self.filter {
            excite(format!("filter {channel}"), target)?;
        }
        let mut of_classes = if self.excite { distinct(classes) } else { Vec::new() };
        let count = of_classes.len();
        of_classes.truncate(MOST_EXCITED);
        for class in of_classes {
            excite(self.bundle.classes()[class].clone(), &Target::Class(class))?;
        }
        // It is drawn below the classes.
        excited.rotate_left(usize::from(self.filter.is_some()));
        Ok((excited, count))
    }

    /// What the filter of that number makes of the first image in every layer, if one was asked for.
    fn through(&self, images: Tensor<4>) -> Result<Option<Through>, ModelError> {
        let Some(Target::Channel { channel, .. }) = &self.filter else { return Ok(None) };
        Through::of(self.bundle.network(), images.narrow(0, 0, 1), *channel).map(Some)
    }

    /// The maps of the first images at the layers that were asked for, or behind some convolutions: then also how many
    /// there are.
    fn layers(&self, images: Tensor<4>) -> Result<(Vec<LayerMaps>, Option<usize>), LookError> {
        let network = self.bundle.network();
        let (shown, convolutions) = match &self.maps[..] {
            [] => {
                let all = network.architecture().convolutions();
                let count = all.len();
                (spread(all, MOST_LAYERS), Some(count))
            }
            named => {
                let paths = distinct(named).into_iter();
                (paths.map(|path| (path.clone(), path)).collect(), None)
            }
        };
        let first = images.narrow(0, 0, self.images.len().min(MOST_WITH_MAPS)).inner();
        let paths: Vec<&String> = shown.iter().map(|(_, path)| path).collect();
        let maps = network.valid().feature_maps(&paths, first)?.into_iter().zip(&shown);
        let layers = maps.map(|((path, maps), (convolution, _))| match *convolution == path {
            true => LayerMaps::new(path, maps),
            // An activation behind a block may not tell where it stands.
            false => LayerMaps::new(format!("{convolution}, after {path}"), maps),
        });
        let layers: Vec<LayerMaps> = layers.collect();
        if !layers.is_empty() {
            require_drawable(&layers, self.channels, 1)?;
        }
        Ok((layers, convolutions))
    }
}

/// The items without repetitions, in the order in which they come.
pub(super) fn distinct<T: Clone + PartialEq>(items: &[T]) -> Vec<T> {
    let mut found: Vec<T> = Vec::new();
    for item in items {
        if !found.contains(item) {
            found.push(item.clone());
        }
    }
    found
}
