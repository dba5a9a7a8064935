//! A file of weights, opened.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use burn::tensor::TensorData;

use super::format::Format;
use super::input::Input;
use super::options::{Choice, ReadOptions, shortened};
use super::parameters;
use super::spec::{Convention, Spec, specs};
use super::stored::{Contents, Stored, TensorInfo, non_finite};
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
    /// The keys under which a checkpoint keeps the weights, joined by dots, such as `model_state_dict`.
    pub key: Option<String>,
    /// All sets of weights that a file of PyTorch holds, the one that was taken among them.
    pub choices: Vec<Choice>,
    /// Tensors beside the others that are not read, by name, and what they are instead: `a sparse tensor`.
    pub left_out: Vec<(String, String)>,
    /// Python names that a pickle refers to besides those that build tensors, such as
    /// `argparse.Namespace`; nothing is done with them.
    pub ignored_names: Vec<String>,
    /// The texts that a safetensors file holds besides, by their keys: its `__metadata__`.
    pub metadata: BTreeMap<String, String>,
    convention: Convention,
    stored: BTreeMap<String, Stored>,
    allow_non_finite: bool,
    input: Input<'a>,
}

/// Opens a file of weights of any [`Format`], which its first bytes tell.
///
/// # Errors
///
/// [`ModelError::File`] if the file cannot be read, is damaged or of no known format.
pub fn inspect(path: impl AsRef<Path>) -> Result<WeightFile<'static>, ModelError> {
    inspect_with(path, &ReadOptions::default())
}

/// As [`inspect`], with a choice among what a checkpoint holds.
///
/// ```no_run
/// use selvedge_models::weights::{self, ReadOptions};
///
/// let options = ReadOptions { key: Some("ema.module".into()), ..ReadOptions::default() };
/// println!("{}", weights::inspect_with("last.pth", &options)?);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
///
/// # Errors
///
/// As [`inspect`]; [`ModelError::File`] if nothing is under the key, with what there is.
pub fn inspect_with(
    path: impl AsRef<Path>,
    options: &ReadOptions,
) -> Result<WeightFile<'static>, ModelError> {
    WeightFile::open_with(path.as_ref(), &[], options)
}

/// As [`inspect`], of the bytes of a file.
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

/// As [`inspect_with`], of the bytes of a file.
///
/// # Errors
///
/// As [`inspect_with`].
pub fn inspect_bytes_with<'a>(
    bytes: &'a [u8],
    options: &ReadOptions,
) -> Result<WeightFile<'a>, ModelError> {
    WeightFile::read(Input::bytes(bytes), None, &[], options)
}

impl WeightFile<'static> {
    /// Opens a file that must be of one of `formats`, or may be of any if none is given.
    pub(crate) fn open(path: &Path, formats: &[Format]) -> Result<Self, ModelError> {
        Self::open_with(path, formats, &ReadOptions::default())
    }

    fn open_with(
        path: &Path,
        formats: &[Format],
        options: &ReadOptions,
    ) -> Result<Self, ModelError> {
        let input = Input::open(path).map_err(|reason| file_error(Some(path), reason))?;
        Self::read(input, Some(path), formats, options)
    }
}

impl<'a> WeightFile<'a> {
    /// The file of which these are the bytes.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Result<Self, ModelError> {
        Self::read(Input::bytes(bytes), None, &[], &ReadOptions::default())
    }

    fn read(
        input: Input<'a>,
        path: Option<&Path>,
        formats: &[Format],
        options: &ReadOptions,
    ) -> Result<Self, ModelError> {
        let failed = |reason: String| file_error(path, reason);
        let format = Format::of(&input).map_err(failed)?;
        if !formats.is_empty() && !formats.contains(&format) {
            return Err(failed(format!("a file of {format}, not of {}", formats[0])));
        }
        let mut contents = contents(format, &input, path, options).map_err(failed)?;
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
            format: contents.format.unwrap_or(format),
            tensors: stored.values().map(Stored::info).collect(),
            key: contents.key,
            choices: contents.choices,
            left_out: contents.left_out,
            allow_non_finite: options.allow_non_finite,
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
    /// belongs to another network; [`ModelError::File`] if values are not floats, are NaN or infinite where
    /// [`ReadOptions`] does not allow it, or cannot be read.
    pub fn load_into(&self, network: Network) -> Result<Network, ModelError> {
        let specs = specs(network.architecture());
        self.check(network.architecture(), &specs)?;
        let values = |spec: &Spec| self.values(spec);
        parameters::replace(network, &specs, values).map_err(|reason| self.error(reason))
    }

    /// Reads all values and gives the tensors of floats in which some are NaN or infinite as f32, and how many
    /// each.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] if values cannot be read.
    pub fn non_finite(&self) -> Result<Vec<(String, usize)>, ModelError> {
        let mut found = Vec::new();
        for (name, stored) in self.stored.iter().filter(|(_, stored)| stored.dtype.is_float()) {
            let data = stored.read(&self.input);
            let data = data.map_err(|reason| self.error(format!("{name}: {reason}")))?;
            match non_finite(&data) {
                0 => {}
                count => found.push((name.clone(), count)),
            }
        }
        Ok(found)
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
            _ if !self.allow_non_finite && non_finite(&data) > 0 => Err(format!(
                "{} of {} values are NaN or infinite as f32: its training may have diverged; \
                 `allow_non_finite` of `ReadOptions` takes them",
                non_finite(&data),
                data.num_elements()
            )),
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
        if let Some(key) = &self.key {
            write!(f, ", under the key `{}`", printable(&shortened(key, 80)))?;
        }
        let others = self.choices.iter().filter(|choice| Some(&choice.key) != self.key.as_ref());
        let others: Vec<String> =
            others.filter(|choice| !choice.key.is_empty()).take(3).map(Choice::to_string).collect();
        if !others.is_empty() {
            write!(f, "; not taken: {}", others.join(", "))?;
        }
        if let Some((name, reason)) = self.left_out.first() {
            let count = self.left_out.len();
            write!(
                f,
                "; left out: {count}, such as {}, {reason}",
                printable(&shortened(name, 80))
            )?;
        }
        if !self.ignored_names.is_empty() {
            let names = printable(&shortened(&self.ignored_names.join(", "), 400));
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
fn contents(
    format: Format,
    input: &Input<'_>,
    path: Option<&Path>,
    options: &ReadOptions,
) -> Result<Contents, String> {
    if let (Format::Safetensors | Format::Burnpack, Some(key)) = (format, &options.key) {
        return Err(format!("a file of {format} has no keys, so that nothing is under `{key}`"));
    }
    match (format, path) {
        (Format::Safetensors, _) => super::safetensors::read(input),
        #[cfg(feature = "burnpack")]
        (Format::Burnpack, path) => super::burnpack::read(input, path).map(Contents::from),
        #[cfg(feature = "pytorch")]
        (Format::PyTorchZip | Format::TorchScript, _) => super::pytorch::read_zip(input, options),
        #[cfg(feature = "pytorch")]
        (Format::PyTorchLegacy, _) => super::pytorch::read_legacy(input, options),
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
    // A name in a file can be of any length.
    let reason = shortened(&reason.into(), 1500);
    ModelError::File { path: path.map(Into::into), reason }
}
