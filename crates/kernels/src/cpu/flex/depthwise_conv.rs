//! Depthwise convolution on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled, tensor};
use crate::cpu::depthwise::{Sizes, forward, input_grad, weight_grad};
use crate::cpu::pointwise::{Relu, Relu6, gradients};
use crate::cpu::simd::Isa;
use crate::ops::{DepthwiseConvBackend, DepthwiseConvOptions, FusedActivation, depthwise_conv};

/// The sizes, if the kernels cover the case of `[x, weight, bias]`.
fn covered(inputs: [&FlexTensor; 3], options: &DepthwiseConvOptions) -> Option<Sizes> {
    if inputs.iter().any(|t| t.dtype() != DType::F32) {
        return None;
    }
    let [x, weight, _] = inputs.map(|t| t.shape());
    let [_, _, rows, columns] = weight.dims();
    Sizes::new(x.dims(), [rows, columns], options)
}

/// The result for contiguous `[x, weight, bias]`.
fn run(sizes: &Sizes, inputs: [&FlexTensor; 3], has_bias: bool) -> FlexTensor {
    let [x, weight, bias] = inputs.map(elements);
    let values = forward(Isa::current(), sizes, x, weight, has_bias.then_some(bias));
    let [height, width] = sizes.output;
    recycled(values, [sizes.batch, sizes.channels, height, width])
}

impl DepthwiseConvBackend for Flex {
    fn depthwise_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: DepthwiseConvOptions,
        has_bias: bool,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias];
        match covered(inputs.each_ref(), &options) {
            Some(sizes) => {
                let inputs = inputs.map(|t| t.to_contiguous());
                run(&sizes, inputs.each_ref(), has_bias)
            }
            None => depthwise_conv::compose::<Self>(inputs, options, has_bias),
        }
    }
}

/// What the operation keeps for its backward pass. The tensors are shared, not copied.
#[derive(Clone, Debug)]
struct State {
    sizes: Sizes,
    x: FlexTensor,
    weight: FlexTensor,
    /// The result, where an activation stops some gradients.
    output: Option<FlexTensor>,
}

#[derive(Debug)]
struct DepthwiseConvBackward;

impl Backward<Flex, 3> for DepthwiseConvBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x, weight, bias] = ops.parents;
        let (state, isa) = (ops.state, Isa::current());
        let sizes = &state.sizes;
        // An activation is open exactly where its result lies between its ends.
        let passed = state.output.as_ref().map(|output| match sizes.activation {
            FusedActivation::Relu6 => gradients(isa, Relu6, elements(output), elements(&grad)),
            _ => gradients(isa, Relu, elements(output), elements(&grad)),
        });
        let grad = passed.as_deref().unwrap_or(elements(&grad));
        let Sizes { batch, channels, input, output, kernel, .. } = *sizes;
        if let Some(node) = x {
            let dx = input_grad(isa, sizes, grad, elements(&state.weight));
            grads.register::<Flex>(node.id, recycled(dx, [batch, channels, input[0], input[1]]));
        }
        if let Some(node) = weight {
            let dw = weight_grad(isa, sizes, elements(&state.x), grad);
            grads.register::<Flex>(node.id, tensor(dw, [channels, 1, kernel[0], kernel[1]]));
        }
        if let Some(node) = bias {
            let mut db = vec![0.0; channels];
            for (plane, grad) in grad.chunks(output[0] * output[1]).enumerate() {
                db[plane % channels] += grad.iter().sum::<f32>();
            }
            grads.register::<Flex>(node.id, tensor(db, [channels]));
        }
    }
}

impl<C: CheckpointStrategy> DepthwiseConvBackend for Autodiff<Flex, C> {
    fn depthwise_conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: DepthwiseConvOptions,
        has_bias: bool,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias];
        let Some(sizes) = covered(inputs.each_ref().map(|t| t.primitive()), &options) else {
            return depthwise_conv::compose::<Self>(inputs, options, has_bias);
        };
        let nodes = [inputs[0].node(), inputs[1].node(), inputs[2].node()];
        let inputs = inputs.map(|t| t.into_primitive().to_contiguous());
        let output = run(&sizes, inputs.each_ref(), has_bias);
        match DepthwiseConvBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [x, weight, _] = inputs;
                let kept = (sizes.activation != FusedActivation::None).then(|| output.clone());
                prepared.finish(State { sizes, x, weight, output: kept }, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
