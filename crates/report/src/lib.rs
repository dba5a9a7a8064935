//! What happened in a run, to look at and to keep.
//!
//! | to | use |
//! |---|---|
//! | keep the epochs of a run as a table | [`history_csv`] |
//! | draw learning curves, transfer curves and confusion matrices | `plot` (feature `plot`) |
//! | let TensorBoard show a run as it goes | [`tensorboard::EventWriter`] |
//!
//! Nothing here trains or measures: it shows what [`selvedge_train`] has measured.

mod csv;
#[cfg(feature = "plot")]
pub mod plot;
pub mod tensorboard;

pub use csv::history_csv;
