//! The backward pass of a block: undo the pool, then the gradients of weight, bias and input.

mod batch;
mod input;
mod pass;
mod piece;
mod weight;

pub(crate) use batch::backward;
#[cfg(test)]
pub(crate) use batch::backward_by;
pub(super) use batch::{add, max_pieces};
pub(crate) use pass::{Gradients, Saved, Wanted};
