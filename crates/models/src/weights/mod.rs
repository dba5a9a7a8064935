//! Weights in files: PyTorch's, NumPy's, safetensors, and Burn's own.
//!
//! | to | use |
//! |---|---|
//! | read any file | [`Network::load`] |
//! | read one format and no other | [`Network::load_pytorch`], [`Network::load_safetensors`], [`Network::load_burnpack`] |
//! | read bytes, where there are no files | [`Network::load_bytes`] |
//! | build a network with a file's weights | [`Architecture::from_pretrained`](crate::Architecture::from_pretrained), [`WeightFile::network`] |
//! | take what fits, or weights for images of other channels | [`WeightFile::load_partial_into`], [`LoadOptions`] |
//! | give the tensors of a file other names | [`WeightFile::renamed`], [`Rename`] |
//! | write for PyTorch and others | [`Network::save_safetensors`], [`Network::to_safetensors_bytes`] |
//! | write in half precision or bfloat16 | [`Network::save_safetensors_as`] |
//! | convert a file of any network | [`WeightFile::save_safetensors`], [`WeightFile::save_burnpack`] |
//! | write for programs on Burn | [`Network::save_burnpack`] |
//! | see what a file holds and which network it fits | [`inspect`], [`inspect_bytes`], [`WeightFile::fits`] |
//! | choose among the weights of a checkpoint | [`inspect_with`], [`inspect_bytes_with`], [`ReadOptions::key`] |
//! | write and read the tensors of any module | `save_state`, `load_state` (feature `files`) |
//! | keep the architecture, the classes and the normalization with the weights | [`Bundle`](crate::Bundle) |
//!
//! Files are written with the feature `files`, those of Burn's format read and written with `burnpack`, those of
//! PyTorch and NumPy read with `pytorch`; all of them are on in the crate `selvedge`. Without them this module needs
//! no file system.
//!
//! A file belongs to a network if it holds a tensor of the right name and shape for each of the
//! network's and no others. Otherwise [`ModelError::Mismatch`] lists every difference, and the
//! network is not touched. Values of f16, bf16, f64 and of the floats of 8 bits are converted to f32, those of f64
//! rounded. A network without parameters has files without tensors.
//!
//! # Names and layouts
//!
//! Files of PyTorch and safetensors have PyTorch's names and layouts: a linear weight is
//! `[out_features, in_features]`, a batch normalization has `weight`, `bias`, `running_mean` and
//! `running_var`. Its `num_batches_tracked` may be there, but is not read: it has no effect with a
//! fixed momentum, the only one there is here. Neither is it written; `load_state_dict` does without
//! and leaves the module's own, 0 in a new one.
//!
//! Names of other sources, and what wrappers such as `DataParallel` put into names, are understood: a file is taken in
//! the way in which most names and shapes fit, and [`Fit::sources`] and [`LoadReport::sources`] say whose names they
//! are. What is no parameter of any network, such as the weights of a loss, is left out and told. `docs/weights.md` of
//! the repository lists all of it.
//!
//! Burn's own format has Burn's layouts and names, `[in_features, out_features]`, `gamma` and `beta`:
//! the files of a module that derives [`Module`](burn::module::Module) and has fields of the same
//! names can be read here, and the other way round.
//!
//! # Pickles
//!
//! What `torch.save` writes contains a pickle: a program for a small machine that can call any Python
//! function, and with it run any command when Python reads the file. Here nothing in it is run: there
//! is no Python and nothing that could be called by name. A pickle is read as follows.
//!
//! | operation | what is done |
//! |---|---|
//! | numbers, strings, tuples, lists, sets, dictionaries, memo | a value is built; what is used twice is shared |
//! | `GLOBAL`, `STACK_GLOBAL` (names of Python objects) | the name is kept as text; nothing is imported |
//! | `REDUCE` (a call) of `torch._utils._rebuild_tensor`, `…_v2`, `…_v3`, `_rebuild_parameter`, `…_with_state`, `torch._tensor._rebuild_from_type_v2` | a tensor is described: storage, offset, shape, strides |
//! | `REDUCE` of `numpy._core.multiarray._reconstruct` or `numpy.core…`, `…numeric._frombuffer`; objects of joblib's `NumpyArrayWrapper`, after which values follow | an array is described: type, shape, order, and where its bytes are |
//! | `REDUCE` of PyTorch's other functions that make tensors | the tensor is told and left out: sparse, quantized, nested, meta |
//! | `REDUCE` of `collections.OrderedDict`, `defaultdict`, `Counter`, `dict` | a dictionary is built |
//! | `REDUCE` of anything else | an object with the name; its arguments are not looked into |
//! | `NEWOBJ`, `NEWOBJ_EX`, `INST`, `OBJ`, `copyreg._reconstructor` | an object with the name of its class and its arguments |
//! | `BUILD`, `SETITEMS`, `APPENDS` | attributes, entries and items of an object are kept |
//! | `PERSID`, `BINPERSID` | the name of a storage within the file |
//! | `EXT1`, `EXT2`, `EXT4`, `NEXT_BUFFER`, `READONLY_BUFFER` | refused |
//!
//! [`WeightFile::ignored_names`] tells which names a file refers to besides those that build tensors.
//!
//! # Where the weights are
//!
//! Every dictionary of tensors that have names as parameters have them is a set of weights, at whatever depth,
//! in lists and in the attributes of objects; so is a whole module, of `torch.save(model)` or of TorchScript.
//! What an optimizer keeps is none. [`WeightFile::choices`] lists the sets; without [`ReadOptions::key`] the
//! first of these is taken that there is:
//!
//! | what | example |
//! |---|---|
//! | the only set, averages (`ema`, `swa`) aside | `my_own` |
//! | the file itself | `torch.save(model.state_dict(), path)` |
//! | the one under the most usual key that is least deep: `state_dict`, `model_state_dict`, `model_state`, `model`, `net`, `network`, … | `model` beside `teacher` |
//! | the one with ten times the elements of all others | `detector` beside `criterion` |
//! | averages, if there is nothing else | `ema.module` |
//!
//! Otherwise the file is refused with a list of them. [`ReadOptions::key`] can also be the beginning of names in one
//! dictionary, in a file of any format; [`WeightFile::networks`] lists the beginnings under which whole networks lie.
//!
//! # Damaged and hostile files
//!
//! Lengths, offsets and shapes are checked against the size of the file before memory is set aside.
//! A pickle whose values would take more than 128 MiB, as counted before they are built, is refused (the count
//! is rough: of six kinds of pickles at the limit, the worst took 202 MiB), and so is a file of PyTorch whose
//! storages and tensors, unpacked, would take more than eight times its size and 1 MiB; its table of contents
//! takes a few times its own size. Truncated files and those with changed lengths are answered with
//! [`ModelError::File`], as are archives of PyTorch whose values do not have their checksum. The tar archives of
//! the first versions of PyTorch are refused, and so is a header of safetensors above 16 MiB.
//!
//! Values that are NaN, or infinite as f32, are an error when a network takes them, unless
//! [`ReadOptions::allow_non_finite`] is set; [`WeightFile::non_finite`] counts them.
//!
//! Values are read when a network takes them; until then the file must not be changed.

