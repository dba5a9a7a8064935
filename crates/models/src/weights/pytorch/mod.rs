//! PyTorch's own files: what `torch.save` and `torch.jit.save` write.

mod archive;
mod array;
mod choose;
mod find;
mod legacy;
mod npz;
mod tensor;
mod view;

pub(super) use self::view::View;

use std::collections::HashMap;
use std::sync::Arc;

use self::archive::Archive;
use self::choose::choose;
use self::find::{DEPTH, Found, candidates, is_script};
use self::tensor::{Home, Tensor, tensor};
use self::view::Storage;
use super::format::Format;
use super::input::{Input, damaged};
use super::options::ReadOptions;
use super::pickle::{self, Tree};
use super::stored::{Contents, Stored, Values};
use crate::error::shortened;

/// As many names of classes, and of tensors that are left out, are told.
const MOST_NAMES: usize = 100;

/// What to do about a file that holds something else than weights.
const ADVICE: &str = "save a state dict instead: `torch.save(model.state_dict(), path)`";

/// Reads a zip archive.
pub(super) fn read_zip(input: &Input<'_>, options: &ReadOptions) -> Result<Contents, String> {
    let damaged = |reason: String| damaged(kind_of_archive(input), reason);
    let archive = Archive::open(input).map_err(damaged)?;
    let is_pickle = |name: &str| name == "data.pkl" || name.ends_with("/data.pkl");
    let mut pickles = archive.entries.iter().filter(|entry| is_pickle(&entry.name));
    let (Some(entry), None) = (pickles.next(), pickles.next()) else {
        return match npz::is_one(&archive) {
            true => npz::read(&archive, input),
            false => Err(other_archive(&archive)),
        };
    };
    check_unfolded(entry.size, input.length())?;
    let place = entry.place(input).map_err(damaged)?;
    let bytes = place.read(input).map_err(damaged)?;
    let tree = pickle::read(&mut &bytes[..])?;
    let start = Some(place.offset).filter(|_| !place.is_deflated);
    let folder = entry.name.strip_suffix("data.pkl").unwrap_or_default();
    let entries: HashMap<&str, &archive::Entry> = archive
        .entries
        .iter()
        .filter_map(|entry| Some((entry.name.strip_prefix(folder)?, entry)))
        .collect();
    let byteorder = match entries.get("byteorder") {
        Some(entry) if entry.size <= 16 => {
            entry.place(input).and_then(|place| place.read(input)).map_err(damaged)?
        }
        _ => Vec::new(),
    };
    let storage = |key: &str, _| {
        let entry = entries.get(format!("data/{key}").as_str());
        let entry = entry.ok_or_else(|| format!("its storage `{key}` is not in the archive"))?;
        Ok(Storage::new(entry.place(input)?, byteorder == b"big"))
    };
    let contents = contents(&tree, input, storage, start, options)?;
    let is_script = is_script(&tree, tree.root());
    if is_script && contents.tensors.is_empty() {
        let reason = "a TorchScript archive without parameters, as `torch.jit.freeze` makes constants of them; \
                      take the module before it was frozen";
        return Err(reason.into());
    }
    Ok(Contents { format: is_script.then_some(Format::TorchScript), ..contents })
}

