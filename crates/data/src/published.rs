//! What MNIST and its successors have in common: four IDX files of known names and content.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::{DataError, ImageDataset, Source, idx};

/// A data set published in MNIST's file format.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "download"),
    expect(dead_code, reason = "some fields serve downloads alone")
)]
pub(crate) struct Published {
    pub(crate) name: &'static str,
    /// The folder that holds the files, wherever data sets are kept.
    pub(crate) folder: &'static str,
    /// Where the data set's Debian package installs it.
    pub(crate) debian: Option<&'static str>,
    /// Addresses to which `/<file>.gz` is appended.
    pub(crate) hosts: &'static [&'static str],
    pub(crate) classes: [&'static str; 10],
    /// Training images and labels, test images and labels.
    pub(crate) files: [PublishedFile; 4],
}

#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "download"),
    expect(dead_code, reason = "some fields serve downloads alone")
)]
pub(crate) struct PublishedFile {
    /// The name without `.gz`.
    pub(crate) name: &'static str,
    /// Bytes of the decompressed content.
    pub(crate) bytes: u64,
    /// SHA-256 of the decompressed content. Compressed files of the same content differ.
    pub(crate) sha256: &'static str,
}

impl Published {
    /// Training and test images.
    pub(crate) fn load(&self, source: &Source) -> Result<(ImageDataset, ImageDataset), DataError> {
        let files = source.find(self)?;
        let [train_images, train_labels, test_images, test_labels] = &files;
        let (train, test) = rayon::join(
            || self.load_part("train", train_images, train_labels),
            || self.load_part("test", test_images, test_labels),
        );
        Ok((train?, test?))
    }

    fn load_part(
        &self,
        part: &str,
        images: &PathBuf,
        labels: &PathBuf,
    ) -> Result<ImageDataset, DataError> {
        let name = format!("{} {part}", self.name);
        let classes = self.classes.map(String::from).to_vec();
        let data = ImageDataset::from_idx_files(name, images, labels, classes)?;
        if data.shape() != [1, 28, 28] {
            let [_, height, width] = data.shape();
            return Err(DataError::FileShape {
                path: images.clone(),
                offset: 8,
                expected: "[images, 28, 28]",
                found: vec![data.len(), height, width],
            });
        }
        Ok(data)
    }

    /// Compares the content of all four files, rebuilt from memory, with the published one.
    pub(crate) fn verify(
        &self,
        train: &ImageDataset,
        test: &ImageDataset,
    ) -> Result<(), DataError> {
        let parts = [train, test];
        for (part, files) in parts.into_iter().zip(self.files.chunks_exact(2)) {
            let [_, height, width] = part.shape();
            check_content(&files[0], &[part.len(), height, width], part.images())?;
            check_content(&files[1], &[part.len()], part.labels())?;
        }
        Ok(())
    }
}

fn check_content(file: &PublishedFile, shape: &[usize], bytes: &[u8]) -> Result<(), DataError> {
    let header = idx::header(idx::IdxType::U8.code(), shape);
    let found = hex(&Sha256::new().chain_update(header).chain_update(bytes).finalize());
    if found == file.sha256 {
        return Ok(());
    }
    Err(DataError::Checksum {
        origin: file.name.to_owned(),
        expected: file.sha256.to_owned(),
        found,
    })
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
