//! A pass layer by layer in which outputs can be replaced.

use burn::tensor::Tensor;
use selvedge_kernels::FusedActivation;

use crate::network::sequence::Sequence;
use crate::network::step::Params;
use crate::{Activation, Layer};

/// What a pass does with the output of a layer, given the layer's path: what it returns goes on in its place.
pub(super) type Replace<'a> = &'a mut dyn FnMut(&str, &Layer, Activation) -> Activation;

/// The output without dropout, each layer computed alone and given to `replace`. The layers
/// of a block come before the block.
pub(super) fn walk(
    layers: &Sequence,
    x: Activation,
    prefix: &str,
    replace: Replace<'_>,
) -> Activation {
    layers.nodes().fold(x, |x, node| {
        let path = format!("{prefix}{}", node.layer.name);
        let y = match node.params {
            Params::Paths(paths) => {
                let inner = format!("{path}.");
                let none = FusedActivation::None;
                paths.run(x, none, |layers, x| walk(layers, x, &inner, replace))
            }
            _ => node.run_hooked(x, &path, &mut |_, _| {}),
        };
        replace(&path, node.layer, y)
    })
}

/// An output, cut from what computed it, whose gradient is kept.
pub(super) fn leaf(x: Activation) -> Activation {
    fn cut<const D: usize>(x: Tensor<D>) -> Tensor<D> {
        x.detach().require_grad()
    }
    match x {
        Activation::Images(x) => Activation::Images(cut(x)),
        Activation::Features(x) => Activation::Features(cut(x)),
    }
}
