//! Labelled images in two IDX files.

use std::path::Path;

use super::{IdxData, IdxReader};
use crate::error::FileRepr;
use crate::fetch::FoundFile;
use crate::{DataError, ImageDataset};

/// The order of the dimensions of images in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ImageLayout {
    /// `[images, channels, height, width]`, as PyTorch has them.
    ChannelsFirst,
    /// `[images, height, width, channels]`, as NumPy, Pillow and TensorFlow have them.
    ChannelsLast,
}

/// How images and labels are in their files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdxForm {
    /// The layout of images of four dimensions, if it is known.
    pub layout: Option<ImageLayout>,
    /// Whether each image is in its file column by column, so that `[width, height]` are the dimensions there.
    pub transposed: bool,
    pub labels: IdxLabels,
    /// The most bytes of an array.
    pub limit: u64,
}

/// How labels are in their file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdxLabels {
    /// Bytes `[images]`, of which this is the first class.
    From(u8),
    /// `i32` `[images, values]`, the class first.
    FirstValue,
}

impl Default for IdxForm {
    fn default() -> Self {
        let (layout, labels, limit) = (None, IdxLabels::From(0), IdxReader::DEFAULT_LIMIT);
        Self { layout, transposed: false, labels, limit }
    }
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
        let files = [images_path.as_ref(), labels_path.as_ref()].map(FoundFile::on_disk);
        Self::read_idx(name, [&files[0], &files[1]], classes, &IdxForm::default())
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
        let files = [images_path.as_ref(), labels_path.as_ref()].map(FoundFile::on_disk);
        let form = IdxForm { layout: Some(layout), ..IdxForm::default() };
        Self::read_idx(name, [&files[0], &files[1]], classes, &form)
    }

    /// As [`from_idx_files`](Self::from_idx_files), of another form. The files are those of the images and of
    /// the labels.
    pub(crate) fn read_idx(
        name: impl Into<String>,
        files: [&FoundFile; 2],
        classes: Vec<String>,
        form: &IdxForm,
    ) -> Result<Self, DataError> {
        let [images_file, labels_file] = files;
        let reader = IdxReader::new().with_limit(form.limit);
        let (count, shape, images) = read_images(&reader, images_file, form)?;
        let labels = read_labels(&reader, labels_file, form.labels, classes.len())?;
        if labels.len() != count {
            return Err(FileRepr::CountMismatch {
                images_path: images_file.path().to_owned(),
                images: count,
                labels_path: labels_file.path().to_owned(),
                labels: labels.len(),
                offset: 4,
            }
            .into());
        }
        Self::new(name, images, shape, labels, classes)
    }
}

/// How many images, the shape of each as `[channels, height, width]`, and their pixels.
fn read_images(
    reader: &IdxReader,
    file: &FoundFile,
    form: &IdxForm,
) -> Result<(usize, [usize; 3], Vec<u8>), DataError> {
    let layout = form.layout;
    let (dimensions, images) = read_bytes(reader, file)?;
    Ok(match *dimensions.as_slice() {
        [count, width, height] if form.transposed => {
            (count, [1, height, width], transposed(&images, width, height))
        }
        [count, height, width] => (count, [1, height, width], images),
        [_, second, _, last] if layout.is_none() && looks_like_channels_last(second, last) => {
            let path = file.path().to_owned();
            return Err(FileRepr::ChannelsLast { path, found: dimensions }.into());
        }
        [count, height, width, channels] if layout == Some(ImageLayout::ChannelsLast) => {
            let images = transposed(&images, height * width, channels);
            (count, [channels, height, width], images)
        }
        [count, channels, height, width] => (count, [channels, height, width], images),
        _ => {
            return Err(FileRepr::FileShape {
                path: file.path().to_owned(),
                offset: 3,
                expected: "[images, height, width] or [images, channels, height, width]".to_owned(),
                found: dimensions,
            }
            .into());
        }
    })
}

/// The labels, counted from 0.
fn read_labels(
    reader: &IdxReader,
    file: &FoundFile,
    form: IdxLabels,
    classes: usize,
) -> Result<Vec<u16>, DataError> {
    let path = file.path();
    let wrong_shape = |expected: &str, found| FileRepr::FileShape {
        path: path.to_owned(),
        offset: 3,
        expected: expected.to_owned(),
        found,
    };
    let first = match form {
        IdxLabels::From(first) => first,
        IdxLabels::FirstValue => {
            let array = reader.read_found(file)?;
            let found = array.element_type().name();
            let (shape, IdxData::I32(values)) = array.into_parts() else {
                let (path, expected) = (path.to_owned(), "i32");
                return Err(FileRepr::ElementType { path, offset: 2, expected, found }.into());
            };
            let [_, width] = shape[..] else {
                return Err(wrong_shape("[labels, values]", shape).into());
            };
            return first_values(path, &values, width, classes);
        }
    };
    let (dimensions, labels) = read_bytes(reader, file)?;
    if dimensions.len() != 1 {
        return Err(wrong_shape("[labels]", dimensions).into());
    }
    let counted = |label: u8| label.checked_sub(first).map(u16::from);
    let wrong = |label| counted(label).is_none_or(|label| usize::from(label) >= classes);
    if let Some(index) = labels.iter().position(|&label| wrong(label)) {
        // The header of an array of one dimension takes 8 bytes.
        let (offset, found) = (8 + index as u64, i64::from(labels[index]));
        return Err(FileRepr::file_label(path, offset, first.into(), classes, found).into());
    }
    Ok(labels.into_iter().filter_map(counted).collect())
}

/// The first of each `width` values.
fn first_values(
    path: &Path,
    values: &[i32],
    width: usize,
    classes: usize,
) -> Result<Vec<u16>, DataError> {
    let label = |(index, &value): (usize, &i32)| {
        let label = u16::try_from(value).ok().filter(|&label| usize::from(label) < classes);
        label.ok_or_else(|| {
            // The header of an array of two dimensions takes 12 bytes.
            let offset = 12 + 4 * (index * width) as u64;
            FileRepr::file_label(path, offset, 0, classes, value.into()).into()
        })
    };
    values.iter().step_by(width).enumerate().map(label).collect()
}

/// From `[image, column, row]` to `[image, row, column]`; so also from `[image, pixel, channel]` to
/// `[image, channel, pixel]`, with pixels for columns and channels for rows.
pub(crate) fn transposed(images: &[u8], width: usize, height: usize) -> Vec<u8> {
    let mut turned = Vec::with_capacity(images.len());
    for image in images.chunks_exact(width * height) {
        for row in 0..height {
            turned.extend(image.iter().skip(row).step_by(height));
        }
    }
    turned
}

/// Whether the second of four dimensions is no usual number of channels and the last is: grey, colour,
/// or colour with opacity.
fn looks_like_channels_last(second: usize, last: usize) -> bool {
    let usual = [1, 3, 4];
    usual.contains(&last) && !usual.contains(&second)
}

fn read_bytes(reader: &IdxReader, file: &FoundFile) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let array = reader.read_found(file)?;
    let found = array.element_type().name();
    match array.into_parts() {
        (shape, IdxData::U8(bytes)) => Ok((shape, bytes)),
        _ => {
            let path = file.path().to_owned();
            Err(FileRepr::ElementType { path, offset: 2, expected: "u8", found }.into())
        }
    }
}
