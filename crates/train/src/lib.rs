//! Fit, evaluate, compare and transfer small image classifiers on [Burn](burn).
//!
//! | to | use |
//! |---|---|
//! | train a classifier | [`fit`], [`FitConfig`], [`FitData`] |
//! | say where, how visibly and until when | [`Context`], [`Progress`], [`Stop`] |
//! | measure one | [`evaluate`], [`Metrics`], [`ConfusionMatrix`] |
//! | keep what happened | [`History`] |
//! | find out what pre-training is worth | [`transfer`] |
//! | draw it | `plot` (feature `plot`) |
//!
//! Everything runs on whatever [`Device`](burn::tensor::Device) the [`Context`] names. The same seed
//! on the same device gives the same bits.

mod classifier;
mod context;
mod error;
mod evaluate;
mod fit;
mod history;
mod metrics;
mod optimizer;
pub mod output;
#[cfg(feature = "plot")]
pub mod plot;
mod progress;
pub mod transfer;

pub use classifier::Classifier;
pub use context::{Context, Stop};
pub use error::TrainError;
pub use evaluate::{cross_entropy, evaluate};
pub use fit::{FitConfig, FitData, Fitted, fit};
pub use history::{EpochRecord, History};
pub use metrics::{ConfusionMatrix, Evaluation, Metrics};
pub use optimizer::OptimizerConfig;
pub use progress::Progress;
