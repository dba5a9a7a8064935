//! Small image classifiers for [Burn](burn), described as data.
//!
//! | to | use | in |
//! |---|---|---|
//! | take a known network | [`Cnn`], [`TransferCnn`], [`CourseCnn`], [`ConvAutoencoder`], [`LinearAutoencoder`], [`Mlp`], [`LeNet5`], [`ResNet`], [`PreActResNet`], [`Vgg`], [`MobileNetV2`], [`EfficientNetLite`] | `arch` |
//! | find one by its name | [`named`], [`catalog`] | `arch/catalog` |
//! | fit it to other classes or images | [`Architecture::with_classes`], [`Architecture::with_input`] | `arch/resize` |
//! | read one from a file of JSON | [`Architecture::read`] | `arch/json` |
//! | describe one of your own | [`Architecture`] and its methods, [`Op`], [`Conv`], [`ConvTranspose`], [`BatchNorm`], [`MaxPool`], [`AvgPool`] | `arch/builder` |
//! | know what is refused, and why | [`Architecture::shapes`], [`ModelError`] | `arch/architecture`, `arch/names` |
//! | see its layers, sizes and cost | [`Architecture::summary`] | `arch/summary` |
//! | choose the initial weights | [`Initialization`] | `network/initialization` |
//! | run and train it | [`Network`] | `network` |
//! | look at the outputs between its layers | [`Network::forward_hooked`] | `network/hooks` |
//! | see the feature maps of some layers | [`Network::feature_maps`], [`Architecture::convolutions`] | `network/feature_maps` |
//! | see what in an image it answers to | [`explain`] | `explain` |
//! | run and train any module | [`Model`] | `model` |
//! | read and write parameters by their PyTorch names | [`state`] | `network/state` |
//! | choose parameters by name | [`NamePattern`] | `network/pattern` |
//! | keep some of them from learning | [`Network::freeze`] | `network/freeze` |
//! | carry weights from one network to another | [`Network::transfer_from`], [`transfer`] | `network/transfer` |
//! | cut a network in two | [`Network::cut_at`], [`Network::join`] | `network/cut` |
//! | move weights in and out of files | [`weights`] | `weights` |
//! | begin with the weights that others have trained on ImageNet | `pretrained` (feature `pretrained`) | `pretrained` |
//! | keep a trained classifier with its classes and normalization, and use it | [`Bundle`] | `bundle` |
//! | take a network to another program, or into the browser | [`onnx`] | `onnx` |
//! | read how every layer is made of basic operations | [`basics`] | `basics` |
//!
//! The way goes from `arch`, which is data alone, to `network`, which has tensors:
//! [`Architecture::init`] builds every layer (`network/build`), joins those that are computed together
//! to steps, each of which holds its parameters (`network/plan`, `network/step`), and puts the steps
//! one after the other (`network/sequence`); a residual block is a step of two such sequences.
//!
//! An [`Architecture`] is a list of named operations, nothing else: it can be compared, printed,
//! saved as JSON and built on any device. The names are PyTorch's (`conv1.weight`, `fc2.bias`), so
//! that a checkpoint written here loads there and the other way round.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use selvedge_models::{Initialization, TransferCnn};
//!
//! let device = Device::flex();
//! let network = TransferCnn::new(5).architecture().init(Initialization::PyTorch, 0, &device)?;
//! let images = Tensor::<4>::zeros([2, 1, 28, 28], &device);
//! let logits = network.forward(images);
//! assert_eq!(logits.dims(), [2, 5]);
//! # Ok::<(), selvedge_models::ModelError>(())
//! ```

mod arch;
pub mod basics;
pub mod bundle;
mod error;
pub mod explain;
mod model;
mod network;
pub mod onnx;
#[cfg(feature = "pretrained")]
pub mod pretrained;
#[doc(hidden)]
pub mod symmetric;
pub mod weights;

pub use arch::{
    Airbench, Architecture, AvgPool, BatchNorm, Block, Cnn, Conv, ConvAutoencoder, ConvTranspose,
    CourseCnn, EfficientNetLite, GeluApproximation, HiddenActivation, Layer, LeNet5,
    LinearAutoencoder, MaxPool, Mlp, MobileNetV2, Op, Padding, PreActNames, PreActResNet, ResNet,
    Shape, Sides, Stem, Summary, SummaryRow, TransferCnn, Vgg, catalog, named,
};
pub use bundle::{Bundle, DataSpec, ImageResize, Prediction};
pub use error::ModelError;
pub use model::Model;
pub use network::transfer::Keep;
pub use network::{
    Activation, InferenceNetwork, Initialization, NamePattern, Network, Rng, state, transfer,
};
