//! Max-pool on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled};
use crate::cpu::memory::Recycled;
use crate::cpu::pool::{PlanePool, Pooled};
use crate::cpu::simd::Isa;
use crate::ops::{MaxPoolBackend, PoolOptions, max_pool};

/// The shape of `x` and the sizes, if the kernels cover the case.
fn fusable(x: &FlexTensor, pool: PoolOptions) -> Option<([usize; 2], PlanePool)> {
    let [batch, channels, height, width] = x.shape().dims();
    let input = [height, width];
    let planes =
        PlanePool { count: batch * channels, input, output: pool.output_size(input)?, pool };
    let covered = x.dtype() == DType::F32 && planes.is_fusable();
    covered.then_some(([batch, channels], planes))
}

/// What the operation keeps for its backward pass.
#[derive(Clone, Debug)]
struct State {
    /// Batch and channels.
    outer: [usize; 2],
    planes: PlanePool,
    argmax: Recycled<u8>,
}

#[derive(Debug)]
struct MaxPoolBackward;

impl Backward<Flex, 1> for MaxPoolBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        let State { outer: [batch, channels], planes, argmax } = ops.state;
        if let Some(node) = parent {
            let dx = planes.backward(elements(&grad), &argmax);
            let [height, width] = planes.input;
            grads.register::<Flex>(node.id, recycled(dx, [batch, channels, height, width]));
        }
    }
}

/// The result and its argmax, for a contiguous `x`.
fn run(
    ([batch, channels], planes): ([usize; 2], PlanePool),
    x: &FlexTensor,
    with_argmax: bool,
) -> (FlexTensor, Recycled<u8>) {
    let Pooled { values, argmax } = planes.forward(Isa::current(), elements(x), with_argmax);
    let [height, width] = planes.output;
    (recycled(values, [batch, channels, height, width]), argmax)
}

impl MaxPoolBackend for Flex {
    fn max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        match fusable(&x, options) {
            Some(sizes) => run(sizes, &x.to_contiguous(), false).0,
            None => max_pool::compose::<Self>(x, options),
        }
    }
}

impl<C: CheckpointStrategy> MaxPoolBackend for Autodiff<Flex, C> {
    fn max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        let Some(sizes) = fusable(x.primitive(), options) else {
            return max_pool::compose::<Self>(x, options);
        };
        let node = x.node();
        let x = x.into_primitive().to_contiguous();
        match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, argmax) = run(sizes, &x, true);
                let (outer, planes) = sizes;
                prepared.finish(State { outer, planes, argmax }, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(run(sizes, &x, false).0),
        }
    }
}
