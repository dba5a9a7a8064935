//! The networks that are known by name.

use crate::{
    Airbench, Architecture, Cnn, ConvAutoencoder, CourseCnn, EfficientNetLite, HiddenActivation,
    LeNet5, LinearAutoencoder, Mlp, MobileNetV2, ModelError, PreActResNet, ResNet, TransferCnn,
    Vgg,
};

/// A network of the catalog.
pub(super) struct Entry {
    name: &'static str,
    /// `[channels, height, width]` of the images of its first use.
    input: [usize; 3],
    /// The number of classes of its first use; an autoencoder has none.
    classes: usize,
    /// The network for images of that size and that many classes.
    build: fn([usize; 3], usize) -> Result<Architecture, ModelError>,
}

const GREY: [usize; 3] = [1, 28, 28];
const CIFAR: [usize; 3] = [3, 32, 32];
const IMAGENET: [usize; 3] = [3, 224, 224];

#[rustfmt::skip]
const ENTRIES: [Entry; 43] = [
    entry("cnn2_small", GREY, 5, |i, n| Ok(Cnn::cnn2_small(n).with_input(i).architecture())),
    entry("cnn2", GREY, 5, |i, n| Ok(Cnn::cnn2(n).with_input(i).architecture())),
    entry("cnn3", GREY, 5, |i, n| Ok(Cnn::cnn3(n).with_input(i).architecture())),
    entry("cnn5", GREY, 5, |i, n| Ok(Cnn::cnn5(n).with_input(i).architecture())),
    entry("transfer_cnn", GREY, 5, |i, n| Ok(TransferCnn::new(n).with_input(i).architecture())),
    entry("conv_autoencoder", GREY, 0, |i, _| Ok(conv_autoencoder(i).architecture())),
    entry("encoder_cnn", GREY, 10, |i, n| Ok(conv_autoencoder(i).classifier(50, n))),
    entry("linear_autoencoder", GREY, 0, |i, _| Ok(linear_autoencoder(i).architecture())),
    entry("linear_encoder_classifier", GREY, 10, |i, n| Ok(linear_autoencoder(i).classifier(256, n))),
    entry("mnist_cnn", GREY, 10, |i, n| Ok(course(i, n).mnist_cnn())),
    entry("mnist_cnn2", GREY, 10, |i, n| Ok(course(i, n).mnist_cnn2())),
    entry("mnist_cnn3", GREY, 10, |i, n| Ok(course(i, n).mnist_cnn3(0.0))),
    entry("bn_cnn", GREY, 10, |i, n| Ok(course(i, n).bn_cnn(0.0))),
    entry("fashion_cnn", GREY, 10, |i, n| Ok(course(i, n).fashion_cnn())),
    entry("mlp_relu", GREY, 10, |i, n| Ok(mlp(i, n, HiddenActivation::Relu))),
    entry("mlp_sigmoid", GREY, 10, |i, n| Ok(mlp(i, n, HiddenActivation::Sigmoid))),
    entry("mlp_tanh", GREY, 10, |i, n| Ok(mlp(i, n, HiddenActivation::Tanh))),
    entry("mlp_identity", GREY, 10, |i, n| Ok(mlp(i, n, HiddenActivation::Identity))),
    entry("lenet5", GREY, 10, |i, n| Ok(LeNet5::new(n).with_input(i).architecture())),
    entry("resnet18_cifar", CIFAR, 10, |i, n| ResNet::resnet18_cifar(n).with_input(i).architecture()),
    entry("resnet18_cifar_avg", CIFAR, 10, |i, n| ResNet::resnet18_cifar_avg(n).with_input(i).architecture()),
    entry("resnet18", IMAGENET, 1000, |i, n| ResNet::resnet18(n).with_input(i).architecture()),
    entry("resnet34", IMAGENET, 1000, |i, n| ResNet::resnet34(n).with_input(i).architecture()),
    entry("resnet50", IMAGENET, 1000, |i, n| ResNet::resnet50(n).with_input(i).architecture()),
    entry("preact_resnet20", CIFAR, 10, |i, n| Ok(PreActResNet::resnet20(n).with_input(i).architecture())),
    entry("wide_resnet16_4", CIFAR, 10, |i, n| Ok(PreActResNet::wide_resnet16_4(n).with_input(i).architecture())),
    entry("airbench93", CIFAR, 10, |i, n| Ok(Airbench::airbench93().with_classes(n).with_input(i).architecture())),
    entry("airbench94", CIFAR, 10, |i, n| Ok(Airbench::default().with_classes(n).with_input(i).architecture())),
    entry("mobilenet_v2", IMAGENET, 1000, |i, n| Ok(MobileNetV2::new(n).with_input(i).architecture())),
    entry("efficientnet_lite0", IMAGENET, 1000, |i, n| EfficientNetLite::lite0(n).with_input(i).architecture()),
    entry("efficientnet_lite0_timm", IMAGENET, 1000, |i, n| EfficientNetLite::timm_lite0(n).with_input(i).architecture()),
    entry("vgg11", IMAGENET, 1000, |i, n| Vgg::vgg11(n).with_input(i).architecture()),
    entry("vgg13", IMAGENET, 1000, |i, n| Vgg::vgg13(n).with_input(i).architecture()),
    entry("vgg16", IMAGENET, 1000, |i, n| Vgg::vgg16(n).with_input(i).architecture()),
    entry("vgg19", IMAGENET, 1000, |i, n| Vgg::vgg19(n).with_input(i).architecture()),
    entry("vgg11_bn", IMAGENET, 1000, |i, n| Vgg::vgg11(n).with_batch_norm().with_input(i).architecture()),
    entry("vgg13_bn", IMAGENET, 1000, |i, n| Vgg::vgg13(n).with_batch_norm().with_input(i).architecture()),
    entry("vgg16_bn", IMAGENET, 1000, |i, n| Vgg::vgg16(n).with_batch_norm().with_input(i).architecture()),
    entry("vgg19_bn", IMAGENET, 1000, |i, n| Vgg::vgg19(n).with_batch_norm().with_input(i).architecture()),
    entry("vgg11_bn_cifar", CIFAR, 10, |i, n| vgg_cifar(Vgg::vgg11(n), i)),
    entry("vgg13_bn_cifar", CIFAR, 10, |i, n| vgg_cifar(Vgg::vgg13(n), i)),
    entry("vgg16_bn_cifar", CIFAR, 10, |i, n| vgg_cifar(Vgg::vgg16(n), i)),
    entry("vgg19_bn_cifar", CIFAR, 10, |i, n| vgg_cifar(Vgg::vgg19(n), i)),
];

