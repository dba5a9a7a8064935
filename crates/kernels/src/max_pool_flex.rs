//! Max-pool on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use crate::flex::{numbers, recycled};
use crate::max_pool::{MaxPoolBackend, compose};
use crate::options::PoolOptions;
use crate::planes::{Planes, Pooled};
use crate::recycled::Recycled;
use crate::simd::Isa;

/// The shape of `x` and the sizes, if the kernels cover the case.
fn fusable(x: &FlexTensor, pool: PoolOptions) -> Option<([usize; 2], Planes)> {
    let [batch, channels, height, width] = x.shape().dims();
    let input = [height, width];
    let planes = Planes { count: batch * channels, input, output: pool.output_size(input)?, pool };
    let covered = x.dtype() == DType::F32 && planes.is_fusable();
    covered.then_some(([batch, channels], planes))
}

/// What the operation keeps for its backward pass.
#[derive(Clone, Debug)]
struct State {
    /// Batch and channels.
    outer: [usize; 2],
    planes: Planes,
    codes: Recycled<u8>,
}

#[derive(Debug)]
struct MaxPoolBackward;

impl Backward<Flex, 1> for MaxPoolBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [parent] = ops.parents;
        let State { outer: [batch, channels], planes, codes } = ops.state;
        if let Some(node) = parent {
            let dx = planes.backward(numbers(&grad), &codes);
            let [height, width] = planes.input;
            grads.register::<Flex>(node.id, recycled(dx, [batch, channels, height, width]));
        }
    }
}

/// The result and its codes, for a contiguous `x`.
fn run(
    ([batch, channels], planes): ([usize; 2], Planes),
    x: &FlexTensor,
    with_codes: bool,
) -> (FlexTensor, Recycled<u8>) {
    let Pooled { values, codes } = planes.forward(Isa::current(), numbers(x), with_codes);
    let [height, width] = planes.output;
    (recycled(values, [batch, channels, height, width]), codes)
}

impl MaxPoolBackend for Flex {
    fn max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        match fusable(&x, options) {
            Some(sizes) => run(sizes, &x.to_contiguous(), false).0,
            None => compose::<Self>(x, options),
        }
    }
}

impl<C: CheckpointStrategy> MaxPoolBackend for Autodiff<Flex, C> {
    fn max_pool(x: FloatTensor<Self>, options: PoolOptions) -> FloatTensor<Self> {
        let Some(sizes) = fusable(x.primitive(), options) else {
            return compose::<Self>(x, options);
        };
        let node = x.node();
        let x = x.into_primitive().to_contiguous();
        match MaxPoolBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (output, codes) = run(sizes, &x, true);
                let (outer, planes) = sizes;
                prepared.finish(State { outer, planes, codes }, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(run(sizes, &x, false).0),
        }
    }
}
