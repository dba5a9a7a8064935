//! Parts of archives, read where the archives lie.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

use crate::{FetchError, MaybeGzip};

/// An archive as it is published: zip (a Python wheel is one), tar, or tar compressed by gzip. Its first bytes tell
/// which, not its name. Nothing is unpacked to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    path: PathBuf,
}

impl Archive {
    /// The archive at `path`, which is not opened yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The contents of the members of these names, in their order; each of at most the bytes beside its name.
    /// Memory is taken for bytes that are there alone. The archive is read once.
    ///
    /// # Errors
    ///
    /// [`FetchError::Io`] if it cannot be read; [`FetchError::Archive`] if it is damaged, lacks a member, or if a
    /// member is larger or encrypted.
    pub fn members(&self, wanted: &[(&str, u64)]) -> Result<Vec<Vec<u8>>, FetchError> {
        let open = || File::open(&self.path);
        let mut start = [0; 2];
        let read = open().and_then(|mut file| file.read(&mut start));
        read.map_err(|e| FetchError::io("read", &self.path, e))?;
        let file = open().map_err(|e| FetchError::io("open", &self.path, e))?;
        let found = match &start {
            b"PK" => from_zip(file, wanted),
            _ => from_tar(file, wanted),
        };
        found.map_err(|reason| FetchError::Archive { path: self.path.clone(), reason })
    }
}

fn lacks(name: &str) -> String {
    format!("it has no {name}")
}

/// Of a library's error, which may quote the archive: one line, and not a long one.
fn damaged(error: impl std::fmt::Display) -> String {
    let text: String = error.to_string().chars().take(200).flat_map(char::escape_debug).collect();
    format!("the archive is cut off or damaged: {text}")
}

/// At most `most` bytes of a member.
fn take(content: impl Read, name: &str, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    content.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(damaged)?;
    match bytes.len() as u64 > most {
        true => Err(format!("{name} has more than {most} bytes")),
        false => Ok(bytes),
    }
}

fn from_zip(file: File, wanted: &[(&str, u64)]) -> Result<Vec<Vec<u8>>, String> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
    wanted.iter().map(|&(name, most)| zip_member(&mut archive, name, most)).collect()
}

/// Decompressed here, since the library is built without that.
fn zip_member<R: io::Read + io::Seek>(
    archive: &mut zip::ZipArchive<R>,
    name: &str,
    most: u64,
) -> Result<Vec<u8>, String> {
    let index = archive.index_for_name(name).ok_or_else(|| lacks(name))?;
    let member = archive.by_index_raw(index).map_err(damaged)?;
    if member.encrypted() {
        return Err(format!("{name} is encrypted"));
    }
    let crc = member.crc32();
    let method = member.compression();
    let bytes = if method == zip::CompressionMethod::Stored {
        take(member, name, most)?
    } else if method == zip::CompressionMethod::DEFLATE {
        take(DeflateDecoder::new(BufReader::new(member)), name, most)?
    } else {
        return Err(format!("{name} is compressed by {method:?}, expected deflate or nothing"));
    };
    let mut found = Crc::new();
    found.update(&bytes);
    match found.sum() == crc {
        true => Ok(bytes),
        false => {
            Err(damaged(format!("the check sum of {name} is {:08x}, not {crc:08x}", found.sum())))
        }
    }
}

fn from_tar(file: File, wanted: &[(&str, u64)]) -> Result<Vec<Vec<u8>>, String> {
    let content = MaybeGzip::new(file).map_err(damaged)?;
    let mut archive = tar::Archive::new(content);
    let mut found: Vec<Option<Vec<u8>>> = vec![None; wanted.len()];
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if entry.header().entry_type() != tar::EntryType::Regular {
            continue;
        }
        let name = entry.path_bytes().into_owned();
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let position = wanted.iter().position(|(wanted, _)| wanted.as_bytes() == name);
        let Some(position) = position else { continue };
        let size = entry.size();
        let (name, most) = wanted[position];
        let bytes = take(entry, name, most)?;
        if (bytes.len() as u64) < size {
            return Err(damaged(format!("{name} ends after {} of {size} bytes", bytes.len())));
        }
        found[position] = Some(bytes);
        // What follows, an archive of any length, is nobody's business.
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    let all = wanted.iter().zip(found).map(|((name, _), bytes)| bytes.ok_or_else(|| lacks(name)));
    all.collect()
}

#[cfg(test)]
mod tests;
