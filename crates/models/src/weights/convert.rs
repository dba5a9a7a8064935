//! Files written anew in another format, whatever network they are of.

use std::path::Path;

use burn::tensor::TensorData;

use super::file::{WeightFile, file_error};
use super::float_type::FloatType;
use super::for_pytorch;
use super::int8;
use super::parameters::Collected;
use super::safetensors::write_file;
use super::stored::Stored;
use super::weight_type::WeightType;
use crate::ModelError;

impl WeightFile<'_> {
    /// Writes all tensors of the file as safetensors, under the names and in the layouts that they have in the
    /// file or that [`renamed`](Self::renamed) gave them; what else is no tensor is left, but for the texts of a
    /// safetensors file. Floats become those of `weight_type`, if there is one; what is no float stays as it is.
    ///
    /// An existing file is replaced once the new one is whole.
    ///
    /// ```no_run
    /// use selvedge_models::weights::{self, FloatType};
    ///
    /// // A network that is not known here, in half precision.
    /// weights::inspect("densenet.pth")?.save_safetensors("densenet.safetensors", Some(FloatType::F16.into()))?;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if a file cannot be read or written, if the other is this one, or if a number is
    /// too large for the type.
    pub fn save_safetensors(
        &self,
        path: impl AsRef<Path>,
        weight_type: Option<WeightType>,
    ) -> Result<(), ModelError> {
        let path = self.other(path.as_ref())?;
        let mut metadata = self.metadata.clone();
        metadata.extend(for_pytorch());
        if weight_type == Some(WeightType::Int8) {
            let names: Vec<_> =
                self.written().map(|(name, stored)| (name.as_str(), stored)).collect();
            int8::check(&names).map_err(|reason| self.error(reason))?;
        }
        int8::describe(&mut metadata, weight_type == Some(WeightType::Int8));
        write_file(path, self.collected(weight_type), &metadata)
    }

    /// As [`save_safetensors`](Self::save_safetensors), in Burn's own format: names and layouts stay those of the
    /// file, also where Burn's modules have others. A network is written as Burn has it by
    /// [`Network::save_burnpack`](crate::Network::save_burnpack).
    ///
    /// # Errors
    ///
    /// As [`save_safetensors`](Self::save_safetensors).
    #[cfg(feature = "burnpack")]
    pub fn save_burnpack(
        &self,
        path: impl AsRef<Path>,
        float_type: Option<FloatType>,
    ) -> Result<(), ModelError> {
        use std::io;

        use burn::store::burn_pack::{Tensor, Writer};

        let path = self.other(path.as_ref())?;
        let written = selvedge_files::replace(path, |file| {
            let mut tensors = Vec::new();
            for (name, stored) in self.written() {
                let data = self.data(stored, float_type).map_err(io::Error::other)?;
                let (bytes, shape, dtype) = data.into_parts();
                tensors.push(Tensor::new(name.clone(), dtype, shape, stored.id, bytes));
            }
            let writer = Writer::new(tensors).auto_extension(false);
            writer.write_to_file_in_place(file.path()).map_err(|e| io::Error::other(e.to_string()))
        });
        written.map_err(|error| file_error(Some(path), error.to_string()))
    }

    /// Whether the file is a [`Bundle`](crate::Bundle), under the names of one:
    /// [`save_safetensors`](Self::save_safetensors) keeps it one.
    pub fn is_bundle(&self) -> bool {
        self.metadata.contains_key("bundle") && !self.names.is_renamed
    }

    /// The type of the file's floats, if all are of one in which weights are written.
    pub fn float_type(&self) -> Option<FloatType> {
        let mut floats = self.tensors.iter().map(|t| t.dtype).filter(|dtype| dtype.is_float());
        let first = floats.next().filter(|first| floats.all(|dtype| dtype == *first))?;
        FloatType::ALL.into_iter().find(|float_type| float_type.dtype() == first)
    }

    /// `path`, unless it leads to this file.
    fn other<'p>(&self, path: &'p Path) -> Result<&'p Path, ModelError> {
        match self.is_at(path) {
            true => Err(file_error(Some(path), "it is the file itself; write to another")),
            false => Ok(path),
        }
    }

    /// The tensors by the names under which they are written: those of the file, or the user's.
    fn written(&self) -> impl Iterator<Item = (&String, &Stored)> {
        let is_renamed = self.names.is_renamed;
        let name = move |(name, key)| if is_renamed { (name, key) } else { (key, key) };
        self.names.keys.iter().map(name).map(|(name, key)| (name, &self.stored[key]))
    }

    fn collected(&self, weight_type: Option<WeightType>) -> Vec<Collected<'_>> {
        let mut collected = Vec::new();
        let (is_int8, float_type) =
            (weight_type == Some(WeightType::Int8), weight_type.map(WeightType::float_type));
        for (name, stored) in self.written() {
            if is_int8 && stored.dtype.is_float() && int8::applies(&stored.shape) {
                let read = move || self.data(stored, float_type);
                collected.extend(int8::collected(name, stored.shape.clone(), read));
                continue;
            }
            let dtype = float_type.filter(|_| stored.dtype.is_float()).map(FloatType::dtype);
            let read = move || self.data(stored, float_type);
            let (shape, dtype) = (stored.shape.clone(), dtype.unwrap_or(stored.dtype));
            collected.push(Collected::new(name.clone(), shape, dtype, Box::new(read)));
        }
        collected
    }

    /// The values in the type in which they are written.
    fn data(&self, stored: &Stored, float_type: Option<FloatType>) -> Result<TensorData, String> {
        let read = stored.data(&self.input).and_then(|data| match float_type {
            Some(to) if stored.dtype.is_float() => to.convert(data),
            _ => Ok(data),
        });
        read.map_err(|reason| format!("{}: {reason}", stored.name))
    }
}
