//! A network that begins with the weights of a file.

use std::path::Path;

use burn::tensor::Device;

use super::inspect;
use crate::{Architecture, Initialization, Keep, ModelError, Network};

impl Architecture {
    /// Builds the network on `device` with the weights of a file of any [`Format`](super::Format). A file
    /// for another number of classes gives all but the head, which is drawn from `seed` in PyTorch's way.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be read, is damaged or of no known format;
    /// [`ModelError::Mismatch`] with all that is missing, unexpected or of another shape if it belongs to
    /// another network.
    ///
    /// ```no_run
    /// use burn::tensor::Device;
    /// use selvedge_models::named;
    ///
    /// let birds = named("resnet18")?.with_classes(12)?;
    /// let network = birds.from_pretrained("resnet18.pth", 0, &Device::flex())?;
    /// let network = network.train_only("layer4, fc")?;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn from_pretrained(
        &self,
        path: impl AsRef<Path>,
        seed: u64,
        device: &Device,
    ) -> Result<Network, ModelError> {
        let file = inspect(path)?;
        let classes = self.output_shape()?.size();
        let source = file.fits(self).architecture;
        let is_same = source.input != self.input || source.output_shape()?.size() == classes;
        // Before anything is drawn. Images of other channels are refused here, with what differs.
        file.check_architecture(if is_same { self } else { &source })?;
        let network = self.init(Initialization::PyTorch, seed, device)?;
        if is_same {
            return file.load_into(network);
        }
        let source = file.load_into(source.init(Initialization::PyTorch, seed, device)?)?;
        Ok(network.transfer_from(&source, &Keep::AllButHead)?.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TransferCnn, state};

    #[test]
    fn a_file_gives_all_weights_or_all_but_a_head_for_other_classes() {
        let device = Device::flex();
        let five = TransferCnn::new(5).architecture();
        let source = five.init(Initialization::PyTorch, 1, &device).unwrap();
        let path = tempfile::NamedTempFile::new().unwrap();
        source.save_safetensors(path.path()).unwrap();

        let same = five.from_pretrained(path.path(), 2, &device).unwrap();
        assert_eq!(state::read(&same), state::read(&source));

        let seven = TransferCnn::new(7).architecture();
        let other = seven.from_pretrained(path.path(), 2, &device).unwrap();
        let drawn = seven.init(Initialization::PyTorch, 2, &device).unwrap();
        let [from_file, other, drawn] = [&source, &other, &drawn].map(state::read);
        for (name, values) in &other {
            let expected = if name.starts_with("fc3.") { &drawn } else { &from_file };
            assert_eq!(values, &expected[name], "{name}");
        }
    }

    #[test]
    fn a_file_for_other_channels_or_another_network_is_refused() {
        let device = Device::flex();
        let grey = TransferCnn::new(5).architecture();
        let path = tempfile::NamedTempFile::new().unwrap();
        let source = grey.init(Initialization::PyTorch, 1, &device).unwrap();
        source.save_safetensors(path.path()).unwrap();
        let color = TransferCnn::new(5).with_input([3, 28, 28]).architecture();
        for architecture in [color, crate::Cnn::cnn2(5).architecture()] {
            let error = architecture.from_pretrained(path.path(), 0, &device).unwrap_err();
            assert!(matches!(error, ModelError::Mismatch { .. }), "{error}");
        }
    }
}
