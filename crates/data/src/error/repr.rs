use std::ops::Range;
use std::path::PathBuf;

use super::file::FileRepr;
use super::{DataErrorKind, short_number};

/// Each defect with the parts of its message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Repr {
    /// One of a file or folder, or of getting it.
    #[error(transparent)]
    File(FileRepr),
    /// A label in memory is not one of the data set's classes.
    #[error("{name}: label of image {index}: expected less than {classes}, found {found}")]
    Label {
        /// The data set.
        name: String,
        /// Which image.
        index: usize,
        /// Number of classes.
        classes: usize,
        /// The label.
        found: u16,
    },
    /// An image shape with a zero dimension, or too large to address.
    #[error(
        "{name}: expected image dimensions of at least 1 and an addressable size, found {found:?}"
    )]
    ImageShape {
        /// The data set.
        name: String,
        /// Channels, height, width.
        found: [usize; 3],
    },
    /// The image buffer's length is not what shape and labels ask for.
    #[error("{name}: expected {expected} bytes for {images} images, found {found}")]
    ImageBytes {
        /// The data set.
        name: String,
        /// Number of labels.
        images: usize,
        /// Bytes that many images take.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A data set without a class, or with more than a `u16` label can name.
    #[error("{name}: expected 1 to 65536 classes, found {found}")]
    ClassCount {
        /// The data set.
        name: String,
        /// Classes given.
        found: usize,
    },
    /// More images than an index can name.
    #[error("{name}: expected at most 4294967295 images, found {found}")]
    TooManyImages {
        /// The data set.
        name: String,
        /// Images given.
        found: usize,
    },
    /// Test images that are among the training images.
    #[error(
        "test images of {name}: expected none of the training images, found {count} of {of} among them, the first at {first} (Dataset::with_shared_images takes them all the same)"
    )]
    SharedTestImages {
        /// The test images' data set.
        name: String,
        /// How many are.
        count: usize,
        /// Test images.
        of: usize,
        /// The position of the first that is.
        first: usize,
    },
    /// A class subset without a label.
    #[error("class subset {name}: expected at least 1 label, found none")]
    EmptySubset {
        /// The subset.
        name: String,
    },
    /// A class subset that names a label twice.
    #[error("class subset {name}: expected each label once, found {found} twice")]
    DuplicateLabel {
        /// The subset.
        name: String,
        /// The label.
        found: u16,
    },
    /// A class subset that names a label which the view does not have.
    #[error("class subset {name}: expected labels less than {classes}, found {found}")]
    UnknownLabel {
        /// The subset.
        name: String,
        /// The view's number of classes.
        classes: usize,
        /// The label.
        found: u16,
    },
    /// A range of positions that the view does not have.
    #[error("image range: expected a range within 0..{len}, found {}..{}", found.start, found.end)]
    Range {
        /// Images in the view.
        len: usize,
        /// The range asked for.
        found: Range<usize>,
    },
    /// A position that the view does not have.
    #[error("image position: expected less than {len}, found {found}")]
    Position {
        /// Images in the view.
        len: usize,
        /// The position asked for.
        found: usize,
    },
    /// A fraction outside its bounds, or not a number.
    #[error("{what}: expected {expected}, found {}", short_number(found.to_string()))]
    Fraction {
        /// Which fraction.
        what: &'static str,
        /// Its bounds.
        expected: &'static str,
        /// The fraction given.
        found: f64,
    },
    /// The official split asked of a data set that does not have its size.
    #[error("official split of {name}: expected {expected} {part} images, found {found}")]
    OfficialSplit {
        /// The data set.
        name: String,
        /// "training" or "test".
        part: &'static str,
        /// Images of the official split.
        expected: usize,
        /// Images there.
        found: usize,
    },
    /// The official split asked of a data set that has none.
    #[error(
        "official split of {name}: expected a data set that is published with one, found another"
    )]
    NoOfficialSplit {
        /// The data set.
        name: String,
    },
    /// The parts of a split differ in their classes or in their images' shape.
    #[error("split: expected {parts} of the same {what}, found different ones")]
    SplitMismatch {
        /// Which parts.
        parts: &'static str,
        /// "classes" or "shape".
        what: &'static str,
    },
    /// An image is in two parts of a split.
    #[error("split: expected {parts} without common images, found image {index} of {name} in both")]
    SharedImage {
        /// Which parts.
        parts: &'static str,
        /// The data set.
        name: String,
        /// The image's index there.
        index: u32,
    },
    /// A copy of an image is in two parts of a split that are of different data sets.
    #[error(
        "split: expected {parts} without common images, found image {index} of {name} in both, by its pixels (Split::with_shared_images takes them all the same)"
    )]
    SharedPixels {
        /// Which parts.
        parts: &'static str,
        /// The data set of the second part.
        name: String,
        /// The image's index there.
        index: u32,
    },
    /// Fractions of a split that are not 1 in all.
    #[error("fractions of the split: expected a sum of 1, found {}", short_number(found.to_string()))]
    FractionSum {
        /// Their sum.
        found: f64,
    },
    /// Test images asked of a split without any.
    #[error("split: expected test images, found none")]
    NoTestImages,
    /// Test images to be drawn although there are some.
    #[error("split into three of {name}: expected a data set without test images, found {found}")]
    TestImages {
        /// The data set.
        name: String,
        /// Test images there.
        found: usize,
    },
    /// A data set that is not in the table.
    #[error("data set: expected one of {known}, found {found}")]
    UnknownSet {
        /// The names in the table.
        known: String,
        /// The name given.
        found: String,
    },
    /// A class that a stratified split would leave nothing to train on.
    #[error("stratified split: expected images of the class {name} to train on, found none")]
    UntrainedClass {
        /// The class.
        name: String,
    },
    /// Something is asked of a view without images.
    #[error("{what}: expected at least 1 image, found none")]
    NoImages {
        /// What was asked for.
        what: &'static str,
    },
    /// A batch of no images.
    #[error("batch size: expected at least 1, found 0")]
    BatchSize,
    /// A batch with another number of labels, probabilities or values than its examples need.
    #[error("batch: expected {expected} {what}, found {found}")]
    BatchTargets {
        /// What is counted.
        what: &'static str,
        /// As many are needed.
        expected: usize,
        /// As many are there.
        found: usize,
    },
    /// A soft target that is not a distribution.
    #[error(
        "soft target of image {index} of the batch: expected probabilities of at least 0 with a sum of 1, found a sum of {sum}"
    )]
    Probabilities {
        /// Which image.
        index: usize,
        /// The sum of its probabilities.
        sum: f32,
    },
    /// A crop that is larger than the padded image, or empty.
    #[error(
        "random crop: expected a size of 1 to that of the padded image, found {} x {} of {} x {} with padding {padding}",
        size[0], size[1], image[0], image[1]
    )]
    Crop {
        /// Height and width.
        size: [usize; 2],
        /// Rows or columns on each side.
        padding: usize,
        /// The image's height and width.
        image: [usize; 2],
    },
    /// A normalization for another number of channels.
    #[error(
        "normalization: expected 1 or {channels} values each, found {mean} means and {std} standard deviations"
    )]
    Channels {
        /// The images' channels.
        channels: usize,
        /// Means given.
        mean: usize,
        /// Standard deviations given.
        std: usize,
    },
    /// A normalization that would divide by zero or give something that is not a number.
    #[error(
        "normalization: expected finite numbers and a positive standard deviation, found mean {mean} and standard deviation {std} for channel {channel}"
    )]
    Normalization {
        /// The channel.
        channel: usize,
        /// Its mean.
        mean: f32,
        /// Its standard deviation.
        std: f32,
    },
    /// What a program says itself.
    #[error("{message}")]
    Custom {
        /// What callers can act upon.
        kind: DataErrorKind,
        /// All of the text.
        message: String,
        /// The file it is about.
        path: Option<PathBuf>,
    },
}
