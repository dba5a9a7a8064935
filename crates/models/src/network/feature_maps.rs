//! What the layers of a network make of images: their feature maps.

use burn::tensor::Tensor;

use crate::{Activation, Architecture, Layer, ModelError, Network, Op};

impl Network {
    /// The outputs of some layers for `images`, by the paths of the layers and in the order in which they are asked
    /// for: `[batch, channels, height, width]` each, without dropout.
    ///
    /// Each layer is computed alone, as by [`forward_hooked`](Self::forward_hooked): the output of `conv1` is that
    /// before the ReLU, and of `relu1` that before the max-pool, even where training computes all of them at once.
    /// [`Architecture::convolutions`] says which layer stands behind which convolution.
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_models::{Cnn, Initialization};
    ///
    /// let device = Device::flex();
    /// let network = Cnn::cnn3(5).architecture().init(Initialization::PyTorch, 0, &device)?;
    /// let images = Tensor::ones([1, 1, 28, 28], &device);
    /// let maps = network.feature_maps(&["relu1", "relu3"], images)?;
    /// assert_eq!((maps[0].0.as_str(), maps[0].1.dims()), ("relu1", [1, 10, 28, 28]));
    /// assert_eq!((maps[1].0.as_str(), maps[1].1.dims()), ("relu3", [1, 20, 7, 7]));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::UnknownLayer`] for a path that is not there, [`ModelError::Layer`] for a layer that gives features
    /// and not images.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    pub fn feature_maps(
        &self,
        layers: &[impl AsRef<str>],
        images: Tensor<4>,
    ) -> Result<Vec<(String, Tensor<4>)>, ModelError> {
        let mut outputs: Vec<Option<Activation>> = vec![None; layers.len()];
        let mut known = Vec::new();
        self.forward_hooked(images, |path, output| {
            known.push(path.to_owned());
            for (layer, found) in layers.iter().zip(&mut outputs) {
                if layer.as_ref() == path {
                    *found = Some(output.clone());
                }
            }
        });
        let architecture = &self.architecture().name;
        let found = layers.iter().zip(outputs).map(|(layer, output)| {
            let (architecture, layer) = (architecture.clone(), layer.as_ref().to_owned());
            match output {
                Some(Activation::Images(maps)) => Ok((layer, maps)),
                Some(Activation::Features(_)) => {
                    let reason = "it gives features, not maps".into();
                    Err(ModelError::Layer { architecture, layer, reason })
                }
                None => {
                    let known = known.clone();
                    Err(ModelError::UnknownLayer { architecture, layer, known })
                }
            }
        });
        found.collect()
    }
}

impl Architecture {
    /// The convolutions in their order, each with the layer whose output are its maps: the activation behind it where
    /// there is one, past normalization, pooling and dropout, and otherwise the convolution itself. Both are paths, as
    /// [`Network::feature_maps`] takes them. Transposed convolutions are not among them.
    ///
    /// ```
    /// use selvedge_models::{Cnn, ResNet};
    ///
    /// let pair = |(a, b): (&str, &str)| (a.to_owned(), b.to_owned());
    /// let cnn = Cnn::cnn2(5).architecture().convolutions();
    /// assert_eq!(cnn, [("conv1", "relu1"), ("conv2", "relu2")].map(pair));
    /// // The second convolution of a block has its ReLU behind the sum.
    /// let resnet = ResNet::resnet18(10).architecture()?.convolutions();
    /// assert_eq!(resnet[0], pair(("conv1", "relu1")));
    /// assert_eq!(resnet[2], pair(("layer1.0.conv2", "layer1.0.conv2")));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn convolutions(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        add_convolutions(&self.layers, "", &mut found);
        found
    }
}

