//! Batch normalizations as part of the layers before them.

use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;

use super::norm::Norm;
use super::sequence::Sequence;
use super::step::{Built, Core, Step};
use crate::{Architecture, Layer, Network, Op};

impl Network {
    /// The network for inference, in which every batch normalization directly behind a convolution (not a transposed one)
    /// or a linear layer has become part of it: its weight times γ / √(variance + ε), and a bias. The outputs are those
    /// of [`valid`](Module::valid) up to rounding, in less time.
    ///
    /// The feature maps of such a layer are those of the normalization that is gone, and a file of its weights does not
    /// fit the architecture that was trained. [`Bundle::predict`](crate::Bundle::predict) folds its network by itself.
    ///
    /// ```
    /// use burn::module::Module;
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_models::{CourseCnn, Initialization};
    ///
    /// let network = CourseCnn::new(10).bn_cnn(0.0).init(Initialization::PyTorch, 0, &Device::flex())?;
    /// let folded = network.fold_batch_norms();
    /// assert_eq!(network.architecture().layers.len() - folded.architecture().layers.len(), 4);
    /// let images = Tensor::ones([1, 1, 28, 28], &Device::flex());
    /// let difference = network.forward(images.clone()) - folded.forward(images);
    /// assert!(difference.abs().max().into_scalar::<f32>() < 1e-5);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    #[must_use]
    pub fn fold_batch_norms(&self) -> Self {
        let Architecture { name, input, .. } = &*self.architecture;
        Self::of_body(name.clone(), *input, folded(self.valid().body))
    }
}

fn folded(sequence: Sequence) -> Sequence {
    let mut layers: Vec<Step> = Vec::new();
    for mut layer in sequence.into_layers() {
        if let Core::Norm { norm, .. } = &layer.core
            && let Some(last) = layers.last_mut()
            && absorbs(&mut last.core, &norm.module)
        {
            continue;
        }
        layer.core = match layer.core {
            Core::Paths { paths: Built { layer, module }, activation } => {
                let module = Box::new(module.each(folded));
                let op = module.renewed(&layer.op);
                Core::Paths { paths: Built { layer: Layer { op, ..layer }, module }, activation }
            }
            core => core,
        };
        layers.push(layer);
    }
    Sequence::of(layers)
}

/// Whether the layer is one that a normalization can be part of, which it becomes.
fn absorbs(core: &mut Core, norm: &Norm) -> bool {
    match core {
        Core::Conv { conv, .. } | Core::GroupedConv { conv, .. } => {
            fold_into_conv(&mut conv.module, norm);
            if let Op::Conv2d { bias, .. } = &mut conv.layer.op {
                *bias = true;
            }
            true
        }
        Core::Linear { linear, .. } => {
            fold_into_linear(&mut linear.module, norm);
            if let Op::Linear { bias, .. } = &mut linear.layer.op {
                *bias = true;
            }
            true
        }
        _ => false,
    }
}

fn fold_into_conv(conv: &mut Conv2d, norm: &Norm) {
    let [scale, shift] = scale_and_shift(norm);
    let weight = conv.weight.val();
    let channels = weight.dims()[0];
    let scaled = weight * scale.clone().reshape([channels, 1, 1, 1]);
    conv.weight = Param::from_tensor(without_tiny(scaled));
    conv.bias = Some(folded_bias(conv.bias.take(), scale, shift));
}

/// Burn's weights of linear layers have a column for each output.
fn fold_into_linear(linear: &mut Linear, norm: &Norm) {
    let [scale, shift] = scale_and_shift(norm);
    let weight = linear.weight.val();
    linear.weight = Param::from_tensor(without_tiny(weight * scale.clone().unsqueeze_dim(0)));
    linear.bias = Some(folded_bias(linear.bias.take(), scale, shift));
}

/// Zeros in place of weights below 1e-30. The scale of a channel that is dead may be so small that its products are
/// denormal, with which processors of Intel take a hundred times as long.
fn without_tiny<const D: usize>(weight: Tensor<D>) -> Tensor<D> {
    let is_tiny = weight.clone().abs().lower_elem(1e-30);
    weight.mask_fill(is_tiny, 0.0)
}

/// The normalization of every channel as x · scale + shift.
pub(super) fn scale_and_shift(norm: &Norm) -> [Tensor<1>; 2] {
    let norm = norm.inner();
    let device = norm.gamma.val().device();
    let [mean, variance] =
        [&norm.running_mean, &norm.running_var].map(|running| running.value().to_device(&device));
    let scale = norm.gamma.val() / (variance + norm.epsilon).sqrt();
    let shift = norm.beta.val() - mean * scale.clone();
    [scale, shift]
}

