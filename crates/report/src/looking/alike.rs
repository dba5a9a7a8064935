use burn::tensor::Tensor;
use selvedge_data::{Normalization, View};
use selvedge_models::{Bundle, ModelError, Network, Prediction};
use selvedge_train::Context;
use selvedge_train::features::{Distance, Features, Neighbor, Pca, Tsne, TsneMap};

use super::{LookError, Seen};
use crate::plot::{Picture, Scatter, SheetImage, neighbors};

/// Images of the map, at least and at most.
pub(super) const LEAST_ON_MAP: usize = 4;
const MOST_ON_MAP: usize = 600;
/// Images that are drawn with their neighbours, at most: there is no room for more on one picture.
const MOST_WITH_NEIGHBORS: usize = 20;

/// The images of a data set that a network takes for alike: the nearest to each image that is looked at, and two maps
/// of them all, by t-SNE and by principal components, all by the features that reach the last layer with weights.
#[derive(Debug)]
pub struct Alike {
    searched: View,
    /// What was searched, in words.
    source: String,
    found: Vec<Vec<Neighbor>>,
    /// The maps, or why there are none.
    maps: Result<Maps, String>,
}

/// The first images in the plane.
#[derive(Debug)]
struct Maps {
    tsne: TsneMap,
    /// There is no second component of one feature.
    components: Option<Components>,
}

/// Where images lie along the first two principal components, and the share of the variance along each.
#[derive(Debug)]
struct Components {
    points: Vec<[f64; 2]>,
    shares: [f64; 2],
}

