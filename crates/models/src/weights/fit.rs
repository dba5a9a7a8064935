//! Which architecture a file belongs to.

use std::fmt;

use super::channels::input_layer;
use super::file::WeightFile;
use super::matching::Matched;
use super::spec::{Spec, specs};
use crate::error::listed;
use crate::{Architecture, Layer, Op, Shape};

/// How well the tensors of a file fit an architecture; the better, the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FitKind {
    /// The file holds tensors of the architecture's names and shapes and no others. That does not prove that
    /// it is of this network: see [`Fit::also`].
    Exact,
    /// The same but for the head, the last linear layer.
    AllButHead,
    /// Others are missing, too many or of another shape.
    Partial,
}

/// How a file fits an architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// The architecture, with the image channels and the classes that the file has.
    pub architecture: Architecture,
    /// How well it fits.
    pub kind: FitKind,
    /// Tensors of the architecture that are in the file under the same name and in the same shape.
    pub matching: usize,
    /// Tensors of the architecture.
    pub expected: usize,
    /// Of an exact fit the names of the other architectures that were asked about and have tensors of the same
    /// names and shapes: they differ in what has no weights, such as a pooling or an activation, and which of
    /// them was trained the file does not say.
    pub also: Vec<String>,
    /// Whose names the file has, where they are not the architecture's own; several that fit equally well.
    pub sources: Vec<&'static str>,
    /// What the file holds besides that is no parameter of a network, such as counts and what belongs to a loss.
    pub left_out: Vec<String>,
}

impl fmt::Display for Fit {
    /// One line: how well it fits, the architecture's name, its outputs and its images.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Architecture { name, input: [channels, height, width], .. } = &self.architecture;
        match self.kind {
            FitKind::Exact => write!(f, "all names and shapes fit: {name}")?,
            FitKind::AllButHead => write!(f, "fits but for the head: {name}")?,
            FitKind::Partial => {
                write!(f, "{} of {} tensors fit: {name}", self.matching, self.expected)?;
            }
        }
        if let Ok(Shape::Features(outputs)) = self.architecture.output_shape() {
            write!(f, " with {outputs} outputs")?;
        }
        write!(f, " for images of {channels} × {height} × {width}")?;
        if !self.sources.is_empty() {
            write!(f, ", by the names of {}", self.sources.join(" or "))?;
        }
        if self.kind != FitKind::Partial && !self.left_out.is_empty() {
            write!(f, "; left out, no parameters: {}", listed(&self.left_out))?;
        }
        if !self.also.is_empty() {
            write!(
                f,
                "; they fit {} as well, which computes something else: the file does not say which it is",
                self.also.join(", ")
            )?;
        }
        Ok(())
    }
}

