//! What happened in a run, to look at and to keep.
//!
//! | to | use |
//! |---|---|
//! | draw learning curves, confusion matrices, ROC curves, calibration, sheets of images | `plot` (feature `plot`) |
//! | write all of it about a classifier into a folder | `write_evaluation` (feature `plot`) |
//! | draw the curves of a run as it goes | `Pictures` (feature `plot`) |
//! | make a page of it: text, tables and figures in one file | `html` (feature `plot`) |
//! | look inside a trained classifier: a contact sheet and a page of what it sees in images | `looking` (feature `plot`) |
//! | keep what a run measures every so many steps | [`StepLog`] |
//! | show the command that a run was started by | [`command_line`] |
//! | let TensorBoard show a run as it goes | [`TensorBoard`], [`tensorboard`] |
//!
//! Nothing here trains or measures: it shows what [`selvedge_train`] has measured.

mod command;
#[cfg(feature = "plot")]
mod evaluation;
#[cfg(feature = "plot")]
pub mod html;
#[cfg(feature = "plot")]
pub mod looking;
#[cfg(feature = "plot")]
mod pictures;
#[cfg(feature = "plot")]
pub mod plot;
mod step_log;
pub mod tensorboard;

pub use command::command_line;
#[cfg(feature = "plot")]
pub use evaluation::{EvaluationError, write_evaluation};
#[cfg(feature = "plot")]
pub use pictures::Pictures;
pub use step_log::{StepLog, StepLogError};
pub use tensorboard::TensorBoard;
