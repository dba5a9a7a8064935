//! Fetches a data set's files into a cache folder.
//!
//! A file appears under its name only when it is complete and its decompressed content has the
//! published SHA-256; until then it has a temporary name in the same folder, and is removed on
//! failure, or after a SIGKILL by the next download. One process at a time works in a folder, under a
//! lock; the others wait, then find the files.

mod check;
mod display;
mod transfer;

#[cfg(test)]
mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;
use std::time::Duration;

use selvedge_files::{FolderLock, NewFile, OutputError};

use super::search;
use crate::error::FileRepr;
use crate::published::{PublishedFile, PublishedSet};
use crate::{DataError, Source};
use check::Content;
use transfer::{Failure, Transfer};

/// Puts those of the set's files that are missing into `folder`.
pub(crate) fn fetch(set: &PublishedSet, folder: &Path, options: &Source) -> Result<(), DataError> {
    let _lock = lock(set, folder, options)?;
    for file in &set.files() {
        // Another process may have fetched it while this one waited for the lock.
        if search::file(folder, file.name)?.is_none() {
            fetch_file(set, file, folder, options)?;
        }
    }
    Ok(())
}

/// Waits for the right to write to the folder, which is made.
fn lock(set: &PublishedSet, folder: &Path, options: &Source) -> Result<FolderLock, DataError> {
    let mut said = false;
    loop {
        let OutputError { path, error } = match FolderLock::acquire(folder) {
            Ok(lock) => return Ok(lock),
            Err(refused) => refused,
        };
        if error.kind() != io::ErrorKind::ResourceBusy {
            return Err(DataError::io("write", &path, error));
        }
        if !said {
            display::say(&format!("waiting for the download of {}: {error}", set.display_name));
            said = true;
        }
        if !options.interrupt.sleep(Duration::from_millis(50)) {
            let doing = format!("waiting for the download of {} by another", set.display_name);
            return Err(FileRepr::Interrupted { doing }.into());
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
        let path = folder.join(format!("{}.gz", file.name));
        let part = NewFile::new_in(folder).map_err(|e| DataError::io("write", &path, e))?;
        let mut transfer = Transfer::new(url, file, part, options);
        match from_host(&mut transfer, file, &path, options) {
            Ok(()) => {
                let placed = transfer.into_part().persist(&path);
                return placed.map_err(|e| DataError::io("write", &path, e));
            }
            Err(Stop::Local(error)) => return Err(error),
            Err(Stop::Host(error)) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let reason = "no address to download from".to_owned();
        FileRepr::Download { url: set.display_name.to_owned(), reason }.into()
    }))
}

/// Why a host's attempts ended.
enum Stop {
    /// The host's fault: another one may do better.
    Host(DataError),
    /// This machine's fault, such as a full disk.
    Local(DataError),
}

/// Errors name `path`, where the file will be; its temporary name is nobody's business.
fn from_host(
    transfer: &mut Transfer,
    file: &PublishedFile,
    path: &Path,
    options: &Source,
) -> Result<(), Stop> {
    let write = |error| Stop::Local(DataError::io("write", path, error));
    let interrupted = || {
        let doing = format!("downloading {}", file.name);
        Stop::Local(FileRepr::Interrupted { doing }.into())
    };
    let mut pause = options.pause;
    let mut reason = String::new();
    for attempt in 0..options.attempts.max(1) {
        if attempt > 0 {
            transfer.display().retry(&reason, pause);
            if !options.interrupt.sleep(pause) {
                return Err(interrupted());
            }
            pause *= 2;
        }
        match transfer.attempt(&options.interrupt) {
            Ok(()) => {}
            Err(Failure::Passing(why)) => {
                reason = why;
                continue;
            }
            Err(Failure::Lasting(reason)) => {
                let url = transfer.url().to_owned();
                return Err(Stop::Host(FileRepr::Download { url, reason }.into()));
            }
            Err(Failure::Local(error)) => return Err(write(error)),
            Err(Failure::Interrupted) => return Err(interrupted()),
        }
        let content = check::content(transfer.path(), file)
            .map_err(|e| Stop::Local(DataError::io("read", path, e)))?;
        reason = match content {
            Content::Published => return Ok(()),
            // The host closed the connection early without having announced a length; what is
            // there can be continued.
            Content::Incomplete => "the transfer was cut off".to_owned(),
            // Joined from several transfers, between which the host's file may have changed.
            Content::Other(why) if transfer.resumed() => {
                transfer.restart().map_err(write)?;
                format!("resumed to a wrong content, {why}")
            }
            Content::Other(found) => {
                let (origin, expected) = (transfer.url().to_owned(), file.sha256.to_owned());
                return Err(Stop::Host(FileRepr::Checksum { origin, expected, found }.into()));
            }
        };
    }
    Err(Stop::Host(FileRepr::Download { url: transfer.url().to_owned(), reason }.into()))
}
