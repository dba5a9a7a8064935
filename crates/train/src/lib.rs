//! Fit and evaluate small image classifiers on [Burn](burn).
//!
//! | to | use |
//! |---|---|
//! | train a classifier | [`fit`], [`FitConfig`], [`FitData`] |
//! | train an autoencoder | [`fit_autoencoder`], [`evaluate_autoencoder`] |
//! | give parameters learning rates of their own | [`LearningRateGroup`] |
//! | compute the features of a frozen trunk once | [`features`] |
//! | say where, how visibly and until when | [`Context`], [`Progress`], [`Stop`] |
//! | measure one | [`evaluate`], [`Metrics`], [`ConfusionMatrix`] |
//! | keep what happened | [`History`] |
//!
//! Everything runs on whatever [`Device`](burn::tensor::Device) the [`Context`] names. The same seed
//! on the same device gives the same bits.

mod autoencoder;
mod classifier;
mod context;
mod error;
mod evaluate;
pub mod features;
mod fit;
mod history;
mod metrics;
mod optimizer;
mod progress;
mod source;
mod task;

pub use autoencoder::{Autoencoder, Reconstruction, evaluate_autoencoder, fit_autoencoder};
pub use classifier::Classifier;
pub use context::{Context, Stop};
pub use error::TrainError;
pub use evaluate::{cross_entropy, evaluate, evaluate_on};
pub use fit::{FitConfig, Fitted, LearningRateGroup, fit};
pub use history::{EpochRecord, History};
pub use metrics::{ConfusionMatrix, Evaluation, Metrics, Score};
pub use optimizer::OptimizerConfig;
pub use progress::Progress;
pub use source::{BatchSource, FitData, FitSource};
