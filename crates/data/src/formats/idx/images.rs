//! Labelled images in two IDX files.

use std::path::Path;

use super::{IdxData, IdxReader};
use crate::error::FileRepr;
use crate::{DataError, ImageDataset};

/// The order of the dimensions of images in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageLayout {
    /// `[images, channels, height, width]`, as PyTorch has them.
    ChannelsFirst,
    /// `[images, height, width, channels]`, as NumPy, Pillow and TensorFlow have them.
    ChannelsLast,
}

impl ImageDataset {
    /// Reads an image file and its label file, both IDX of `u8`, raw or gzip: images of shape
    /// `[count, height, width]` (one channel) or `[count, channels, height, width]`, labels of
    /// shape `[count]`. This reads EMNIST, KMNIST and their like.
    ///
    /// # Errors
    ///
    /// If a file cannot be read, is not such an array, the counts differ, or a label is not below
    /// the number of classes. The error names the file and the byte. Four dimensions that look like
    /// channels last, as `[60000, 32, 32, 3]` does, are refused: the last is 1, 3 or 4, and the second
    /// is not. Then [`from_idx_files_with_layout`](Self::from_idx_files_with_layout) is told which it is.
    pub fn from_idx_files(
        name: impl Into<String>,
        images_path: impl AsRef<Path>,
        labels_path: impl AsRef<Path>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let paths = [images_path.as_ref(), labels_path.as_ref()];
        Self::read_idx_files(name, paths, classes, None, &IdxReader::new())
    }

    /// As [`from_idx_files`](Self::from_idx_files), for images of four dimensions in the given order;
    /// in memory they are always `[channels, height, width]`. (Three dimensions are one channel.)
    ///
    /// # Errors
    ///
    /// As [`from_idx_files`](Self::from_idx_files), but for the layout, which is not guessed at.
    pub fn from_idx_files_with_layout(
        name: impl Into<String>,
        images_path: impl AsRef<Path>,
        labels_path: impl AsRef<Path>,
        classes: Vec<String>,
        layout: ImageLayout,
    ) -> Result<Self, DataError> {
        let paths = [images_path.as_ref(), labels_path.as_ref()];
        Self::read_idx_files(name, paths, classes, Some(layout), &IdxReader::new())
    }

    /// As [`from_idx_files`](Self::from_idx_files), by a reader with a limit of its own, and with a
    /// layout if it is known. The paths are those of the images and of the labels.
    pub(crate) fn read_idx_files(
        name: impl Into<String>,
        [images_path, labels_path]: [&Path; 2],
        classes: Vec<String>,
        layout: Option<ImageLayout>,
        reader: &IdxReader,
    ) -> Result<Self, DataError> {
        let (dimensions, mut images) = read_bytes(reader, images_path)?;
        let (count, shape) = match *dimensions.as_slice() {
            [count, height, width] => (count, [1, height, width]),
            [_, second, _, last] if layout.is_none() && looks_like_channels_last(second, last) => {
                let path = images_path.to_owned();
                return Err(FileRepr::ChannelsLast { path, found: dimensions }.into());
            }
            [count, height, width, channels] if layout == Some(ImageLayout::ChannelsLast) => {
                images = channels_first(&images, channels, height * width);
                (count, [channels, height, width])
            }
            [count, channels, height, width] => (count, [channels, height, width]),
            _ => {
                return Err(FileRepr::FileShape {
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
            return Err(FileRepr::FileShape {
                path: labels_path.to_owned(),
                offset: 3,
                expected: "[labels]".to_owned(),
                found: dimensions,
            }
            .into());
        }
        if labels.len() != count {
            return Err(FileRepr::CountMismatch {
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
            return Err(FileRepr::FileLabel {
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

/// Whether the second of four dimensions is no usual number of channels and the last is: grey, colour,
/// or colour with opacity.
fn looks_like_channels_last(second: usize, last: usize) -> bool {
    let usual = [1, 3, 4];
    usual.contains(&last) && !usual.contains(&second)
}

/// From `[image, pixel, channel]` to `[image, channel, pixel]`.
fn channels_first(images: &[u8], channels: usize, pixels: usize) -> Vec<u8> {
    let mut turned = Vec::with_capacity(images.len());
    for image in images.chunks_exact(channels * pixels) {
        for channel in 0..channels {
            turned.extend(image.iter().skip(channel).step_by(channels));
        }
    }
    turned
}

fn read_bytes(reader: &IdxReader, path: &Path) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let array = reader.read_file(path)?;
    let found = array.element_type().name();
    match array.into_parts() {
        (shape, IdxData::U8(bytes)) => Ok((shape, bytes)),
        _ => {
            let path = path.to_owned();
            Err(FileRepr::ElementType { path, offset: 2, expected: "u8", found }.into())
        }
    }
}
