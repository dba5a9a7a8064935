//! The linear layer on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use crate::flex::{numbers, tensor};
use crate::linear::{LinearBlockBackend, LinearSettings, compose};
use crate::matrix::{Matrix, add_product, column_sums};

/// `[batch, in_features, out_features]`, if the fused layer covers the case of `[x, weight, bias]`.
fn fusable(inputs: [&FlexTensor; 3]) -> Option<[usize; 3]> {
    if inputs.iter().any(|t| t.dtype() != DType::F32) {
        return None;
    }
    let [[batch, in_features], [_, out_features]] =
        [inputs[0], inputs[1]].map(|t| t.shape().dims());
    Some([batch, in_features, out_features])
}

/// The layer's output, for contiguous `[x, weight, bias]`.
fn forward(
    [batch, in_features, out_features]: [usize; 3],
    inputs: [&FlexTensor; 3],
    settings: LinearSettings,
) -> FlexTensor {
    let [x, weight, bias] = inputs.map(numbers);
    let mut y = match settings.has_bias {
        true => bias.repeat(batch),
        false => vec![0.0; batch * out_features],
    };
    let x = Matrix::new(x, [batch, in_features]);
    let weight = Matrix::new(weight, [in_features, out_features]);
    add_product(x, weight, &mut y);
    if settings.relu {
        for value in &mut y {
            // The comparison is false for NaN, which stays.
            *value = if *value <= 0.0 { 0.0 } else { *value };
        }
    }
    tensor(y, [batch, out_features])
}

/// What the layer keeps for its backward pass. The tensors are shared, not copied.
#[derive(Clone, Debug)]
struct State {
    sizes: [usize; 3],
    x: FlexTensor,
    weight: FlexTensor,
    /// The output, if ReLU was applied: its zeros are where no gradient flows.
    y: Option<FlexTensor>,
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
        let open: Vec<f32>;
        let grad = match &state.y {
            Some(y) => {
                let pairs = numbers(y).iter().zip(numbers(&grad));
                open = pairs.map(|(&y, &grad)| if y <= 0.0 { 0.0 } else { grad }).collect();
                &open[..]
            }
            None => numbers(&grad),
        };
        let grad = Matrix::new(grad, [batch, out_features]);
        if let Some(node) = x {
            let weight = Matrix::new(numbers(&state.weight), [in_features, out_features]);
            let mut dx = vec![0.0; batch * in_features];
            add_product(grad, weight.transposed(), &mut dx);
            grads.register::<Flex>(node.id, tensor(dx, [batch, in_features]));
        }
        if let Some(node) = weight {
            let x = Matrix::new(numbers(&state.x), [batch, in_features]);
            let mut dw = vec![0.0; in_features * out_features];
            add_product(x.transposed(), grad, &mut dw);
            grads.register::<Flex>(node.id, tensor(dw, [in_features, out_features]));
        }
        if let Some(node) = bias {
            grads.register::<Flex>(node.id, tensor(column_sums(grad), [out_features]));
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
                forward(sizes, inputs.each_ref(), settings)
            }
            None => compose::<Self>(inputs, settings),
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
            return compose::<Self>(inputs, settings);
        };
        let nodes = inputs.each_ref().map(|t| t.node());
        let inputs = inputs.map(|t| t.into_primitive().to_contiguous());
        let y = forward(sizes, inputs.each_ref(), settings);
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let [x, weight, _] = inputs;
                let kept = settings.relu.then(|| y.clone());
                prepared.finish(State { sizes, x, weight, y: kept }, y)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(y),
        }
    }
}