const fn entry(
    name: &'static str,
    input: [usize; 3],
    classes: usize,
    build: fn([usize; 3], usize) -> Result<Architecture, ModelError>,
) -> Entry {
    Entry { name, input, classes, build }
}

fn conv_autoencoder(input: [usize; 3]) -> ConvAutoencoder {
    ConvAutoencoder::default().with_input(input)
}

fn linear_autoencoder(input: [usize; 3]) -> LinearAutoencoder {
    LinearAutoencoder::default().with_input(input)
}

fn course(input: [usize; 3], classes: usize) -> CourseCnn {
    CourseCnn::new(classes).with_input(input)
}

fn mlp(input: [usize; 3], classes: usize, activation: HiddenActivation) -> Architecture {
    Mlp::new(classes).with_activation(activation).with_input(input).architecture()
}

fn vgg_cifar(vgg: Vgg, input: [usize; 3]) -> Result<Architecture, ModelError> {
    vgg.with_batch_norm().for_cifar().with_input(input).architecture()
}

impl Entry {
    /// The entry of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ENTRIES.iter().find(|entry| entry.name == name)
    }

    /// The network for images of `[channels, height, width]` and a number of classes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] if the network does not take images of this size.
    pub fn architecture(
        &self,
        input: [usize; 3],
        classes: usize,
    ) -> Result<Architecture, ModelError> {
        Ok(Architecture { name: self.name.into(), ..(self.build)(input, classes)? })
    }

    fn first_use(&self) -> Architecture {
        self.architecture(self.input, self.classes).expect("the size of its first use is allowed")
    }
}

/// Every network that is known by name, with the input and the number of classes of its first use:
/// Fashion-MNIST's five or ten, CIFAR-10's ten or ImageNet's thousand.
///
/// ```
/// let names: Vec<_> = selvedge_models::catalog().into_iter().map(|a| a.name).collect();
/// assert!(names.iter().any(|name| name == "resnet18"));
/// ```
pub fn catalog() -> Vec<Architecture> {
    ENTRIES.iter().map(Entry::first_use).collect()
}

/// The network of the [`catalog`] that is called `name`. [`Architecture::with_classes`] and
/// [`Architecture::with_input`] fit it to other data.
///
/// # Errors
///
/// [`ModelError::Setting`] with the names there are, if it is not one of them.
///
/// ```
/// use selvedge_models::{Shape, named};
///
/// let net = named("resnet18")?.with_classes(10)?.with_input([1, 64, 64])?;
/// assert_eq!(net.output_shape()?, Shape::Features(10));
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn named(name: &str) -> Result<Architecture, ModelError> {
    Entry::named(name).map(Entry::first_use).ok_or_else(|| {
        let names = ENTRIES.map(|entry| entry.name).join(", ");
        ModelError::Setting {
            name: "network",
            value: name.into(),
            expected: format!("one of {names}").into(),
        }
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
        assert!(message.starts_with("network is resnet19, but must be one of cnn2_small, "));
    }
}
