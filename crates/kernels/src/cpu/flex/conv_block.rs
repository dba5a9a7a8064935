//! The block on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled, tensor};
use crate::cpu::conv::{Inputs, Saved, Wanted, backward, forward};
use crate::cpu::layout::Geometry;
use crate::cpu::memory::Recycled;
use crate::cpu::simd::Isa;
use crate::ops::{ConvBlockBackend, ConvBlockOptions, ConvBlockSettings, conv_block};

/// The sizes, if the fused kernels cover the case of `[x, weight, bias, scale]`.
fn fusable(inputs: [&FlexTensor; 4], options: &ConvBlockOptions) -> Option<Geometry> {
    if inputs.iter().any(|t| t.dtype() != DType::F32) {
        return None;
    }
    let [x, weight, ..] = inputs.map(|t| t.shape());
    let g = Geometry::new(x.dims(), weight.dims(), options);
    g.is_fusable().then_some(g)
}

/// The result, and its argmax if it is asked for, of contiguous `[x, weight, bias, scale]`.
fn run(
    g: &Geometry,
    inputs: [&FlexTensor; 4],
    scaled: bool,
    with_argmax: bool,
) -> (FlexTensor, Recycled<u8>) {
    let [x, weight, bias, scale] = inputs.map(elements);
    let inputs = Inputs { x, weight, bias, scale: scaled.then_some(scale) };
    let output = forward(Isa::current(), g, inputs, with_argmax);
    let shape = [g.batch, g.out_channels, g.output[0], g.output[1]];
    (recycled(output.values, shape), output.argmax)
}

impl ConvBlockBackend for Flex {
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        settings: ConvBlockSettings,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias, scale];
        match fusable(inputs.each_ref(), &settings.options) {
            Some(g) => {
                let inputs = inputs.map(|t| t.to_contiguous());
                run(&g, inputs.each_ref(), settings.has_scale, false).0
            }
            None => conv_block::compose::<Self>(inputs, &settings),
        }
    }
}

/// What a block keeps for its backward pass. The tensors are shared, not copied.
#[derive(Clone, Debug)]
struct State {
    geometry: Geometry,
    x: FlexTensor,
    weight: FlexTensor,
    scale: Option<FlexTensor>,
    argmax: Recycled<u8>,
}

#[derive(Debug)]
struct ConvBlockBackward;

impl Backward<Flex, 3> for ConvBlockBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x, weight, bias] = ops.parents;
        let state = ops.state;
        let saved = Saved {
            x: elements(&state.x),
            weight: elements(&state.weight),
            scale: state.scale.as_ref().map(elements),
            argmax: &state.argmax,
        };
        let wanted = Wanted { x: x.is_some(), weight: weight.is_some(), bias: bias.is_some() };
        let g = &state.geometry;
        let result = backward(Isa::current(), g, saved, elements(&grad), wanted);
        if let Some(node) = x {
            let shape = [g.batch, g.in_channels, g.input[0], g.input[1]];
            grads.register::<Flex>(node.id, recycled(result.x, shape));
        }
        if let Some(node) = weight {
            let shape = [g.out_channels, g.in_channels, g.kernel[0], g.kernel[1]];
            grads.register::<Flex>(node.id, tensor(result.weight, shape));
        }
        if let Some(node) = bias {
            grads.register::<Flex>(node.id, tensor(result.bias, [g.out_channels]));
        }
    }
}

impl<C: CheckpointStrategy> ConvBlockBackend for Autodiff<Flex, C> {
    fn conv_block(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        settings: ConvBlockSettings,
    ) -> FloatTensor<Self> {
        let inputs = [x, weight, bias, scale];
        let Some(g) = fusable(inputs.each_ref().map(|t| t.primitive()), &settings.options) else {
            return conv_block::compose::<Self>(inputs, &settings);
        };
        let nodes = [inputs[0].node(), inputs[1].node(), inputs[2].node()];
        let inputs = inputs.map(|t| t.into_primitive().to_contiguous());
        let scaled = settings.has_scale;
        let prepared = ConvBlockBackward.prepare::<C>(nodes).compute_bound().stateful();
        match prepared {
            OpsKind::Tracked(prepared) => {
                let (output, argmax) = run(&g, inputs.each_ref(), scaled, true);
                let [x, weight, _, scale] = inputs;
                let scale = scaled.then_some(scale);
                prepared.finish(State { geometry: g, x, weight, scale, argmax }, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(run(&g, inputs.each_ref(), scaled, false).0)
            }
        }
    }
}
