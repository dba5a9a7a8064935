//! Fit, evaluate and compare small image classifiers on [Burn](burn).
//!
//! | to | use | in |
//! |---|---|---|
//! | train a classifier | [`fit`], [`FitConfig`], [`FitData`] | `fit`, `data` |
//! | choose the optimizer, and learning rates by parameter | [`OptimizerConfig`], [`Lookahead`], [`ParamGroup`] | `optimizer`, `fit` |
//! | find a learning rate | [`find_learning_rate`], [`LearningRateCurve`] | `finder` |
//! | move the learning rate through a run | [`Schedule`] | `schedule` |
//! | train an autoencoder | [`fit_autoencoder`], [`evaluate_autoencoder`] | `fit`, `evaluate` |
//! | choose the loss, or train for something else | [`CrossEntropy`], [`Focal`], [`PixelLoss`], [`Loss`], [`Task`], [`fit_task`] | `task` |
//! | say where, how visibly and until when | [`Context`], [`Progress`], [`Stop`] | `context`, `progress` |
//! | measure a model | [`evaluate`], [`Metrics`], [`ConfusionMatrix`] | `evaluate`, `metrics` |
//! | know more than its accuracy | [`predictions()`], [`Predictions`], [`ClassificationReport`] | `evaluate`, `metrics` |
//! | average over variants of an image | [`Tta`] | `tta` |
//! | see what noise, blur, JPEG and rotation do to the accuracy | [`robustness()`], [`Robustness`] | `robustness` |
//! | keep what happened | [`History`] | `metrics` |
//! | watch a run | [`Observer`], [`Context::with_observer`] | `observe` |
//! | have threads that stay awake between the steps of a loop of one's own | [`with_team`], [`end_of_step`] | `selvedge_kernels` |
//! | compute the features of a frozen trunk once | [`features`] | `features` |
//! | map the features of any layer, find the nearest images | [`features::Pca`], [`features::Tsne`], [`features::Features::nearest`] | `features` |
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
mod finder;
mod fit;
mod meter;
mod metrics;
mod observe;
mod optimizer;
mod progress;
mod robustness;
mod schedule;
mod settings;
mod task;
#[cfg(test)]
mod test_model;
mod tta;

pub use context::{Context, Stop};
pub use data::{FitData, FitSource};
pub use error::TrainError;
#[doc(hidden)]
pub use error::require;
pub use evaluate::{
    evaluate, evaluate_autoencoder, evaluate_on, evaluate_task, predictions, predictions_on,
};
pub use finder::{LearningRateCurve, LearningRateFinder, LearningRatePoint, find_learning_rate};
pub use fit::{
    Averaging, Clip, Divergence, EarlyStopping, FitConfig, Fitted, ParamGroup, fit,
    fit_autoencoder, fit_task,
};
pub use metrics::{
    Average, BinaryCounts, Calibration, CalibrationBin, ClassScores, ClassificationReport,
    ConfusedPair, ConfusionMatrix, EpochRecord, Evaluation, History, Metrics, PrecisionRecallCurve,
    Predictions, RocCurve, Score, Totals, Verdict,
};
pub use observe::{
    EndReason, EpochDone, EpochRow, Observer, ObserverError, RunEnded, RunStarted, StepDone,
    StepInterval, Tensors,
};
pub use optimizer::{Lookahead, OptimizerConfig};
pub use progress::Progress;
pub use robustness::{Robustness, RobustnessRow, robustness};
pub use schedule::{
    Annealing, Decay, Interval, OneCycle, Plateau, PlateauMode, Position, Schedule,
};
pub use selvedge_kernels::{end_of_step, with_team};
pub use settings::SettingDifference;
pub use task::{
    ClassificationLoss, Classify, CrossEntropy, Focal, Loss, PixelLoss, Reconstruct,
    Reconstruction, Task, balanced_class_weights, cross_entropy, mean_squared_error,
};
pub use tta::Tta;
