//! Image-classification studies in pure Rust: data sets, models, training and transfer on
//! [Burn](burn).
//!
//! Depend on this crate alone; it brings the others:
//!
//! | module | holds |
//! |---|---|
//! | [`data`] | published data sets, folders of images and IDX files, class subsets, splits, fractions, transforms, batches |
//! | [`models`] | networks as data, their weights in and out of files, bundles |
//! | [`train`] | fit, evaluate, tasks and losses, features of a frozen trunk |
//! | [`report`] | tables and pictures of what happened |
//! | [`study`] | many runs that answer one question: transfer |
//! | [`files`] | files that are written whole, folders for results |
//! | [`device`] | a device by its name |
//! | `cli` | what command-line programs share (feature `cli`) |
//!
//! The parts that most programs need are also in the [`prelude`].
//!
//! # A classifier in fifteen lines
//!
//! ```no_run
//! use selvedge::prelude::*;
//!
//! # fn main() -> Result<(), selvedge::Error> {
//! let device = selvedge::device::open("auto")?;
//! let split = FASHION_MNIST.load(&Source::default())?.split_official()?;
//! let split = split.select(&ClassSubset::fm1())?;
//! let data = FitData::from(&split);
//! let network = Cnn::cnn2_small(5).architecture().init(Initialization::PyTorch, 0, &device)?;
//! let context = Context::new(&device).with_progress(Progress::auto("FM-1"));
//! let fitted = fit(network, &data, &FitConfig::default(), &context)?;
//! let test = evaluate(&fitted.model, split.test()?, &data.normalization, &context)?;
//! println!("test accuracy {:.2} %", 100.0 * test.metrics.accuracy);
//! Bundle::new(fitted.model, &data).save("fm1.safetensors")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Trained elsewhere, other classes, two layers that learn
//!
//! ```no_run
//! use selvedge::prelude::*;
//!
//! # fn main() -> Result<(), selvedge::Error> {
//! let device = selvedge::device::open("auto")?;
//! let data: FitData = FASHION_MNIST.load(&Source::default())?.split_stratified(0.8, 1)?.into();
//! let network = named("cnn2_small")?.with_classes(data.classes().len())?;
//! let network = network.from_pretrained("fm1.safetensors", 1, &device)?.train_only("fc1, fc2")?;
//! let fitted = fit(network, &data, &FitConfig::default(), &Context::new(&device))?;
//! Bundle::new(fitted.model, &data).save("clothes.safetensors")?;
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "cli")]
pub mod cli;
pub mod device;
mod error;

pub use error::Error;

/// The examples of the README, compiled with the other tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
pub struct Readme;

/// Those of `docs/runs.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/runs.md")]
pub struct Runs;

/// Those of `docs/data.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/data.md")]
pub struct Data;

/// Those of `docs/onnx.md`.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/onnx.md")]
pub struct Onnx;

/// The chapters of the book (`docs/book`) that have code.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/book/first_result.md")]
    pub struct FirstResult;
    #[doc = include_str!("../../../docs/book/photos.md")]
    pub struct Photos;
    #[doc = include_str!("../../../docs/book/network.md")]
    pub struct OwnNetwork;
    #[doc = include_str!("../../../docs/book/study.md")]
    pub struct OwnStudy;
    #[doc = include_str!("../../../docs/book/transfer.md")]
    pub struct Transfer;
    #[doc = include_str!("../../../docs/book/looking.md")]
    pub struct Looking;
    #[doc = include_str!("../../../docs/book/pytorch.md")]
    pub struct FromPyTorch;
    #[doc = include_str!("../../../docs/book/burn_train.md")]
    pub struct FromBurnTrain;
}

pub use burn;
pub use selvedge_data as data;
pub use selvedge_fetch as fetch;
pub use selvedge_files as files;
pub use selvedge_models as models;
pub use selvedge_report as report;
pub use selvedge_study as study;
pub use selvedge_train as train;

/// What most programs need, in one line.
pub mod prelude {
    pub use crate::device::DeviceError;
    pub use burn::module::Module;
    pub use burn::tensor::{Device, Tensor};
    pub use selvedge_data::{
        BatchLoader, ClassSubset, Dataset, FASHION_MNIST, ImageDataset, MNIST, Normalization,
        NormalizationKind, PublishedSet, Source, Split, Targets, Transforms, View,
    };
    pub use selvedge_models::{
        Architecture, Bundle, Cnn, Initialization, Keep, Model, NamePattern, Network, TransferCnn,
        named,
    };
    pub use selvedge_train::{
        Context, FitConfig, FitData, Fitted, Observer, OptimizerConfig, ParamGroup, Progress,
        Schedule, Stop, evaluate, evaluate_autoencoder, fit, fit_autoencoder, predictions,
    };
}
