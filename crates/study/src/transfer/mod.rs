//! What pre-training on some classes is worth for learning others.
//!
//! | to | use |
//! |---|---|
//! | say what is compared, and how it is trained | [`TransferStudy`], [`TransferConfig`] |
//! | run it | [`TransferStudy::run`] |
//! | read the figures | [`TransferResults`], [`TargetRun`], [`Row`] |
//! | have the models and their histories | [`TransferOutcome`], [`FinalRun`] |
//! | write figures, models and pictures into a folder | [`TransferOutcome::write`] |
//!
//! [`TransferStudy::run`] trains a network on a source task, then trains it on growing fractions of
//! a target task twice: once from random weights, once from the source's weights with a fresh last
//! layer ([`Start`]). Every run starts afresh; the fractions are stratified and nested; each point of
//! the curve is the model of lowest validation loss, measured once on the target's test images. There
//! is one pre-trained network, made from the first seed: the spread over the seeds is that of the runs
//! on the target.

mod config;
#[cfg(feature = "plot")]
mod pictures;
mod report;
mod results;
mod study;

pub use config::TransferConfig;
pub use results::{Diverged, Pretraining, Row, Start, TargetRun, TransferResults};
pub use study::{FinalRun, TransferOutcome, TransferStudy};

/// A fraction as a percentage, with no more digits than it needs.
fn percent(fraction: f64) -> String {
    format!("{} %", (fraction * 1e6).round() / 1e4)
}
