//! Fit, evaluate and compare small image classifiers on [Burn](burn).
//!
//! | to | use | in |
//! |---|---|---|
//! | train a classifier | [`fit`], [`FitConfig`], [`FitData`] | `fit`, `data` |
//! | choose the optimizer, and learning rates by parameter | [`OptimizerConfig`], [`Lookahead`], [`ParamGroup`] | `optimizer`, `fit` |
//! | train an autoencoder | [`fit_autoencoder`], [`evaluate_autoencoder`] | `fit`, `evaluate` |
//! | choose the loss, or train for something else | [`CrossEntropy`], [`Task`], [`fit_task`] | `task` |
//! | say where, how visibly and until when | [`Context`], [`Progress`], [`Stop`] | `context`, `progress` |
//! | measure a model | [`evaluate`], [`Metrics`], [`ConfusionMatrix`] | `evaluate`, `metrics` |
//! | keep what happened | [`History`] | `metrics` |
//! | compute the features of a frozen trunk once | [`features`] | `features` |
//!
//! What is trained is a [`Model`](selvedge_models::Model): a [`Network`](selvedge_models::Network), or a
//! Burn module for which a program implements it. Everything runs on whatever
//! [`Device`](burn::tensor::Device) the [`Context`] names. The same seed on the same device gives the same
//! bits.

mod context;
mod data;
mod error;
mod evaluate;
pub mod features;
mod fit;
mod metrics;
mod optimizer;
mod progress;
mod task;

pub use context::{Context, Stop};
pub use data::{FitData, FitSource};
pub use error::TrainError;
pub use evaluate::{evaluate, evaluate_autoencoder, evaluate_on, evaluate_task};
pub use fit::{FitConfig, Fitted, ParamGroup, fit, fit_autoencoder, fit_task};
pub use metrics::{ConfusionMatrix, EpochRecord, Evaluation, History, Metrics, Score, Totals};
pub use optimizer::{Lookahead, OptimizerConfig};
pub use progress::Progress;
pub use task::{
    Classify, CrossEntropy, Reconstruct, Reconstruction, Task, cross_entropy, mean_squared_error,
};
