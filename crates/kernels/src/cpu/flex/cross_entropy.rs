//! The mean cross-entropy on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::ops::{FloatTensorOps, IntTensorOps};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled};
use crate::cpu::memory::Recycled;
use crate::cpu::pointwise::{Function, Steady};
use crate::ops::{CrossEntropyBackend, cross_entropy::compose};

/// What the operation keeps for its backward pass.
#[derive(Clone, Debug)]
struct State {
    /// e to the logit minus the largest one of its image, `[batch, classes]`, and their sums, `[batch, 1]`.
    exponentials: FlexTensor,
    sums: FlexTensor,
    /// `[batch, 1]`
    targets: FlexTensor,
}

/// The loss, by the operations that Burn's `log_softmax` is made of, so that it has their bits.
fn forward(logits: FlexTensor, targets: FlexTensor) -> (FlexTensor, State) {
    let [batch] = targets.shape().dims();
    let largest = Flex::float_max_dim(logits.clone(), 1);
    let shifted = Flex::float_sub(logits, largest);
    let exponentials = Flex::float_exp(shifted.clone()).to_contiguous();
    let sums = Flex::float_sum_dim(exponentials.clone(), 1).to_contiguous();
    let log_probabilities = Flex::float_sub(shifted, Flex::float_log(sums.clone()));
    let targets = Flex::int_reshape(targets, [batch, 1].into());
    let picked = Flex::float_gather(1, log_probabilities, targets.clone());
    let loss = Flex::float_neg(Flex::float_mean(picked));
    (loss, State { exponentials, sums, targets })
}

#[derive(Debug)]
struct CrossEntropyBackward;

impl Backward<Flex, 1> for CrossEntropyBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [Some(node)] = ops.parents else { return };
        let State { exponentials, sums, targets } = ops.state;
        let shape = exponentials.shape();
        let [batch, classes] = shape.dims();
        // What reaches the log probability of the target, then each exponential.
        let picked = (1.0 / batch as f64) as f32 * -elements(&grad)[0];
        let mut dx = Recycled::any(batch * classes);
        let rows = dx.chunks_exact_mut(classes).zip(elements(&exponentials).chunks_exact(classes));
        let rows = rows.zip(elements(&sums)).zip(classes_of(&targets));
        for (((to, exponentials), sum), target) in rows {
            let each = -picked * (1.0 / sum);
            for (to, exponential) in to.iter_mut().zip(exponentials) {
                *to = each * exponential;
            }
            to[target] += picked;
            to.iter_mut().for_each(|gradient| *gradient = Steady.gradient(0.0, *gradient));
        }
        grads.register::<Flex>(node.id, recycled(dx, shape));
    }
}

/// The targets as indices.
fn classes_of(targets: &FlexTensor) -> Vec<usize> {
    fn indices<T: Copy + TryInto<usize>>(targets: &[T]) -> Vec<usize> {
        let index = |target: &T| (*target).try_into().ok().expect("a class is not negative");
        targets.iter().map(index).collect()
    }
    let targets = targets.to_contiguous();
    match targets.as_slice::<i64>() {
        Some(targets) => indices(targets),
        None => indices(targets.as_slice::<i32>().expect("`is_covered` has looked")),
    }
}

fn is_covered(logits: &FlexTensor, targets: &FlexTensor) -> bool {
    let [batch, classes] = logits.shape().dims();
    let is_index = matches!(targets.dtype(), DType::I64 | DType::I32);
    logits.dtype() == DType::F32 && is_index && batch > 0 && classes > 0
}

impl CrossEntropyBackend for Flex {
    fn mean_cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        match is_covered(&logits, &targets) {
            true => forward(logits, targets).0,
            false => compose::<Self>(logits, targets),
        }
    }
}

impl<C: CheckpointStrategy> CrossEntropyBackend for Autodiff<Flex, C> {
    fn mean_cross_entropy(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        if !is_covered(logits.primitive(), &targets) {
            return compose::<Self>(logits, targets);
        }
        let node = logits.node();
        let (loss, state) = forward(logits.into_primitive(), targets);
        match CrossEntropyBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(state, loss),
            OpsKind::UnTracked(prepared) => prepared.finish(loss),
        }
    }
}
