//! What pre-training on some classes is worth for learning others.
//!
//! [`TransferStudy::run`] trains a network on a source task, then trains it on growing fractions of
//! a target task twice: once from random weights, once from the source's weights with a fresh last
//! layer. Every run starts afresh; the fractions are stratified and nested; each point is the model
//! of lowest validation loss, measured once on the target's test images. There is one pre-trained
//! network, made from the first seed: the spread over the seeds is that of the runs on the target.

/// A fraction as a percentage, with no more digits than it needs.
pub(crate) fn percent(fraction: f64) -> String {
    format!("{} %", (fraction * 1e6).round() / 1e4)
}

mod config;
mod report;
mod results;
mod study;

pub use config::{Scaling, TransferConfig};
pub use results::{CurvePoint, Diverged, Init, Pretraining, Row, TransferResults};
pub use study::{FinalRun, TransferOutcome, TransferStudy};
