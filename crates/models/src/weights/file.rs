//! A file of weights, opened.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::format::{BEGINNING, Format};
use super::input::Input;
use super::parameters;
use super::spec::{Convention, Spec, specs};
use super::stored::{Contents, Stored, TensorInfo};
use crate::error::{origin, printable};
use crate::network::path::transposed;
use crate::{Architecture, ModelError, Network};

/// A file of weights, opened: names, shapes and types are known, the values are still in the file, which
/// must not change meanwhile. Or the bytes of such a file, from [`inspect_bytes`].
///
/// ```no_run
/// use selvedge_models::{named, weights};
///
/// let file = weights::inspect("resnet18.pth")?;
/// for tensor in &file.tensors {
///     println!("{} {:?}", tensor.name, tensor.shape);
/// }
/// println!("{:?}", file.fits(&named("resnet18")?).kind);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Debug)]
pub struct WeightFile<'a> {
    /// Where it is; `None` for bytes in memory.
    pub path: Option<PathBuf>,
    /// What kind of file it is.
    pub format: Format,
    /// The tensors, sorted by name. Of a checkpoint, those of the state dict; without the prefix
    /// that a wrapper such as `DataParallel` puts before every name.
    pub tensors: Vec<TensorInfo>,
    /// The key under which a checkpoint keeps the state dict, such as `model_state_dict`.
    pub key: Option<&'static str>,
    /// Python names that a pickle refers to besides those that build tensors, such as
    /// `argparse.Namespace`; nothing is done with them.
    pub ignored_names: Vec<String>,
    /// The texts that a safetensors file holds besides, by their keys: its `__metadata__`.
    pub metadata: BTreeMap<String, String>,
    convention: Convention,
    stored: BTreeMap<String, Stored>,
    input: Input<'a>,
}

/// Opens a file of weights of any [`Format`], which its first bytes tell.
///
/// # Errors
///
/// [`ModelError::File`] if the file cannot be read, is damaged or of no known format.
pub fn inspect(path: impl AsRef<Path>) -> Result<WeightFile<'static>, ModelError> {
    let path = path.as_ref();
    WeightFile::open(path, &[])
}

/// As [`inspect`], of the bytes of a file: of safetensors or burnpack, since the reader of PyTorch's files
/// takes files alone.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_models::{Cnn, Initialization, weights};
///
/// let network = Cnn::cnn3(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let bytes = network.to_safetensors_bytes()?;
/// assert_eq!(weights::inspect_bytes(&bytes)?.tensors[0].name, "conv1.bias");
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
///
/// # Errors
///
/// As [`inspect`].
pub fn inspect_bytes(bytes: &[u8]) -> Result<WeightFile<'_>, ModelError> {
    WeightFile::of_bytes(bytes)
}

impl WeightFile<'static> {
    /// Opens a file that must be of one of `formats`, or may be of any if none is given.
    pub(crate) fn open(path: &Path, formats: &[Format]) -> Result<Self, ModelError> {
        let input = Input::open(path).map_err(|reason| file_error(Some(path), reason))?;
        Self::read(input, Some(path), formats)
    }
}

