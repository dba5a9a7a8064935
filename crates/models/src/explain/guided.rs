//! Guided backpropagation.

use burn::tensor::{Tensor, TensorData};

use super::subject::Subject;
use super::walk::{leaf, walk};
use crate::{Activation, Layer, ModelError, Network, Op};

/// Guided backpropagation (Springenberg et al., "Striving for simplicity", 2015, arXiv 1412.6806): the gradient of each
/// image's logit, but at every ReLU what comes back is cut where it is negative, as well as where the unit was not
/// active: R = R' · (x > 0) · (R' > 0). `[batch, channels, height, width]` to the same.
///
/// It is sharper than the gradient. But it draws much of what is in the image whatever the class is, and whatever the
/// upper layers have learned (Adebayo et al., 2018).
///
/// # Errors
///
/// As [`saliency`](super::saliency), and [`ModelError::Layer`] for a network with other activations than ReLU, for
/// which it is not defined.
pub fn guided_backprop(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
) -> Result<Tensor<4>, ModelError> {
    let architecture = network.architecture();
    if let Some((layer, kind)) = other_activation(&architecture.layers, "") {
        let (architecture, kind) = (architecture.name.clone(), kind.trim_end_matches('_'));
        let reason = format!("it is `{kind}`; guided backpropagation is defined for ReLU alone");
        return Err(ModelError::Layer { architecture, layer, reason });
    }
    let subject = Subject::new(network, images, classes)?;
    let map = subject.in_parts(subject.images.clone(), subject.classes(), |images, classes| {
        guided(&subject.network, images, classes)
    });
    subject.finite(map)
}

/// The path and the kind of an activation that is not ReLU.
fn other_activation(layers: &[Layer], prefix: &str) -> Option<(String, &'static str)> {
    layers.iter().find_map(|Layer { name, op }| {
        let path = format!("{prefix}{name}");
        if op.is_activation() && *op != Op::Relu {
            return Some((path, op.kind()));
        }
        let (before, branches) = op.paths();
        let inner = format!("{path}.");
        let mut paths = [before].into_iter().chain(branches);
        paths.find_map(|layers| other_activation(layers, &inner))
    })
}

/// A layer's output with the graph that leads from its inputs to it, and the same as a leaf, from which the next layers
/// were computed.
struct Computed {
    output: Activation,
    leaf: Activation,
    is_relu: bool,
}

/// Goes forward with every layer in a graph of its own, and back through these one by one, from the last: then all that
/// comes back to the output of a ReLU is there to be cut before it goes on.
fn guided(network: &Network, images: Tensor<4>, classes: &[usize]) -> Tensor<4> {
    let input = leaf(Activation::Images(images.autodiff()));
    let mut layers = Vec::new();
    let logits = walk(network.body(), input.clone(), "", &mut |_, layer, output| {
        let leaf = leaf(output.clone());
        layers.push(Computed { output, leaf: leaf.clone(), is_relu: layer.op == Op::Relu });
        leaf
    });
    let leaves: Vec<_> = [input].into_iter().chain(layers.iter().map(|l| l.leaf.clone())).collect();
    // One of each leaf, as far as it has come.
    let mut gradients: Vec<Option<Activation>> = vec![None; leaves.len()];
    gradients[layers.len()] = Some(Activation::Features(one_hot(&logits.into_features(), classes)));
    for (i, Computed { output, is_relu, .. }) in layers.into_iter().enumerate().rev() {
        let Some(gradient) = gradients[i + 1].take() else {
            continue;
        };
        let gradient = if is_relu { positive(gradient) } else { gradient };
        let found = product(output, gradient).backward();
        for (leaf, gradient) in leaves.iter().zip(&mut gradients).take(i + 1) {
            let more = match leaf {
                Activation::Images(x) => x.grad(&found).map(Activation::Images),
                Activation::Features(x) => x.grad(&found).map(Activation::Features),
            };
            *gradient = match (gradient.take(), more) {
                (Some(a), Some(b)) => Some(sum(a, b)),
                (a, b) => a.or(b),
            };
        }
    }
    match gradients.swap_remove(0) {
        Some(gradient) => gradient.into_images(),
        None => images_like(&leaves[0]),
    }
}

/// Zeros in the shape of the images of a leaf.
fn images_like(leaf: &Activation) -> Tensor<4> {
    leaf.clone().into_images().inner().zeros_like()
}

/// 1 for each row's class and 0 elsewhere, in the shape of the logits.
fn one_hot(logits: &Tensor<2>, labels: &[usize]) -> Tensor<2> {
    let [batch, classes] = logits.dims();
    let mut values = vec![0f32; batch * classes];
    for (row, label) in values.chunks_mut(classes).zip(labels) {
        row[*label] = 1.0;
    }
    let device = logits.device().without_autodiff();
    Tensor::from_data(TensorData::new(values, [batch, classes]), &device)
}

/// What of a gradient is above 0.
fn positive(gradient: Activation) -> Activation {
    match gradient {
        Activation::Images(x) => Activation::Images(x.clamp_min(0.0)),
        Activation::Features(x) => Activation::Features(x.clamp_min(0.0)),
    }
}

fn sum(a: Activation, b: Activation) -> Activation {
    match (a, b) {
        (Activation::Images(a), Activation::Images(b)) => Activation::Images(a + b),
        (a, b) => Activation::Features(a.into_features() + b.into_features()),
    }
}

/// The sum of the products of all entries, whose gradient is `gradient` at the output.
fn product(output: Activation, gradient: Activation) -> Tensor<1> {
    match (output, gradient) {
        (Activation::Images(a), Activation::Images(b)) => (a * b.autodiff()).sum(),
        (a, b) => (a.into_features() * b.into_features().autodiff()).sum(),
    }
}