fn folded_bias(
    bias: Option<Param<Tensor<1>>>,
    scale: Tensor<1>,
    shift: Tensor<1>,
) -> Param<Tensor<1>> {
    Param::from_tensor(match bias {
        Some(bias) => bias.val() * scale + shift,
        None => shift,
    })
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, TensorData};

    use super::*;
    use crate::{BatchNorm, Initialization, catalog, state};

    /// The network with running statistics, scales and shifts of their own, as after training.
    fn trained(architecture: &Architecture) -> Network {
        let network = architecture.init(Initialization::PyTorch, 1, &Device::flex()).unwrap();
        let mut kept = state::read(&network);
        let norms: Vec<String> =
            kept.keys().filter_map(|name| Some(name.strip_suffix("running_var")?.into())).collect();
        for norm in norms {
            for (name, first, step) in [
                ("weight", 0.6, 0.3),
                ("bias", -0.2, 0.4),
                ("running_mean", -0.1, 0.2),
                ("running_var", 0.5, 0.9),
            ] {
                let data = kept.get_mut(&format!("{norm}{name}")).unwrap();
                let value = |i: usize| first + step * (i as f32 * 1.618).fract();
                let values = (0..data.num_elements()).map(value).collect();
                *data = TensorData::new::<f32, _>(values, data.shape().clone());
            }
        }
        state::write(network, kept)
    }

    #[test]
    fn every_network_of_the_catalog_computes_the_same_without_its_norms() {
        let mut folds = 0;
        for architecture in catalog() {
            // Of the large ones their small relatives are enough.
            if architecture.input[1] > 64 && architecture.name != "efficientnet_lite0" {
                continue;
            }
            let network = trained(&architecture);
            let folded = network.fold_batch_norms();
            folded.architecture().shapes().unwrap();
            let [channels, height, width] = architecture.input;
            let count = 2 * channels * height * width;
            let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.37).sin()).collect();
            let images = TensorData::new(values, [2, channels, height, width]);
            let images = Tensor::<4>::from_data(images, &Device::flex());
            let outputs = |network: &Network| -> Vec<f32> {
                network.forward(images.clone()).into_data().try_to_vec().unwrap()
            };
            let (expected, found) = (outputs(&network), outputs(&folded));
            let largest = expected.iter().fold(0.0_f32, |largest, y| largest.max(y.abs()));
            for (found, expected) in found.iter().zip(&expected) {
                let error = (found - expected).abs();
                assert!(error < 1e-4 * largest, "{}: {found} and {expected}", architecture.name);
            }
            folds += state::read(&network).len() - state::read(&folded).len();
        }
        assert!(folds > 100, "{folds} tensors fewer");
    }

    fn names(network: &Network) -> Vec<&str> {
        network.architecture().layers.iter().map(|layer| layer.name.as_str()).collect()
    }

    #[test]
    fn only_norms_directly_behind_convolutions_and_linear_layers_are_folded() {
        let net = Architecture::new("a", [2, 12, 12]).batch_norm("bn1").relu();
        let net = net.conv("conv1", 3, 3, 0).relu().batch_norm("bn2");
        let net = net.conv("conv2", 4, 3, 0).max_pool(2).batch_norm("bn3");
        let net = net.conv("conv3", 4, 1, 0).channel_dropout(0.5).batch_norm("bn4");
        let net = net.conv_transpose("up", 2, 2).batch_norm("bn5");
        let net = net.conv("conv4", 4, 3, 0).batch_norm("bn6").relu().max_pool(2);
        let net = net.flatten().linear("fc1", 4).layer("bn7", BatchNorm::new().of_features());
        let network = trained(&net);
        let folded = network.fold_batch_norms();
        let expected = names(&network);
        let expected: Vec<_> =
            expected.into_iter().filter(|n| !["bn6", "bn7"].contains(n)).collect();
        assert_eq!(names(&folded), expected);
        let images = Tensor::random([3, 2, 12, 12], Distribution::Default, &Device::flex());
        assert_near(&folded, &network, images);
    }

    fn assert_near(folded: &Network, network: &Network, images: Tensor<4>) {
        let [folded, plain] = [folded, network].map(|network| network.forward(images.clone()));
        let largest = plain.clone().abs().max().into_scalar::<f32>();
        let difference = (folded - plain).abs().max().into_scalar::<f32>();
        assert!(difference < 1e-5 * largest && largest > 0.1, "{difference} of {largest}");
    }

    #[test]
    fn a_network_in_training_is_folded_as_in_inference_and_stays_as_it_was() {
        let net = Architecture::new("a", [2, 5, 5]).conv("conv1", 3, 3, 0).batch_norm("bn1").relu();
        let net = net.flatten().linear("fc1", 4);
        let before = trained(&net);
        let network = before.clone().train();
        let folded = network.fold_batch_norms();
        assert!(!folded.devices().iter().any(Device::is_autodiff));
        assert_eq!(names(&folded), ["conv1", "relu1", "flatten1", "fc1"]);
        let images = Tensor::random([3, 2, 5, 5], Distribution::Default, &Device::flex());
        assert_near(&folded, &network.valid(), images);
        assert_eq!(state::read(&network), state::read(&before));
    }

    #[test]
    fn the_weights_of_a_dead_channel_are_zero_and_not_denormal() {
        let net = Architecture::new("a", [1, 5, 5]).conv("conv1", 2, 3, 0).batch_norm("bn1");
        let network = trained(&net);
        let mut kept = state::read(&network);
        kept.insert("bn1.weight".into(), TensorData::from([1e-38_f32, 1.0]));
        let folded = state::read(&state::write(network, kept).fold_batch_norms());
        let weights: Vec<f32> = folded["conv1.weight"].iter::<f32>().collect();
        assert!(weights[..9].iter().all(|w| *w == 0.0) && weights[9..].iter().all(|w| *w != 0.0));
    }
}