/// What wrote a zip archive, by the name of its first entry: its table of contents may be missing.
fn kind_of_archive(input: &Input<'_>) -> &'static str {
    let beginning = input.beginning(512).unwrap_or_default();
    let length = beginning.get(26..28).map_or(0, |n| usize::from(u16::from_le_bytes([n[0], n[1]])));
    match beginning.get(30..30 + length) {
        Some(name) if name.ends_with(npz::END.as_bytes()) => "archive of NumPy",
        Some(name) if name.ends_with(b"/data.pkl") => "zip archive of PyTorch",
        _ => "zip archive",
    }
}

/// Reads the format of before PyTorch 1.6.
pub(super) fn read_legacy(input: &Input<'_>, options: &ReadOptions) -> Result<Contents, String> {
    let damaged = |reason: String| damaged("file of PyTorch", reason);
    let (tree, start, mut storages) = legacy::open(input).map_err(damaged)?;
    contents(&tree, input, |key, bytes| storages.find(input, key, bytes), Some(start), options)
}

/// Reads a pickle that stands alone, with arrays of NumPy.
pub(super) fn read_pickle(input: &Input<'_>, options: &ReadOptions) -> Result<Contents, String> {
    let tree = pickle::read(&mut pickle::Stream::new(input))?;
    let storage = |key: &str, _| Err(format!("there is no storage `{key}` in a pickle alone"));
    let contents = contents(&tree, input, storage, Some(0), options)?;
    match contents.tensors.is_empty() {
        true => Err(format!("a pickle that `torch.save` did not write, without arrays; {ADVICE}")),
        false => Ok(contents),
    }
}

/// What is to be said of an archive that has not one pickle of this name.
fn other_archive(archive: &Archive) -> String {
    let names = || archive.entries.iter().map(|entry| entry.name.as_str());
    let holds = |end: &str| names().any(|name| name.ends_with(end));
    let count = names().filter(|name| name.ends_with("data.pkl")).count();
    match () {
        () if archive.entries.is_empty() => {
            "an empty archive, such as NumPy writes of no arrays".into()
        }
        () if count > 1 => {
            format!("a file of PyTorch has one `data.pkl`, this has {count} of them")
        }
        () if holds("/model.json") && holds("/version") => {
            "a TorchScript archive of PyTorch before 1.4; save it anew with a later one".into()
        }
        () if holds("model.weights.h5") => {
            "a model of Keras (.keras), which is not read; save its weights as safetensors".into()
        }
        () if holds(".pth") || holds(".pt") || holds(".safetensors") => {
            "an archive that contains files of weights; unpack it first".into()
        }
        () => "a file of PyTorch has one `data.pkl`, this has none".into(),
    }
}

/// Refuses a file whose contents take far more memory than the file itself.
///
/// `torch.save` compresses nothing, and weights hardly shrink where others do; a tensor that repeats
/// one row, or that two names share, counts as often as it is repeated.
fn check_unfolded(bytes: u64, file: u64) -> Result<(), String> {
    match bytes > file.saturating_mul(8).saturating_add(1 << 20) {
        true => Err(format!("the file of {file} bytes unfolds to {bytes}")),
        false => Ok(()),
    }
}

/// The weights in `tree`, whose storages `storage` finds by name and size, and which begins at `start` of the file if
/// it is not packed.
fn contents(
    tree: &Tree,
    input: &Input<'_>,
    mut storage: impl FnMut(&str, u64) -> Result<Arc<Storage>, String>,
    start: Option<u64>,
    options: &ReadOptions,
) -> Result<Contents, String> {
    let mut found = candidates(tree)?;
    let chosen = choose(tree, std::mem::take(&mut found.sets), options.key.as_deref())?;
    let mut storages: HashMap<String, Arc<Storage>> = HashMap::new();
    let (mut tensors, mut left_out, mut unfolded) = (Vec::new(), Vec::new(), 0u64);
    for (name, value) in chosen.tensors {
        let described = match tensor(tree, value) {
            Some(Tensor::Dense(described)) => described,
            Some(Tensor::Damaged(reason)) => return Err(format!("{name}: {reason}")),
            Some(Tensor::LeftOut(reason)) => {
                left_out.push((name, reason));
                continue;
            }
            None => continue,
        };
        let failed = |reason: String| damaged("file of PyTorch", format!("{name}: {reason}"));
        let found = match &described.home {
            Home::Pickle(values) => {
                // Before it is copied: arrays can share what they are made of.
                unfolded = unfolded.saturating_add(described.storage_bytes);
                check_unfolded(unfolded, input.length())?;
                array::storage(tree, values, described.storage_bytes, start).map_err(failed)?
            }
            Home::Storage(key) => match storages.get(key) {
                Some(found) => found.clone(),
                None => {
                    let found = storage(key, described.storage_bytes).map_err(failed)?;
                    // All of it is read at least once, for its checksum.
                    unfolded = unfolded.saturating_add(found.size());
                    storages.insert(key.clone(), found.clone());
                    found
                }
            },
        };
        let view = View::new(&described, found).map_err(failed)?;
        // A part of a storage that is packed is had by unpacking the whole.
        let packed = if view.storage().is_deflated() { view.storage().size() } else { 0 };
        unfolded = unfolded.saturating_add(view.bytes().max(packed));
        tensors.push(Stored {
            name,
            shape: described.shape,
            dtype: described.dtype,
            float8: described.float8,
            scales: None,
            id: None,
            values: Values::View(view),
        });
    }
    check_unfolded(unfolded, input.length())?;
    let is_empty = tensors.is_empty() && left_out.is_empty();
    if tensors.is_empty() && !(is_empty && may_be_empty(tree)) {
        return Err(without_tensors(tree, &found, &left_out));
    }
    left_out.truncate(MOST_NAMES);
    let ignored = tree.names.iter().filter(|name| !builds_tensors(name));
    let ignored = ignored.map(|name| shortened(name, 200));
    Ok(Contents {
        tensors,
        key: chosen.key,
        choices: chosen.choices,
        left_out,
        ignored_names: ignored.take(MOST_NAMES).collect(),
        ..Contents::default()
    })
}

/// Whether there may be no tensors: a network without parameters has an empty state dict, beside which the
/// versions of its modules stand. What to say of an archive of TorchScript is known to who knows that it is one.
fn may_be_empty(tree: &Tree) -> bool {
    if is_script(tree, tree.root()) {
        return true;
    }
    let entries = tree.dict(tree.root());
    entries
        .is_some_and(|entries| entries.iter().all(|(key, _)| tree.text(*key) == Some("_metadata")))
}

/// What to say of a file without weights.
fn without_tensors(tree: &Tree, found: &Found, left_out: &[(String, String)]) -> String {
    if let Some((name, reason)) = left_out.first() {
        return format!("it holds no tensors that are read: `{name}` is {reason}");
    }
    let root = tree.root();
    if found.has_optimizer {
        return format!(
            "it holds the state of an optimizer, but no weights of a network; {ADVICE}"
        );
    }
    if found.is_too_deep {
        return format!(
            "its values are nested more than {DEPTH} deep, the limit to which they are searched for weights; {ADVICE}"
        );
    }
    let what = match tree.object(root).and_then(|object| tree.global(object.class)) {
        Some(class) if tensor(tree, root).is_none() => format!("an object of {class}"),
        Some(_) => "a single tensor".into(),
        None if tree.dict(root).is_some() => {
            let names = tree.names.iter().filter(|name| !builds_tensors(name));
            let names: Vec<&str> = names.take(3).map(String::as_str).collect();
            match names.is_empty() {
                true => "a dictionary without tensors".into(),
                false => format!("a dictionary of objects of {}", names.join(", ")),
            }
        }
        None => "no dictionary of tensors".into(),
    };
    format!("it holds {what}; {ADVICE}")
}

/// Whether files of tensors refer to this name.
fn builds_tensors(name: &str) -> bool {
    let of_torch = name.strip_prefix("torch.");
    let is_storage =
        of_torch.is_some_and(|name| name.ends_with("Storage") || tensor::is_read(name));
    let is_part = ["torch._utils._rebuild_", "torch._tensor._rebuild_", "__torch__."];
    let others = [
        "collections.OrderedDict",
        "torch.Size",
        "torch.nn.parameter.Parameter",
        "_codecs.encode",
        "__builtin__.bytes",
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer",
    ];
    let is_array = others.contains(&name) || name.ends_with(pickle::JOBLIB_ARRAY);
    is_storage || is_part.iter().any(|part| name.starts_with(part)) || is_array
}