impl Alike {
    /// Searches the images of `view` for `count` neighbours of each image, and makes maps of the first 600:
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
        let maps = match left_out(view) {
            Some(reason) => Err(format!(
                "the maps by t-SNE and by principal components are not shown: {reason}"
            )),
            None => Ok(Maps::of(&features)?),
        };
        let source = format!("{} images", view.len());
        Ok(Self { searched: view.clone(), source, found, maps })
    }

    /// The same, with what was searched in words, such as `2000 training images of fashion_mnist`.
    #[must_use]
    pub fn with_source(self, source: impl Into<String>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// Why there is no map, if there is none.
    pub(super) fn note(&self) -> Option<&str> {
        self.maps.as_ref().err().map(String::as_str)
    }

    /// The neighbours of every image.
    pub fn found(&self) -> &[Vec<Neighbor>] {
        &self.found
    }

    /// The first images, each with its neighbours, and how many of these have the class that is predicted of their
    /// image.
    pub(super) fn neighbors(
        &self,
        images: &[SheetImage<'_>],
        predictions: &[Prediction],
    ) -> Result<Picture, LookError> {
        let (shown, count) = (images.len().min(MOST_WITH_NEIGHBORS), images.len());
        let class = |near: &Neighbor| {
            &self.searched.classes()[usize::from(self.searched.label(near.position))]
        };
        let pairs = self.found[..shown].iter().zip(predictions);
        let alike = pairs.map(|(found, prediction)| {
            found.iter().filter(|near| *class(near) == prediction.name).count()
        });
        let alike: usize = alike.sum();
        let all: usize = self.found[..shown].iter().map(Vec::len).sum();
        let title = format!(
            "Which images does the network take for alike? {alike} of {all} neighbours have the predicted class"
        );
        let mut subtitle = format!("by the angle between {FEATURES}, among {}", self.source);
        if shown < count {
            subtitle += &format!("; the first {shown} of {count} images");
        }
        let (images, found) = (&images[..shown], &self.found[..shown]);
        Ok(neighbors(&title, Some(&subtitle), images, &self.searched, found)?)
    }

    /// The map by t-SNE with images on it, if there is one.
    pub(super) fn tsne(&self) -> Result<Option<Picture>, LookError> {
        let Ok(Maps { tsne: TsneMap { points, divergence, .. }, .. }) = &self.maps else {
            return Ok(None);
        };
        let title = format!("Do the classes lie apart in {FEATURES}?");
        let below = format!(
            "t-SNE of {}; a divergence of {divergence:.2} nats is left",
            self.mapped(points.len())
        );
        self.plane(points, [&title, &below], None).map(Some)
    }

    /// The map by principal components with images on it, if there is one.
    pub(super) fn pca(&self) -> Result<Option<Picture>, LookError> {
        let Ok(Maps { components: Some(Components { points, shares }), .. }) = &self.maps else {
            return Ok(None);
        };
        let title = "Do the classes lie apart along the two directions in which these features vary the most?";
        let below =
            format!("the principal components of {FEATURES}, of {}", self.mapped(points.len()));
        let axis = |name, share: f64| {
            format!("{name} principal component: {:.1} % of the variance", 100.0 * share)
        };
        let axes = [axis("first", shares[0]), axis("second", shares[1])];
        self.plane(points, [title, &below], Some([&axes[0], &axes[1]])).map(Some)
    }

    /// The first images at their points. Behind the question the title says how many of them are next to their like.
    fn plane(
        &self,
        points: &[[f64; 2]],
        [question, subtitle]: [&str; 2],
        axes: Option<[&str; 2]>,
    ) -> Result<Picture, LookError> {
        let shown = self.searched.range(0..points.len())?;
        let (labels, classes) = (shown.labels(), shown.classes());
        let (alike, all) = (beside_their_like(points, labels), points.len());
        let title = format!("{question} {alike} of {all} images lie nearest to one of their class");
        let scatter = Scatter { points, labels, classes, axes };
        Ok(scatter.picture(&title, Some(subtitle), &SheetImage::all(&shown))?)
    }

    /// Which images are on a map of `count` of them, in words.
    fn mapped(&self, count: usize) -> String {
        match count < self.searched.len() {
            true => format!("the first {count} of {}", self.source),
            false => self.source.clone(),
        }
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

impl Maps {
    /// Of the first images.
    fn of(features: &Features) -> Result<Self, LookError> {
        let shown = features.len().min(MOST_ON_MAP);
        let values = (0..shown).flat_map(|i| features.image(i)).copied().collect();
        let (labels, classes) = (features.labels()[..shown].to_vec(), features.classes().to_vec());
        let first = Features::from_values(values, features.shape(), labels, classes)?;
        let tsne = Tsne::default();
        let perplexity = tsne.perplexity.min((shown as f64 - 1.0) / 3.0).max(1.0);
        let tsne = Tsne { perplexity, ..tsne }.fit(&first)?;
        if first.shape().iter().product::<usize>() < 2 {
            return Ok(Self { tsne, components: None });
        }
        let pca = Pca::fit(&first, 2)?;
        let points = pca.project(&first)?.into_iter().map(|point| [point[0], point[1]]).collect();
        let shares = pca.explained_variance_ratio();
        let components = Some(Components { points, shares: [shares[0], shares[1]] });
        Ok(Self { tsne, components })
    }
}

/// How many points have another one of their class as the nearest, of equally near ones the first.
fn beside_their_like(points: &[[f64; 2]], labels: &[u16]) -> usize {
    let square = |i: usize, j: usize| -> f64 {
        points[i].iter().zip(&points[j]).map(|(a, b)| (a - b).powi(2)).sum()
    };
    let alike = |i: &usize| {
        let others = (0..points.len()).filter(|j| j != i);
        let nearest = others.min_by(|a, b| square(*i, *a).total_cmp(&square(*i, *b)));
        nearest.is_some_and(|nearest| labels[nearest] == labels[*i])
    };
    (0..points.len()).filter(alike).count()
}

fn to_host(features: Tensor<2>) -> Vec<f32> {
    features.into_data().iter::<f32>().collect()
}

/// The network up to its head: what stands behind that, such as a scale of the logits, changes no features. Of a
/// network without a linear layer, up to its last layer.
pub(super) fn trunk(network: &Network) -> Result<Network, ModelError> {
    use burn::module::Module;

    let network = network.valid();
    let architecture = network.architecture();
    let last = || architecture.layers.last().map(|layer| layer.name.as_str());
    let cut = architecture.head().or_else(last).unwrap_or_default().to_owned();
    Ok(network.cut_at(&cut)?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_next_to_their_like_are_counted() {
        let points = [[0.0, 0.0], [1.0, 0.0], [9.0, 9.0], [9.0, 8.0], [5.0, 5.0]];
        // The last one is nearer to the others' class than to any other of its own, of which there is none.
        assert_eq!(beside_their_like(&points, &[0, 0, 1, 1, 2]), 4);
        assert_eq!(beside_their_like(&points, &[0, 1, 1, 1, 1]), 3);
        assert_eq!(beside_their_like(&points[..1], &[0]), 0);
    }
}
