use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use burn::store::burn_pack::{HEADER_SIZE, MAGIC_NUMBER, Reader, Tensor};
use burn::store::{ModuleSnapshot, ModuleStore, PyTorchToBurnAdapter, SafetensorsStore, bridge};
use burn::tensor::DType;

use super::pytorch;
use super::spec::{Convention, Spec, specs};
use crate::error::printable;
use crate::{Architecture, ModelError, Network};

/// The longest header of safetensors that is read. A tensor takes about 100 bytes.
const LONGEST_HEADER: u64 = 16 << 20;

/// Where the headers of tar archives say what they are.
const TAR_MAGIC: std::ops::Range<usize> = 257..262;

/// The kinds of files that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// What `torch.save` writes since PyTorch 1.6: a zip archive.
    PyTorchZip,
    /// What `torch.save` wrote before: pickles, then the values.
    PyTorchLegacy,
    /// safetensors.
    Safetensors,
    /// Burn's own.
    Burnpack,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PyTorchZip => "PyTorch",
            Self::PyTorchLegacy => "PyTorch before 1.6",
            Self::Safetensors => "safetensors",
            Self::Burnpack => "burnpack",
        })
    }
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorInfo {
    /// The name, such as `conv1.weight`.
    pub name: String,
    /// The shape, in the file's layout.
    pub shape: Vec<usize>,
    /// The kind of numbers.
    pub dtype: DType,
}

impl fmt::Display for TensorInfo {
    /// One line: the name, its control characters escaped, the kind of numbers and the shape.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:40} {:?} {:?}", printable(&self.name), self.dtype, self.shape)
    }
}

/// A file of weights, opened: names, shapes and kinds of numbers are known, the values are still in
/// the file, which must not change meanwhile.
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
pub struct WeightFile {
    /// Where it is.
    pub path: PathBuf,
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
    pub(super) convention: Convention,
    sources: BTreeMap<String, Tensor>,
}

/// Opens a file of weights of any [`Format`], which its first bytes tell.
///
/// # Errors
///
/// [`ModelError::File`] if the file cannot be read, is damaged or of no known format.
pub fn inspect(path: impl AsRef<Path>) -> Result<WeightFile, ModelError> {
    let path = path.as_ref();
    let format = detect(path).map_err(|reason| file_error(path, reason))?;
    WeightFile::open(path, format)
}

impl WeightFile {
    /// Opens a file that must be of one of `formats`.
    pub(super) fn expect(path: &Path, formats: &[Format]) -> Result<Self, ModelError> {
        let format = detect(path).map_err(|reason| file_error(path, reason))?;
        if !formats.contains(&format) {
            let reason = format!("a file of {format}, not of {}", formats[0]);
            return Err(file_error(path, reason));
        }
        Self::open(path, format)
    }

    fn open(path: &Path, format: Format) -> Result<Self, ModelError> {
        let contents = match format {
            Format::PyTorchZip => pytorch::read_zip(path),
            Format::PyTorchLegacy => pytorch::read_legacy(path),
            Format::Safetensors => read_safetensors(path).map(from_tensors),
            Format::Burnpack => read_burnpack(path).map(from_tensors),
        };
        let mut contents = contents.map_err(|reason| file_error(path, reason))?;
        let convention = match format {
            Format::Burnpack => Convention::Burn,
            _ => Convention::PyTorch,
        };
        if contents.tensors.is_empty() {
            return Err(file_error(path, "it holds no tensors"));
        }
        if convention == Convention::PyTorch {
            strip_wrappers(&mut contents.tensors);
        }
        let sources: BTreeMap<_, _> =
            contents.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        let info = |t: &Tensor| TensorInfo {
            name: t.name.clone(),
            shape: t.shape.to_vec(),
            dtype: t.dtype,
        };
        Ok(Self {
            path: path.into(),
            format,
            tensors: sources.values().map(info).collect(),
            key: contents.key,
            ignored_names: contents.ignored_names,
            convention,
            sources,
        })
    }

    /// Whether `path` leads to this file, so that writing there would replace it.
    pub fn is_at(&self, path: impl AsRef<Path>) -> bool {
        match (self.path.canonicalize(), path.as_ref().canonicalize()) {
            (Ok(own), Ok(other)) => own == other,
            _ => false,
        }
    }

    /// Replaces the weights of `network` by those of the file, converted to f32.
    ///
    /// # Errors
    ///
    /// [`ModelError::Mismatch`] with all that is missing, unexpected or of another shape if the file
    /// belongs to another network; [`ModelError::File`] if values are not floats or cannot be read.
    pub fn load_into(&self, mut network: Network) -> Result<Network, ModelError> {
        let specs = specs(network.architecture());
        self.check(network.architecture(), &specs)?;
        let values = |spec: &Spec| {
            let tensor = self.sources[&spec.name(self.convention)].clone();
            let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
            let convert = |data: burn::tensor::TensorData| data.convert_dtype(DType::F32);
            match tensor.dtype {
                DType::F32 => tensor,
                _ => bridge::map_data(tensor, name, DType::F32, shape, convert),
            }
        };
        let tensors = specs.iter().map(values).collect();
        let result = match self.convention {
            Convention::PyTorch => {
                network.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), true)
            }
            Convention::Burn => network.apply(tensors, None, None, true),
        };
        match result.errors.first() {
            None => Ok(network),
            Some(error) => Err(file_error(&self.path, error)),
        }
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
            let tensor = &self.sources[&spec.name(self.convention)];
            if !tensor.dtype.is_float() {
                let reason = format!("{} holds {:?}, not floats", tensor.name, tensor.dtype);
                return Err(file_error(&self.path, reason));
            }
        }
        Ok(())
    }

    /// What there is in `specs` and not in the file, and the other way round.
    pub(super) fn differences(&self, specs: &[Spec]) -> Differences {
        let mut differences = Differences::default();
        let mut known = std::collections::BTreeSet::new();
        for spec in specs {
            let (name, expected) = (spec.name(self.convention), spec.shape(self.convention));
            match self.sources.get(&name) {
                None => differences.missing.push(name.clone()),
                Some(found) if found.shape[..] != expected[..] => {
                    differences.shapes.push((name.clone(), expected, found.shape.to_vec()));
                }
                Some(_) => {}
            }
            if spec.part == "running_mean" {
                known.insert(format!("{}.num_batches_tracked", spec.layer));
            }
            known.insert(name);
        }
        let unexpected = self.sources.keys().filter(|name| !known.contains(*name));
        differences.unexpected = unexpected.cloned().collect();
        differences
    }

    /// The shape that a tensor has in the file, in PyTorch's layout.
    pub(super) fn shape_of(&self, spec: &Spec) -> Option<Vec<usize>> {
        let tensor = self.sources.get(&spec.name(self.convention))?;
        Some(spec.other_layout(tensor.shape.to_vec(), self.convention))
    }
}

