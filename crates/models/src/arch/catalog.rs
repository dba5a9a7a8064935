//! The networks that are known by name.

use crate::{
    Architecture, Cnn, ConvAutoencoder, ConvNet, HiddenActivation, LinearAutoencoder, Mlp,
    ModelError, ResNet, TransferCnn, Vgg,
};

/// Every network that is known by name, with the input and the number of classes of its first use:
/// Fashion-MNIST's five or ten, CIFAR-10's ten or ImageNet's thousand.
///
/// ```
/// let names: Vec<_> = selvedge_models::catalog().into_iter().map(|a| a.name).collect();
/// assert!(names.iter().any(|name| name == "resnet18"));
/// ```
pub fn catalog() -> Vec<Architecture> {
    let mlp = |activation| Mlp::new(10).with_activation(activation).architecture();
    let nets = ConvNet::new(10);
    let own = [
        ("cnn2_task1", Cnn::cnn2_small(5).architecture()),
        ("cnn2", Cnn::cnn2(5).architecture()),
        ("cnn3", Cnn::cnn3(5).architecture()),
        ("cnn5", Cnn::cnn5(5).architecture()),
        ("transfer_cnn", TransferCnn::new(5).architecture()),
        ("conv_autoencoder", ConvAutoencoder::default().architecture()),
        ("encoder_cnn", ConvAutoencoder::default().classifier(50, 10)),
        ("linear_autoencoder", LinearAutoencoder::default().architecture()),
        ("linear_encoder_classifier", LinearAutoencoder::default().classifier(256, 10)),
        ("mnist_cnn", nets.mnist_cnn()),
        ("mnist_cnn2", nets.mnist_cnn2()),
        ("mnist_cnn3", nets.mnist_cnn3(0.0)),
        ("bn_cnn", nets.bn_cnn(0.0)),
        ("fashion_cnn", nets.fashion_cnn()),
        ("mlp_relu", mlp(HiddenActivation::Relu)),
        ("mlp_sigmoid", mlp(HiddenActivation::Sigmoid)),
        ("mlp_tanh", mlp(HiddenActivation::Tanh)),
        ("mlp_identity", mlp(HiddenActivation::Identity)),
    ];
    let published = [
        ("resnet18_cifar", ResNet::resnet18_cifar(10).architecture()),
        ("resnet18", ResNet::resnet18(1000).architecture()),
        ("resnet34", ResNet::resnet34(1000).architecture()),
        ("vgg11", Vgg::vgg11(1000).architecture()),
        ("vgg13", Vgg::vgg13(1000).architecture()),
        ("vgg16", Vgg::vgg16(1000).architecture()),
        ("vgg19", Vgg::vgg19(1000).architecture()),
        ("vgg11_bn", Vgg::vgg11(1000).with_batch_norm().architecture()),
        ("vgg13_bn", Vgg::vgg13(1000).with_batch_norm().architecture()),
        ("vgg16_bn", Vgg::vgg16(1000).with_batch_norm().architecture()),
        ("vgg19_bn", Vgg::vgg19(1000).with_batch_norm().architecture()),
    ];
    let published = published.map(|(name, a)| (name, a.expect("the published size is allowed")));
    let named = |(name, a): (&str, Architecture)| Architecture { name: name.into(), ..a };
    own.into_iter().chain(published).map(named).collect()
}

/// The network of the [`catalog`] that is called `name`.
///
/// # Errors
///
/// [`ModelError::Setting`] with the names there are, if it is not one of them.
pub fn named(name: &str) -> Result<Architecture, ModelError> {
    let all = catalog();
    let names: Vec<&str> = all.iter().map(|a| a.name.as_str()).collect();
    let names = format!("one of {}", names.join(", "));
    all.into_iter().find(|a| a.name == name).ok_or(ModelError::Setting {
        name: "network",
        value: name.into(),
        expected: names.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_network_of_the_catalog_can_be_built_and_found_by_its_name() {
        for architecture in catalog() {
            architecture.shapes().unwrap();
            assert_eq!(named(&architecture.name).unwrap(), architecture);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_those_there_are() {
        let message = named("resnet19").unwrap_err().to_string();
        assert!(message.starts_with("network is resnet19, but must be one of cnn2_task1, "));
    }
}
