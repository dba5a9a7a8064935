use selvedge_data::{Normalization, View};
use selvedge_models::{Bundle, ModelError, Network};
use selvedge_train::Context;
use selvedge_train::features::{Distance, Features, Neighbor, Tsne};

use super::{LookError, Seen};
use crate::plot::{Picture, Scatter, SheetImage, neighbors};

/// Images of the map, at most.
const MOST_ON_MAP: usize = 600;

/// The images of a data set that a network takes for alike: the nearest to each image that is looked at, and a map of them
/// all, both by the features that reach the last layer.
#[derive(Debug)]
pub struct Alike {
    searched: View,
    found: Vec<Vec<Neighbor>>,
    points: Vec<[f64; 2]>,
    divergence: f64,
}

impl Alike {
    /// Searches the images of `view` for `count` neighbours of each image, and makes a t-SNE map of the first 600.
    ///
    /// # Errors
    ///
    /// [`LookError::Train`] for a view of another shape than the network takes, a count of 0, and fewer than 4 images;
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
        let values = trunk.forward(bundle.normalized(&pixels)?.inner());
        let values = values.into_data().iter::<f32>().collect();
        let labels = vec![0; seen.images.len()];
        let images =
            Features::from_values(values, features.shape(), labels, view.classes().to_vec())?;
        let found = features.nearest(&images, count, Distance::Cosine)?;
        let shown = view.len().min(MOST_ON_MAP);
        let mapped = match shown < view.len() {
            true => Features::extract(&trunk, &view.range(0..shown)?, normalization, context)?,
            false => features,
        };
        let tsne = Tsne::default();
        let perplexity = tsne.perplexity.min((shown as f64 - 1.0) / 3.0).max(1.0);
        let map = Tsne { perplexity, ..tsne }.fit(&mapped)?;
        let (points, divergence) = (map.points, map.divergence);
        Ok(Self { searched: view.clone(), found, points, divergence })
    }

    /// The neighbours of every image.
    pub fn found(&self) -> &[Vec<Neighbor>] {
        &self.found
    }

    /// Each image with its neighbours.
    pub(super) fn neighbors(&self, images: &[SheetImage<'_>]) -> Result<Picture, LookError> {
        let title = "Which images does the network take for alike?";
        let subtitle = "by the angle between the features that reach its last layer";
        Ok(neighbors(title, Some(subtitle), images, &self.searched, &self.found)?)
    }

    /// The map with images on it.
    pub(super) fn map(&self) -> Result<Picture, LookError> {
        let shown = self.searched.range(0..self.points.len())?;
        let (points, labels, classes) = (&self.points[..], shown.labels(), shown.classes());
        let title = "Do the classes lie apart in the features that reach the last layer?";
        let subtitle = format!(
            "t-SNE of {} images; a divergence of {:.2} nats is left",
            points.len(),
            self.divergence
        );
        let images = SheetImage::all(&shown);
        Ok(Scatter { points, labels, classes }.picture(title, Some(&subtitle), &images)?)
    }
}

/// The network up to its last layer.
fn trunk(network: &Network) -> Result<Network, ModelError> {
    use burn::module::Module;

    let network = network.valid();
    let layers = &network.architecture().layers;
    let last = layers.last().map(|layer| layer.name.clone()).unwrap_or_default();
    Ok(network.cut_at(&last)?.0)
}
