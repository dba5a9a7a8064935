//! Maps of a layer, weighted by how much they speak for a class.

use burn::tensor::Tensor;

use super::layer::with_maps;
use super::subject::{Subject, picked};
use super::walk::{leaf, walk};
use crate::{Activation, Architecture, ModelError, Network, Op, Shape};

/// Grad-CAM (Selvaraju et al., 2017, arXiv 1610.02391) of each image's class: with the maps A_k of `layer` and their
/// gradients, α_k = mean over the pixels of ∂S_c / ∂A_k, and the map is max(Σ_k α_k A_k, 0).
///
/// The images are `[batch, channels, height, width]`; what comes back is `[batch, 1, rows, columns]` in the size of the
/// layer's maps. [`upsample`](super::upsample) brings it to the size of the image. `layer` is the path of any layer
/// whose output are maps, such as a convolution or the ReLU behind it; `None` is [`cam_layer`]'s.
///
/// # Errors
///
/// As [`saliency`](super::saliency); [`ModelError::UnknownLayer`] for a layer that is not there,
/// [`ModelError::Layer`] for one that gives features; [`ModelError::Outputs`] for a network without convolutions when
/// no layer is named.
pub fn grad_cam(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    layer: Option<&str>,
) -> Result<Tensor<4>, ModelError> {
    cam(network, images, classes, layer, |maps, gradient| gradient.mean_dim(3).mean_dim(2) * maps)
}

/// Grad-CAM++ (Chattopadhyay et al., 2018, arXiv 1710.11063), as [`grad_cam`] with other weights: with the gradient g =
/// ∂S_c / ∂A_k at each pixel, α = g² / (2 g² + g³ Σ A_k), the sum over the map, and Σ α max(g, 0) over the pixels
/// weights map k. Where several objects of the class are in the image, all are found.
///
/// The weights are never negative. Behind a ReLU the map is thus a sum of all maps, and the class decides their shares
/// alone: of the methods here, this changes the least when the weights of the last layer are drawn anew.
///
/// As the paper does, this takes exp S_c for the score, whose derivatives are those of S_c to a power; the factor exp
/// S_c that remains, one number an image, is left out. Where the denominator is 0, so is α.
///
/// # Errors
///
/// As [`grad_cam`].
pub fn grad_cam_plus_plus(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    layer: Option<&str>,
) -> Result<Tensor<4>, ModelError> {
    cam(network, images, classes, layer, |maps, g| {
        let sum = maps.clone().sum_dim(3).sum_dim(2);
        let square = g.clone().powi_scalar(2);
        // α · max(g, 0), with g² taken out of both parts of the fraction: where g is 0, so is the product.
        let below = g.clone() * sum + 2.0;
        let none = below.clone().equal_elem(0.0).bool_or(square.equal_elem(0.0));
        let weights = g.clamp_min(0.0) / below.mask_fill(none.clone(), 1.0);
        weights.mask_fill(none, 0.0).sum_dim(3).sum_dim(2) * maps
    })
}

/// The layer that [`grad_cam`] takes when none is named: the last outside the blocks that gives maps of more than one
/// pixel, but no pool or dropout. That is the activation behind the last convolution, or behind the last block.
///
/// # Errors
///
/// [`ModelError::Outputs`] if there is no convolution, or none that gives more than one pixel.
///
/// ```
/// use selvedge_models::{Cnn, ResNet, explain::cam_layer};
///
/// assert_eq!(cam_layer(&Cnn::cnn2(5).architecture())?, "relu2");
/// // The ReLU behind the last block.
/// assert_eq!(cam_layer(&ResNet::resnet18(10).architecture()?)?, "relu9");
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn cam_layer(architecture: &Architecture) -> Result<String, ModelError> {
    let shapes = architecture.shapes()?;
    let fits = |(op, shape): (&Op, &Shape)| match (op, shape) {
        (
            Op::MaxPool2d { .. }
            | Op::AvgPool2d { .. }
            | Op::AdaptiveAvgPool2d { .. }
            | Op::Dropout { .. }
            | Op::ChannelDropout { .. },
            _,
        ) => false,
        (_, Shape::Images([_, height, width])) => height * width > 1,
        (_, Shape::Features(_)) => false,
    };
    let layers = architecture.layers.iter().zip(&shapes).rev();
    let found = layers.clone().find(|(layer, shape)| fits((&layer.op, shape)));
    match found {
        Some((layer, _)) if !architecture.convolutions().is_empty() => Ok(layer.name.clone()),
        _ => Err(ModelError::Outputs {
            architecture: architecture.name.clone(),
            reason: "it has no convolution whose maps have more than one pixel".into(),
        }),
    }
}

/// max(Σ_k, 0) of what `weigh` makes of the maps of `layer` and their gradients, both `[batch, maps, rows, columns]`.
fn cam(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    layer: Option<&str>,
    weigh: impl Fn(Tensor<4>, Tensor<4>) -> Tensor<4>,
) -> Result<Tensor<4>, ModelError> {
    let architecture = network.architecture();
    let layer = match layer {
        Some(layer) => with_maps(architecture, layer)?,
        None => cam_layer(architecture)?,
    };
    let subject = Subject::new(network, images, classes)?;
    let cam = subject.in_parts(subject.images.clone(), subject.classes(), |images, classes| {
        let mut maps = None;
        let body = subject.network.body();
        let images = Activation::Images(images.autodiff());
        let logits = walk(body, images, "", &mut |path, _, output| {
            if path != layer {
                return output;
            }
            let output = leaf(output);
            maps = Some(output.clone());
            output
        });
        let maps = maps.expect("the layer was found").into_images();
        let score = picked(logits.into_features(), classes).sum();
        let gradient = maps.grad(&score.backward());
        let gradient = gradient.unwrap_or_else(|| maps.clone().inner().zeros_like());
        weigh(maps.inner(), gradient).sum_dim(1).clamp_min(0.0)
    });
    subject.finite(cam)
}
