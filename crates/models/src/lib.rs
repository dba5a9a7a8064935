//! Small image classifiers for [Burn](burn), described as data.
//!
//! | to | use |
//! |---|---|
//! | take a known network | [`Cnn`], [`TransferCnn`], [`CourseCnn`], [`ConvAutoencoder`], [`LinearAutoencoder`], [`Mlp`], [`ResNet`], [`Vgg`] |
//! | find one by its name | [`named`], [`catalog`] |
//! | describe one of your own | [`Architecture`], [`Op`] |
//! | see its layers, sizes and cost | [`Architecture::summary`] |
//! | run and train it | [`Network`] |
//! | run and train any module | [`Model`] |
//! | choose the initial weights | [`Initialization`] |
//! | move weights in and out of files | [`weights`] |
//! | keep a trained classifier with its classes and normalization, and use it | [`Bundle`], [`bundle`] |
//! | take a network to another program, or into the browser | [`onnx`] |
//! | read how every layer is made of basic operations | [`basics`] |
//! | carry weights from one network to another | [`Network::transfer_from`], [`transfer`] |
//! | choose parameters by name | [`NamePattern`] |
//! | keep some of them from learning | [`Network::freeze`] |
//! | cut a network in two | [`Network::cut_at`], [`Network::join`] |
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
mod model;
mod network;
pub mod onnx;
pub mod weights;

pub use arch::{
    Architecture, Cnn, Conv, ConvAutoencoder, CourseCnn, HiddenActivation, Layer,
    LinearAutoencoder, MaxPool, Mlp, Op, ResNet, Shape, Stem, Summary, SummaryRow, TransferCnn,
    Vgg, catalog, named,
};
pub use bundle::{Bundle, DataSpec, Prediction};
pub use error::ModelError;
pub use model::Model;
pub use network::transfer::Keep;
pub use network::{Activation, Initialization, NamePattern, Network, Rng, state, transfer};
