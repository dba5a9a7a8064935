//! GELU on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, like};
use crate::cpu::gelu::{gelu as values, gelu_gradient};
use crate::cpu::simd::Isa;
use crate::ops::{GeluBackend, gelu};

fn is_covered(x: &FlexTensor) -> bool {
    x.dtype() == DType::F32
}

/// The result for a contiguous `x`.
fn run(x: &FlexTensor) -> FlexTensor {
    like(x, values(Isa::current(), elements(x)))
}

#[derive(Debug)]
struct GeluBackward;

impl Backward<Flex, 1> for GeluBackward {
    /// The values that went in, contiguous. They are shared, not copied.
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([parent], x) = (ops.parents, ops.state);
        if let Some(node) = parent {
            let dx = gelu_gradient(Isa::current(), elements(&x), elements(&grad));
            grads.register::<Flex>(node.id, like(&x, dx));
        }
    }
}

impl GeluBackend for Flex {
    fn gelu_of(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if is_covered(&x) { run(&x.to_contiguous()) } else { gelu::compose::<Self>(x) }
    }
}

impl<C: CheckpointStrategy> GeluBackend for Autodiff<Flex, C> {
    fn gelu_of(x: FloatTensor<Self>) -> FloatTensor<Self> {
        if !is_covered(x.primitive()) {
            return gelu::compose::<Self>(x);
        }
        let node = x.node();
        let x = x.into_primitive().to_contiguous();
        let output = run(&x);
        match GeluBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(x, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
