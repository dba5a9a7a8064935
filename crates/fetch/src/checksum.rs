//! By what a published file is known.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use md5::{Digest as _, Md5};
use selvedge_files::Hasher;

use crate::MaybeGzip;

/// By what a published file is known: a digest in lower-case hexadecimal, and of what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checksum {
    /// SHA-256 of the content, which may be raw or compressed by gzip. (Compressed files of the same content
    /// differ.)
    Content(&'static str),
    /// SHA-256 of the file as it is published, compressed or not; or its first digits, eight at least, as
    /// PyTorch puts them into the names of its files.
    Sha256(&'static str),
    /// MD5 of the file as it is published, where nothing better is known. It tells damage, but no malice.
    Md5(&'static str),
}

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// The published file.
    Published,
    /// It ends too early.
    Incomplete,
    /// Something else: its digest, or what keeps it from having one.
    Other(String),
}

impl Checksum {
    /// Which digest of what, as messages say it.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Content(_) => "SHA-256 of the content",
            Self::Sha256(_) => "SHA-256",
            Self::Md5(_) => "MD5",
        }
    }

    /// The published digits.
    pub const fn digits(self) -> &'static str {
        let (Self::Content(digits) | Self::Sha256(digits) | Self::Md5(digits)) = self;
        digits
    }

    /// Whether the digits are as many as they must be, and of the right kind.
    pub fn is_well_formed(self) -> bool {
        let length = match self {
            Self::Content(digits) => digits.len() == 64,
            Self::Sha256(digits) => (8..=64).contains(&digits.len()),
            Self::Md5(digits) => digits.len() == 32,
        };
        length && self.digits().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    }

    /// Compares a file with the published one, which has at most `bytes` bytes: of the content for
    /// [`Content`](Self::Content), else of the file. Never reads more than that, so that a hostile file
    /// cannot keep it busy.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn of_file(self, path: &Path, bytes: u64) -> io::Result<Digest> {
        let file = File::open(path)?;
        match self {
            Self::Content(_) => self.of_content(MaybeGzip::new(file)?, bytes),
            Self::Sha256(_) | Self::Md5(_) => self.of_bytes(file, bytes),
        }
    }

    fn of_content<R: Read>(self, mut content: MaybeGzip<R>, bytes: u64) -> io::Result<Digest> {
        let gzip = content.is_gzip();
        let mut hasher = Hasher::new();
        let length = match read_all(&mut content, bytes, |piece| hasher.update(piece)) {
            Ok(length) => length,
            Err(e) if gzip => {
                return match e.kind() {
                    io::ErrorKind::UnexpectedEof => Ok(Digest::Incomplete),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                        Ok(Digest::Other(format!("a damaged gzip stream ({e})")))
                    }
                    _ => Err(e),
                };
            }
            Err(e) => return Err(e),
        };
        let Some(length) = length else { return Ok(too_long(bytes)) };
        let found = hasher.finish();
        Ok(if found == self.digits() {
            Digest::Published
        } else if length == 0 {
            Digest::Incomplete
        } else {
            Digest::Other(found)
        })
    }

    fn of_bytes(self, mut file: impl Read, bytes: u64) -> io::Result<Digest> {
        let (mut sha256, mut md5) = (Hasher::new(), Md5::new());
        let is_md5 = matches!(self, Self::Md5(_));
        let length = read_all(&mut file, bytes, |piece| match is_md5 {
            true => md5.update(piece),
            false => sha256.update(piece),
        })?;
        let Some(length) = length else { return Ok(too_long(bytes)) };
        let found = match is_md5 {
            true => md5.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
            false => sha256.finish(),
        };
        Ok(if found.starts_with(self.digits()) {
            Digest::Published
        } else if length == 0 {
            Digest::Incomplete
        } else {
            Digest::Other(found)
        })
    }
}

fn too_long(bytes: u64) -> Digest {
    Digest::Other(format!("more than {bytes} bytes"))
}

/// Hands over the content piece by piece; its length, or none if it has more than `most` bytes.
fn read_all(
    content: &mut impl Read,
    most: u64,
    mut take: impl FnMut(&[u8]),
) -> io::Result<Option<u64>> {
    let mut length = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(Some(length)),
            Ok(n) => {
                take(&buffer[..n]);
                length += n as u64;
                if length > most {
                    return Ok(None);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected: printf abc | sha256sum, and | md5sum.
    const SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const MD5: &str = "900150983cd24fb0d6963f7d28e17f72";

    #[test]
    fn a_file_is_known_by_its_sha256_by_the_first_digits_of_it_and_by_its_md5() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let of = |checksum: Checksum, bytes| checksum.of_file(file.path(), bytes).unwrap();
        for known in [
            Checksum::Content(SHA256),
            Checksum::Sha256(SHA256),
            Checksum::Sha256("ba7816bf"),
            Checksum::Md5(MD5),
        ] {
            assert!(known.is_well_formed());
            assert_eq!(of(known, 3), Digest::Published);
            assert_eq!(of(known, 2), Digest::Other("more than 2 bytes".into()));
        }
        let other = Checksum::Sha256("ba7816be");
        assert_eq!(of(other, 3), Digest::Other(SHA256.into()));
        let other = Checksum::Md5("900150983cd24fb0d6963f7d28e17f73");
        assert_eq!(of(other, 3), Digest::Other(MD5.into()));
        std::fs::write(file.path(), "").unwrap();
        assert_eq!(of(other, 3), Digest::Incomplete);
    }

    #[test]
    fn digits_that_are_too_few_or_none_are_told() {
        assert!(!Checksum::Sha256("ba7816b").is_well_formed());
        assert!(!Checksum::Content("ba7816bf").is_well_formed());
        assert!(!Checksum::Md5("900150983CD24FB0D6963F7D28E17F72").is_well_formed());
    }
}
