//! Layers one after the other.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::Device;

use super::initialization::Sampler;
use super::norm::Norm;
use super::plan::plan;
use super::step::{Core, Node, Step};
use crate::{Activation, Layer, Rng, Shape};

/// Layers, one after the other, in the steps in which they are computed.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(super) steps: Vec<Step>,
}

impl Sequence {
    /// Builds the layers that `input` reaches. They have been checked before.
    pub fn new(layers: &[Layer], input: Shape, sampler: &mut Sampler, device: &Device) -> Self {
        let mut shape = input;
        Self::of(layers.iter().map(|layer| {
            let core = Core::new(layer, shape, sampler, device);
            shape = layer.op.apply(shape).expect("the architecture was checked");
            core.into()
        }))
    }

    /// Layers that exist already, each a step of its own, one after the other.
    pub fn of(layers: impl IntoIterator<Item = Step>) -> Self {
        Self { steps: plan(layers) }
    }

    /// The layers, each a step of its own.
    pub fn into_layers(self) -> Vec<Step> {
        self.steps.into_iter().flat_map(Step::into_single).collect()
    }

    /// The layers in their order.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_>> {
        self.steps.iter().flat_map(Step::nodes)
    }

    /// The output, computed in steps. Dropout acts if there is a generator to draw from.
    pub fn run(&self, x: Activation, rng: &mut Option<&mut Rng>) -> Activation {
        self.steps.iter().fold(x, |x, step| step.run(x, rng))
    }

    /// Changes every batch normalization, those in blocks included.
    pub fn change_norms(&mut self, change: &mut dyn FnMut(&mut Norm)) {
        for step in &mut self.steps {
            match &mut step.core {
                Core::Norm { norm, .. } => change(&mut norm.module),
                Core::Paths { paths, .. } => {
                    paths.module.sequences_mut().for_each(|path| path.change_norms(change));
                }
                _ => {}
            }
        }
    }

    fn each(self, change: impl FnMut(Step) -> Step) -> Self {
        Self { steps: self.steps.into_iter().map(change).collect() }
    }
}

impl Module for Sequence {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.steps.iter().fold(devices, |devices, step| step.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|step| step.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|step| step.to_device(device))
    }

    fn train(self) -> Self {
        self.each(Module::train)
    }

    fn valid(&self) -> Self {
        Self { steps: self.steps.iter().map(Module::valid).collect() }
    }

    fn materialize(self) -> Self {
        self.each(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.steps.iter().for_each(|step| step.visit(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.each(|step| step.map(mapper))
    }
}

#[cfg(test)]
mod tests {
    use burn::optim::GradientsParams;
    use burn::tensor::{Distribution, Tensor, TensorData};
    use rand::SeedableRng;

    use super::*;
    use crate::network::step::Params;
    use crate::{Initialization, TransferCnn, state};

    #[test]
    fn blocks_with_dropout_compute_what_their_layers_do() {
        let device = Device::flex().autodiff();
        device.seed(1);
        let network = TransferCnn::new(5).with_dropout(0.3).architecture();
        let network = network.init(Initialization::PyTorch, 1, &device).unwrap();
        let sequence = network.body();
        assert!(sequence.steps.iter().any(|step| {
            matches!(step, Step { before: Some(_), core: Core::Linear { .. }, .. })
        }));
        let x = Tensor::<4>::random([20, 1, 28, 28], Distribution::Uniform(0.0, 1.0), &device);
        // The logits and all gradients; the same seed gives the same masks.
        let run = |in_blocks: bool| {
            let (mut rng, x) = (Rng::seed_from_u64(3), Activation::Images(x.clone()));
            let rng = &mut Some(&mut rng);
            let y = match in_blocks {
                true => sequence.run(x, rng),
                false => sequence.nodes().fold(x, |x, node| match node.params {
                    Params::None(plain) => plain.run_in_burn(x, rng),
                    _ => node.run_hooked(x, "", &mut |_, _| {}),
                }),
            };
            let Activation::Features(logits) = y else { panic!("a classifier") };
            let grads = (logits.clone() * logits.clone()).sum().backward();
            let grads = GradientsParams::from_grads(grads, &network);
            let mut all = state::gradients(&network, &grads);
            all.insert("logits".into(), logits.into_data());
            all
        };
        let (blocks, layers) = (run(true), run(false));
        assert_eq!(blocks.len(), 1 + 10, "logits, five weights and five biases");
        for (name, a) in blocks {
            let elements = |data: &TensorData| data.clone().try_to_vec::<f32>().unwrap();
            let (a, b) = (elements(&a), elements(&layers[&name]));
            let largest = b.iter().fold(0.0_f32, |largest, b| largest.max(b.abs()));
            assert!(largest > 0.0, "{name}");
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-4 * largest, "{name}: {a} and {b}");
            }
        }
    }
}
