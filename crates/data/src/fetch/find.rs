//! Which of a data set's files a folder holds, under which of their names.

use std::path::{Path, PathBuf};

use selvedge_fetch::{Archive, Environment, FetchError, Held, RemoteFile, Source, Wanted, file_in};

use super::FoundFile;
use crate::DataError;
use crate::published::{PublishedArchive, PublishedFile, PublishedPart, PublishedSet};

/// A compressed file may be this many bytes larger than its content, and no more.
const OVERHEAD: u64 = 1 << 16;

/// Where a data set's files are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Each under a path of its own, in the order of [`PublishedSet::files`].
    Files(Vec<PathBuf>),
    /// All in one archive.
    Archive(PathBuf),
}

/// The data set's files.
pub(crate) fn find(source: &Source, set: &PublishedSet) -> Result<Found, DataError> {
    find_in(source, &Environment::of_this_process(Source::VARIABLE), set)
}

pub(crate) fn find_in(
    source: &Source,
    env: &Environment,
    set: &PublishedSet,
) -> Result<Found, DataError> {
    let folders: Vec<&str> =
        std::iter::once(set.folder).chain(set.places.iter().copied()).collect();
    let others: Vec<PathBuf> = set.debian.iter().map(PathBuf::from).collect();
    let wanted = Wanted {
        name: set.display_name,
        folders: &folders,
        loose: &["raw", "gzip", "emnist_source_files", ""],
        variable: Source::VARIABLE,
        workspace: "datasets",
        others: &others,
        spellings: &spellings(set),
    };
    Ok(source.find_in(env, &wanted, &|folder| look(folder, set), &remote_files(set))?)
}

fn spellings(set: &PublishedSet) -> String {
    let pickles = match set.train {
        PublishedPart::Cifar { .. } => "; the pickles of the Python version are not read",
        _ => "",
    };
    let archive = set.archive.map_or_else(String::new, |archive| format!(", or {}", archive.name));
    format!("raw or .gz{archive}{pickles}")
}

/// What a folder holds of the data set.
fn look(folder: &Path, set: &PublishedSet) -> Result<Held<Found>, FetchError> {
    let (mut found, mut missing) = (Vec::new(), None);
    for published in set.files() {
        match file(folder, published.name)? {
            Some(path) => found.push(path),
            None => {
                missing.get_or_insert_with(|| folder.join(published.name));
            }
        }
    }
    let Some(first) = missing else { return Ok(Held::All(Found::Files(found))) };
    if let Some(archive) = set.archive
        && let Some(path) = file_in(folder, archive.name)?
    {
        return Ok(Held::All(Found::Archive(path)));
    }
    Ok(match found.is_empty() {
        true => Held::Nothing { first },
        false => Held::Some { missing: first },
    })
}

/// The file of this name, raw or compressed, if there is one; also as Kaggle spells it, `train-images.idx3-ubyte`
/// for `train-images-idx3-ubyte`, and in a folder of its own name.
fn file(folder: &Path, name: &str) -> Result<Option<PathBuf>, FetchError> {
    let other = name.replace("-idx", ".idx");
    let mut names = vec![name];
    names.extend((other != name).then_some(other.as_str()));
    let beside = names.iter().map(|name| (*name).to_owned());
    for name in beside.chain(names.iter().map(|name| format!("{name}/{name}"))) {
        for name in [&name, &format!("{name}.gz")] {
            if let Some(path) = file_in(folder, name)? {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// What is to be downloaded.
fn remote_files(set: &PublishedSet) -> Vec<RemoteFile> {
    let remote = |name: String, bytes, checksum| RemoteFile {
        urls: set.hosts.iter().map(|host| format!("{host}/{name}")).collect(),
        name,
        bytes,
        checksum,
    };
    match set.archive {
        Some(archive) => vec![remote(archive.name.to_owned(), archive.bytes, archive.checksum)],
        None => {
            let files = set.files().into_iter();
            // What nothing is known by is not downloaded.
            let known = files.filter_map(|file| Some((file, file.checksum?)));
            known.map(|(file, sum)| remote(format!("{}.gz", file.name), file.bytes, sum)).collect()
        }
    }
}

/// The files as they can be read; the members of an archive are in memory then, as they are in it.
pub(crate) fn open(found: Found, set: &PublishedSet) -> Result<Vec<FoundFile>, DataError> {
    let path = match found {
        Found::Files(paths) => return Ok(paths.into_iter().map(FoundFile::on_disk).collect()),
        Found::Archive(path) => path,
    };
    let suffix = set.archive.map_or("", |PublishedArchive { suffix, .. }| suffix);
    let inner = set.archive.map_or("", |PublishedArchive { folder, .. }| folder);
    let member = |file: PublishedFile| {
        (format!("{inner}/{}{suffix}", file.name), file.bytes.saturating_add(OVERHEAD))
    };
    let names: Vec<_> = set.files().into_iter().map(member).collect();
    let wanted: Vec<_> = names.iter().map(|(name, most)| (name.as_str(), *most)).collect();
    let contents = Archive::new(&path).members(&wanted)?;
    let files = names.iter().zip(contents);
    Ok(files.map(|((name, _), bytes)| FoundFile::in_archive(&path, name, bytes)).collect())
}
