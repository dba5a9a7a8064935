//! Optimizers in one pass over memory.

mod adam;
#[cfg(feature = "flex")]
mod pass;
mod rms_prop;
mod rule;
mod sgd;
mod step;

pub use adam::{AdamOptions, FusedAdam};
pub use rms_prop::{FusedRmsProp, FusedRmsPropState, RmsPropOptions};
pub use sgd::{FusedSgd, FusedSgdState, MomentumOptions, SgdOptions};
