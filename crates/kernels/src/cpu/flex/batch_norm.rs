//! Batch normalization on Burn's flex device, with its hand-written backward pass.

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::{Autodiff, Flex, TensorMetadata, flex::FlexTensor, tensor::FloatTensor};
use burn::tensor::DType;

use super::tensor::{elements, recycled, tensor};
use crate::cpu::norm::{Affine, Batch, Channel, Normalize, normalized, statistics};
use crate::cpu::simd::Isa;
use crate::ops::{BatchNormBackend, BatchNormOptions, batch_norm::compose_with};

/// The shape of `x`, if the kernels cover it.
fn batch_of(x: &FlexTensor) -> Option<Batch> {
    let [images, channels, height, width] = x.shape().dims();
    let batch = Batch { images, channels, plane: height * width };
    (x.dtype() == DType::F32 && batch.per_channel() > 0 && channels > 0).then_some(batch)
}

/// Rows of the contiguous statistics: mean and biased variance.
fn rows(statistics: &FlexTensor, channels: usize) -> (&[f32], &[f32]) {
    elements(statistics).split_at(channels)
}

/// The result, for contiguous `[x, gamma, beta, statistics]`.
fn forward(batch: Batch, inputs: [&FlexTensor; 4], options: BatchNormOptions) -> FlexTensor {
    let [x, gamma, beta, statistics] = inputs;
    let (mean, variance) = rows(statistics, batch.channels);
    let affine = &Affine::new(elements(gamma), elements(beta), mean, variance, options.epsilon);
    let pass = Normalize { isa: Isa::current(), batch, affine, activation: options.activation };
    recycled(pass.output(elements(x)), x.shape())
}

/// What the operation keeps for its backward pass. The tensors are shared, not copied.
#[derive(Clone, Debug)]
struct State {
    batch: Batch,
    /// `[x, gamma, beta, statistics]`, contiguous.
    inputs: [FlexTensor; 4],
    options: BatchNormOptions,
}

#[derive(Debug)]
struct BatchNormBackward;

impl Backward<Flex, 3> for BatchNormBackward {
    type State = State;

    fn backward(self, ops: Ops<State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let [x_node, gamma_node, beta_node] = ops.parents;
        let State { batch, inputs, options } = ops.state;
        let [x, gamma, beta, statistics] = inputs.each_ref();
        let (mean, variance) = rows(statistics, batch.channels);
        let affine = &Affine::new(elements(gamma), elements(beta), mean, variance, options.epsilon);
        let pass = Normalize { isa: Isa::current(), batch, affine, activation: options.activation };
        let (x_values, grad) = (elements(x), elements(&grad));
        let sums = pass.gradient_sums(x_values, grad);
        if let Some(node) = x_node {
            let dx = pass.input_gradient(x_values, grad, &sums);
            grads.register::<Flex>(node.id, recycled(dx, x.shape()));
        }
        if let Some(node) = gamma_node {
            let products = sums.iter().zip(&affine.inverse_deviation);
            let gradient = products.map(|(sum, inverse)| (sum.products * inverse) as f32);
            grads.register::<Flex>(node.id, tensor(gradient.collect(), [batch.channels]));
        }
        if let Some(node) = beta_node {
            let gradient = sums.iter().map(|sum| sum.gradients as f32).collect();
            grads.register::<Flex>(node.id, tensor(gradient, [batch.channels]));
        }
    }
}

impl BatchNormBackend for Flex {
    fn channel_statistics(x: FloatTensor<Self>) -> FloatTensor<Self> {
        match batch_of(&x) {
            Some(batch) => {
                let values = statistics(Isa::current(), batch, elements(&x.to_contiguous()));
                tensor(values, [2, batch.channels])
            }
            None => tensor(Vec::new(), [0, 0]),
        }
    }

    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        let batch = batch_of(&x).expect("there are statistics, so the kernels cover the batch");
        let inputs = [x, gamma, beta, statistics].map(|t| t.to_contiguous());
        forward(batch, inputs.each_ref(), options)
    }

    fn batch_norm_with(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        let inputs = [x, gamma, beta, mean, variance];
        let (Some(batch), true) =
            (batch_of(&inputs[0]), inputs.iter().all(|tensor| tensor.dtype() == DType::F32))
        else {
            return compose_with::<Self>(inputs, options);
        };
        let [x, rows @ ..] = inputs.map(|tensor| tensor.to_contiguous());
        let [gamma, beta, mean, variance] = rows.each_ref().map(elements);
        let epsilon = options.epsilon as f32;
        let channel = |c: usize| {
            let deviation = (variance[c] + epsilon).sqrt();
            Channel { mean: mean[c], deviation, gamma: gamma[c], beta: beta[c] }
        };
        let channels: Vec<Channel> = (0..batch.channels).map(channel).collect();
        let y = normalized(Isa::current(), batch, &channels, elements(&x), options.activation);
        recycled(y, x.shape())
    }
}

impl<C: CheckpointStrategy> BatchNormBackend for Autodiff<Flex, C> {
    fn channel_statistics(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let x = x.into_primitive();
        FloatTensor::<Self>::new(<Flex as BatchNormBackend>::channel_statistics(x))
    }

    fn batch_norm_with(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        let inputs = [x, gamma, beta, mean, variance];
        // A frozen one whose input needs no gradient, as in a trunk below all that learns.
        if !inputs.iter().any(|tensor| tensor.is_tracked()) {
            let [x, gamma, beta, mean, variance] = inputs.map(|tensor| tensor.into_primitive());
            return FloatTensor::<Self>::new(<Flex as BatchNormBackend>::batch_norm_with(
                x, gamma, beta, mean, variance, options,
            ));
        }
        compose_with::<Self>(inputs, options)
    }

    fn fused_batch_norm(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        statistics: FloatTensor<Self>,
        options: BatchNormOptions,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), gamma.node(), beta.node()];
        let inputs = [x, gamma, beta, statistics].map(|t| t.into_primitive().to_contiguous());
        let batch = batch_of(&inputs[0]).expect("there are statistics for this batch");
        let output = forward(batch, inputs.each_ref(), options);
        match BatchNormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(State { batch, inputs, options }, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}
