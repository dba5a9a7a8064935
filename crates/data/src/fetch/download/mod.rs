//! Fetches a data set's files into a cache folder.
//!
//! A file appears under its name only when it is complete and its decompressed content has the
//! published SHA-256; until then it has a temporary name in the same folder, and is removed on
//! failure. One process at a time works in a folder, under a lock; the others wait, then find the
//! files.

mod check;
mod transfer;

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

use super::search;
use crate::error::Repr;
use crate::published::{PublishedFile, PublishedSet};
use crate::{DataError, Source};
use check::Content;
use transfer::{Failure, Transfer};

/// What the names of temporary files begin with: those of files that are not complete.
const PART: &str = ".tmp";

/// Puts those of the set's files that are missing into `folder`.
pub(crate) fn fetch(set: &PublishedSet, folder: &Path, options: &Source) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|e| DataError::io("create folder", folder, e))?;
    let _lock = lock(folder)?;
    for file in &set.files() {
        // Another process may have fetched it while this one waited for the lock.
        if search::file(folder, file.name).is_none() {
            fetch_file(set, file, folder, options)?;
        }
    }
    Ok(())
}

/// Waits for the folder's lock, which lasts as long as the file is open.
fn lock(folder: &Path) -> Result<File, DataError> {
    let path = folder.join(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| DataError::io("open", &path, e))?;
    match file.lock() {
        Ok(()) => remove_leftovers(folder),
        // Some network file systems have no locks. Two processes then do the same work twice,
        // under different temporary names.
        Err(e) if e.kind() == io::ErrorKind::Unsupported => {}
        Err(e) => return Err(DataError::io("lock", &path, e)),
    }
    Ok(file)
}

/// Removes temporary files of processes that were killed. Only for the holder of the lock, so
/// that none is in use; a failure is harmless.
fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(PART) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn fetch_file(
    set: &PublishedSet,
    file: &PublishedFile,
    folder: &Path,
    options: &Source,
) -> Result<(), DataError> {
    let hosts: Vec<&str> = if options.urls.is_empty() {
        set.hosts.to_vec()
    } else {
        options.urls.iter().map(String::as_str).collect()
    };
    let mut last = None;
    for host in hosts {
        let url = format!("{}/{}.gz", host.trim_end_matches('/'), file.name);
        // In the same folder, since renaming works only within one file system.
        let part = selvedge_files::new_file_in(folder)
            .map_err(|e| DataError::io("create a file in", folder, e))?;
        let mut transfer = Transfer::new(url, file, part, options);
        match from_host(&mut transfer, file, options) {
            Ok(()) => return persist(transfer.into_part(), file, folder),
            Err(Stop::Local(error)) => return Err(error),
            Err(Stop::Host(error)) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let reason = "no address to download from".to_owned();
        Repr::Download { url: set.display_name.to_owned(), reason }.into()
    }))
}

/// Why a host's attempts ended.
enum Stop {
    /// The host's fault: another one may do better.
    Host(DataError),
    /// This machine's fault, such as a full disk.
    Local(DataError),
}

fn from_host(transfer: &mut Transfer, file: &PublishedFile, options: &Source) -> Result<(), Stop> {
    let mut pause = options.pause;
    let mut reason = String::new();
    for attempt in 0..options.attempts.max(1) {
        if attempt > 0 {
            std::thread::sleep(pause);
            pause *= 2;
        }
        match transfer.attempt() {
            Ok(()) => {}
            Err(Failure::Passing(why)) => {
                reason = why;
                continue;
            }
            Err(Failure::Lasting(reason)) => {
                let url = transfer.url().to_owned();
                return Err(Stop::Host(Repr::Download { url, reason }.into()));
            }
            Err(Failure::Local(error)) => {
                return Err(Stop::Local(DataError::io("write", transfer.path(), error)));
            }
        }
        let content = check::content(transfer.path(), file)
            .map_err(|e| Stop::Local(DataError::io("read", transfer.path(), e)))?;
        reason = match content {
            Content::Published => return Ok(()),
            // The host closed the connection early without having announced a length; what is
            // there can be continued.
            Content::Incomplete => "the transfer was cut off".to_owned(),
            // Joined from several transfers, between which the host's file may have changed.
            Content::Other(why) if transfer.resumed() => {
                transfer
                    .restart()
                    .map_err(|e| Stop::Local(DataError::io("write", transfer.path(), e)))?;
                format!("resumed to a wrong content, {why}")
            }
            Content::Other(found) => {
                let (origin, expected) = (transfer.url().to_owned(), file.sha256.to_owned());
                return Err(Stop::Host(Repr::Checksum { origin, expected, found }.into()));
            }
        };
    }
    Err(Stop::Host(Repr::Download { url: transfer.url().to_owned(), reason }.into()))
}

/// Gives a complete file its name.
fn persist(part: NamedTempFile, file: &PublishedFile, folder: &Path) -> Result<(), DataError> {
    let path = folder.join(format!("{}.gz", file.name));
    selvedge_files::persist(part, &path)
        .map_err(|e| DataError::io("rename a download to", &path, e))
}
