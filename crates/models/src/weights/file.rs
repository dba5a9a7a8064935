//! A file of weights, opened.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use super::format::Format;
use super::input::Input;
use super::names::{self, Names, Rename};
use super::options::{Choice, ReadOptions};
use super::spec::Convention;
use super::stored::{Contents, Stored, TensorInfo, non_finite};
use crate::ModelError;
use crate::error::{origin, printable, shortened};

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
    /// The tensors, sorted by name. Of a checkpoint, those of the state dict; without what wrappers such as
    /// `DataParallel` put into the names, see the [module](super).
    pub tensors: Vec<TensorInfo>,
    /// The keys under which a checkpoint keeps the weights, joined by dots, such as `model_state_dict`.
    pub key: Option<String>,
    /// All sets of weights that a file of PyTorch holds, the one that was taken among them.
    pub choices: Vec<Choice>,
    /// Whole networks that lie side by side in these tensors, each under a part before its names, such as `model` and
    /// `ema`. [`ReadOptions::key`] takes one of them; without it all tensors are taken.
    pub networks: Vec<Choice>,
    /// Tensors beside the others that are not read, by name, and what they are instead: `a sparse tensor`.
    pub left_out: Vec<(String, String)>,
    /// Python names that a pickle refers to besides those that build tensors, such as
    /// `argparse.Namespace`; nothing is done with them.
    pub ignored_names: Vec<String>,
    /// The texts that a safetensors file holds besides, by their keys: its `__metadata__`.
    pub metadata: BTreeMap<String, String>,
    pub(super) convention: Convention,
    /// By their names in the file.
    pub(super) stored: BTreeMap<String, Stored>,
    pub(super) names: Names,
    pub(super) allow_non_finite: bool,
    pub(super) input: Input<'a>,
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
        let check = |format: Format| match formats.is_empty() || formats.contains(&format) {
            true => Ok(()),
            false => Err(failed(format!("a file of {format}, not of {}", formats[0]))),
        };
        check(format)?;
        let contents = contents(format, &input, path, options).map_err(failed)?;
        check(contents.format.unwrap_or(format))?;
        let convention = match format {
            Format::Burnpack => Convention::Burn,
            _ => Convention::PyTorch,
        };
        let stored: BTreeMap<_, _> =
            contents.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let mut listed_names = Names::of_file(stored.keys());
        if convention == Convention::PyTorch {
            listed_names = listed_names.unwrapped();
        }
        let mut networks = networks(stored.values());
        if let Some(key) = &contents.key {
            networks.iter_mut().for_each(|choice| choice.key = format!("{key}.{}", choice.key));
        }
        Ok(Self {
            networks,
            path: path.map(Into::into),
            format: contents.format.unwrap_or(format),
            tensors: listed(&listed_names, &stored),
            key: contents.key,
            choices: contents.choices,
            left_out: contents.left_out,
            allow_non_finite: options.allow_non_finite,
            ignored_names: contents.ignored_names,
            metadata: contents.metadata,
            convention,
            stored,
            names: listed_names,
            input,
        })
    }

    /// Whether `path` leads to this file, so that writing there would replace it.
    pub fn is_at(&self, path: impl AsRef<Path>) -> bool {
        let own = self.path.as_ref().and_then(|own| own.canonicalize().ok());
        own.is_some() && own == path.as_ref().canonicalize().ok()
    }

    /// The same file with the names of its tensors as `rules` make them, one after the other.
    ///
    /// # Errors
    ///
    /// [`ModelError::File`] for a rule that no name follows, which is a slip, and for rules by which two
    /// tensors get one name; both are named.
    pub fn renamed(self, rules: &[Rename]) -> Result<Self, ModelError> {
        let names = self.names.renamed(rules).map_err(|reason| self.error(reason))?;
        Ok(Self { tensors: listed(&names, &self.stored), names, ..self })
    }

    /// Reads all values and gives the tensors of floats in which some are NaN or infinite as f32, by their names in
    /// the file, and how many each.
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

    /// `reason`, with where the file is.
    pub(crate) fn error(&self, reason: impl Into<Cow<'static, str>>) -> ModelError {
        file_error(self.path.as_deref(), reason)
    }
}

