//! Published data sets of a test's own, and their files.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use selvedge_data::published::{Checksum, PublishedFile, PublishedPart, PublishedSet};
use selvedge_data::{IdxArray, IdxData};

/// The bytes of an IDX file.
pub fn idx(shape: &[usize], data: IdxData) -> Vec<u8> {
    let mut bytes = Vec::new();
    IdxArray::new(shape.to_vec(), data).unwrap().write(&mut bytes).unwrap();
    bytes
}

/// The bytes, compressed.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// A file that is known by the SHA-256 of this content.
pub fn content(name: &'static str, bytes: &[u8]) -> PublishedFile {
    let checksum = Some(Checksum::Content(selvedge_files::sha256(bytes).leak()));
    PublishedFile { name, bytes: bytes.len() as u64, checksum }
}

/// A set of training images alone, found in no place but its folder.
pub fn set(train: PublishedPart, shape: [usize; 3]) -> PublishedSet {
    PublishedSet {
        name: "small",
        display_name: "Small",
        folder: "small",
        places: &[],
        shape,
        classes: &["x", "y", "z"],
        train,
        test: None,
        official: None,
        archive: None,
        hosts: &[],
        debian: None,
        homepage: "",
        license: "",
    }
}
