//! The forward pass of a block, by the method that takes the least time.

use super::direct;
use super::im2col;
use super::io::{Inputs, Output};
use super::method::Methods;
use super::planes;
use super::winograd;
use crate::cpu::layout::Geometry;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;

/// Computes the block, with the argmax of its outputs if it is asked for.
pub(crate) fn forward(isa: Isa, g: &Geometry, inputs: Inputs, with_argmax: bool) -> Output {
    if Methods::planes_are_faster(g, isa.lanes())
        && planes::can_compute(g, inputs.scale, with_argmax)
    {
        return Output { values: planes::forward(isa, g, inputs), argmax: Recycled::any(0) };
    }
    if !with_argmax && Methods::im2col_is_faster(g, isa.lanes()) {
        return Output { values: im2col::forward(isa, g, inputs), argmax: Recycled::any(0) };
    }
    let isa = isa.for_images(g.batch);
    forward_by(isa, (g, Methods::of(g, isa.lanes())), inputs, with_argmax)
}

/// The same by methods of the caller's choice.
pub(crate) fn forward_by(
    isa: Isa,
    (g, methods): (&Geometry, Methods),
    inputs: Inputs,
    with_argmax: bool,
) -> Output {
    if let Some(variant) = methods.forward {
        return winograd::forward(isa, g, variant, inputs, with_argmax);
    }
    direct::forward(isa, g, inputs, with_argmax)
}