impl fmt::Display for WeightFile<'_> {
    /// One line: the path, the format, the elements of the tensors, and what else is to be known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elements = self.tensors.iter().map(|t| t.shape.iter().product::<usize>());
        let elements = elements.fold(0, usize::saturating_add);
        let types: BTreeSet<String> =
            self.tensors.iter().map(|t| format!("{:?}", t.dtype)).collect();
        let types = types.into_iter().collect::<Vec<_>>().join(", ");
        let (path, tensors) = (origin(&self.path), self.tensors.len());
        write!(f, "{path}: {}, {elements} elements in {tensors} tensors ({types})", self.format)?;
        if let Some(key) = &self.key {
            write!(f, ", under the key `{}`", printable(&shortened(key, 80)))?;
        }
        if !self.networks.is_empty() {
            let listed = Choice::listed(&self.networks);
            write!(f, "; networks side by side, of which a key takes one: {listed}")?;
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
        if !self.names.wrappers.is_empty() {
            write!(f, ", names without {}", self.names.wrappers.join(", "))?;
        }
        if !self.ignored_names.is_empty() {
            let names = printable(&shortened(&self.ignored_names.join(", "), 400));
            write!(f, "; not read: objects of {names}")?;
        }
        Ok(())
    }
}

/// The tensors by the names that are listed.
fn listed(names: &Names, stored: &BTreeMap<String, Stored>) -> Vec<TensorInfo> {
    let listed = names.keys.iter();
    listed.map(|(name, key)| TensorInfo { name: name.clone(), ..stored[key].info() }).collect()
}

/// What a file holds.
fn contents(
    format: Format,
    input: &Input<'_>,
    path: Option<&Path>,
    options: &ReadOptions,
) -> Result<Contents, String> {
    let contents = all_contents(format, input, path, options)?;
    match (&options.key, &contents.key) {
        // There is nothing but names in the other formats.
        (Some(key), None) => under(key, contents),
        _ => Ok(contents),
    }
}

/// The networks that lie side by side in these tensors.
fn networks<'t>(tensors: impl IntoIterator<Item = &'t Stored>) -> Vec<Choice> {
    let shapes = tensors.into_iter().map(|tensor| (tensor.name.as_str(), &tensor.shape[..]));
    names::networks(&shapes.collect::<Vec<_>>())
}

/// The tensors whose names begin with `key`, without it.
fn under(key: &str, contents: Contents) -> Result<Contents, String> {
    if key.is_empty() {
        return Ok(contents);
    }
    let is_under = |tensor: &Stored| names::under(&tensor.name, key).is_some();
    if !contents.tensors.iter().any(is_under) {
        let listed = Choice::listed(&networks(&contents.tensors));
        return Err(format!(
            "there are no weights under `{key}`: no name begins with it; {listed}"
        ));
    }
    let rest = |tensor: Stored| {
        let name = names::under(&tensor.name, key)?.to_string();
        Some(Stored { name, ..tensor })
    };
    let tensors: Vec<Stored> = contents.tensors.into_iter().filter_map(rest).collect();
    let different: BTreeSet<&String> = tensors.iter().map(|tensor| &tensor.name).collect();
    if different.len() < tensors.len() {
        return Err(format!("under `{key}` there are two tensors of one name"));
    }
    Ok(Contents { tensors, key: Some(key.into()), ..contents })
}

/// What a file holds, whatever the names begin with.
fn all_contents(
    format: Format,
    input: &Input<'_>,
    path: Option<&Path>,
    options: &ReadOptions,
) -> Result<Contents, String> {
    match (format, path) {
        (Format::Safetensors, _) => super::safetensors::read(input),
        #[cfg(feature = "burnpack")]
        (Format::Burnpack, path) => super::burnpack::read(input, path).map(Contents::from),
        #[cfg(feature = "pytorch")]
        (Format::PyTorchZip | Format::TorchScript | Format::Npz, _) => {
            super::pytorch::read_zip(input, options)
        }
        #[cfg(feature = "pytorch")]
        (Format::PyTorchLegacy, _) => super::pytorch::read_legacy(input, options),
        #[cfg(feature = "pytorch")]
        (Format::Pickle, _) => super::pytorch::read_pickle(input, options),
        #[cfg(not(all(feature = "burnpack", feature = "pytorch")))]
        (format, _) => {
            // They are those of readers that may not be there.
            let _ = options;
            Err(format!("a file of {format}, which this program was built without a reader for"))
        }
    }
}

pub(crate) fn file_error(path: Option<&Path>, reason: impl Into<Cow<'static, str>>) -> ModelError {
    // A name in a file can be of any length.
    let reason = shortened(&reason.into(), 1500);
    ModelError::File { path: path.map(Into::into), reason }
}
