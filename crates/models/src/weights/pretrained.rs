//! A network that begins with the weights of a file.

use std::path::Path;

use burn::tensor::Device;

use super::{LoadOptions, LoadReport, inspect_with};
use crate::{Architecture, ModelError, Network};

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
        let options = LoadOptions { seed, ..LoadOptions::default() };
        Ok(self.from_pretrained_with(path, &options, device)?.0)
    }

    /// As [`from_pretrained`](Self::from_pretrained), as `options` say: with other names, in part, for images
    /// of other channels. Also says what was taken of the file.
    ///
    /// ```no_run
    /// use burn::tensor::Device;
    /// use selvedge_models::named;
    /// use selvedge_models::weights::{InputChannels, LoadOptions};
    ///
    /// let grey = named("resnet18")?.with_input([1, 64, 64])?.with_classes(10)?;
    /// let options = LoadOptions { input_channels: InputChannels::Sum, ..LoadOptions::default() };
    /// let (network, report) = grey.from_pretrained_with("resnet18.pth", &options, &Device::flex())?;
    /// println!("{report}");
    /// # let _ = network;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`from_pretrained`](Self::from_pretrained) and
    /// [`WeightFile::load_with`](super::WeightFile::load_with).
    pub fn from_pretrained_with(
        &self,
        path: impl AsRef<Path>,
        options: &LoadOptions,
        device: &Device,
    ) -> Result<(Network, LoadReport), ModelError> {
        inspect_with(path, &options.read)?.network(self, options, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Initialization, TransferCnn, state};

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
