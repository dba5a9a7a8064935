//! A step in one pass, where there is one.

use super::rule::{Rule, Stepped, Tensors};

/// The parameter and its state after a step in one pass over memory, in place where they have no other
/// owner; or everything as it was, where not all of it is `f32` on the flex device, outside of a graph.
pub(super) fn step<const D: usize, const N: usize>(
    rule: impl Rule<N>,
    tensors: Tensors<D, N>,
) -> Stepped<D, N> {
    #[cfg(feature = "flex")]
    return super::pass::step(rule, tensors);
    #[cfg(not(feature = "flex"))]
    {
        let _ = rule;
        Err(Box::new(tensors))
    }
}
