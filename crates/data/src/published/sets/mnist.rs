//! MNIST, and the sets that have its form.

use super::super::{Checksum, PublishedFile, PublishedPart, PublishedSet};
use super::{DIGITS, images, labels};
use crate::OfficialSplit;

/// The split by which results on MNIST and on what has its form are compared.
const MNIST_SPLIT: Option<OfficialSplit> =
    Some(OfficialSplit { train: 50_000, validation: 10_000, test: 10_000 });

/// Names of the files of training images and of their labels.
const TRAIN: [&str; 2] = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"];

/// Those of the test images.
const TEST: [&str; 2] = ["t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// So many images and labels in files of these names, known by these checksums.
const fn part(names: [&'static str; 2], count: u64, checksums: [Checksum; 2]) -> PublishedPart {
    PublishedPart::Idx {
        images: PublishedFile {
            name: names[0],
            bytes: images(count),
            checksum: Some(checksums[0]),
        },
        labels: PublishedFile {
            name: names[1],
            bytes: labels(count),
            checksum: Some(checksums[1]),
        },
    }
}

/// Fashion-MNIST: 60,000 training and 10,000 test images of ten kinds of clothing, 28 × 28 grey
/// pixels, classes in equal numbers ([H. Xiao, K. Rasul, R. Vollgraf,
/// *Fashion-MNIST*, 2017](https://arxiv.org/abs/1708.07747)).
pub const FASHION_MNIST: PublishedSet = PublishedSet {
    name: "fashion_mnist",
    display_name: "Fashion-MNIST",
    folder: "fashion-mnist",
    places: &["FashionMNIST/raw", "FashionMNIST", "fashion_mnist", "fashionmnist"],
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
    train: part(
        TRAIN,
        60_000,
        [
            Checksum::Content("c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            Checksum::Content("bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        ],
    ),
    test: Some(part(
        TEST,
        10_000,
        [
            Checksum::Content("5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            Checksum::Content("0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ],
    )),
    official: MNIST_SPLIT,
    archive: None,
    hosts: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "http://storage.googleapis.com/tensorflow/tf-keras-datasets",
    ],
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
    places: &["MNIST/raw", "MNIST"],
    shape: [1, 28, 28],
    classes: DIGITS,
    train: part(
        TRAIN,
        60_000,
        [
            Checksum::Content("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            Checksum::Content("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        ],
    ),
    test: Some(part(
        TEST,
        10_000,
        [
            Checksum::Content("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            Checksum::Content("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ],
    )),
    official: MNIST_SPLIT,
    archive: None,
    hosts: &[
        "http://ossci-datasets.s3.amazonaws.com/mnist",
        "http://storage.googleapis.com/cvdf-datasets/mnist",
    ],
    debian: None,
    homepage: "http://yann.lecun.com/exdb/mnist",
    license: "not stated",
};

/// Kuzushiji-MNIST: 60,000 training and 10,000 test images of ten handwritten hiragana, 28 × 28 grey pixels,
/// classes in equal numbers ([T. Clanuwat et al., *Deep Learning for Classical Japanese Literature*,
/// 2018](https://arxiv.org/abs/1812.01718)).
// Checksums: tensorflow-datasets 4.9.10, url_checksums/kmnist.txt; those of the contents are not published.
pub const KMNIST: PublishedSet = PublishedSet {
    name: "kmnist",
    display_name: "KMNIST",
    folder: "kmnist",
    places: &["KMNIST/raw", "KMNIST"],
    shape: [1, 28, 28],
    classes: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    train: part(
        TRAIN,
        60_000,
        [
            Checksum::Sha256("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            Checksum::Sha256("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        ],
    ),
    test: Some(part(
        TEST,
        10_000,
        [
            Checksum::Sha256("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            Checksum::Sha256("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ],
    )),
    official: MNIST_SPLIT,
    archive: None,
    // No other host is known; this one answers at both addresses.
    hosts: &[
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist",
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist",
    ],
    debian: None,
    homepage: "http://codh.rois.ac.jp/kmnist/index.html.en",
    license: "CC-BY-SA-4.0",
};

/// QMNIST: MNIST made anew from NIST's files, with all of the 60,000 test images of which MNIST has 10,000
/// ([C. Yadav, L. Bottou, *Cold Case: The Lost MNIST Digits*, 2019](https://arxiv.org/abs/1905.10498)).
pub const QMNIST: PublishedSet = qmnist("qmnist", "QMNIST", 0, 60_000);

/// QMNIST with the 10,000 test images that are MNIST's, torchvision's `test10k`.
pub const QMNIST_TEST10K: PublishedSet = qmnist("qmnist_test10k", "QMNIST (test10k)", 0, 10_000);

/// QMNIST with the 50,000 test images that MNIST has not, torchvision's `test50k`.
pub const QMNIST_TEST50K: PublishedSet =
    qmnist("qmnist_test50k", "QMNIST (test50k)", 10_000, 60_000);

// Checksums: torchvision 0.29.2, datasets/mnist.py; no SHA-256 is published.
const fn qmnist(
    name: &'static str,
    display_name: &'static str,
    from: usize,
    to: usize,
) -> PublishedSet {
    PublishedSet {
        name,
        display_name,
        folder: "qmnist",
        places: &["QMNIST/raw", "QMNIST"],
        shape: [1, 28, 28],
        classes: DIGITS,
        train: PublishedPart::WithOrigin {
            images: md5(
                "qmnist-train-images-idx3-ubyte",
                images(60_000),
                "ed72d4157d28c017586c42bc6afe6370",
            ),
            labels: md5(
                "qmnist-train-labels-idx2-int",
                QMNIST_LABELS,
                "0058f8dd561b90ffdd0f734c6a30e5e4",
            ),
            from: 0,
            to: 60_000,
        },
        test: Some(PublishedPart::WithOrigin {
            images: md5(
                "qmnist-test-images-idx3-ubyte",
                images(60_000),
                "1394631089c404de565df7b7aeaf9412",
            ),
            labels: md5(
                "qmnist-test-labels-idx2-int",
                QMNIST_LABELS,
                "5b5b05890a5e13444e108efe57b788aa",
            ),
            from,
            to,
        }),
        official: Some(OfficialSplit { train: 50_000, validation: 10_000, test: to - from }),
        archive: None,
        hosts: &[
            "https://raw.githubusercontent.com/facebookresearch/qmnist/master",
            "https://github.com/facebookresearch/qmnist/raw/master",
        ],
        debian: None,
        homepage: "https://github.com/facebookresearch/qmnist",
        license: "BSD-3-Clause",
    }
}

/// Bytes of eight numbers of 32 bits for each of 60,000 images, and of the header.
const QMNIST_LABELS: u64 = 12 + 60_000 * 8 * 4;

const fn md5(name: &'static str, bytes: u64, md5: &'static str) -> PublishedFile {
    PublishedFile { name, bytes, checksum: Some(Checksum::Md5(md5)) }
}
