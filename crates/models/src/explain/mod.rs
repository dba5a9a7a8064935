//! What in an image a network answers to.
//!
//! | to see | use | in |
//! |---|---|---|
//! | which pixels change a class's logit the most | [`saliency`] | `gradient` |
//! | which pixels make up the logit, to first order | [`input_x_gradient`] | `gradient` |
//! | the same as saliency with less noise | [`smooth_grad`] | `gradient` |
//! | which pixels make the difference to an image that shows nothing | [`integrated_gradients`] | `integrated` |
//! | what excites the units that speak for the class | [`guided_backprop`] | `guided` |
//! | which region of the image a layer's maps find the class in | [`grad_cam`], [`grad_cam_plus_plus`] | `cam` |
//! | how much the logit falls when a region is covered | [`occlusion`] | `occlusion` |
//! | what image excites a filter, a unit or a class the most | [`maximize_activation`] | `maximize` |
//! | what the first filters look for, and one filter through all layers | [`first_filters`], [`filter_through_layers`] | `filters` |
//! | how little has to change for another class | [`fgsm`], [`pgd`] | `attack` |
//! | what a layer makes of an image | [`Network::feature_maps`](crate::Network::feature_maps) | `network` |
//! | which images are alike to the network | `features::{Tsne, Pca}`, `Features::nearest` | `selvedge-train` |
//! | how much noise, blur and the like it bears | `robustness` | `selvedge-train` |
//! | all of it at once, as pictures and as a page | `looking` | `selvedge-report` |
//!
//! Every function takes any [`Network`](crate::Network), trained or not, on a plain or a training device, with frozen
//! parameters or without, and leaves it as it is. It is computed as in inference: without dropout, and with the
//! running statistics of batch normalization. The images are `[batch, channels, height, width]`, normalized as the
//! network takes them; `classes` has one class an image, whose logit (before softmax) is explained. [`predicted`] gives
//! the classes that the network itself would say. What comes back is on the plain device. Where nothing else is said,
//! what an image is given does not depend on the other images of its batch.
//!
//! The values of what captum 0.9, the library for PyTorch, has are captum's to 1e-4; Grad-CAM++, images that excite a
//! unit and filters, which it has not, are held to their formulas in PyTorch. Maps alone prove little: some methods draw
//! the edges of the image whatever the network has learned. Adebayo et al. ("Sanity checks for saliency maps", 2018,
//! arXiv 1810.03292) draw the weights anew and look whether the map changes.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use selvedge_models::{Cnn, Initialization, explain};
//!
//! let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
//! let images = Tensor::ones([2, 1, 28, 28], &Device::flex());
//! let classes = explain::predicted(&network, images.clone())?;
//! let gradient = explain::saliency(&network, images.clone(), &classes)?;
//! assert_eq!(gradient.dims(), [2, 1, 28, 28]);
//! let maps = explain::grad_cam(&network, images, &classes, None)?;
//! assert_eq!(maps.dims(), [2, 1, 14, 14]);
//! assert_eq!(explain::upsample(maps, [28, 28])?.dims(), [2, 1, 28, 28]);
//! # Ok::<(), selvedge_models::ModelError>(())
//! ```

mod attack;
mod blur;
mod cam;
mod filters;
mod gradient;
mod guided;
mod integrated;
mod layer;
mod maps;
mod maximize;
mod occlusion;
mod quadrature;
mod range;
mod subject;
mod walk;

pub use attack::{Attack, Pgd, fgsm, pgd};
pub use cam::{cam_layer, grad_cam, grad_cam_plus_plus};
pub use filters::{filter_through_layers, first_filters};
pub use gradient::{SmoothGrad, input_x_gradient, saliency, smooth_grad};
pub use guided::guided_backprop;
pub use integrated::{IntegratedGradients, integrated_gradients};
pub use maps::{largest_over_channels, upsample};
pub use maximize::{Maximization, Maximized, Target, maximize_activation};
pub use occlusion::{Occlusion, occlusion};
pub use quadrature::Rule;
pub use range::PixelRange;
pub use subject::predicted;

#[cfg(test)]
mod tests;