impl<'a> WeightFile<'a> {
    /// The file of which these are the bytes.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Result<Self, ModelError> {
        Self::read(Input::bytes(bytes), None, &[])
    }

    fn read(input: Input<'a>, path: Option<&Path>, formats: &[Format]) -> Result<Self, ModelError> {
        let failed = |reason: String| file_error(path, reason);
        let beginning = input.beginning(BEGINNING).map_err(|e| failed(e.to_string()))?;
        let format = Format::of(&beginning).map_err(failed)?;
        if !formats.is_empty() && !formats.contains(&format) {
            return Err(failed(format!("a file of {format}, not of {}", formats[0])));
        }
        let mut contents = contents(format, &input, path).map_err(failed)?;
        let convention = match format {
            Format::Burnpack => Convention::Burn,
            _ => Convention::PyTorch,
        };
        if convention == Convention::PyTorch {
            strip_wrappers(&mut contents.tensors);
        }
        let stored: BTreeMap<_, _> =
            contents.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        Ok(Self {
            path: path.map(Into::into),
            format,
            tensors: stored.values().map(Stored::info).collect(),
            key: contents.key,
            ignored_names: contents.ignored_names,
            metadata: contents.metadata,
            convention,
            stored,
            input,
        })
    }

    /// Whether `path` leads to this file, so that writing there would replace it.
    pub fn is_at(&self, path: impl AsRef<Path>) -> bool {
        let own = self.path.as_ref().and_then(|own| own.canonicalize().ok());
        own.is_some() && own == path.as_ref().canonicalize().ok()
    }

    /// Replaces the weights of `network` by those of the file, converted to f32.
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] with all that is missing, unexpected or of another shape if the file
    /// belongs to another network; [`ModelError::File`] if values are not floats or cannot be read.
    pub fn load_into(&self, network: Network) -> Result<Network, ModelError> {
        let specs = specs(network.architecture());
        self.check(network.architecture(), &specs)?;
        let values = |spec: &Spec| self.values(spec);
        parameters::replace(network, &specs, values).map_err(|reason| self.error(reason))
    }

    /// The values of every tensor, by name.
    #[cfg(feature = "files")]
    pub(super) fn state(&self) -> Result<crate::state::State, ModelError> {
        let read = |(name, stored): (&String, &Stored)| {
            let data = stored.read(&self.input);
            Ok((name.clone(), data.map_err(|reason| self.error(format!("{name}: {reason}")))?))
        };
        self.stored.iter().map(read).collect()
    }

    /// The values of a tensor in Burn's layout, and what optimizers knew the parameter by.
    fn values(&self, spec: &Spec) -> Result<(TensorData, Option<u64>), String> {
        let name = spec.name_in(self.convention);
        let stored = self.stored.get(&name).ok_or_else(|| format!("it lacks {name}"))?;
        let read = stored.read(&self.input).and_then(|data| match self.convention {
            Convention::PyTorch if spec.is_transposed() => transposed(data),
            _ => Ok(data),
        });
        Ok((read.map_err(|reason| format!("{name}: {reason}"))?, stored.id))
    }

    /// `reason`, with where the file is.
    pub(crate) fn error(&self, reason: impl Into<Cow<'static, str>>) -> ModelError {
        file_error(self.path.as_deref(), reason)
    }

    /// `Ok` if the file holds the tensors of `architecture`, which must be sound, and no others.
    pub(crate) fn check_architecture(&self, architecture: &Architecture) -> Result<(), ModelError> {
        self.check(architecture, &specs(architecture))
    }

    /// `Ok` if the file holds the tensors of `specs` and no others.
    fn check(&self, architecture: &Architecture, specs: &[Spec]) -> Result<(), ModelError> {
        let differences = self.differences(specs);
        if !differences.is_empty() {
            return Err(ModelError::Mismatch {
                path: self.path.clone(),
                architecture: architecture.name.clone(),
                missing: differences.missing,
                unexpected: differences.unexpected,
                shapes: differences.shapes,
            });
        }
        for spec in specs {
            let tensor = &self.stored[&spec.name_in(self.convention)];
            if !tensor.dtype.is_float() {
                let reason = format!("{} holds {:?}, not floats", tensor.name, tensor.dtype);
                return Err(self.error(reason));
            }
        }
        Ok(())
    }

    /// What there is in `specs` and not in the file, and the other way round.
    pub(super) fn differences(&self, specs: &[Spec]) -> Differences {
        let mut differences = Differences::default();
        let mut known = std::collections::BTreeSet::new();
        for spec in specs {
            let (name, expected) = (spec.name_in(self.convention), spec.shape_in(self.convention));
            match self.stored.get(&name) {
                None => differences.missing.push(name.clone()),
                Some(found) if found.shape != expected => {
                    differences.shapes.push((name.clone(), expected, found.shape.clone()));
                }
                Some(_) => {}
            }
            if spec.part == "running_mean" {
                known.insert(format!("{}.num_batches_tracked", spec.layer));
            }
            known.insert(name);
        }
        let unexpected = self.stored.keys().filter(|name| !known.contains(*name));
        differences.unexpected = unexpected.cloned().collect();
        differences
    }

    /// The shape that a tensor has in the file, in PyTorch's layout.
    pub(super) fn shape_of(&self, spec: &Spec) -> Option<Vec<usize>> {
        let tensor = self.stored.get(&spec.name_in(self.convention))?;
        Some(spec.other_layout(tensor.shape.clone(), self.convention))
    }
}

impl fmt::Display for WeightFile<'_> {
    /// One line: the path, the format, the elements of the tensors, and what else is to be known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = self.tensors.iter().map(|t| t.shape.iter().product::<usize>());
        let elements = elements.fold(0, usize::saturating_add);
        let types: std::collections::BTreeSet<String> =
            self.tensors.iter().map(|t| format!("{:?}", t.dtype)).collect();
        let types = types.into_iter().collect::<Vec<_>>().join(", ");
        let (path, tensors) = (origin(&self.path), self.tensors.len());
        write!(f, "{path}: {}, {elements} elements in {tensors} tensors ({types})", self.format)?;
        if let Some(key) = self.key {
            write!(f, ", under the key `{key}`")?;
        }
        if !self.ignored_names.is_empty() {
            let names = printable(&self.ignored_names.join(", "));
            write!(f, "; not read: objects of {names}")?;
        }
        Ok(())
    }
}

/// How the tensors of a file differ from those of a network.
#[derive(Debug, Default)]
pub(super) struct Differences {
    pub missing: Vec<String>,
    pub unexpected: Vec<String>,
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Differences {
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.shapes.is_empty()
    }
}

/// What a file holds.
fn contents(format: Format, input: &Input<'_>, path: Option<&Path>) -> Result<Contents, String> {
    match (format, path) {
        (Format::Safetensors, _) => super::safetensors::read(input),
        #[cfg(feature = "burnpack")]
        (Format::Burnpack, path) => super::burnpack::read(input, path).map(Contents::from),
        #[cfg(feature = "pytorch")]
        (Format::PyTorchZip, Some(path)) => super::pytorch::read_zip(path),
        #[cfg(feature = "pytorch")]
        (Format::PyTorchLegacy, Some(path)) => super::pytorch::read_legacy(path),
        #[cfg(feature = "pytorch")]
        (Format::PyTorchZip | Format::PyTorchLegacy, None) => {
            Err(format!("a file of {format}, which is read from a path and not from bytes"))
        }
        #[cfg(not(all(feature = "burnpack", feature = "pytorch")))]
        (format, _) => {
            Err(format!("a file of {format}, which this program was built without a reader for"))
        }
    }
}

/// Takes away the prefixes that PyTorch's wrappers of whole networks put before every name:
/// `DataParallel` and `DistributedDataParallel` the one, `torch.compile` the other.
fn strip_wrappers(tensors: &mut [Stored]) {
    for prefix in ["_orig_mod.", "module.", "_orig_mod."] {
        if tensors.iter().all(|tensor| tensor.name.starts_with(prefix)) {
            for tensor in tensors.iter_mut() {
                tensor.name.drain(..prefix.len());
            }
        }
    }
}

pub(crate) fn file_error(path: Option<&Path>, reason: impl Into<Cow<'static, str>>) -> ModelError {
    ModelError::File { path: path.map(Into::into), reason: reason.into().into_owned() }
}
