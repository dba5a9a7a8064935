//! The mean squared error on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};

use super::tensor::{are_pairs, elements, recycled};
use crate::cpu::pointwise::pairs;
use crate::cpu::simd::Isa;
use crate::ops::{MeanSquaredErrorBackend, mean_squared_error::compose};

fn is_covered(outputs: &FlexTensor, targets: &FlexTensor) -> bool {
    are_pairs(outputs, targets) && outputs.shape().num_elements() > 0
}

/// The loss of contiguous `[outputs, targets]`. The mean is Burn's, so that it has its bits.
fn forward(values: &[FlexTensor; 2]) -> FlexTensor {
    let squares = pairs(
        Isa::current(),
        #[inline(always)]
        |output, target| (output - target) * (output - target),
        values.each_ref().map(elements),
    );
    Flex::float_mean(recycled(squares, values[0].shape()))
}

#[derive(Debug)]
struct MeanSquaredErrorBackward;

impl Backward<Flex, 2> for MeanSquaredErrorBackward {
    /// Outputs and targets, shared. To subtract them again takes less time than to read the difference from memory.
    type State = [FlexTensor; 2];

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (parents, shape) = (ops.parents, ops.state[0].shape());
        let share = (1.0 / shape.num_elements() as f64) as f32 * elements(&grad)[0];
        for (node, share) in parents.into_iter().zip([share, -share]) {
            let Some(node) = node else { continue };
            let gradients = pairs(
                Isa::current(),
                // Both factors of a square pass on what reaches it.
                #[inline(always)]
                move |output, target| share * (output - target) + share * (output - target),
                ops.state.each_ref().map(elements),
            );
            grads.register::<Flex>(node.id, recycled(gradients, shape.clone()));
        }
    }
}

impl MeanSquaredErrorBackend for Flex {
    fn mean_of_squared_errors(
        outputs: FloatTensor<Self>,
        targets: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match is_covered(&outputs, &targets) {
            true => forward(&[outputs, targets].map(|t| t.to_contiguous())),
            false => compose::<Self>(outputs, targets),
        }
    }
}

impl<C: CheckpointStrategy> MeanSquaredErrorBackend for Autodiff<Flex, C> {
    fn mean_of_squared_errors(
        outputs: FloatTensor<Self>,
        targets: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        if !is_covered(outputs.primitive(), targets.primitive()) {
            return compose::<Self>(outputs, targets);
        }
        let nodes = [outputs.node(), targets.node()];
        let values = [outputs, targets].map(|t| t.into_primitive().to_contiguous());
        let loss = forward(&values);
        match MeanSquaredErrorBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(values, loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}
