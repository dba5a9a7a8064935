//! Max-pool and its gradient: of the interleaved planes of a block, behind ReLU, and of planes in Burn's
//! layout.

mod interleaved;
mod planes;

pub(crate) use interleaved::{OutputGrad, Strip, conv_rows_of, pool_strip, unpool};
pub(crate) use planes::{PlanePool, Pooled};
