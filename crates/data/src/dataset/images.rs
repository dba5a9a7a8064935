use std::sync::Arc;

use super::pixels::Pixels;
use crate::DataError;
use crate::error::Repr;

/// As many classes as a `u16` can name.
const MOST_CLASSES: usize = 1 << 16;

/// Labelled images of one shape, in one contiguous buffer of bytes, in memory or (those of many files) in a
/// file that is mapped into it. A clone shares the buffer.
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
    images: Pixels,
    shape: [usize; 3],
    labels: Vec<u16>,
    classes: Arc<[String]>,
}

impl ImageDataset {
    /// Images as bytes in the order `[image, channel, row, column]`, each of
    /// `shape = [channels, height, width]`; one label per image; one name per class.
    ///
    /// # Errors
    ///
    /// If a dimension is 0, the buffer's length is not (number of labels) × (bytes per image),
    /// there are no classes or more than 65,536, a label is not below the number of classes, or
    /// there are more than `u32::MAX` images.
    pub fn new(
        name: impl Into<String>,
        images: Vec<u8>,
        shape: [usize; 3],
        labels: Vec<u16>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        Self::of_pixels(name.into(), Pixels::Memory(images), shape, labels, classes)
    }

    /// As [`new`](Self::new), of pixels that may be in a file.
    pub(crate) fn of_pixels(
        name: String,
        images: Pixels,
        shape: [usize; 3],
        labels: Vec<u16>,
        classes: Vec<String>,
    ) -> Result<Self, DataError> {
        if classes.is_empty() || classes.len() > MOST_CLASSES {
            let found = classes.len();
            return Err(Repr::ClassCount { name, found }.into());
        }
        if u32::try_from(labels.len()).is_err() {
            let found = labels.len();
            return Err(Repr::TooManyImages { name, found }.into());
        }
        let size = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        let bytes = size.filter(|&s| s > 0).and_then(|s| s.checked_mul(labels.len()));
        let Some(expected) = bytes else {
            return Err(Repr::ImageShape { name, found: shape }.into());
        };
        if images.len() != expected {
            let (images, found) = (labels.len(), images.len());
            return Err(Repr::ImageBytes { name, images, expected, found }.into());
        }
        if let Some(index) = labels.iter().position(|&l| usize::from(l) >= classes.len()) {
            let (classes, found) = (classes.len(), labels[index]);
            return Err(Repr::Label { name, index, classes, found }.into());
        }
        let classes = classes.into();
        Ok(Self { shared: Arc::new(Shared { name, images, shape, labels, classes }) })
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
    pub fn label(&self, index: usize) -> u16 {
        self.shared.labels[index]
    }

    /// All pixels, `[image, channel, row, column]` row-major.
    pub fn images(&self) -> &[u8] {
        &self.shared.images
    }

    /// All labels, in the images' order.
    pub fn labels(&self) -> &[u16] {
        &self.shared.labels
    }

    /// The classes' names; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        &self.shared.classes
    }

    /// Whether both are clones of one data set.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn shared_classes(&self) -> Arc<[String]> {
        self.shared.classes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    fn message(images: usize, shape: [usize; 3], labels: Vec<u16>, class_count: usize) -> String {
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
        assert_eq!(message(0, [1, 2, 2], vec![], 0), "t: expected 1 to 65536 classes, found 0");
        assert_eq!(
            message(0, [1, 2, 2], vec![], 65_537),
            "t: expected 1 to 65536 classes, found 65537"
        );
    }

    #[test]
    fn there_may_be_as_many_classes_as_a_label_can_name() {
        let data =
            ImageDataset::new("t", vec![7], [1, 1, 1], vec![65_535], classes(65_536)).unwrap();
        let view = data.view();
        assert_eq!(view.classes()[usize::from(view.label(0))], "65535");
        assert_eq!(view.class_counts()[65_535], 1);
    }

    #[test]
    fn a_clone_shares_the_buffer() {
        let a = ImageDataset::new("t", vec![1; 8], [2, 2, 1], vec![0, 0], classes(1)).unwrap();
        let b = a.clone();
        assert_eq!(a.images().as_ptr(), b.images().as_ptr());
    }
}
