use crate::published::{Published, PublishedFile};
use crate::{DataError, ImageDataset, Source};

/// MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 × 28 grey pixels
/// ([Y. LeCun, C. Cortes, C. Burges](http://yann.lecun.com/exdb/mnist/)).
///
/// ```no_run
/// use selvedge_data::{Mnist, Source};
///
/// let data = Mnist::load(&Source::folder("my-data"))?;
/// data.verify()?;
/// assert_eq!(data.test.len(), 10_000);
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mnist {
    /// The 60,000 training images.
    pub train: ImageDataset,
    /// The 10,000 test images.
    pub test: ImageDataset,
}

impl Mnist {
    /// The classes' names, by label.
    pub const CLASSES: [&str; 10] = MNIST.classes;

    /// Finds the files as the source says and reads them.
    ///
    /// The files' structure is checked (type, shape, counts, labels), not whether the content is
    /// the published one, so that a modified or smaller set of the same form can be used; see
    /// [`verify`](Self::verify). Only what is downloaded must have the published content.
    ///
    /// # Errors
    ///
    /// If the files are not found or cannot be downloaded, or one is damaged: the error names the
    /// path and the byte.
    pub fn load(source: &Source) -> Result<Self, DataError> {
        let (train, test) = MNIST.load(source)?;
        Ok(Self { train, test })
    }

    /// Checks that images and labels are those published, by their SHA-256.
    ///
    /// # Errors
    ///
    /// [`DataError::Checksum`] for the first file whose content differs.
    pub fn verify(&self) -> Result<(), DataError> {
        MNIST.verify(&self.train, &self.test)
    }
}

pub(crate) const MNIST: Published = Published {
    name: "MNIST",
    folder: "mnist",
    debian: None,
    hosts: &["http://ossci-datasets.s3.amazonaws.com/mnist"],
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    files: [
        PublishedFile {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    ],
};
