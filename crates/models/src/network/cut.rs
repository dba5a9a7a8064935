//! Cutting a network in two, and putting it together again.

use super::plain::Plain;
use super::sequence::Sequence;
use super::step::{Built, Core, Step};
use crate::arch::clash;
use crate::{Layer, ModelError, Network, Op, Shape};

impl Network {
    /// Cuts the network before `layer`: into a trunk, whose outputs are the features that reach the
    /// layer, and a head that begins with the layer. Names and weights stay as they are, and so does
    /// what is frozen.
    ///
    /// The head is a network for "images": where the layer is reached by `n` features, for those of
    /// `[n, 1, 1]`, which it flattens first.
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownLayer`] if no layer outside the blocks has this name;
    /// [`ModelError::Layer`] if it is the first one, before which there is no trunk.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Initialization, Shape, TransferCnn};
    ///
    /// let network = TransferCnn::new(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
    /// let (trunk, head) = network.cut_at("fc3")?;
    /// assert_eq!(trunk.architecture().output_shape()?, Shape::Features(100));
    /// assert_eq!(head.architecture().input, [100, 1, 1]);
    /// let network = trunk.join(head)?;
    /// assert_eq!(network.architecture(), &TransferCnn::new(5).architecture());
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn cut_at(self, layer: &str) -> Result<(Self, Self), ModelError> {
        let at = self.position(layer)?;
        let whole = &*self.architecture;
        let shapes = whole.shapes()?;
        let Some(&reaches) = at.checked_sub(1).and_then(|last| shapes.get(last)) else {
            return Err(ModelError::Layer {
                architecture: whole.name.clone(),
                layer: layer.into(),
                reason: "no layer stands before it".into(),
            });
        };
        let mut trunk_layers = self.body.into_layers();
        let mut head_layers = trunk_layers.split_off(at);
        if let Shape::Features(_) = reaches {
            head_layers.insert(0, flatten(&whole.layers[at..]));
        }
        let name = &whole.name;
        let trunk = network(format!("{name}[..{layer}]"), whole.input, trunk_layers);
        let head = network(format!("{name}[{layer}..]"), reaches.as_images(), head_layers);
        Ok((trunk, head))
    }

    /// The network that computes `head` on the outputs of this one: the opposite of
    /// [`cut_at`](Self::cut_at). Two halves of a cut have the name of what was cut; anything else
    /// has the name of this network.
    ///
    /// # Errors
    ///
    /// [`ModelError::Layer`] if the head takes another shape than comes out here, or does not flatten
    /// features first; [`ModelError::DuplicateLayer`] if both have a layer of the same name.
    pub fn join(self, head: Self) -> Result<Self, ModelError> {
        let trunk = &*self.architecture;
        let output = trunk.output_shape()?;
        let first = head.architecture.layers.first();
        let error = |reason: String| ModelError::Layer {
            architecture: trunk.name.clone(),
            layer: first.map(|l| l.name.clone()).unwrap_or_default(),
            reason,
        };
        if head.architecture.input != output.as_images() {
            let takes = Shape::Images(head.architecture.input);
            return Err(error(format!("it takes {takes}, but is reached by {output}")));
        }
        let left_out = match output {
            Shape::Images(_) => 0,
            Shape::Features(_) if first.is_some_and(|layer| layer.op == Op::Flatten) => 1,
            Shape::Features(_) => {
                return Err(error(format!("it is reached by {output}, not by images")));
            }
        };
        let (name, input) = (joined(&trunk.name, &head.architecture.name), trunk.input);
        let mut layers = self.body.into_layers();
        layers.extend(head.body.into_layers().into_iter().skip(left_out));
        let whole = network(name, input, layers);
        whole.architecture.shapes()?;
        Ok(whole)
    }
}

/// The name of two networks that are joined: that of the whole if they are the halves of one cut.
fn joined(trunk: &str, head: &str) -> String {
    let halves = trunk.strip_suffix(']').and_then(|trunk| trunk.rsplit_once("[.."));
    match halves {
        Some((whole, layer)) if head == format!("{whole}[{layer}..]") => whole.to_string(),
        _ => trunk.to_string(),
    }
}

/// A layer that flattens, under a name that clashes with none of `layers`.
fn flatten(layers: &[Layer]) -> Step {
    let mut name = "flatten".to_string();
    while layers.iter().any(|layer| clash(&layer.name, &name)) {
        name.push('_');
    }
    let layer = Layer { name, op: Op::Flatten };
    Core::Plain(Built { layer, module: Plain::Flatten }).into()
}

/// The network of layers that are built, each a step of its own.
fn network(name: String, input: [usize; 3], layers: Vec<Step>) -> Network {
    Network::of_body(name, input, Sequence::of(layers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cnn, Initialization, ResNet, TransferCnn, state};
    use burn::tensor::{Device, Tensor, TensorData};

    fn logits(network: &Network, images: Tensor<4>) -> Vec<f32> {
        network.forward(images).into_data().try_to_vec().unwrap()
    }

    fn images([channels, height, width]: [usize; 3]) -> Tensor<4> {
        let count = 3 * channels * height * width;
        let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.05).sin()).collect();
        let shape = [3, channels, height, width];
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn a_network_cut_anywhere_and_joined_gives_the_same_bits() {
        let architectures = [
            TransferCnn::new(5).with_dropout(0.3).architecture(),
            Cnn::cnn2(5).architecture(),
            ResNet::resnet18_cifar(10).architecture().unwrap(),
        ];
        for architecture in architectures {
            let network = architecture.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
            let expected = logits(&network, images(architecture.input));
            for layer in &architecture.layers[1..] {
                let (trunk, head) = network.clone().cut_at(&layer.name).unwrap();
                let features = trunk.forward(images(architecture.input));
                let [c, h, w] = head.architecture().input;
                let staged = logits(&head, features.reshape([3, c, h, w]));
                let joined = trunk.join(head).unwrap();
                assert_eq!(joined.architecture(), &architecture);
                assert_eq!(state::read(&joined), state::read(&network));
                assert_eq!(logits(&joined, images(architecture.input)), expected);
                // Blocks that the cut goes through are computed in parts, which round differently.
                for (a, b) in staged.iter().zip(&expected) {
                    assert!(
                        (a - b).abs() < 1e-5,
                        "{} at {}: {a} {b}",
                        architecture.name,
                        layer.name
                    );
                }
            }
        }
    }

    #[test]
    fn there_is_no_trunk_before_the_first_layer_and_none_before_an_unknown_one() {
        let network = |_| {
            let net = Cnn::cnn2_small(5).architecture();
            net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap()
        };
        let message = |layer| network(()).cut_at(layer).unwrap_err().to_string();
        assert_eq!(message("conv1"), "layer `conv1` of `cnn2_small`: no layer stands before it");
        let unknown = message("fc9");
        let expected = "`cnn2_small` has no layer named `fc9`; its layers are conv1, relu1, ";
        assert!(unknown.starts_with(expected), "{unknown}");
    }

    #[test]
    fn only_halves_of_one_cut_get_the_name_of_the_whole() {
        let net = TransferCnn::new(5).architecture();
        let network = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
        let cut = |network: &Network, at: &str| network.clone().cut_at(at).unwrap();
        let (trunk, head) = cut(&network, "fc3");
        let (first, middle) = cut(&trunk, "fc1");
        assert_eq!(middle.architecture().name, "transfer_cnn[..fc3][fc1..]");
        let name = |a: &Network, b: &Network| {
            a.clone().join(b.clone()).unwrap().architecture().name.clone()
        };
        // Without its first half it is not the network.
        assert_eq!(name(&middle, &head), "transfer_cnn[..fc3][fc1..]");
        assert_eq!(name(&first, &middle), "transfer_cnn[..fc3]");
        assert_eq!(name(&first.join(middle).unwrap(), &head), "transfer_cnn");
    }

    #[test]
    fn parts_that_do_not_fit_are_not_joined() {
        let network = |classes| {
            let net = TransferCnn::new(classes).architecture();
            net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap()
        };
        let (trunk, _) = network(5).cut_at("fc3").unwrap();
        let (_, head) = network(5).cut_at("fc2").unwrap();
        let message = trunk.clone().join(head).unwrap_err().to_string();
        let reason = "it takes images of 500 × 1 × 1, but is reached by 100 features";
        assert_eq!(message, format!("layer `flatten` of `transfer_cnn[..fc3]`: {reason}"));
        let (_, head) = network(7).cut_at("fc3").unwrap();
        assert_eq!(
            trunk.join(head).unwrap().architecture().output_shape().unwrap(),
            Shape::Features(7)
        );
    }
}
