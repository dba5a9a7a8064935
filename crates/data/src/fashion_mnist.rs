use crate::published::{Published, PublishedFile};
use crate::{DataError, ImageDataset, Source};

/// Fashion-MNIST: 60,000 training and 10,000 test images of ten kinds of clothing, 28 × 28 grey
/// pixels, classes in equal numbers ([H. Xiao, K. Rasul, R. Vollgraf,
/// *Fashion-MNIST*, 2017](https://arxiv.org/abs/1708.07747)).
///
/// ```no_run
/// use selvedge_data::{FashionMnist, Source};
///
/// let data = FashionMnist::load(&Source::default())?;
/// assert_eq!(data.train.len(), 60_000);
/// assert_eq!(data.train.shape(), [1, 28, 28]);
/// assert_eq!(data.test.classes()[9], "Ankle boot");
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct FashionMnist {
    /// The 60,000 training images.
    pub train: ImageDataset,
    /// The 10,000 test images.
    pub test: ImageDataset,
}

impl FashionMnist {
    /// The classes' names, by label.
    pub const CLASSES: [&str; 10] = FASHION_MNIST.classes;

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
        let (train, test) = FASHION_MNIST.load(source)?;
        Ok(Self { train, test })
    }

    /// Checks that images and labels are those published, by their SHA-256.
    ///
    /// # Errors
    ///
    /// [`DataError::Checksum`] for the first file whose content differs.
    pub fn verify(&self) -> Result<(), DataError> {
        FASHION_MNIST.verify(&self.train, &self.test)
    }
}

pub(crate) const FASHION_MNIST: Published = Published {
    name: "Fashion-MNIST",
    folder: "fashion-mnist",
    debian: Some("/usr/share/datasets/fashion-mnist"),
    hosts: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
    classes: [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
    files: [
        PublishedFile {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
        PublishedFile {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
        PublishedFile {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
        PublishedFile {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    ],
};
