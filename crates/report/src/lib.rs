//! What happened in a run, to look at and to keep.
//!
//! | to | use |
//! |---|---|
//! | keep the epochs of a run as a table | [`history_csv`] |
//! | draw learning curves, confusion matrices, ROC curves, calibration, sheets of images | `plot` (feature `plot`) |
//!
//! Nothing here trains or measures: it shows what [`selvedge_train`] has measured.

mod csv;
#[cfg(feature = "plot")]
pub mod plot;

pub use csv::history_csv;