#[cfg(feature = "burnpack")]
mod burnpack;
mod channels;
#[cfg(feature = "files")]
mod convert;
mod file;
mod fit;
mod float8;
mod float_type;
mod format;
mod input;
mod int8;
mod load;
mod load_options;
mod matching;
mod names;
mod options;
mod parameters;
#[cfg(feature = "pytorch")]
mod pickle;
mod pretrained;
#[cfg(feature = "pytorch")]
mod pytorch;
mod report;
mod safetensors;
mod spec;
#[cfg(feature = "files")]
mod state_file;
mod stored;
#[cfg(test)]
mod tests;
mod weight_type;

pub use file::{WeightFile, inspect, inspect_bytes, inspect_bytes_with, inspect_with};
pub use fit::{Fit, FitKind};
pub use float_type::FloatType;
pub use format::Format;
pub use load_options::{InputChannels, LoadOptions};
pub use names::Rename;
pub use options::{Choice, ReadOptions};
pub use report::LoadReport;
#[cfg(feature = "files")]
pub use state_file::{load_state, save_state};
pub use stored::TensorInfo;
pub use weight_type::WeightType;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

pub(crate) use self::file::file_error;
use self::safetensors::Writer;
#[cfg(feature = "files")]
use self::safetensors::write_file;
use crate::{ModelError, Network};

