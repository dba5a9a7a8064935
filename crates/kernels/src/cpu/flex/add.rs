//! The sum of two tensors with an activation on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};

use super::tensor::{are_pairs, elements, recycled};
use crate::cpu::pointwise::{Relu, Relu6, Steady, gradients, sums};
use crate::cpu::simd::Isa;
use crate::ops::{AddBackend, FusedActivation, add::compose};

fn run(a: FlexTensor, b: FlexTensor, activation: FusedActivation) -> FlexTensor {
    let (isa, shape) = (Isa::current(), a.shape());
    let (a, b) = (a.to_contiguous(), b.to_contiguous());
    let terms = [elements(&a), elements(&b)];
    let result = match activation {
        FusedActivation::None => sums(isa, Steady, terms),
        FusedActivation::Relu => sums(isa, Relu, terms),
        FusedActivation::Relu6 => sums(isa, Relu6, terms),
    };
    recycled(result, shape)
}

#[derive(Debug)]
struct AddBackward;

impl Backward<Flex, 2> for AddBackward {
    /// The result, shared: where it lies at an end of the activation, as the sum did or beyond it, no gradient passes.
    type State = (FlexTensor, FusedActivation);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (parents, (y, activation)) = (ops.parents, ops.state);
        let isa = Isa::current();
        let of_sum = match activation {
            FusedActivation::None => None,
            FusedActivation::Relu => Some(gradients(isa, Relu, elements(&y), elements(&grad))),
            FusedActivation::Relu6 => Some(gradients(isa, Relu6, elements(&y), elements(&grad))),
        };
        let of_sum = of_sum.map_or(grad, |gradient| recycled(gradient, y.shape()));
        for node in parents.into_iter().flatten() {
            grads.register::<Flex>(node.id, of_sum.clone());
        }
    }
}

impl AddBackend for Flex {
    fn add_block(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        match are_pairs(&a, &b) {
            true => run(a, b, activation),
            false => compose::<Self>(a, b, activation),
        }
    }
}

impl<C: CheckpointStrategy> AddBackend for Autodiff<Flex, C> {
    fn add_block(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        activation: FusedActivation,
    ) -> FloatTensor<Self> {
        if !are_pairs(a.primitive(), b.primitive()) {
            return compose::<Self>(a, b, activation);
        }
        let nodes = [a.node(), b.node()];
        let y = run(a.into_primitive(), b.into_primitive(), activation);
        match AddBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((y.clone(), activation), y),
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}
