//! The same architecture for other classes or images.

use super::catalog::Entry;
use crate::{Architecture, Layer, ModelError, Op, Shape};

impl Architecture {
    /// The same network for another number of classes: its head, the linear layer at its end, gets as
    /// many outputs.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoHead`] if the last layer, but for a scale behind it, is no linear one: the outputs are no classes then, but
    /// an autoencoder's pixels, for example. [`ModelError::Layer`] for 0 classes, and as
    /// [`shapes`](Self::shapes).
    ///
    /// ```
    /// use selvedge_models::{ResNet, named};
    ///
    /// let net = named("resnet18")?.with_classes(10)?;
    /// assert_eq!(net, ResNet::resnet18(10).architecture()?);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn with_classes(mut self, classes: usize) -> Result<Self, ModelError> {
        // Logits that are made smaller stay so.
        match self.layers.iter_mut().rfind(|layer| !matches!(layer.op, Op::Scale { .. })) {
            Some(Layer { op: Op::Linear { out_features, .. }, .. }) => *out_features = classes,
            _ => return Err(ModelError::NoHead { architecture: self.name }),
        }
        self.shapes()?;
        Ok(self)
    }

    /// The same network for other images, `[channels, height, width]`. What a network of the
    /// [`catalog`](crate::catalog) derives from their size is derived anew; other networks keep their
    /// layers.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for a size that the network of the catalog does not take: a
    /// [`ResNet`](crate::ResNet) or VGG from 28 × 28 up; [`ModelError::Layer`] names the first layer
    /// that the images are too small for.
    ///
    /// ```
    /// use selvedge_models::{ResNet, named};
    ///
    /// let net = named("resnet18_cifar")?.with_input([1, 64, 64])?;
    /// assert_eq!(net, ResNet::resnet18_cifar(10).with_input([1, 64, 64]).architecture()?);
    /// let error = named("resnet18")?.with_input([1, 8, 8]).unwrap_err();
    /// assert_eq!(error.to_string(), "image size is 8 × 8, but must be at least 28 × 28");
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn with_input(self, input: [usize; 3]) -> Result<Self, ModelError> {
        let resized = match self.entry()? {
            Some((entry, classes)) => entry.architecture(input, classes)?,
            None => Self { input, ..self },
        };
        resized.shapes()?;
        Ok(resized)
    }

    /// The entry of the catalog of which this is the network, with the number of classes.
    fn entry(&self) -> Result<Option<(&'static Entry, usize)>, ModelError> {
        let Some(entry) = Entry::named(&self.name) else { return Ok(None) };
        let classes = match self.output_shape()? {
            Shape::Features(classes) => classes,
            // An autoencoder, whose classes do not count.
            Shape::Images(_) => 0,
        };
        let is_same = entry.architecture(self.input, classes).is_ok_and(|net| net == *self);
        Ok(is_same.then_some((entry, classes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cnn, TransferCnn, Vgg, catalog, named};

    #[test]
    fn every_classifier_of_the_catalog_takes_another_number_of_classes_in_one_call() {
        for net in catalog() {
            let name = net.name.clone();
            let before = net.clone();
            match net.with_classes(7) {
                Ok(net) => {
                    assert_eq!(net.output_shape().unwrap(), Shape::Features(7), "{name}");
                    // Nothing but the head differs.
                    let differ = net.layers.iter().zip(&before.layers).filter(|(a, b)| a != b);
                    assert!(differ.count() == 1 && net.layers.len() == before.layers.len());
                    assert_eq!(net.input, before.input);
                }
                Err(error) => {
                    assert!(name.ends_with("autoencoder"), "{name}");
                    let expected =
                        format!("`{name}` has no linear layer that could serve as its head");
                    assert_eq!(error.to_string(), expected);
                }
            }
        }
        let error = named("cnn2").unwrap().with_classes(0).unwrap_err();
        let expected = "layer `fc2` of `cnn2`: a linear layer needs at least one output feature";
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn networks_of_the_catalog_follow_their_own_rule_for_image_sizes() {
        let net = named("vgg11").unwrap().with_classes(3).unwrap().with_input([1, 40, 56]).unwrap();
        assert_eq!(net, Vgg::vgg11(3).with_input([1, 40, 56]).architecture().unwrap());
        let net = named("linear_autoencoder").unwrap().with_input([3, 8, 8]).unwrap();
        assert_eq!(net.output_shape().unwrap(), Shape::Features(192));
        let net = named("conv_autoencoder").unwrap().with_input([3, 32, 32]).unwrap();
        assert_eq!(net.output_shape().unwrap(), Shape::Images([3, 32, 32]));
        for net in catalog() {
            let name = net.name.clone();
            let (same, input) = (net.clone(), net.input);
            assert_eq!(net.clone().with_input(input).unwrap(), same, "{name}");
            let smaller = net.with_input([3, 20, 20]).map(drop).map_err(|e| e.to_string());
            let refused = Err("image size is 20 × 20, but must be at least 28 × 28".to_string());
            let at_least_28 = name.starts_with("resnet") || name.starts_with("vgg");
            assert_eq!(smaller, if at_least_28 { refused } else { Ok(()) }, "{name}");
        }
        let error = Cnn::cnn3(5).architecture().with_input([1, 4, 4]).unwrap_err().to_string();
        assert_eq!(error, "layer `pool3` of `cnn3`: kernel 2 is larger than the padded input, 1");
    }

    #[test]
    fn a_network_of_ones_own_keeps_its_layers() {
        let own = TransferCnn::new(5).with_dropout(0.3).architecture();
        let resized = own.clone().with_input([3, 32, 32]).unwrap();
        assert_eq!(resized, Architecture { input: [3, 32, 32], ..own });
        let error = resized.with_input([0, 32, 32]).unwrap_err().to_string();
        assert_eq!(error, "input is images of 0 × 32 × 32, but must be at least 1 × 1 × 1");
    }
}