fn add_convolutions(layers: &[Layer], prefix: &str, found: &mut Vec<(String, String)>) {
    for (i, Layer { name, op }) in layers.iter().enumerate() {
        let path = format!("{prefix}{name}");
        if let Op::Conv2d { .. } = op {
            let activation = activation(&layers[i + 1..]);
            let shown = activation.map_or(path.clone(), |layer| format!("{prefix}{}", layer.name));
            found.push((path, shown));
            continue;
        }
        let (before, branches) = op.paths();
        let inner = format!("{path}.");
        for layers in [before].into_iter().chain(branches) {
            add_convolutions(layers, &inner, found);
        }
    }
}

/// The activation that the layers begin with, past what keeps maps what they are.
fn activation(layers: &[Layer]) -> Option<&Layer> {
    for layer in layers {
        match &layer.op {
            op if op.is_activation() => return Some(layer),
            Op::BatchNorm2d { .. }
            | Op::GroupNorm { .. }
            | Op::LayerNorm { .. }
            | Op::MaxPool2d { .. }
            | Op::AvgPool2d { .. }
            | Op::Dropout { .. }
            | Op::ChannelDropout { .. }
            | Op::Identity => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};

    use super::*;
    use crate::{Cnn, ConvAutoencoder, Initialization, TransferCnn};

    fn images() -> Tensor<4> {
        let values: Vec<f32> = (0..2 * 784).map(|i| (i as f32 * 0.05).sin()).collect();
        Tensor::from_data(TensorData::new(values, [2, 1, 28, 28]), &Device::flex())
    }

    fn values(maps: &Tensor<4>) -> Vec<f32> {
        maps.to_data().try_to_vec().unwrap()
    }

    #[test]
    fn maps_behind_a_relu_are_those_of_the_convolution_without_what_is_below_0() {
        // Convolution, ReLU, max-pool and channel dropout are computed in one step.
        let net = Cnn::cnn3(5).with_dropout(0.5).architecture();
        let net = net.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
        assert!(net.body().steps.len() < net.architecture().layers.len());
        let maps = net.feature_maps(&["relu2", "conv2", "pool2"], images()).unwrap();
        assert_eq!(maps[0].1.dims(), [2, 50, 14, 14]);
        let (relu, conv) = (values(&maps[0].1), values(&maps[1].1));
        assert!(conv.iter().any(|v| *v < 0.0) && relu.iter().any(|v| *v > 0.0));
        assert!(relu.iter().zip(&conv).all(|(relu, conv)| *relu == conv.max(0.0)));
        // The largest of the first 2 × 2 values.
        let first = [relu[0], relu[1], relu[14], relu[15]].into_iter().fold(0.0, f32::max);
        assert_eq!(values(&maps[2].1)[0], first);
    }

    #[test]
    fn the_layer_of_a_convolution_is_the_activation_behind_it_wherever_that_stands() {
        let of = |net: Architecture| -> Vec<String> {
            net.convolutions().into_iter().map(|(conv, shown)| format!("{conv} {shown}")).collect()
        };
        let transfer = TransferCnn::new(5).with_dropout(0.3).architecture();
        assert_eq!(of(transfer), ["conv1 relu1", "conv2 relu2"]);
        let net = Architecture::new("a", [1, 20, 20]).conv("conv1", 2, 3, 0).batch_norm("bn1");
        let net = net.relu().conv("conv2", 2, 3, 0).flatten().relu();
        assert_eq!(of(net), ["conv1 relu1", "conv2 conv2"]);
        // The ReLU behind a transposed convolution is not that of an encoder's.
        let net = ConvAutoencoder::default().architecture();
        assert_eq!(of(net), ["conv1 relu1", "conv2 relu2"]);
    }

    #[test]
    fn a_layer_without_maps_and_one_that_is_not_there_are_refused_by_name() {
        let net = Cnn::cnn2(5).architecture();
        let net = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let refused = |layer| net.feature_maps(&[layer], images()).unwrap_err().to_string();
        assert_eq!(refused("fc1"), "layer `fc1` of `cnn2`: it gives features, not maps");
        let message = refused("conv9");
        assert!(
            message.starts_with("`cnn2` has no layer named `conv9`; its layers are conv1, relu1")
        );
    }
}
