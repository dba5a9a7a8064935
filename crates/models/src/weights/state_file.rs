//! The tensors of any module in a file, without an architecture that would say which there must be.

use std::path::Path;

use super::safetensors::write_file;
use super::{Format, WeightFile, for_pytorch, parameters::Collected};
use crate::ModelError;
use crate::state::State;

/// Writes tensors as safetensors under their names, which PyTorch's `load_file` reads as they are. An
/// existing file is replaced once the new one is whole and on the disk.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_models::{Cnn, Initialization, state, weights};
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("cnn.safetensors");
/// let network = Cnn::cnn3(2).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let state = state::read(&network);
/// weights::save_state(&path, &state)?;
/// assert_eq!(weights::load_state(&path)?, state);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
///
/// # Errors
///
/// [`ModelError::File`] if the file cannot be written, or a tensor is not of f32.
pub fn save_state(path: impl AsRef<Path>, state: &State) -> Result<(), ModelError> {
    let tensors = state.iter().map(|(name, data)| Collected::of(name.clone(), data.clone()));
    write_file(path.as_ref(), tensors.collect(), &for_pytorch())
}

/// The tensors of a safetensors file, as f32.
///
/// # Errors
///
/// [`ModelError::File`] if the file cannot be read, is damaged or of another format.
pub fn load_state(path: impl AsRef<Path>) -> Result<State, ModelError> {
    WeightFile::open(path.as_ref(), &[Format::Safetensors])?.state()
}
