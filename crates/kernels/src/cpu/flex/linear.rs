//! The linear layer on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled, tensor};
use crate::cpu::matmul::{
    Matrix, Operands, Product, SparseChannels, Start, column_sums, compute_all, relu_backward,
};
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;
use crate::ops::{FusedActivation, LinearBlockBackend, LinearSettings, linear};

/// `[batch, in_features, out_features]`, if the fused layer covers the case of `[x, weight, bias]`.
fn fusable(inputs: [&FlexTensor; 3]) -> Option<[usize; 3]> {
    if inputs.iter().any(|t| t.dtype() != DType::F32) {
        return None;
    }
    let [[batch, in_features], [_, out_features]] =
        [inputs[0], inputs[1]].map(|t| t.shape().dims());
    Some([batch, in_features, out_features])
}

/// The layer's output, for contiguous `[x, weight, bias]`, and the channels that were left out.
fn forward(
    sizes: [usize; 3],
    inputs: [&FlexTensor; 3],
    settings: LinearSettings,
) -> (FlexTensor, Option<SparseChannels>) {
    let [batch, in_features, out_features] = sizes;
    let [x, weight, bias] = inputs.map(elements);
    let channels = settings.channel.and_then(|size| SparseChannels::find(x, sizes, size));
    if let Some(channels) = channels {
        let operands = Operands { channels: &channels, sizes, weight };
        let bias = settings.has_bias.then_some(bias);
        let y = operands.forward(Isa::current(), bias, settings.relu);
        return (recycled(y, [batch, out_features]), Some(channels));
    }
    let x = Matrix::new(x, [batch, in_features]);
    let weight = Matrix::new(weight, [in_features, out_features]);
    let activation = FusedActivation::relu_if(settings.relu);
    let start = if settings.has_bias { Start::Bias(bias) } else { Start::Zero };
    let product = Product { start, activation, ..Product::new(x, weight) };
    let [y] = compute_all(Isa::current(), [product]);
    (recycled(y, [batch, out_features]), None)
}

/// What the layer keeps for its backward pass. The tensors are shared, not copied.
#[derive(Clone, Debug)]
struct State {
    sizes: [usize; 3],
    input: Input,
    weight: FlexTensor,
    /// The output, if ReLU was applied: its zeros are where no gradient flows.
    y: Option<FlexTensor>,
}

/// What the layer keeps of its input.
#[derive(Clone, Debug)]
enum Input {
    Whole(FlexTensor),
    Channels(SparseChannels),
}

impl State {
    /// The gradients of `x` and `weight`; what is not wanted is empty.
    fn backward(&self, isa: Isa, grad: Matrix, wanted: [bool; 2]) -> [Recycled; 2] {
        let [batch, in_features, out_features] = self.sizes;
        let weight = elements(&self.weight);
        let x = match &self.input {
            Input::Whole(x) => elements(x),
            Input::Channels(channels) => {
                let operands = Operands { channels, sizes: self.sizes, weight };
                return operands.backward(isa, grad.values, wanted);
            }
        };
        let weight = Matrix::new(weight, [in_features, out_features]);
        let x = Matrix::new(x, [batch, in_features]);
        let of_x = Product::new(grad, weight.transposed());
        let of_weight = Product::new(x.transposed(), grad);
        match wanted {
            // One distribution of work among the threads instead of two.
            [true, true] => compute_all(isa, [of_x, of_weight]),
            [true, false] => [of_x.compute(isa), Recycled::any(0)],
            [false, true] => [Recycled::any(0), of_weight.compute(isa)],
            [false, false] => [Recycled::any(0), Recycled::any(0)],
        }
    }
}

#[derive(Debug)]
struct LinearBackward;

impl Backward<Flex, 3> for LinearBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x, weight, bias] = ops.parents;
        let state = ops.state;
        let [batch, in_features, out_features] = state.sizes;
        let isa = Isa::current();
        let size = [batch, out_features];
        let passed: Recycled;
        let (grad, sums) = match &state.y {
            Some(y) => {
                let sums;
                (passed, sums) =
                    relu_backward(isa, Matrix::new(elements(&grad), size), elements(y));
                (&passed[..], Some(sums))
            }
            None => (elements(&grad), None),
        };
        let grad = Matrix::new(grad, size);
        if let Some(node) = bias {
            let sums = sums.unwrap_or_else(|| column_sums(isa, grad));
            grads.register::<Flex>(node.id, tensor(sums, [out_features]));
        }
        let [dx, dw] = state.backward(isa, grad, [x.is_some(), weight.is_some()]);
        if let Some(node) = x {
            grads.register::<Flex>(node.id, recycled(dx, [batch, in_features]));
        }
        if let Some(node) = weight {
            grads.register::<Flex>(node.id, recycled(dw, [in_features, out_features]));
        }
    }
}

impl LinearBlockBackend for Flex {
    fn linear_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        settings: LinearSettings,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias];
        match fusable(inputs.each_ref()) {
            Some(sizes) => {
                let inputs = inputs.map(|t| t.to_contiguous());
                forward(sizes, inputs.each_ref(), settings).0
            }
            None => linear::compose::<Self>(inputs, settings),
        }
    }
}

impl<C: CheckpointStrategy> LinearBlockBackend for Autodiff<Flex, C> {
    fn linear_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        settings: LinearSettings,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias];
        let Some(sizes) = fusable(inputs.each_ref().map(|t| t.primitive())) else {
            return linear::compose::<Self>(inputs, settings);
        };
        let nodes = inputs.each_ref().map(|t| t.node());
        let inputs = inputs.map(|t| t.into_primitive().to_contiguous());
        let (y, channels) = forward(sizes, inputs.each_ref(), settings);
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [x, weight, _] = inputs;
                let kept = settings.relu.then(|| y.clone());
                let input = channels.map_or(Input::Whole(x), Input::Channels);
                prepared.finish(State { sizes, input, weight, y: kept }, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}
