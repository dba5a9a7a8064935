//! Images with labels, as they are published or found.

mod images;
mod joined;
mod pixels;
mod shared;

use crate::error::Repr;
use crate::split::same_form;
use crate::{DataError, Split, View};

pub use images::ImageDataset;
#[cfg(feature = "images")]
pub(crate) use pixels::PixelWriter;
pub(crate) use shared::shared_positions;

/// A data set: images to learn from, and test images where there are any.
///
/// A published one comes from [`PublishedSet::load`](crate::PublishedSet::load). However it came, it is
/// split in the same ways:
///
/// ```
/// use selvedge_data::{Dataset, ImageDataset};
///
/// # let pixels = (0..100).collect();
/// # let labels = (0..100).map(|i| i % 2).collect();
/// # let classes = vec!["even".to_owned(), "odd".to_owned()];
/// # let images = ImageDataset::new("counts", pixels, [1, 1, 1], labels, classes)?;
/// let data = Dataset::new(images, None)?;
/// let split = data.split_stratified(0.8, 1)?;
/// assert_eq!((split.train.len(), split.validation.len()), (80, 20));
/// assert_eq!(split.test().unwrap_err().to_string(), "split: expected test images, found none");
///
/// let three = data.split_stratified_three([0.8, 0.1, 0.1], 1)?;
/// assert_eq!(three.test()?.class_counts(), [5, 5]);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dataset {
    /// The images to learn from and to validate on.
    pub train: ImageDataset,
    /// The images to test on, if the data set has any.
    pub test: Option<ImageDataset>,
    official: Option<OfficialSplit>,
}

/// The sizes of the split by which results on a published data set are compared: the first `train` of
/// its training images train, the following `validation` ones validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfficialSplit {
    /// Images to train on.
    pub train: usize,
    /// Images to validate on.
    pub validation: usize,
    /// Images to test on.
    pub test: usize,
}

impl Dataset {
    /// Images to learn from, and test images, if any, of the same classes and the same shape.
    ///
    /// # Errors
    ///
    /// If the test images have other classes or another shape, or if one of them is a training image,
    /// byte by byte: then the accuracy on them is of what was learned by heart.
    pub fn new(train: ImageDataset, test: Option<ImageDataset>) -> Result<Self, DataError> {
        let data = Self::with_shared_images(train, test)?;
        let shared = data.shared_images();
        if let (Some(test), Some(&first)) = (&data.test, shared.first()) {
            let (name, of, count) = (test.name().to_owned(), test.len(), shared.len());
            return Err(Repr::SharedTestImages { name, count, of, first }.into());
        }
        Ok(data)
    }

    /// As [`new`](Self::new), but test images may be among the training images, as those of many a
    /// data set are. [`shared_images`](Self::shared_images) says which are.
    ///
    /// # Errors
    ///
    /// If the test images have other classes or another shape, or are the training images themselves.
    pub fn with_shared_images(
        train: ImageDataset,
        test: Option<ImageDataset>,
    ) -> Result<Self, DataError> {
        if let Some(test) = &test {
            let parts = "training and test images";
            same_form(&train.view(), &test.view(), parts)?;
            if test.is(&train) && !train.is_empty() {
                let name = train.name().to_owned();
                return Err(Repr::SharedImage { parts, name, index: 0 }.into());
            }
        }
        Ok(Self { train, test, official: None })
    }

    /// The positions of the test images that are training images, byte by byte, in ascending order.
    /// Labels are not compared.
    ///
    /// ```
    /// use selvedge_data::{Dataset, ImageDataset};
    ///
    /// let classes = vec!["dark".to_owned(), "light".to_owned()];
    /// let images = |pixels: &[u8], labels: &[u16]| {
    ///     ImageDataset::new("dots", pixels.to_vec(), [1, 1, 1], labels.to_vec(), classes.clone())
    /// };
    /// let (train, test) = (images(&[0, 9, 255], &[0, 0, 1])?, images(&[3, 9, 250], &[0, 0, 1])?);
    /// let data = Dataset::with_shared_images(train, Some(test))?;
    /// assert_eq!(data.shared_images(), [1]);
    /// # Ok::<(), selvedge_data::DataError>(())
    /// ```
    pub fn shared_images(&self) -> Vec<usize> {
        let shared = |test: &ImageDataset| shared_positions(&self.train.view(), &test.view());
        self.test.as_ref().map_or_else(Vec::new, shared)
    }

    /// Gives the data set an [official split](Self::split_official).
    pub fn with_official_split(mut self, official: OfficialSplit) -> Self {
        self.official = Some(official);
        self
    }

    /// The names of the classes; a label is a position in this list.
    pub fn classes(&self) -> &[String] {
        self.train.classes()
    }

