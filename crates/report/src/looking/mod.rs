//! What a trained classifier sees in images: which pixels matter by every method that fits it, its maps and filters,
//! what excites its classes, and the images that it takes for alike.
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
mod drawn;
mod error;
mod filters;
mod look;
mod method;
mod misled;
mod names;
mod page;
mod reference;
mod through;

use selvedge_models::explain::{Maximized, Target};
use selvedge_models::{Bundle, Prediction};
use selvedge_train::Robustness;

use crate::plot::{ContactSheet, LayerMaps, MethodMaps, Picture, SheetImage};

pub use alike::Alike;
pub use error::LookError;
use filters::Filters;
pub use look::Look;
pub use method::Method;
use misled::Misled;
pub use names::class_of;
pub use reference::Reference;
use through::Through;

/// The names of all pictures that [`Seen::pictures`] can have: the contact sheet, the nearest images, the maps of a
/// data set by t-SNE and by principal components, the maps of the first image, one filter through all layers, the first
/// filters, what excites the classes, images changed by attacks, and the accuracy on corrupted images.
pub const PICTURES: [&str; 10] = [
    "sheet",
    "neighbors",
    "tsne",
    "pca",
    "maps",
    "through",
    "filters",
    "excited",
    "misled",
    "robustness",
];

/// An image as the network takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedAt {
    /// What it is called.
    pub name: String,
    /// `[channel, row, column]`, row-major, in the shape of the network's input.
    pub pixels: Vec<u8>,
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
    /// How far integrated gradients are off the difference of the logits, if they are shown.
    completeness: Option<f64>,
    layers: Vec<LayerMaps>,
    /// How many convolutions there are, if it is some of them whose maps are shown.
    convolutions: Option<usize>,
    /// Channels of a layer that are shown, at most.
    channels: usize,
    /// Of the first image.
    through: Option<Through>,
    filters: Option<Filters>,
    excited: Vec<Excited>,
    /// The classes that there were to excite.
    to_excite: usize,
    /// Whether it began with the first image.
    from_image: bool,
    /// The filter among them.
    filter: Option<Target>,
    misled: Option<Misled>,
    alike: Option<Alike>,
    /// With what was measured, in words.
    robustness: Option<(Robustness, String)>,
    /// What is not shown, and why.
    notes: Vec<String>,
}

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

    /// The same with its accuracy on corrupted images. `measured` says which, such as `2000 test images of
    /// fashion_mnist`.
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
        let mut subtitle = format!("{name}, {}", self.asked());
        subtitle += "; saliency and SmoothGrad are sizes without a sign";
        if let Some(error) = self.completeness {
            let within = least_above(error);
            subtitle += &format!(
                "; integrated gradients add up to the difference of the logits within {within}"
            );
        }
        let title = format!("Which pixels matter? {}", self.taken_for());
        Ok(sheet.picture(&title, Some(&subtitle))?)
    }

    /// What is predicted of the images: of a few each, of more how many classes they have.
    fn taken_for(&self) -> String {
        let sure = |p: &Prediction| {
            format!("for {} with {:.1} %", p.name, 100.0 * p.probabilities[p.class])
        };
        let each = |(image, prediction): (&LookedAt, &Prediction)| {
            format!("{} {}", names::short(&image.name), sure(prediction))
        };
        match &self.predictions[..] {
            [one] => format!("It is taken {}", sure(one)),
            few if few.len() <= MOST_TOLD => {
                let each: Vec<String> = self.images.iter().zip(few).map(each).collect();
                format!("It takes {}", each.join(", "))
            }
            many => {
                let mut classes: Vec<usize> = many.iter().map(|p| p.class).collect();
                classes.sort_unstable();
                classes.dedup();
                let of = match classes[..] {
                    [_] => "all for one class".to_owned(),
                    _ => format!("for {} classes", classes.len()),
                };
                format!("It takes the {} images {of}", many.len())
            }
        }
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

/// The images on the way to what excites something the most, with its name.
type Excited = (String, Vec<Maximized>);

/// Images of which a title says what they are taken for.
const MOST_TOLD: usize = 3;

/// The least number of one digit that counts that is not below an error: 0.004 of 0.0034.
fn least_above(error: f64) -> String {
    if error <= 0.0 {
        return "0".into();
    }
    let digits = |value: f64| (-value.log10().floor()).max(0.0);
    let scale = 10f64.powf(digits(error));
    let above = (error * scale).ceil() / scale;
    format!("{above:.*}", digits(above) as usize)
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

#[cfg(test)]
mod tests;
