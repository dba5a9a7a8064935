//! The table of published data sets.

mod cifar;
mod emnist;
mod mnist;

use super::{Checksum, PublishedFile, PublishedSet};

pub use cifar::{CIFAR10, CIFAR100, CIFAR100_COARSE};
pub use emnist::{
    EMNIST_BALANCED, EMNIST_BYCLASS, EMNIST_BYMERGE, EMNIST_DIGITS, EMNIST_LETTERS, EMNIST_MNIST,
};
pub use mnist::{FASHION_MNIST, KMNIST, MNIST, QMNIST, QMNIST_TEST10K, QMNIST_TEST50K};

/// All data sets in the table.
pub static SETS: &[PublishedSet] = &[
    FASHION_MNIST,
    MNIST,
    KMNIST,
    EMNIST_BALANCED,
    EMNIST_BYCLASS,
    EMNIST_BYMERGE,
    EMNIST_LETTERS,
    EMNIST_DIGITS,
    EMNIST_MNIST,
    QMNIST,
    QMNIST_TEST10K,
    QMNIST_TEST50K,
    CIFAR10,
    CIFAR100,
    CIFAR100_COARSE,
];

/// The classes of handwritten digits.
const DIGITS: &[&str] = &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

/// A file known by the SHA-256 of its content.
const fn content(name: &'static str, bytes: u64, sha256: &'static str) -> PublishedFile {
    PublishedFile { name, bytes, checksum: Some(Checksum::Content(sha256)) }
}

/// Bytes of an IDX file of so many images of 28 × 28.
const fn images(count: u64) -> u64 {
    16 + count * 28 * 28
}

/// Bytes of an IDX file of so many labels.
const fn labels(count: u64) -> u64 {
    8 + count
}
