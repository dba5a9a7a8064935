use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use selvedge_files::Hasher;

use crate::formats::idx::MaybeGzip;
use crate::published::PublishedFile;

/// What a downloaded file turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// The published content.
    Published,
    /// It ends too early.
    Incomplete,
    /// Something else: its SHA-256, or what keeps it from having one.
    Other(String),
}

/// Decompresses the file and compares its content with the published one. Stops at the published
/// length, so that a hostile file cannot keep it busy.
pub(super) fn content(path: &Path, file: &PublishedFile) -> io::Result<Content> {
    let mut content = MaybeGzip::new(File::open(path)?)?;
    let gzip = content.is_gzip();
    let mut digest = Hasher::new();
    let mut length = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => {
                digest.update(&buffer[..n]);
                length += n as u64;
                if length > file.bytes {
                    return Ok(Content::Other(format!("more than {} bytes", file.bytes)));
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if gzip => {
                return match e.kind() {
                    io::ErrorKind::UnexpectedEof => Ok(Content::Incomplete),
                    io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                        Ok(Content::Other(format!("a damaged gzip stream ({e})")))
                    }
                    _ => Err(e),
                };
            }
            Err(e) => return Err(e),
        }
    }
    let found = digest.finish();
    Ok(if found == file.sha256 {
        Content::Published
    } else if length == 0 {
        Content::Incomplete
    } else {
        Content::Other(found)
    })
}