impl Network {
    /// Replaces the weights by those of a file of any [`Format`]; its first bytes tell which, not its
    /// name.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be read, is damaged or of no known format;
    /// [`ModelError::Mismatch`] with all that is missing, unexpected or of another shape if it belongs
    /// to another network.
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Initialization, TransferCnn};
    ///
    /// let path = std::env::temp_dir().join(format!("weights-{}.bpk", std::process::id()));
    /// let architecture = TransferCnn::new(5).architecture();
    /// architecture.init(Initialization::PyTorch, 0, &Device::flex())?.save_burnpack(&path)?;
    /// let network = architecture.init(Initialization::PyTorch, 1, &Device::flex())?.load(&path)?;
    /// # std::fs::remove_file(&path).ok();
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn load(self, path: impl AsRef<Path>) -> Result<Self, ModelError> {
        inspect(path)?.load_into(self)
    }

    /// As [`load`](Self::load), from the bytes of a file: for programs without files, and for weights that are
    /// part of a program.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::{Cnn, Initialization};
    ///
    /// let architecture = Cnn::cnn3(5).architecture();
    /// let bytes = architecture.init(Initialization::PyTorch, 0, &Device::flex())?.to_safetensors_bytes()?;
    /// let network = architecture.init(Initialization::PyTorch, 1, &Device::flex())?.load_bytes(&bytes)?;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn load_bytes(self, bytes: &[u8]) -> Result<Self, ModelError> {
        inspect_bytes(bytes)?.load_into(self)
    }

    /// Replaces the weights by those of a file that `torch.save` or `torch.jit.save` wrote: a state dict, a
    /// checkpoint with one under [any key](crate::weights#where-the-weights-are), or a whole module. The prefixes of
    /// `DataParallel` and `torch.compile` are taken away.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_pytorch(self, path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let formats = [Format::PyTorchZip, Format::PyTorchLegacy, Format::TorchScript];
        WeightFile::open(path.as_ref(), &formats)?.load_into(self)
    }

    /// Replaces the weights by those of a safetensors file that has PyTorch's names and layouts.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_safetensors(self, path: impl AsRef<Path>) -> Result<Self, ModelError> {
        WeightFile::open(path.as_ref(), &[Format::Safetensors])?.load_into(self)
    }

    /// Replaces the weights by those of a file in Burn's own format.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn load_burnpack(self, path: impl AsRef<Path>) -> Result<Self, ModelError> {
        WeightFile::open(path.as_ref(), &[Format::Burnpack])?.load_into(self)
    }

    /// Writes the weights as safetensors, under the names and in the layouts of PyTorch, so that
    /// `load_state_dict` takes them as they are. An existing file is replaced once the new one is
    /// whole; a symbolic link is followed.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the file cannot be written, or if there is something else than a
    /// regular file at `path`, such as a folder or a device.
    #[cfg(feature = "files")]
    pub fn save_safetensors(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        self.save_safetensors_as(path, WeightType::default())
    }

    /// As [`save_safetensors`](Self::save_safetensors), in another type: a [`FloatType`], rounded to the nearest, of two
    /// equally near to the even one, as PyTorch does; or [`WeightType::Int8`].
    ///
    /// ```
    /// use burn::tensor::Device;
    /// use selvedge_models::weights::FloatType;
    /// use selvedge_models::{Cnn, Initialization};
    ///
    /// # let folder = tempfile::tempdir().unwrap();
    /// # let path = folder.path().join("cnn.safetensors");
    /// let network = Cnn::cnn3(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
    /// network.save_safetensors_as(&path, FloatType::Bf16)?;
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`save_safetensors`](Self::save_safetensors), and for a number that is too large for the type, which
    /// is named with its tensor.
    #[cfg(feature = "files")]
    pub fn save_safetensors_as(
        &self,
        path: impl AsRef<Path>,
        weight_type: impl Into<WeightType>,
    ) -> Result<(), ModelError> {
        let (weight_type, mut metadata) = (weight_type.into(), for_pytorch());
        int8::describe(&mut metadata, weight_type == WeightType::Int8);
        write_file(path.as_ref(), parameters::collect(self, weight_type), &metadata)
    }

    /// The bytes of the file that [`save_safetensors`](Self::save_safetensors) writes.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if the values cannot be read from the device.
    pub fn to_safetensors_bytes(&self) -> Result<Vec<u8>, ModelError> {
        self.to_safetensors_bytes_with(&for_pytorch())
    }

    /// As [`save_safetensors`](Self::save_safetensors), with these texts.
    #[cfg(feature = "files")]
    pub(crate) fn save_safetensors_with(
        &self,
        path: &Path,
        metadata: &BTreeMap<String, String>,
    ) -> Result<(), ModelError> {
        write_file(path, parameters::collect(self, WeightType::default()), metadata)
    }

    /// As [`to_safetensors_bytes`](Self::to_safetensors_bytes), with these texts.
    pub(crate) fn to_safetensors_bytes_with(
        &self,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, ModelError> {
        let write = || -> io::Result<Vec<u8>> {
            let writer = Writer::new(parameters::collect(self, WeightType::default()), metadata)?;
            let mut bytes = Vec::with_capacity(writer.size());
            writer.write(&mut bytes)?;
            Ok(bytes)
        };
        write().map_err(|error| file_error(None, error.to_string()))
    }

    /// Writes the weights in Burn's own format. An existing file is replaced once the new one is
    /// whole; a symbolic link is followed.
    ///
    /// # Errors
    ///
    /// As [`save_safetensors`](Self::save_safetensors).
    #[cfg(all(feature = "files", feature = "burnpack"))]
    pub fn save_burnpack(&self, path: impl AsRef<Path>) -> Result<(), ModelError> {
        use burn::module::Module;
        use burn::store::{BurnpackStore, ModuleStore};

        let path = path.as_ref();
        let written = selvedge_files::replace(path, |file| {
            let store = BurnpackStore::from_file(file.path());
            let mut store = store.auto_extension(false).overwrite(true);
            store.collect_from(&self.valid()).map_err(|e| io::Error::other(e.to_string()))
        });
        written.map_err(|error| file_error(Some(path), error.to_string()))
    }
}

/// The text by which readers for PyTorch know their files.
pub(crate) fn for_pytorch() -> BTreeMap<String, String> {
    BTreeMap::from([("format".into(), "pt".into())])
}
