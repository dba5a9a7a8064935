//! What happened in a run, to look at and to keep.
//!
//! | to | use |
//! |---|---|
//! | keep the epochs of a run as a table | [`history_csv`] |
//! | draw learning curves, confusion matrices, ROC curves, calibration, sheets of images | `plot` (feature `plot`) |
//! | draw the curves of a run as it goes | `Pictures` (feature `plot`) |
//! | let TensorBoard show a run as it goes | [`TensorBoard`], [`tensorboard`] |
//!
//! Nothing here trains or measures: it shows what [`selvedge_train`] has measured.

mod csv;
#[cfg(feature = "plot")]
mod pictures;
#[cfg(feature = "plot")]
pub mod plot;
pub mod tensorboard;

pub use csv::history_csv;
#[cfg(feature = "plot")]
pub use pictures::Pictures;
pub use tensorboard::TensorBoard;
