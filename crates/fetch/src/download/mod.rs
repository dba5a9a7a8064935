//! Fetches files into a cache folder.
//!
//! A file appears under its name only when it is complete and is the published one by its checksum; until then
//! it has a temporary name in the same folder, and is removed on failure, or after a SIGKILL by the next
//! download. One process at a time works in a folder, under a lock; the others wait, then find the files.

mod display;
mod transfer;

use std::io;
use std::path::Path;
use std::time::Duration;

use selvedge_files::{FolderLock, NewFile, OutputError};

use crate::{Digest, FetchError, RemoteFile, Source, Wanted, file_in};
use transfer::{Failure, Transfer};

/// Puts those of the files that are missing into `folder`.
pub(crate) fn fetch(
    wanted: &Wanted<'_>,
    files: &[RemoteFile],
    folder: &Path,
    options: &Source,
) -> Result<(), FetchError> {
    let _lock = lock(wanted.name, folder, options)?;
    for file in files {
        // Another process may have fetched it while this one waited for the lock.
        if !is_there(folder, file)? {
            fetch_file(wanted, file, folder, options)?;
        }
    }
    Ok(())
}

/// Whether the file is there, decompressed or not.
fn is_there(folder: &Path, file: &RemoteFile) -> Result<bool, FetchError> {
    let raw = match file.name.strip_suffix(".gz") {
        Some(name) => file_in(folder, name)?,
        None => None,
    };
    Ok(raw.is_some() || file_in(folder, &file.name)?.is_some())
}

/// Waits for the right to write to the folder, which is made.
fn lock(name: &str, folder: &Path, options: &Source) -> Result<FolderLock, FetchError> {
    let mut said = false;
    loop {
        let OutputError { path, error } = match FolderLock::acquire(folder) {
            Ok(lock) => return Ok(lock),
            Err(refused) => refused,
        };
        if error.kind() != io::ErrorKind::ResourceBusy {
            return Err(FetchError::io("write", &path, error));
        }
        if !said {
            display::say(&format!("waiting for the download of {name}: {error}"));
            said = true;
        }
        if !options.interrupt.sleep(Duration::from_millis(50)) {
            let doing = format!("waiting for the download of {name} by another");
            return Err(FetchError::Interrupted { doing });
        }
    }
}

fn fetch_file(
    wanted: &Wanted<'_>,
    file: &RemoteFile,
    folder: &Path,
    options: &Source,
) -> Result<(), FetchError> {
    let variable = wanted.variable;
    let given =
        options.urls.iter().map(|host| format!("{}/{}", host.trim_end_matches('/'), file.name));
    let urls = if options.urls.is_empty() { file.urls.clone() } else { given.collect() };
    let mut last = None;
    for url in urls {
        // In the same folder, since renaming works only within one file system.
        let path = folder.join(&file.name);
        let part = NewFile::new_in(folder).map_err(|e| FetchError::io("write", &path, e))?;
        let mut transfer = Transfer::new(url, file, part, options);
        match from_host(&mut transfer, file, &path, options) {
            Ok(()) => {
                let placed = transfer.into_part().persist(&path);
                return placed.map_err(|e| FetchError::io("write", &path, e));
            }
            Err(Stop::Local(error)) => return Err(error),
            Err(Stop::Host(reason)) => {
                let url = transfer.url().to_owned();
                last = Some(FetchError::Download { url, reason, variable });
            }
            Err(Stop::Other(error)) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| {
        let reason = "no address to download from".to_owned();
        FetchError::Download { url: wanted.name.to_owned(), reason, variable }
    }))
}

/// Why a host's attempts ended.
enum Stop {
    /// The host's fault: another one may do better.
    Host(String),
    /// The host has another file than the published one.
    Other(FetchError),
    /// This machine's fault, such as a full disk.
    Local(FetchError),
}

/// Errors name `path`, where the file will be; its temporary name is nobody's business.
fn from_host(
    transfer: &mut Transfer,
    file: &RemoteFile,
    path: &Path,
    options: &Source,
) -> Result<(), Stop> {
    let write = |error| Stop::Local(FetchError::io("write", path, error));
    let interrupted = || {
        let doing = format!("downloading {}", label(file));
        Stop::Local(FetchError::Interrupted { doing })
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
                return Err(Stop::Host(reason));
            }
            Err(Failure::Local(error)) => return Err(write(error)),
            Err(Failure::Interrupted) => return Err(interrupted()),
        }
        let found = file.checksum.of_file(transfer.path(), file.bytes);
        reason = match found.map_err(|e| Stop::Local(FetchError::io("read", path, e)))? {
            Digest::Published => return Ok(()),
            // The host closed the connection early without having announced a length; what is
            // there can be continued.
            Digest::Incomplete => "the transfer was cut off".to_owned(),
            // Joined from several transfers, between which the host's file may have changed.
            Digest::Other(why) if transfer.resumed() => {
                transfer.restart().map_err(write)?;
                format!("resumed to a wrong content, {why}")
            }
            Digest::Other(found) => {
                let origin = transfer.url().to_owned();
                let (digest, expected) = (file.checksum.what(), file.checksum.digits().to_owned());
                let error = FetchError::Checksum { origin, digest, expected, found };
                return Err(Stop::Other(error));
            }
        };
    }
    Err(Stop::Host(reason))
}

/// The file's name as people call it.
fn label(file: &RemoteFile) -> &str {
    file.name.strip_suffix(".gz").unwrap_or(&file.name)
}