impl WeightFile<'_> {
    /// How the file fits `architecture`, whatever the number of classes and image channels: a
    /// network for 10 classes is an exact fit for one of the catalog that has 1000.
    pub fn fits(&self, architecture: &Architecture) -> Fit {
        let architecture = self.adapted(architecture);
        let specs = specs(&architecture);
        let Matched { sources, differences, left_out, .. } = self.matched(&self.names, &specs);
        let different = differences.missing.len() + differences.shapes.len();
        let matching = specs.len() - different;
        let head = architecture.head().map(|head| format!("{head}."));
        let in_head = |name: &String| head.as_ref().is_some_and(|head| name.starts_with(head));
        let shapes = differences.shapes.iter().map(|(name, ..)| name);
        let mut all = differences.missing.iter().chain(&differences.unexpected).chain(shapes);
        let kind = match () {
            () if differences.is_empty() => FitKind::Exact,
            () if matching > 0 && all.all(in_head) => FitKind::AllButHead,
            () => FitKind::Partial,
        };
        Fit {
            kind,
            matching,
            expected: specs.len(),
            architecture,
            also: Vec::new(),
            sources,
            left_out,
        }
    }

    /// How the file fits each of `architectures` of which it has at least one tensor, best first.
    pub fn best_fits(&self, architectures: &[Architecture]) -> Vec<Fit> {
        let fits = architectures.iter().map(|architecture| self.fits(architecture));
        let mut fits: Vec<Fit> = fits.filter(|fit| fit.matching > 0).collect();
        // A stable sort: equally good ones stay in their order.
        fits.sort_by_key(|fit| {
            let others = fit.expected - fit.matching;
            (fit.kind, std::cmp::Reverse(fit.matching), others)
        });
        let is_exact = |fit: &Fit| fit.kind == FitKind::Exact;
        let exact = fits.iter().filter(|fit| is_exact(fit));
        let names: Vec<String> = exact.map(|fit| fit.architecture.name.clone()).collect();
        for fit in fits.iter_mut().filter(|fit| is_exact(fit)) {
            let others = names.iter().filter(|name| **name != fit.architecture.name);
            fit.also = others.cloned().collect();
        }
        fits
    }

    /// The architecture for images with the channels, and with as many classes, as the file has.
    fn adapted(&self, architecture: &Architecture) -> Architecture {
        let specs = specs(architecture);
        let matched = self.matched(&self.names, &specs);
        // A weight's shape in the architecture and in the file.
        let weight = |layer: &str| {
            let is_weight = |spec: &Spec| spec.part == "weight" && spec.layer == layer;
            let at = specs.iter().position(is_weight)?;
            let (expected, found) = (specs[at].shape.clone(), matched.found[at]?);
            let found = matched.reading.shape(&found.shape, expected.len());
            Some((expected, specs[at].other_layout(found, self.convention)))
        };
        let mut adapted = architecture.clone();
        if let Some(first) = input_layer(architecture)
            && let Some((expected, found)) = weight(first)
            && let [out, _, height, width] = expected[..]
            && let [o, channels, h, w] = found[..]
            && [o, h, w] == [out, height, width]
        {
            adapted.input[0] = channels;
        }
        // What comes out of an autoencoder is an image, not classes.
        let pixels = Shape::Features(architecture.input.iter().product());
        let is_classifier = architecture.output_shape().is_ok_and(|output| output != pixels);
        if let Some(head) = architecture.head().filter(|_| is_classifier)
            && let Some((expected, found)) = weight(head)
            && let [classes, features] = found[..]
            && features == expected[1]
        {
            let is_head = |layer: &&mut Layer| layer.name == head;
            if let Some(layer) = adapted.layers.iter_mut().find(is_head)
                && let Op::Linear { out_features, .. } = &mut layer.op
            {
                *out_features = classes;
            }
        }
        match adapted.shapes() {
            Ok(_) => adapted,
            Err(_) => architecture.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::inspect;
    use crate::{Cnn, Initialization, Mlp, ResNet, TransferCnn, catalog};
    use burn::tensor::Device;

    /// A file of the weights of `architecture`.
    fn file(architecture: &Architecture) -> (tempfile::NamedTempFile, WeightFile<'static>) {
        let path = tempfile::NamedTempFile::new().unwrap();
        let network = architecture.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        network.save_safetensors(path.path()).unwrap();
        let file = inspect(path.path()).unwrap();
        (path, file)
    }

    #[test]
    fn classes_and_channels_are_those_of_the_file() {
        let net = ResNet::resnet18(10).with_input([1, 224, 224]).architecture().unwrap();
        let (_, file) = file(&net);
        let fits = file.best_fits(&catalog());
        assert_eq!(fits[0].kind, FitKind::Exact);
        assert_eq!(fits[0].architecture, net);
        let line = "all names and shapes fit: resnet18 with 10 outputs for images of 1 × 224 × 224";
        assert_eq!(fits[0].to_string(), line);
        assert!(fits[1..].iter().all(|fit| fit.kind == FitKind::Partial));
        // ResNet-34 begins like ResNet-18 and has the same head; the other stem is of another shape.
        assert_eq!(fits[1].architecture.name, "resnet34");
        assert_eq!((fits[1].matching, fits[1].expected), (102, 182));
    }

    #[test]
    fn the_fit_of_burns_own_format_is_the_same() {
        let net = TransferCnn::new(7).architecture();
        let path = tempfile::NamedTempFile::new().unwrap();
        let network = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        network.save_burnpack(path.path()).unwrap();
        let fit = inspect(path.path()).unwrap().fits(&TransferCnn::new(5).architecture());
        assert_eq!((fit.kind, fit.architecture), (FitKind::Exact, net));
    }

    #[test]
    fn another_head_is_told_from_another_network() {
        let mut net = TransferCnn::new(5).architecture();
        // `fc3.0` and `fc3.1` in place of `fc3`, as in `nn.Sequential`.
        net.layers.retain(|layer| layer.name != "fc3");
        let net = net.linear("fc3.0", 20).linear("fc3.1", 3);
        let fit = file(&net).1.fits(&TransferCnn::new(5).architecture());
        assert_eq!(fit.kind, FitKind::AllButHead);
        assert_eq!((fit.matching, fit.expected), (8, 10));

        let fit = file(&Cnn::cnn2(5).architecture()).1.fits(&TransferCnn::new(5).architecture());
        assert_eq!(fit.kind, FitKind::Partial);
    }

    #[test]
    fn all_networks_with_the_same_tensors_fit_exactly() {
        let (_, file) = file(&Mlp::new(10).architecture());
        let fits = file.best_fits(&catalog());
        let exact = fits.iter().filter(|fit| fit.kind == FitKind::Exact);
        let names: Vec<&str> = exact.map(|fit| fit.architecture.name.as_str()).collect();
        assert_eq!(names, ["mlp_relu", "mlp_sigmoid", "mlp_tanh", "mlp_identity"]);
    }

    #[test]
    fn a_file_that_fits_several_networks_is_not_said_to_be_of_one() {
        let usual = ResNet::resnet18_cifar_avg(10).architecture().unwrap();
        let (_, file) = file(&usual);
        let fits = file.best_fits(&catalog());
        let exact: Vec<&Fit> = fits.iter().filter(|fit| fit.kind == FitKind::Exact).collect();
        assert_eq!(exact.len(), 2);
        assert_eq!(exact[0].also, ["resnet18_cifar_avg"]);
        assert_eq!(exact[1].also, ["resnet18_cifar"]);
        let line = exact[0].to_string();
        let end = "they fit resnet18_cifar_avg as well, which computes something else: the file does not say \
                   which it is";
        assert!(line.ends_with(end), "{line}");
    }

    #[test]
    fn a_file_fits_itself_exactly_for_every_small_network_of_the_catalog() {
        for net in catalog().iter().filter(|net| !net.name.starts_with("vgg")) {
            let fit = file(net).1.fits(net);
            assert_eq!((fit.kind, &fit.architecture), (FitKind::Exact, net));
        }
    }

    #[test]
    fn a_first_layer_without_input_channels_fits_nothing_exactly() {
        // The weights of the first layer of ResNet-18, [64, 0, 7, 7]: no elements, but a shape.
        let header = r#"{"conv1.weight":{"dtype":"F32","shape":[64,0,7,7],"data_offsets":[0,0]}}"#;
        let path = tempfile::NamedTempFile::new().unwrap();
        let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat();
        std::fs::write(path.path(), bytes).unwrap();
        let resnet = ResNet::resnet18(1000).architecture().unwrap();
        let fit = inspect(path.path()).unwrap().fits(&resnet);
        assert_eq!((fit.kind, fit.matching), (FitKind::Partial, 0));
        assert_eq!(fit.architecture, resnet);
    }

    #[test]
    fn a_file_without_a_known_tensor_fits_nothing() {
        let (_, file) = file(&Architecture::new("other", [1, 4, 4]).conv("strange", 1, 3, 0));
        assert!(file.best_fits(&catalog()).is_empty());
    }
}
