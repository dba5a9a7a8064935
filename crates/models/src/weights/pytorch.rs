//! PyTorch's own files: `torch.save` of a state dict or of a checkpoint that holds one.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use burn::store::bridge::from_pytorch;
use burn::store::pytorch_reader::{PickleError, PickleValue, PytorchError, PytorchReader};
use zip::ZipArchive;

use super::input::damaged;
use super::pickle::{Invalid, Walk, invalid};
use super::stored::{Contents, Stored};

/// Pickles at the beginning of a file in the old format: a magic number, the format's version, the
/// machine's sizes, the data, the names of the storages.
const LEGACY_PICKLES: usize = 5;

/// Where checkpoints keep the state dict, the most explicit name first.
const KEYS: [&str; 5] = ["state_dict", "model_state_dict", "model", "network", "net"];

/// As many of the names that a pickle refers to are told.
const MOST_NAMES: usize = 100;

/// What to do about a file that holds something else than a state dict.
const ADVICE: &str = "save a state dict instead: `torch.save(model.state_dict(), path)`";

/// Reads a zip archive.
pub(super) fn read_zip(path: &Path) -> Result<Contents, String> {
    let walk = walk_zip(path).map_err(|e| explained("zip archive of PyTorch", e))?;
    read(path, walk)
}

/// Reads the format of before PyTorch 1.6.
pub(super) fn read_legacy(path: &Path) -> Result<Contents, String> {
    let walk = walk_legacy(path).map_err(|e| explained("file of PyTorch", e))?;
    read(path, walk)
}

/// Refuses an archive that would unfold to far more than its size, and walks over its pickle.
fn walk_zip(path: &Path) -> io::Result<Walk> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut archive = ZipArchive::new(BufReader::new(file))?;
    let mut unfolded = 0u64;
    let mut pickles = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index)?;
        unfolded = unfolded.saturating_add(entry.size());
        if entry.name()?.ends_with("data.pkl") {
            pickles.push(index);
        }
    }
    check_unfolded(unfolded, size)?;
    let [index] = pickles[..] else {
        let found = match pickles.len() {
            0 => "none".into(),
            n => format!("{n} of them"),
        };
        return Err(invalid(format!("a file of PyTorch has one `data.pkl`, this has {found}")));
    };
    let mut walk = Walk::default();
    walk.pickle(&mut BufReader::new(archive.by_index(index)?))?;
    Ok(walk)
}

/// Refuses a file whose contents take far more memory than the file itself.
///
/// `torch.save` compresses nothing, and weights hardly shrink where others do; a tensor that repeats
/// one row, or that two names share, counts as often as it is repeated.
fn check_unfolded(bytes: u64, file: u64) -> io::Result<()> {
    match bytes > 8 * file + (1 << 20) {
        true => Err(invalid(format!("the file of {file} bytes unfolds to {bytes}"))),
        false => Ok(()),
    }
}

fn walk_legacy(path: &Path) -> io::Result<Walk> {
    let mut file = BufReader::new(File::open(path)?);
    let mut walk = Walk::default();
    for _ in 0..LEGACY_PICKLES {
        walk.pickle(&mut file)?;
    }
    Ok(walk)
}

fn read(path: &Path, walk: Walk) -> Result<Contents, String> {
    let outline = PytorchReader::read_pickle_data(path, None).map_err(explain)?;
    let key = match &outline {
        PickleValue::Dict(entries) => {
            let is_flat = entries.values().any(is_tensor);
            KEYS.into_iter().find(|key| !is_flat && entries.get(*key).is_some_and(holds_tensors))
        }
        PickleValue::Unsupported(class) => {
            return Err(format!("it holds an object of {class}, not a state dict; {ADVICE}"));
        }
        _ => return Err(format!("it holds no dictionary of tensors; {ADVICE}")),
    };
    let reader = match key {
        Some(key) => PytorchReader::with_top_level_key(path, key),
        None => PytorchReader::new(path),
    };
    let tensors = reader.map_err(explain)?.into_tensors();
    let unfolded = tensors.values().map(|tensor| tensor.byte_len() as u64);
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    check_unfolded(unfolded.fold(0, u64::saturating_add), size).map_err(|e| e.to_string())?;
    // A network without parameters has an empty state dict, beside which the versions of its modules stand.
    let is_empty = match &outline {
        PickleValue::Dict(entries) => entries.keys().all(|key| key == "_metadata"),
        _ => false,
    };
    if tensors.is_empty() && !is_empty {
        return Err(format!("it holds no tensors; {ADVICE}"));
    }
    let ignored = walk.names.into_iter().filter(|name| !builds_tensors(name));
    Ok(Contents {
        tensors: tensors.into_values().map(from_pytorch).map(Stored::from).collect(),
        key,
        ignored_names: ignored.take(MOST_NAMES).collect(),
        ..Contents::default()
    })
}

fn is_tensor(value: &PickleValue) -> bool {
    matches!(value, PickleValue::Unsupported(class) if class == "torch.Tensor")
}

fn holds_tensors(value: &PickleValue) -> bool {
    match value {
        PickleValue::Dict(entries) => entries.values().any(|v| is_tensor(v) || holds_tensors(v)),
        _ => false,
    }
}

/// Whether every file of tensors refers to this name.
fn builds_tensors(name: &str) -> bool {
    let storage = name.starts_with("torch.") && name.ends_with("Storage");
    storage || name.starts_with("torch._utils._rebuild_") || name == "collections.OrderedDict"
}

/// The reader's message, and what to do about an object that is not a tensor.
fn explain(error: PytorchError) -> String {
    match &error {
        PytorchError::Pickle(PickleError::UnsupportedType(class)) => {
            format!("it holds tensors inside an object of {class}; {ADVICE}")
        }
        _ => damaged("file of PyTorch", error),
    }
}

/// What was found here is said already; the rest comes from the library for archives or from the system.
fn explained(format: &str, error: io::Error) -> String {
    match error.get_ref() {
        Some(reason) if reason.is::<Invalid>() => error.to_string(),
        _ if error.raw_os_error().is_some() => error.to_string(),
        _ => damaged(format, error),
    }
}
