//! Labelled images in two IDX files.

use std::path::Path;

use super::{IdxData, IdxReader};
use crate::error::Repr;
use crate::{DataError, ImageDataset};

impl ImageDataset {
    /// Reads an image file and its label file, both IDX of `u8`, raw or gzip: images of shape
    /// `[count, height, width]` (one channel) or `[count, channels, height, width]`, labels of
    /// shape `[count]`. This reads EMNIST, KMNIST and their like.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is not such an array, the counts differ, or a label is not below
    /// the number of classes. The error names the file and the byte.
    pub fn from_idx_files(
        name: impl Into<String>,
        images_path: impl AsRef<Path>,
        labels_path: impl AsRef<Path>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let reader = IdxReader::new();
        Self::read_idx_files(name, images_path.as_ref(), labels_path.as_ref(), classes, &reader)
    }

    /// As [`from_idx_files`](Self::from_idx_files), by a reader with a limit of its own.
    pub(crate) fn read_idx_files(
        name: impl Into<String>,
        images_path: &Path,
        labels_path: &Path,
        classes: Vec<String>,
        reader: &IdxReader,
    ) -> Result<Self, DataError> {
        let (dimensions, images) = read_bytes(reader, images_path)?;
        let (count, shape) = match *dimensions.as_slice() {
            [count, height, width] => (count, [1, height, width]),
            [count, channels, height, width] => (count, [channels, height, width]),
            _ => {
                return Err(Repr::FileShape {
                    path: images_path.to_owned(),
                    offset: 3,
                    expected: "[images, height, width] or [images, channels, height, width]"
                        .to_owned(),
                    found: dimensions,
                }
                .into());
            }
        };
        let (dimensions, labels) = read_bytes(reader, labels_path)?;
        if dimensions.len() != 1 {
            return Err(Repr::FileShape {
                path: labels_path.to_owned(),
                offset: 3,
                expected: "[labels]".to_owned(),
                found: dimensions,
            }
            .into());
        }
        if labels.len() != count {
            return Err(Repr::CountMismatch {
                images_path: images_path.to_owned(),
                images: count,
                labels_path: labels_path.to_owned(),
                labels: labels.len(),
                offset: 4,
            }
            .into());
        }
        if let Some(index) = labels.iter().position(|&l| usize::from(l) >= classes.len()) {
            // The header of an array of one dimension takes 8 bytes.
            return Err(Repr::FileLabel {
                path: labels_path.to_owned(),
                offset: 8 + index as u64,
                classes: classes.len(),
                found: labels[index].into(),
            }
            .into());
        }
        let labels = labels.into_iter().map(u16::from).collect();
        Self::new(name, images, shape, labels, classes)
    }
}

fn read_bytes(reader: &IdxReader, path: &Path) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let array = reader.read_file(path)?;
    let found = array.element_type().name();
    match array.into_parts() {
        (shape, IdxData::U8(bytes)) => Ok((shape, bytes)),
        _ => {
            let path = path.to_owned();
            Err(Repr::ElementType { path, offset: 2, expected: "u8", found }.into())
        }
    }
}
