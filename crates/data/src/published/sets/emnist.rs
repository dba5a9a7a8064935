//! The six splits of EMNIST.

use super::super::{Checksum, PublishedArchive, PublishedFile, PublishedPart, PublishedSet};
use super::{DIGITS, images, labels};
use crate::OfficialSplit;

#[rustfmt::skip]
const LETTERS: &[&str] = &[
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v",
    "w", "x", "y", "z",
];

/// Digits, capitals, small letters.
#[rustfmt::skip]
const BY_CLASS: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V",
    "W", "X", "Y", "Z",
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v",
    "w", "x", "y", "z",
];

/// Without the small letters that look like their capitals.
#[rustfmt::skip]
const BY_MERGE: &[&str] = &[
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9",
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V",
    "W", "X", "Y", "Z",
    "a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t",
];

/// EMNIST Balanced: 112,800 training and 18,800 test images of handwritten digits and letters in 47 classes of
/// equal size, 28 × 28 grey pixels ([G. Cohen, S. Afshar, J. Tapson, A. van Schaik, *EMNIST*,
/// 2017](https://arxiv.org/abs/1702.05373)). The files hold the images column by column; here they stand upright.
/// The official split validates on as many of the last training images as there are test images.
pub const EMNIST_BALANCED: PublishedSet = Split {
    name: "emnist_balanced",
    display_name: "EMNIST Balanced",
    files: [
        "emnist-balanced-train-images-idx3-ubyte",
        "emnist-balanced-train-labels-idx1-ubyte",
        "emnist-balanced-test-images-idx3-ubyte",
        "emnist-balanced-test-labels-idx1-ubyte",
    ],
    counts: [112_800, 18_800],
    classes: BY_MERGE,
    first_label: 0,
}
.entry();

/// EMNIST ByClass: 697,932 training and 116,323 test images in 62 classes of their natural sizes, else as
/// [`EMNIST_BALANCED`]. Its authors set no validation images aside; the split here does as it does there.
pub const EMNIST_BYCLASS: PublishedSet = Split {
    name: "emnist_byclass",
    display_name: "EMNIST ByClass",
    files: [
        "emnist-byclass-train-images-idx3-ubyte",
        "emnist-byclass-train-labels-idx1-ubyte",
        "emnist-byclass-test-images-idx3-ubyte",
        "emnist-byclass-test-labels-idx1-ubyte",
    ],
    counts: [697_932, 116_323],
    classes: BY_CLASS,
    first_label: 0,
}
.entry();

/// EMNIST ByMerge: the images of [`EMNIST_BYCLASS`] in the 47 classes of [`EMNIST_BALANCED`].
pub const EMNIST_BYMERGE: PublishedSet = Split {
    name: "emnist_bymerge",
    display_name: "EMNIST ByMerge",
    files: [
        "emnist-bymerge-train-images-idx3-ubyte",
        "emnist-bymerge-train-labels-idx1-ubyte",
        "emnist-bymerge-test-images-idx3-ubyte",
        "emnist-bymerge-test-labels-idx1-ubyte",
    ],
    counts: [697_932, 116_323],
    classes: BY_MERGE,
    first_label: 0,
}
.entry();

/// EMNIST Letters: 124,800 training and 20,800 test images of 26 letters, capitals and small ones together, else
/// as [`EMNIST_BALANCED`]. In its files the first label is 1; here it is 0.
pub const EMNIST_LETTERS: PublishedSet = Split {
    name: "emnist_letters",
    display_name: "EMNIST Letters",
    files: [
        "emnist-letters-train-images-idx3-ubyte",
        "emnist-letters-train-labels-idx1-ubyte",
        "emnist-letters-test-images-idx3-ubyte",
        "emnist-letters-test-labels-idx1-ubyte",
    ],
    counts: [124_800, 20_800],
    classes: LETTERS,
    first_label: 1,
}
.entry();

/// EMNIST Digits: 240,000 training and 40,000 test images of digits, else as [`EMNIST_BALANCED`].
pub const EMNIST_DIGITS: PublishedSet = Split {
    name: "emnist_digits",
    display_name: "EMNIST Digits",
    files: [
        "emnist-digits-train-images-idx3-ubyte",
        "emnist-digits-train-labels-idx1-ubyte",
        "emnist-digits-test-images-idx3-ubyte",
        "emnist-digits-test-labels-idx1-ubyte",
    ],
    counts: [240_000, 40_000],
    classes: DIGITS,
    first_label: 0,
}
.entry();

/// EMNIST MNIST: 60,000 training and 10,000 test images of digits, to take MNIST's place, else as
/// [`EMNIST_BALANCED`].
pub const EMNIST_MNIST: PublishedSet = Split {
    name: "emnist_mnist",
    display_name: "EMNIST MNIST",
    files: [
        "emnist-mnist-train-images-idx3-ubyte",
        "emnist-mnist-train-labels-idx1-ubyte",
        "emnist-mnist-test-images-idx3-ubyte",
        "emnist-mnist-test-labels-idx1-ubyte",
    ],
    counts: [60_000, 10_000],
    classes: DIGITS,
    first_label: 0,
}
.entry();

/// What the splits differ in.
struct Split {
    name: &'static str,
    display_name: &'static str,
    /// Training images, training labels, test images, test labels.
    files: [&'static str; 4],
    /// Training and test images.
    counts: [usize; 2],
    classes: &'static [&'static str],
    first_label: u8,
}

impl Split {
    const fn entry(self) -> PublishedSet {
        let [train, test] = self.counts;
        PublishedSet {
            name: self.name,
            display_name: self.display_name,
            folder: "emnist",
            places: &["EMNIST/raw", "EMNIST", "emnist/gzip", "EMNIST/raw/gzip", "EMNIST/gzip"],
            shape: [1, 28, 28],
            classes: self.classes,
            train: self.part(0, train),
            test: Some(self.part(2, test)),
            official: Some(OfficialSplit { train: train - test, validation: test, test }),
            // Checksum: tensorflow-datasets 4.9.10, url_checksums/emnist.txt; those of the files within are not
            // published.
            archive: Some(PublishedArchive {
                name: "gzip.zip",
                bytes: 561_753_746,
                checksum: Checksum::Sha256(
                    "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
                ),
                folder: "gzip",
                suffix: ".gz",
            }),
            hosts: &[
                "https://biometrics.nist.gov/cs_links/EMNIST",
                "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST",
            ],
            debian: None,
            homepage: "https://www.nist.gov/itl/products-and-services/emnist-dataset",
            license: "not stated (derived from NIST Special Database 19, in the public domain)",
        }
    }

    const fn part(&self, position: usize, count: usize) -> PublishedPart {
        PublishedPart::Transposed {
            images: PublishedFile {
                name: self.files[position],
                bytes: images(count as u64),
                checksum: None,
            },
            labels: PublishedFile {
                name: self.files[position + 1],
                bytes: labels(count as u64),
                checksum: None,
            },
            first_label: self.first_label,
        }
    }
}
