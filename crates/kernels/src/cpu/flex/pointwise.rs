//! Functions of single values on Burn's flex device, with their hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled};
use crate::cpu::pointwise::{Gelu, Relu6, Steady, gradients, values};
use crate::cpu::simd::Isa;
use crate::ops::{Pointwise, PointwiseBackend, pointwise::compose};

fn is_covered(x: &FlexTensor) -> bool {
    x.dtype() == DType::F32
}

/// The result for a contiguous `x`.
fn run(x: &FlexTensor, function: Pointwise) -> FlexTensor {
    let (isa, x_values) = (Isa::current(), elements(x));
    let result = match function {
        Pointwise::Gelu => values(isa, Gelu, x_values),
        Pointwise::Relu6 => values(isa, Relu6, x_values),
        // The values are shared, not copied.
        Pointwise::WithoutTinyGradients => return x.clone(),
    };
    recycled(result, x.shape())
}

#[derive(Debug)]
struct PointwiseBackward;

impl Backward<Flex, 1> for PointwiseBackward {
    /// The values that went in, contiguous; they are shared, not copied.
    type State = (FlexTensor, Pointwise);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let ([parent], (x, function)) = (ops.parents, ops.state);
        if let Some(node) = parent {
            let (isa, x_values, grad) = (Isa::current(), elements(&x), elements(&grad));
            let dx = match function {
                Pointwise::Gelu => gradients(isa, Gelu, x_values, grad),
                Pointwise::Relu6 => gradients(isa, Relu6, x_values, grad),
                Pointwise::WithoutTinyGradients => gradients(isa, Steady, x_values, grad),
            };
            grads.register::<Flex>(node.id, recycled(dx, x.shape()));
        }
    }
}

impl PointwiseBackend for Flex {
    fn pointwise(x: FloatTensor<Self>, function: Pointwise) -> FloatTensor<Self> {
        match is_covered(&x) {
            true => run(&x.to_contiguous(), function),
            false => compose::<Self>(x, function),
        }
    }
}

impl<C: CheckpointStrategy> PointwiseBackend for Autodiff<Flex, C> {
    fn pointwise(x: FloatTensor<Self>, function: Pointwise) -> FloatTensor<Self> {
        if !is_covered(x.primitive()) {
            return compose::<Self>(x, function);
        }
        let node = x.node();
        let x = x.into_primitive().to_contiguous();
        let output = run(&x, function);
        match PointwiseBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish((x, function), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
