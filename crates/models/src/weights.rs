//! Weights in files: safetensors with PyTorch's names and layouts.

use std::path::Path;

use burn::module::Module;
use burn::store::{
    BurnToPyTorchAdapter, ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, SafetensorsStore,
};

use crate::{ModelError, Network};

impl Network {
    /// Writes the weights as safetensors, under the names and in the layouts of PyTorch, so that
    /// `load_state_dict` takes them as they are. An existing file is replaced once the new one is
    /// whole.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be written.
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        let path = path.as_ref();
        let mut store =
            SafetensorsStore::from_file(path).overwrite(true).with_to_adapter(BurnToPyTorchAdapter);
        store.collect_from(&self.valid()).map_err(|e| file_error(path, e))
    }

    /// Replaces the weights by those of a safetensors file that has PyTorch's names and layouts.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be read or is damaged; [`ModelError::Mismatch`] with
    /// all that is missing, unexpected or of another shape if it belongs to another network.
    pub fn load_safetensors(mut self, path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        let mut store = SafetensorsStore::from_file(path)
            .with_from_adapter(PyTorchToBurnAdapter)
            .allow_partial(false);
        let found = store.get_all_tensors().map_err(|e| file_error(path, e))?;
        self.check_names_and_shapes(path, found)?;
        store.apply_to(&mut self).map_err(|e| file_error(path, e))?;
        Ok(self)
    }

    fn check_names_and_shapes(
        &self,
        path: &Path,
        found: &std::collections::BTreeMap<String, burn::store::burn_pack::Tensor>,
    ) -> Result<(), ModelError> {
        let expected = self.collect(None, Some(Box::new(BurnToPyTorchAdapter)), false);
        let (mut missing, mut shapes) = (Vec::new(), Vec::new());
        for tensor in &expected {
            match found.get(&tensor.name) {
                None => missing.push(tensor.name.clone()),
                Some(other) if other.shape != tensor.shape => {
                    shapes.push((tensor.name.clone(), tensor.shape.to_vec(), other.shape.to_vec()));
                }
                Some(other) if !other.dtype.is_float() => {
                    let reason = format!("{} holds {:?}, not floats", tensor.name, other.dtype);
                    return Err(file_error(path, reason));
                }
                Some(_) => {}
            }
        }
        let is_known = |name: &&String| expected.iter().any(|tensor| tensor.name == **name);
        let unexpected: Vec<_> = found.keys().filter(|name| !is_known(name)).cloned().collect();
        if missing.is_empty() && unexpected.is_empty() && shapes.is_empty() {
            return Ok(());
        }
        Err(ModelError::Mismatch {
            path: path.into(),
            architecture: self.architecture().name.clone(),
            missing,
            unexpected,
            shapes,
        })
    }
}

fn file_error(path: &Path, reason: impl std::fmt::Display) -> ModelError {
    ModelError::File { path: path.into(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cnn, Init, TransferCnn, state};
    use burn::tensor::Device;

    fn network(seed: u64) -> Network {
        let architecture = TransferCnn::new(5).architecture();
        architecture.init(Init::PyTorch, seed, &Device::flex()).unwrap()
    }

    #[test]
    fn a_file_brings_back_every_bit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.safetensors");
        network(1).save_safetensors(&path).unwrap();
        let loaded = network(2).load_safetensors(&path).unwrap();
        assert_eq!(state::read(&loaded), state::read(&network(1)));
    }

    #[test]
    fn linear_weights_are_stored_as_pytorch_stores_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.safetensors");
        network(1).save_safetensors(&path).unwrap();
        let mut store = SafetensorsStore::from_file(&path);
        let tensors = store.get_all_tensors().unwrap();
        let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
        let expected = "conv1.bias conv1.weight conv2.bias conv2.weight fc1.bias fc1.weight \
                        fc2.bias fc2.weight fc3.bias fc3.weight";
        assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
        assert_eq!(tensors["fc1.weight"].shape.to_vec(), [500, 2000]);
        assert_eq!(tensors["conv2.weight"].shape.to_vec(), [20, 28, 3, 3]);
    }

    #[test]
    fn a_file_of_another_network_lists_every_difference() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.safetensors");
        network(1).save_safetensors(&path).unwrap();
        let other = Cnn::cnn2(5).architecture().init(Init::PyTorch, 0, &Device::flex()).unwrap();
        let message = other.load_safetensors(&path).unwrap_err().to_string();
        for part in [
            "conv1.weight has shape [28, 1, 5, 5], expected [20, 1, 3, 3]",
            "fc1.weight has shape [500, 2000], expected [50, 1960]",
            "unexpected fc3.bias, fc3.weight",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn truncated_files_are_refused_at_any_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("net.safetensors");
        network(1).save_safetensors(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..length]).unwrap();
            let error = network(2).load_safetensors(&path).unwrap_err();
            assert!(matches!(error, ModelError::File { .. }), "{length} bytes: {error}");
        }
    }
}