impl fmt::Display for WeightFile {
    /// One line: the path, the format, the numbers in the tensors, and what else is to be known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: usize = self.tensors.iter().map(|t| t.shape.iter().product::<usize>()).sum();
        let kinds: std::collections::BTreeSet<String> =
            self.tensors.iter().map(|t| format!("{:?}", t.dtype)).collect();
        let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
        let (path, tensors) = (self.path.display(), self.tensors.len());
        write!(f, "{path}: {}, {numbers} numbers in {tensors} tensors ({kinds})", self.format)?;
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

/// What kind of file it is by its first bytes.
fn detect(path: &Path) -> Result<Format, String> {
    let found = path.metadata().map_err(|e| e.to_string())?;
    if !found.is_file() && !found.is_dir() {
        // To open a pipe would wait for a writer; a folder cannot be read, which is said below.
        return Err("it is not a regular file".into());
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(|e| e.to_string())?;
    file.take(512).read_to_end(&mut start).map_err(|e| e.to_string())?;
    let legacy_magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
    if start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06") {
        Ok(Format::PyTorchZip)
    } else if start.starts_with(&MAGIC_NUMBER.to_le_bytes()) {
        Ok(Format::Burnpack)
    } else if start.get(8) == Some(&b'{') && start[4..8] == [0; 4] {
        // The length of the header in eight bytes, then JSON.
        Ok(Format::Safetensors)
    } else if start.get(TAR_MAGIC) == Some(b"ustar".as_slice()) {
        // Whatever stands before: the reader would take it for one, whose contents can unfold to
        // any size.
        Err("a tar archive, as the first versions of PyTorch wrote; save it anew with a later one"
            .into())
    } else if start.windows(10).take(55).any(|bytes| bytes == legacy_magic) {
        Ok(Format::PyTorchLegacy)
    } else if start.is_empty() {
        Err("the file is empty".into())
    } else {
        Err("neither a file of PyTorch nor safetensors nor burnpack, or its beginning is damaged"
            .into())
    }
}

fn from_tensors(tensors: Vec<Tensor>) -> pytorch::Contents {
    pytorch::Contents { tensors, key: None, ignored_names: Vec::new() }
}

fn read_safetensors(path: &Path) -> Result<Vec<Tensor>, String> {
    let mut length = [0; 8];
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    file.read_exact(&mut length).map_err(|e| e.to_string())?;
    let header = u64::from_le_bytes(length);
    let size = file.metadata().map_err(|e| e.to_string())?.len();
    if header > size.saturating_sub(8) {
        return Err(format!("a header of {header} bytes in a file of {size} bytes"));
    }
    if header > LONGEST_HEADER {
        return Err(format!("a header of {header} bytes, the longest are of {LONGEST_HEADER}"));
    }
    let mut store = SafetensorsStore::from_file(path);
    let tensors = store.get_all_tensors().map_err(|e| e.to_string())?;
    Ok(tensors.values().cloned().collect())
}

fn read_burnpack(path: &Path) -> Result<Vec<Tensor>, String> {
    // The reader sets memory aside for the descriptions before it knows whether they are there.
    let mut header = [0; HEADER_SIZE];
    let mut file = File::open(path).map_err(|e| e.to_string())?;
    file.read_exact(&mut header).map_err(|e| e.to_string())?;
    let described = u32::from_le_bytes([header[6], header[7], header[8], header[9]]);
    let length = file.metadata().map_err(|e| e.to_string())?.len();
    if u64::from(described) + HEADER_SIZE as u64 > length {
        return Err(format!("{described} bytes of descriptions in a file of {length} bytes"));
    }
    let reader = Reader::from_file_exact(path).map_err(|e| e.to_string())?;
    reader.into_tensors().map_err(|e| e.to_string())
}

/// Takes away the prefixes that PyTorch's wrappers of whole networks put before every name:
/// `DataParallel` and `DistributedDataParallel` the one, `torch.compile` the other.
fn strip_wrappers(tensors: &mut [Tensor]) {
    for prefix in ["_orig_mod.", "module.", "_orig_mod."] {
        if tensors.iter().all(|tensor| tensor.name.starts_with(prefix)) {
            for tensor in tensors.iter_mut() {
                tensor.name.drain(..prefix.len());
            }
        }
    }
}

pub(super) fn file_error(path: &Path, reason: impl fmt::Display) -> ModelError {
    ModelError::File { path: path.into(), reason: reason.to_string() }
}
