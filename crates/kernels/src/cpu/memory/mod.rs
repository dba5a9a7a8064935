//! Memory: of a thread while it works, and of results.

mod aligned;
mod copy;
mod held;
mod recycled;
mod shared;

pub(crate) use aligned::Aligned;
pub(crate) use copy::copy_row;
pub(crate) use held::Held;
pub(crate) use recycled::{Plain, Recycled};
pub(crate) use shared::SharedSlice;
