//! The table of published data sets.

use super::{PublishedFile, PublishedPart, PublishedSet};
use crate::OfficialSplit;

/// All data sets in the table.
pub static SETS: &[PublishedSet] = &[FASHION_MNIST, MNIST];

/// The split by which results on MNIST and on what has its form are compared.
const MNIST_SPLIT: Option<OfficialSplit> =
    Some(OfficialSplit { train: 50_000, validation: 10_000, test: 10_000 });

/// Fashion-MNIST: 60,000 training and 10,000 test images of ten kinds of clothing, 28 × 28 grey
/// pixels, classes in equal numbers ([H. Xiao, K. Rasul, R. Vollgraf,
/// *Fashion-MNIST*, 2017](https://arxiv.org/abs/1708.07747)).
pub const FASHION_MNIST: PublishedSet = PublishedSet {
    name: "fashion_mnist",
    display_name: "Fashion-MNIST",
    folder: "fashion-mnist",
    shape: [1, 28, 28],
    classes: &[
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
    train: PublishedPart::Idx {
        images: PublishedFile {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        },
        labels: PublishedFile {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        },
    },
    test: Some(PublishedPart::Idx {
        images: PublishedFile {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        },
        labels: PublishedFile {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
    }),
    official: MNIST_SPLIT,
    hosts: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"],
    debian: Some("/usr/share/datasets/fashion-mnist"),
    homepage: "https://github.com/zalandoresearch/fashion-mnist",
    license: "MIT",
};

/// MNIST: 60,000 training and 10,000 test images of handwritten digits, 28 × 28 grey pixels
/// ([Y. LeCun, C. Cortes, C. Burges](http://yann.lecun.com/exdb/mnist/)).
pub const MNIST: PublishedSet = PublishedSet {
    name: "mnist",
    display_name: "MNIST",
    folder: "mnist",
    shape: [1, 28, 28],
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    train: PublishedPart::Idx {
        images: PublishedFile {
            name: "train-images-idx3-ubyte",
            bytes: 47_040_016,
            sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        },
        labels: PublishedFile {
            name: "train-labels-idx1-ubyte",
            bytes: 60_008,
            sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        },
    },
    test: Some(PublishedPart::Idx {
        images: PublishedFile {
            name: "t10k-images-idx3-ubyte",
            bytes: 7_840_016,
            sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        },
        labels: PublishedFile {
            name: "t10k-labels-idx1-ubyte",
            bytes: 10_008,
            sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
    }),
    official: MNIST_SPLIT,
    hosts: &["http://ossci-datasets.s3.amazonaws.com/mnist"],
    debian: None,
    homepage: "http://yann.lecun.com/exdb/mnist",
    license: "not stated",
};