    /// The shape of one image: `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.train.shape()
    }

    /// The split by which results on a published data set are compared: of Fashion-MNIST and MNIST, the
    /// first 50,000 training images train, the last 10,000 validate, and the test images test.
    ///
    /// # Errors
    ///
    /// If the data set has none, or not the published number of images.
    pub fn split_official(&self) -> Result<Split, DataError> {
        let name = self.train.name();
        let Some(OfficialSplit { train, validation, test }) = self.official else {
            return Err(Repr::NoOfficialSplit { name: name.to_owned() }.into());
        };
        let tests = self.test.as_ref();
        for (part, name, expected, found) in [
            ("training", name, train + validation, self.train.len()),
            (
                "test",
                tests.map_or(name, ImageDataset::name),
                test,
                tests.map_or(0, ImageDataset::len),
            ),
        ] {
            if found != expected {
                let name = name.to_owned();
                return Err(Repr::OfficialSplit { name, part, expected, found }.into());
            }
        }
        self.split_at(train)
    }

    /// The first `train_count` training images train, the others validate, and the test images, if any,
    /// test.
    ///
    /// # Errors
    ///
    /// As [`View::split_at`].
    pub fn split_at(&self, train_count: usize) -> Result<Split, DataError> {
        self.with_test(self.train.view().split_at(train_count)?)
    }

    /// A random fraction of the training images trains, the others validate, and the test images, if
    /// any, test.
    ///
    /// # Errors
    ///
    /// As [`View::split_stratified`].
    pub fn split_stratified(&self, train_fraction: f64, seed: u64) -> Result<Split, DataError> {
        self.with_test(self.train.view().split_stratified(train_fraction, seed)?)
    }

    /// Random fractions of a data set without test images train, validate and test. (Where there are
    /// test images, it is [`split_stratified`](Self::split_stratified) that uses them.)
    ///
    /// # Errors
    ///
    /// As [`View::split_stratified_three`]; or if there are test images.
    pub fn split_stratified_three(
        &self,
        fractions: [f64; 3],
        seed: u64,
    ) -> Result<Split, DataError> {
        if let Some(test) = &self.test {
            let (name, found) = (self.train.name().to_owned(), test.len());
            return Err(Repr::TestImages { name, found }.into());
        }
        self.train.view().split_stratified_three(fractions, seed)
    }

    fn with_test(&self, split: Split) -> Result<Split, DataError> {
        let test: Option<View> = self.test.as_ref().map(ImageDataset::view);
        // Those of this data set have been compared, or are meant to be as they are.
        Split::with_shared_images(split.train, split.validation, test)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::synthetic;

    fn message<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn test_images_of_another_form_and_the_training_images_are_refused_as_test_images() {
        let train = synthetic(&[4]);
        assert_eq!(
            message(Dataset::new(train.clone(), Some(synthetic(&[4, 4])))),
            "split: expected training and test images of the same classes, found different ones"
        );
        assert_eq!(
            message(Dataset::new(train.clone(), Some(train))),
            "split: expected training and test images without common images, found image 0 of synthetic in both"
        );
    }

    #[test]
    fn test_images_of_another_buffer_that_are_training_images_are_told_and_refused() {
        let train = synthetic(&[40, 60]);
        // The last three of six test images are training images, whatever their labels.
        let (mut pixels, size) = (vec![7; 3 * 6], 6);
        pixels.extend([train.image(99), train.image(3), train.image(99)].concat());
        assert!((0..100).all(|i| train.image(i) != &pixels[..size]));
        let labels = vec![0; 6];
        let classes = train.classes().to_vec();
        let test = ImageDataset::new("mine", pixels, train.shape(), labels, classes).unwrap();
        assert_eq!(
            message(Dataset::new(train.clone(), Some(test.clone()))),
            "test images of mine: expected none of the training images, found 3 of 6 among them, the first at 3 (Dataset::with_shared_images takes them all the same)"
        );
        let data = Dataset::with_shared_images(train.clone(), Some(test)).unwrap();
        assert_eq!(data.shared_images(), [3, 4, 5]);
        assert!(Dataset::new(train, None).unwrap().shared_images().is_empty());
    }

    #[test]
    fn the_official_split_needs_the_published_number_of_images() {
        let official = OfficialSplit { train: 3, validation: 1, test: 2 };
        let data = |train, test| {
            Dataset::new(synthetic(&[train]), Some(synthetic(&[test])))
                .unwrap()
                .with_official_split(official)
        };
        let split = data(4, 2).split_official().unwrap();
        assert_eq!(split.train.indices(), [0, 1, 2]);
        assert_eq!(split.validation.indices(), [3]);
        assert_eq!(split.test().unwrap().len(), 2);
        assert_eq!(
            message(data(5, 2).split_official()),
            "official split of synthetic: expected 4 training images, found 5"
        );
        assert_eq!(
            message(data(4, 1).split_official()),
            "official split of synthetic: expected 2 test images, found 1"
        );
        assert_eq!(
            message(Dataset::new(synthetic(&[4]), None).unwrap().split_official()),
            "official split of synthetic: expected a data set that is published with one, found another"
        );
    }

    #[test]
    fn test_images_are_kept_apart_from_those_that_are_split() {
        let data = Dataset::new(synthetic(&[60, 40]), Some(synthetic(&[3, 7]))).unwrap();
        for split in [data.split_at(90), data.split_stratified(0.9, 1)].map(Result::unwrap) {
            assert_eq!((split.train.len(), split.validation.len()), (90, 10));
            assert_eq!(split.test().unwrap().class_counts(), [3, 7]);
        }
        assert_eq!(
            message(data.split_stratified_three([0.8, 0.1, 0.1], 1)),
            "split into three of synthetic: expected a data set without test images, found 10"
        );
    }
}
