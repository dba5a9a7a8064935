//! Convolutions of many channels by Winograd's method: fewer products, for additions and memory.
//!
//! Kernels of 3×3 and 5×5 pixels with stride 1. Planes are cut into tiles, tiles and kernels are
//! transformed, and for each of the T² positions of a tile one product of matrices goes over the
//! channels. See [`transform`] for the formulas.

mod backward;
mod forward;
mod kernels;
mod tiles;
pub(crate) mod transform;
mod variant;
mod weights;

pub(crate) use backward::{InputGradient, WeightGradient};
pub(crate) use forward::forward;
pub(crate) use kernels::TransformedKernels;
pub(crate) use tiles::View;
pub(crate) use variant::Variant;
