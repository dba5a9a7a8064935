use burn::tensor::Tensor;
use selvedge_data::{Normalization, View};
use selvedge_models::{Bundle, ModelError, Network};
use selvedge_train::Context;
use selvedge_train::features::{Distance, Features, Neighbor, Tsne, TsneMap};

use super::{LookError, Seen};
use crate::plot::{Picture, Scatter, SheetImage, neighbors};

/// Images of the map, at least and at most.
pub(super) const LEAST_ON_MAP: usize = 4;
const MOST_ON_MAP: usize = 600;
/// Images that are drawn with their neighbours, at most: there is no room for more on one picture.
const MOST_WITH_NEIGHBORS: usize = 20;

/// The images of a data set that a network takes for alike: the nearest to each image that is looked at, and a map of them
/// all, both by the features that reach the last layer with weights.
#[derive(Debug)]
pub struct Alike {
    searched: View,
    /// What was searched, in words.
    source: String,
    found: Vec<Vec<Neighbor>>,
    /// The map, or why there is none.
    map: Result<TsneMap, String>,
}

impl Alike {
    /// Searches the images of `view` for `count` neighbours of each image, and makes a t-SNE map of the first 600:
    /// none of fewer than 4 images, and none of more classes than [`Scatter`] tells apart, which
    /// [`Seen::notes`] tells.
    ///
    /// # Errors
    ///
    /// [`LookError::Train`] for a view of another shape than the network takes, without images, and for a count of 0;
    /// [`LookError::Model`] for a network of a single layer.
    pub fn search(
        bundle: &Bundle,
        seen: &Seen<'_>,
        (view, normalization): (&View, &Normalization),
        count: usize,
        context: &Context,
    ) -> Result<Self, LookError> {
        let trunk = trunk(bundle.network())?;
        let features = Features::extract(&trunk, view, normalization, context)?;
        let pixels: Vec<u8> = seen.images.iter().flat_map(|image| &image.pixels).copied().collect();
        let images = bundle.normalized(&pixels)?.inner();
        let parts = images.split(trunk.architecture().inference_batch()?, 0).into_iter();
        let values = parts.flat_map(|part| to_host(trunk.forward(part))).collect();
        let labels = vec![0; seen.images.len()];
        let images =
            Features::from_values(values, features.shape(), labels, view.classes().to_vec())?;
        let found = features.nearest(&images, count, Distance::Cosine)?;
        let map = match left_out(view) {
            Some(reason) => Err(format!("the t-SNE map is not shown: {reason}")),
            None => Ok(map_of(&features)?),
        };
        let source = format!("{} images", view.len());
        Ok(Self { searched: view.clone(), source, found, map })
    }

    /// The same, with what was searched in words, such as `2000 training images of fashion_mnist`.
    #[must_use]
    pub fn with_source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// Why there is no map, if there is none.
    pub(super) fn note(&self) -> Option<&str> {
        self.map.as_ref().err().map(String::as_str)
    }

    /// The neighbours of every image.
    pub fn found(&self) -> &[Vec<Neighbor>] {
        &self.found
    }

    /// The first images, each with its neighbours.
    pub(super) fn neighbors(&self, images: &[SheetImage<'_>]) -> Result<Picture, LookError> {
        let (shown, count) = (images.len().min(MOST_WITH_NEIGHBORS), images.len());
        let mut title = "Which images does the network take for alike?".to_owned();
        if shown < count {
            title += &format!(" The first {shown} of {count}");
        }
        let subtitle = format!("by the angle between {FEATURES}, among {}", self.source);
        let (images, found) = (&images[..shown], &self.found[..shown]);
        Ok(neighbors(&title, Some(&subtitle), images, &self.searched, found)?)
    }

    /// The map with images on it, if there is one.
    pub(super) fn map(&self) -> Result<Option<Picture>, LookError> {
        let Ok(TsneMap { points, divergence, .. }) = &self.map else { return Ok(None) };
        let shown = self.searched.range(0..points.len())?;
        let (labels, classes) = (shown.labels(), shown.classes());
        let title = format!("Do the classes lie apart in {FEATURES}?");
        let first = if points.len() < self.searched.len() { "the first " } else { "" };
        let subtitle = format!(
            "t-SNE of {first}{} of {}; a divergence of {divergence:.2} nats is left",
            points.len(),
            self.source
        );
        let images = SheetImage::all(&shown);
        Ok(Some(Scatter { points, labels, classes }.picture(&title, Some(&subtitle), &images)?))
    }
}

/// What is compared.
const FEATURES: &str = "the features that reach its last layer with weights";

/// Why no map of the images can be drawn, if none can.
fn left_out(view: &View) -> Option<String> {
    let (images, classes, most) = (view.len(), view.num_classes(), Scatter::MOST_CLASSES);
    match (images < LEAST_ON_MAP, classes > most) {
        (true, _) => Some(format!("it needs {LEAST_ON_MAP} images, and there are {images}")),
        (_, true) => {
            Some(format!("its colours tell {most} classes apart, and there are {classes}"))
        }
        _ => None,
    }
}

/// The map of the first images.
fn map_of(features: &Features) -> Result<TsneMap, LookError> {
    let shown = features.len().min(MOST_ON_MAP);
    let values = (0..shown).flat_map(|i| features.image(i)).copied().collect();
    let (labels, classes) = (features.labels()[..shown].to_vec(), features.classes().to_vec());
    let first = Features::from_values(values, features.shape(), labels, classes)?;
    let tsne = Tsne::default();
    let perplexity = tsne.perplexity.min((shown as f64 - 1.0) / 3.0).max(1.0);
    Ok(Tsne { perplexity, ..tsne }.fit(&first)?)
}

fn to_host(features: Tensor<2>) -> Vec<f32> {
    features.into_data().iter::<f32>().collect()
}

/// The network up to its head: what stands behind that, such as a scale of the logits, changes no features. Of a network
/// without a linear layer, up to its last layer.
pub(super) fn trunk(network: &Network) -> Result<Network, ModelError> {
    use burn::module::Module;

    let network = network.valid();
    let architecture = network.architecture();
    let last = || architecture.layers.last().map(|layer| layer.name.as_str());
    let cut = architecture.head().or_else(last).unwrap_or_default().to_owned();
    Ok(network.cut_at(&cut)?.0)
}
