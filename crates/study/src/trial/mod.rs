//! One training with one seed: what decides it, what came of it.

mod key;
mod limits;
mod record;
mod run;

pub use record::{Ending, Epoch, Scores, TrialRecord};

pub(crate) use key::{Plan, Weights};
pub(crate) use limits::Limits;
pub(crate) use run::{Trained, fit_saved_or_not, train};
