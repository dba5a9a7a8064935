//! What pre-training on some classes is worth for learning others.
//!
//! | to | use |
//! |---|---|
//! | say what is compared, and how it is trained | [`TransferStudy`], [`TransferConfig`] |
//! | run it in a folder, where it can be carried on | [`TransferStudy::run_in`], [`TransferOutcome::finish`] |
//! | run it in memory | [`TransferStudy::run`], [`TransferOutcome::write`] |
//! | read the figures | [`TransferResults`], [`TargetRun`], [`Row`], [`Difference`] |
//! | have the models and their histories | [`TransferOutcome`], [`FinalRun`] |
//!
//! With each of its seeds, a study trains a network on a source task, then trains it on growing
//! fractions of a target task twice: once from random weights, once from the source's weights with a
//! fresh last layer ([`Start`]). Every run starts afresh; the fractions are stratified and nested; each
//! point of the curve is the model of lowest validation loss, measured once on the target's test images.
//!
//! The two runs of a seed at a fraction are a pair: they differ in their first weights alone. Each seed
//! has a pre-training of its own, so that the spread of the differences is that of the whole procedure;
//! one pre-training for all would hide most of it. The [`statistics`](crate::statistics) of the pairs say
//! whether a difference is more than chance: an exact sign-flip test, adjusted for the number of fractions
//! by Westfall and Young's step-down maximum, and a 95 % BCa interval. Fewer than six seeds can show nothing.
//!
//! # The folder of a study
//!
//! | file | what it is |
//! |---|---|
//! | `results.json`, `curve.csv` | the figures ([`TransferResults`]), brought up to date as the study goes on |
//! | `curve`, `history`, `confusion` as SVG and PNG | pictures, with the feature `plot` |
//! | `pretrained`, `random`, `transferred` as safetensors | models, as [bundles](selvedge_models::bundle) |
//! | `trials/study.toml` | what the study is: another one is refused in this folder |
//! | `trials/pretrain-seed1.toml`, … | a pre-training, with its model as a bundle beside it |
//! | `trials/0.02-random-seed1.toml`, … | a run on the target task; those of the largest fraction have their models |
//!
//! A file in `trials` is written whole, as soon as its trial is finished, and begins with the SHA-256 of
//! the rest.

mod config;
mod identity;
mod ledger;
mod outcome;
#[cfg(feature = "plot")]
mod pictures;
mod report;
mod results;
mod store;
mod study;
mod table;
mod trial;

pub use config::TransferConfig;
pub use outcome::{FinalRun, TransferOutcome};
pub use results::{Diverged, Pretraining, Start, TargetRun, TransferResults};
pub use study::TransferStudy;
pub use table::{Difference, Row, Summary};

/// A fraction as a percentage, with no more digits than it needs.
fn percent(fraction: f64) -> String {
    format!("{} %", (fraction * 1e6).round() / 1e4)
}
