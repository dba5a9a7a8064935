//! The tensors of an architecture, known without building it.

use crate::{Architecture, Layer, Op, Shape};

/// A tensor that a file of weights for an architecture holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spec {
    /// The layer's path.
    pub layer: String,
    /// The last part of the name, PyTorch's.
    pub part: &'static str,
    /// In PyTorch's layout.
    pub shape: Vec<usize>,
    is_linear: bool,
    is_norm: bool,
}

/// How a file names and lays out its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Convention {
    /// Linear weights are `[out_features, in_features]`.
    PyTorch,
    /// Linear weights are `[in_features, out_features]`; a batch normalization has `gamma` and `beta`.
    Burn,
}

impl Spec {
    /// PyTorch's name.
    pub fn name(&self) -> String {
        format!("{}.{}", self.layer, self.part)
    }

    /// The name in a file.
    pub fn name_in(&self, convention: Convention) -> String {
        let part = match (convention, self.part) {
            (Convention::Burn, "weight") if self.is_norm => "gamma",
            (Convention::Burn, "bias") if self.is_norm => "beta",
            (_, part) => part,
        };
        format!("{}.{part}", self.layer)
    }

    /// The shape in a file.
    pub fn shape_in(&self, convention: Convention) -> Vec<usize> {
        self.other_layout(self.shape.clone(), convention)
    }

    /// A shape from PyTorch's layout to that of a file, or back.
    pub fn other_layout(&self, mut shape: Vec<usize>, convention: Convention) -> Vec<usize> {
        if convention == Convention::Burn && self.is_transposed() {
            shape.reverse();
        }
        shape
    }

    /// Whether Burn has the tensor the other way round than PyTorch: a linear weight.
    pub fn is_transposed(&self) -> bool {
        self.is_linear && self.part == "weight"
    }
}

/// The tensors of an architecture in the order of PyTorch's state dict, without the counts of
/// batches. The architecture must be sound.
pub(super) fn specs(architecture: &Architecture) -> Vec<Spec> {
    let mut specs = Vec::new();
    add(&architecture.layers, "", Shape::Images(architecture.input), &mut specs);
    specs
}

fn add(layers: &[Layer], prefix: &str, input: Shape, specs: &mut Vec<Spec>) {
    let mut shape = input;
    for Layer { name, op } in layers {
        let layer = format!("{prefix}{name}");
        let (before, paths) = op.paths();
        let inner = format!("{layer}.");
        add(before, &inner, shape, specs);
        if let Ok(reaches) = op.inside(shape) {
            paths.into_iter().for_each(|path| add(path, &inner, reaches, specs));
        }
        for (part, dims) in parts(op, shape) {
            specs.push(Spec {
                layer: layer.clone(),
                part,
                shape: dims,
                is_linear: matches!(op, Op::Linear { .. }),
                is_norm: matches!(
                    op,
                    Op::BatchNorm2d { .. }
                        | Op::BatchNorm1d { .. }
                        | Op::GroupNorm { .. }
                        | Op::LayerNorm { .. }
                ),
            });
        }
        match op.apply(shape) {
            Ok(output) => shape = output,
            Err(_) => return,
        }
    }
}

/// The tensors of one layer.
fn parts(op: &Op, input: Shape) -> Vec<(&'static str, Vec<usize>)> {
    let with_bias = |weight: Vec<usize>, bias: bool, count| {
        let weight = ("weight", weight);
        if bias { vec![weight, ("bias", vec![count])] } else { vec![weight] }
    };
    match (op, input) {
        (&Op::Conv2d { out_channels: o, kernel: k, bias, groups, .. }, Shape::Images([i, ..])) => {
            with_bias(vec![o, i / groups.max(1), k.height, k.width], bias, o)
        }
        (
            &Op::ConvTranspose2d { out_channels: o, kernel: k, bias, groups, .. },
            Shape::Images([i, ..]),
        ) => with_bias(vec![i, o / groups.max(1), k.height, k.width], bias, o),
        (Op::BatchNorm2d { .. } | Op::BatchNorm1d { .. }, input) => {
            let channels = input.as_images()[0];
            ["weight", "bias", "running_mean", "running_var"].map(|p| (p, vec![channels])).into()
        }
        (Op::GroupNorm { .. } | Op::LayerNorm { .. }, input) => {
            let channels = input.as_images()[0];
            ["weight", "bias"].map(|p| (p, vec![channels])).into()
        }
        (&Op::Linear { out_features: o, bias }, Shape::Features(i)) => {
            with_bias(vec![o, i], bias, o)
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Initialization, catalog};
    use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot};
    use burn::tensor::Device;

    #[test]
    fn they_are_the_tensors_that_the_network_has() {
        for architecture in catalog() {
            // The larger ones have no kind of layer that these do not.
            let name = architecture.name.as_str();
            if name.starts_with("vgg") || ["resnet34", "resnet50"].contains(&name) {
                continue;
            }
            let net = architecture.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
            let specs = specs(&architecture);
            let found = net.collect(None, Some(Box::new(BurnToPyTorchAdapter)), false);
            for (convention, found) in
                [(Convention::PyTorch, found), (Convention::Burn, net.collect(None, None, false))]
            {
                let found: Vec<_> =
                    found.iter().map(|t| (t.name.clone(), t.shape.to_vec())).collect();
                let expected: Vec<_> =
                    specs.iter().map(|s| (s.name_in(convention), s.shape_in(convention))).collect();
                let sorted = |mut list: Vec<(String, Vec<usize>)>| {
                    list.sort();
                    list
                };
                assert_eq!(sorted(found), sorted(expected), "{}", architecture.name);
            }
        }
    }
}
