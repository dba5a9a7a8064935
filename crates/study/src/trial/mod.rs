//! One training with one seed: what decides it, what came of it.

mod key;
mod limits;
mod record;
mod run;
mod weights;

pub use record::{Ending, Epoch, Scores, TrialRecord};

pub(crate) use key::Plan;
pub(crate) use limits::Limits;
pub(crate) use run::{Trained, fit_saved_or_not, train};
pub(crate) use weights::Weights;
#[cfg(feature = "plot")]
pub(crate) use weights::are_here;
