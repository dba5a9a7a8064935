//! Blocks of several paths from the same input.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor};
use burn::tensor::{Device, Tensor};
use selvedge_kernels::{FusedActivation, add};

use super::initialization::Sampler;
use super::sequence::Sequence;
use crate::{Activation, Op, Shape};

/// The paths of a block.
#[derive(Clone, Debug)]
pub(crate) struct Paths {
    /// What stands before all paths.
    pub before: Sequence,
    pub branches: Vec<Sequence>,
    join: Join,
}

/// What becomes of the ends of the paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    /// Their sum.
    Sum,
    /// One after the other along the channels.
    Concat,
    /// The input times the end of the only one.
    Gate,
}

impl Paths {
    /// Builds the paths of `op`, which `input` reaches and which has been checked before; `None` for an
    /// operation that has none.
    pub fn new(op: &Op, input: Shape, sampler: &mut Sampler, device: &Device) -> Option<Self> {
        let join = match op {
            Op::Residual { .. } => Join::Sum,
            Op::Concat { .. } => Join::Concat,
            Op::Gate { .. } => Join::Gate,
            _ => return None,
        };
        let (before, branches) = op.paths();
        let reaches = op.inside(input).expect("the architecture was checked");
        let before = Sequence::new(before, input, sampler, device);
        let branches = branches.into_iter();
        let branches = branches.map(|path| Sequence::new(path, reaches, sampler, device)).collect();
        Some(Self { before, branches, join })
    }

    /// Whether the output is a sum, with which an activation can be computed.
    pub fn is_sum(&self) -> bool {
        self.join == Join::Sum
    }

    /// The output, of which `run` computes a sequence; the activation is that of a sum.
    pub fn run(
        &self,
        input: Activation,
        activation: FusedActivation,
        mut run: impl FnMut(&Sequence, Activation) -> Activation,
    ) -> Activation {
        let x = run(&self.before, input);
        let mut ends: Vec<_> = self.branches.iter().map(|path| run(path, x.clone())).collect();
        match self.join {
            Join::Sum => {
                let last = ends.pop().expect("a residual block has two paths");
                let none = FusedActivation::None;
                match ends.into_iter().reduce(|a, b| sum(a, b, none)) {
                    Some(others) => sum(others, last, activation),
                    None => last,
                }
            }
            Join::Concat => concat(ends),
            Join::Gate => ends.into_iter().fold(x, product),
        }
    }

    /// The operation whose layers are those of the paths as they are now.
    pub fn renewed(&self, op: &Op) -> Op {
        let layers = |path: &Sequence| path.nodes().map(|node| node.layer.clone()).collect();
        let before = layers(&self.before);
        op.with_paths(before, self.branches.iter().map(layers).collect())
    }

    /// The sequences in it.
    pub fn sequences_mut(&mut self) -> impl Iterator<Item = &mut Sequence> {
        [&mut self.before].into_iter().chain(&mut self.branches)
    }

    fn sequences(&self) -> impl Iterator<Item = &Sequence> {
        [&self.before].into_iter().chain(&self.branches)
    }

    /// The same with each of its sequences changed.
    pub fn each(self, mut change: impl FnMut(Sequence) -> Sequence) -> Self {
        let before = change(self.before);
        Self { before, branches: self.branches.into_iter().map(change).collect(), ..self }
    }
}

fn sum(a: Activation, b: Activation, activation: FusedActivation) -> Activation {
    pair(a, b, |a, b| add(a, b, activation), |a, b| add(a, b, activation))
}

/// The product of two of the same shape, or of images and a number a channel.
fn product(a: Activation, b: Activation) -> Activation {
    pair(a, b, |a, b| a * b, |a, b| a * b)
}

/// Both together: the paths were checked to give images or features alike.
fn pair(
    a: Activation,
    b: Activation,
    images: impl FnOnce(Tensor<4>, Tensor<4>) -> Tensor<4>,
    features: impl FnOnce(Tensor<2>, Tensor<2>) -> Tensor<2>,
) -> Activation {
    match (a, b) {
        (Activation::Images(a), Activation::Images(b)) => Activation::Images(images(a, b)),
        (a, b) => Activation::Features(features(a.into_features(), b.into_features())),
    }
}

fn concat(ends: Vec<Activation>) -> Activation {
    match ends.first() {
        Some(Activation::Images(_)) => {
            let ends = ends.into_iter().map(Activation::into_images).collect();
            Activation::Images(Tensor::cat(ends, 1))
        }
        _ => {
            let ends = ends.into_iter().map(Activation::into_features).collect();
            Activation::Features(Tensor::cat(ends, 1))
        }
    }
}

impl Module for Paths {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.sequences().fold(devices, |devices, path| path.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        self.each(|path| path.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.each(|path| path.to_device(device))
    }

    fn train(self) -> Self {
        self.each(Module::train)
    }

    fn valid(&self) -> Self {
        let branches = self.branches.iter().map(Module::valid).collect();
        Self { before: self.before.valid(), branches, join: self.join }
    }

    fn materialize(self) -> Self {
        self.each(Module::materialize)
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.sequences().for_each(|path| path.visit(visitor));
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.each(|path| path.map(mapper))
    }
}
