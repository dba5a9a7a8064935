//! Where the bytes of a file are read from.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A file, or its bytes.
#[derive(Debug)]
pub(super) struct Input<'a> {
    place: Place<'a>,
    length: u64,
}

enum Place<'a> {
    File(Mutex<File>),
    Bytes(&'a [u8]),
}

impl std::fmt::Debug for Place<'_> {
    /// Without the content, which can be of any size.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File(_) => "File",
            Self::Bytes(_) => "Bytes",
        })
    }
}

impl Input<'static> {
    /// Opens a regular file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let found = path.metadata().map_err(|e| e.to_string())?;
        if !found.is_file() && !found.is_dir() {
            // To open a pipe would wait for a writer; a folder cannot be read, which is said below.
            return Err("it is not a regular file".into());
        }
        let file = File::open(path).map_err(|e| e.to_string())?;
        let length = file.metadata().map_err(|e| e.to_string())?.len();
        let input = Self { place: Place::File(Mutex::new(file)), length };
        // Elsewhere than on Unix a folder cannot be opened at all.
        if found.is_dir() {
            input.read(0, 1).map_err(|e| e.to_string())?;
        }
        Ok(input)
    }
}

impl<'a> Input<'a> {
    /// Bytes that are in memory already.
    pub fn bytes(bytes: &'a [u8]) -> Self {
        Self { length: bytes.len() as u64, place: Place::Bytes(bytes) }
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The whole content, if it is in memory.
    #[cfg(feature = "burnpack")]
    pub fn in_memory(&self) -> Option<&'a [u8]> {
        match self.place {
            Place::File(_) => None,
            Place::Bytes(bytes) => Some(bytes),
        }
    }

    /// The first bytes, at most `most` of them.
    pub fn beginning(&self, most: usize) -> io::Result<Vec<u8>> {
        let length = self.length.min(most as u64) as usize;
        self.read(0, length)
    }

    /// `length` bytes from `offset` on. Memory is set aside for bytes that are there alone.
    pub fn read(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let end = offset.checked_add(length as u64).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| self.too_short(offset, length))?;
        match &self.place {
            Place::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                let mut bytes = vec![0; length];
                file.seek(SeekFrom::Start(offset))?;
                match file.read_exact(&mut bytes) {
                    // It became shorter since it was opened.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                        Err(self.too_short(offset, length))
                    }
                    read => read.map(|()| bytes),
                }
            }
            Place::Bytes(bytes) => Ok(bytes[offset as usize..end as usize].to_vec()),
        }
    }

    fn too_short(&self, offset: u64, length: usize) -> io::Error {
        let end = offset.saturating_add(length as u64);
        let reason =
            format!("it is cut off: of {end} bytes that are needed, it has {}", self.length);
        io::Error::new(io::ErrorKind::UnexpectedEof, reason)
    }
}

/// What a library says that failed to read a file of `format`, for somebody who has never heard of it: most
/// files that cannot be read were cut off in a copy or a download.
pub(super) fn damaged(format: &str, error: impl std::fmt::Display) -> String {
    let mut reason = error.to_string();
    for (said, meant) in [
        ("failed to fill whole buffer", "it ends in the middle of something"),
        ("unexpected end of file", "it ends in the middle of something"),
        ("Could not find EOCD", "its table of contents, at the end, is missing"),
        ("could not find EOCD", "its table of contents, at the end, is missing"),
        ("incomplete metadata, file not fully covered", "its tensors do not cover it"),
        ("metadata not fully covered", "its tensors do not cover it"),
    ] {
        reason = reason.replace(said, meant);
    }
    format!("the {format} is cut off or damaged, or of a kind that is not read: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libraries_say_is_put_into_plain_words() {
        let library = "invalid Zip archive: Could not find EOCD";
        let expected = "the zip archive is cut off or damaged, or of a kind that is not read: invalid Zip \
                        archive: its table of contents, at the end, is missing";
        assert_eq!(damaged("zip archive", library), expected);
    }

    #[test]
    fn a_read_beyond_the_end_says_how_much_is_missing() {
        let error = Input::bytes(&[0; 10]).read(4, 8).unwrap_err();
        assert_eq!(error.to_string(), "it is cut off: of 12 bytes that are needed, it has 10");
    }
}
