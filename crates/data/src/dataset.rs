use std::path::Path;
use std::sync::Arc;

use crate::{DataError, IdxData, IdxReader, View};

/// Labelled images of one shape, in one contiguous buffer of bytes. A clone shares the buffer.
///
/// ```
/// use selvedge_data::ImageDataset;
///
/// let classes = vec!["dark".to_owned(), "light".to_owned()];
/// let tiny = ImageDataset::new("tiny", vec![0, 1, 254, 255], [1, 1, 2], vec![0, 1], classes)?;
/// assert_eq!(tiny.len(), 2);
/// assert_eq!(tiny.image(1), [254, 255]);
/// assert_eq!(tiny.classes()[usize::from(tiny.label(1))], "light");
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageDataset {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    name: String,
    /// `[image, channel, row, column]`, row-major.
    images: Vec<u8>,
    shape: [usize; 3],
    labels: Vec<u8>,
    classes: Arc<[String]>,
}

impl ImageDataset {
    /// Images as bytes in the order `[image, channel, row, column]`, each of
    /// `shape = [channels, height, width]`; one label per image; one name per class.
    ///
    /// # Errors
    ///
    /// If a dimension is 0, the buffer's length is not (number of labels) × (bytes per image),
    /// there are no classes or more than 256, a label is not below the number of classes, or
    /// there are more than `u32::MAX` images.
    pub fn new(
        name: impl Into<String>,
        images: Vec<u8>,
        shape: [usize; 3],
        labels: Vec<u8>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        let name = name.into();
        if classes.is_empty() || classes.len() > 256 {
            let found = classes.len();
            return Err(DataError::ClassCount { name, found });
        }
        if u32::try_from(labels.len()).is_err() {
            let found = labels.len();
            return Err(DataError::TooManyImages { name, found });
        }
        let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let bytes = size.filter(|&s| s > 0).and_then(|s| s.checked_mul(labels.len()));
        let Some(expected) = bytes else {
            return Err(DataError::ImageShape { name, found: shape });
        };
        if images.len() != expected {
            return Err(DataError::ImageBytes {
                name,
                images: labels.len(),
                expected,
                found: images.len(),
            });
        }
        if let Some(index) = labels.iter().position(|&l| usize::from(l) >= classes.len()) {
            return Err(DataError::Label {
                name,
                index,
                classes: classes.len(),
                found: labels[index],
            });
        }
        let classes = classes.into();
        Ok(Self { shared: Arc::new(Shared { name, images, shape, labels, classes }) })
    }

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
        let (images_path, labels_path) = (images_path.as_ref(), labels_path.as_ref());
        let (dimensions, images) = read_bytes(images_path)?;
        let (count, shape) = match *dimensions.as_slice() {
            [count, height, width] => (count, [1, height, width]),
            [count, channels, height, width] => (count, [channels, height, width]),
            _ => {
                return Err(DataError::FileShape {
                    path: images_path.to_owned(),
                    offset: 3,
                    expected: "[images, height, width] or [images, channels, height, width]",
                    found: dimensions,
                });
            }
        };
        let (dimensions, labels) = read_bytes(labels_path)?;
        if dimensions.len() != 1 {
            return Err(DataError::FileShape {
                path: labels_path.to_owned(),
                offset: 3,
                expected: "[labels]",
                found: dimensions,
            });
        }
        if labels.len() != count {
            return Err(DataError::CountMismatch {
                images_path: images_path.to_owned(),
                images: count,
                labels_path: labels_path.to_owned(),
                labels: labels.len(),
                offset: 4,
            });
        }
        if let Some(index) = labels.iter().position(|&l| usize::from(l) >= classes.len()) {
            // The header of an array of one dimension takes 8 bytes.
            return Err(DataError::FileLabel {
                path: labels_path.to_owned(),
                offset: 8 + index as u64,
                classes: classes.len(),
                found: labels[index],
            });
        }
        Self::new(name, images, shape, labels, classes)
    }

    /// The data set's name, for reports.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.shared.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.shared.labels.is_empty()
    }

    /// The shape of one image: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shared.shape
    }

    /// The pixels of image `index`, `[channel, row, column]` row-major.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shared.shape.iter().product::<usize>();
        &self.shared.images[index * size..][..size]
    }

    /// The label of image `index`.
    ///
    /// # Panics
    ///
    /// If `index` is not below [`len`](Self::len).
    pub fn label(&self, index: usize) -> u8 {
        self.shared.labels[index]
    }

    /// All pixels, `[image, channel, row, column]` row-major.
    pub fn images(&self) -> &[u8] {
        &self.shared.images
    }

    /// All labels, in the images' order.
    pub fn labels(&self) -> &[u8] {
        &self.shared.labels
    }

    /// The classes' names; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        &self.shared.classes
    }

    /// A view of all images, in their order and with their labels.
    pub fn view(&self) -> View {
        View::all(self)
    }

    pub(crate) fn shared_classes(&self) -> Arc<[String]> {
        self.shared.classes.clone()
    }
}

fn read_bytes(path: &Path) -> Result<(Vec<usize>, Vec<u8>), DataError> {
    let array = IdxReader::new().read_file(path)?;
    let found = array.element_type().name();
    match array.into_parts() {
        (shape, IdxData::U8(bytes)) => Ok((shape, bytes)),
        _ => {
            Err(DataError::ElementType { path: path.to_owned(), offset: 2, expected: "u8", found })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    fn message(images: usize, shape: [usize; 3], labels: Vec<u8>, class_count: usize) -> String {
        ImageDataset::new("t", vec![0; images], shape, labels, classes(class_count))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn buffer_shape_labels_and_classes_must_agree() {
        assert_eq!(
            message(7, [1, 2, 2], vec![0, 0], 1),
            "t: expected 8 bytes for 2 images, found 7"
        );
        assert_eq!(
            message(0, [1, 0, 2], vec![0], 1),
            "t: expected image dimensions of at least 1 and an addressable size, found [1, 0, 2]"
        );
        assert_eq!(
            message(0, [usize::MAX, 2, 2], vec![0], 1),
            format!(
                "t: expected image dimensions of at least 1 and an addressable size, found [{}, 2, 2]",
                usize::MAX
            )
        );
        assert_eq!(
            message(8, [1, 2, 2], vec![0, 2], 2),
            "t: label of image 1: expected less than 2, found 2"
        );
        assert_eq!(message(0, [1, 2, 2], vec![], 0), "t: expected 1 to 256 classes, found 0");
        assert_eq!(message(0, [1, 2, 2], vec![], 257), "t: expected 1 to 256 classes, found 257");
    }

    #[test]
    fn a_clone_shares_the_buffer() {
        let a = ImageDataset::new("t", vec![1; 8], [2, 2, 1], vec![0, 0], classes(1)).unwrap();
        let b = a.clone();
        assert_eq!(a.images().as_ptr(), b.images().as_ptr());
    }
}
