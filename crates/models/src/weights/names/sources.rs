//! How other sources name the networks of the catalog.

use super::rename::Rename;

/// A source of weights whose names differ from those of torchvision, which are ours.
#[derive(Debug)]
pub(in crate::weights) struct Source {
    /// What it is called in reports.
    pub name: &'static str,
    /// Its rules, as [`Rename`] reads them. Of each name the first that says something of it holds.
    rules: &'static [&'static str],
    /// Whether its convolutions over a whole image are linear layers here: `[out, channels, height, width]`
    /// becomes `[out, channels · height · width]`, in the order in which an image is flattened.
    pub flattens: bool,
}

/// The sources that are known, in the order in which they are tried.
///
/// Torchvision needs no rules, and neither do timm's residual networks, which have its names.
pub(in crate::weights) const SOURCES: &[Source] = &[
    // github.com/kuangliu/pytorch-cifar, models/resnet.py.
    Source {
        name: "pytorch-cifar",
        rules: &["linear=fc", "layer*.*.shortcut=layer*.*.downsample"],
        flattens: false,
    },
    // timm/models/vgg.py: the hidden layers are convolutions.
    Source {
        name: "timm",
        rules: &[
            "pre_logits.fc1=classifier.0",
            "pre_logits.fc2=classifier.3",
            "head.fc=classifier.6",
        ],
        flattens: true,
    },
    // transformers/models/resnet/modeling_resnet.py: ResNetForImageClassification, and ResNetModel, which
    // has no head and no `resnet.` before its names.
    Source {
        name: "Hugging Face",
        rules: &[
            "resnet.embedder.embedder.convolution=conv1",
            "resnet.embedder.embedder.normalization=bn1",
            "resnet.encoder.stages.*.layers.*.layer.*.convolution=layer+.*.conv+",
            "resnet.encoder.stages.*.layers.*.layer.*.normalization=layer+.*.bn+",
            "resnet.encoder.stages.*.layers.*.shortcut.convolution=layer+.*.downsample.0",
            "resnet.encoder.stages.*.layers.*.shortcut.normalization=layer+.*.downsample.1",
            "embedder.embedder.convolution=conv1",
            "embedder.embedder.normalization=bn1",
            "encoder.stages.*.layers.*.layer.*.convolution=layer+.*.conv+",
            "encoder.stages.*.layers.*.layer.*.normalization=layer+.*.bn+",
            "encoder.stages.*.layers.*.shortcut.convolution=layer+.*.downsample.0",
            "encoder.stages.*.layers.*.shortcut.normalization=layer+.*.downsample.1",
            "classifier.1=fc",
        ],
        flattens: false,
    },
];

impl Source {
    /// The rules, read.
    pub fn renames(&self) -> Vec<Rename> {
        self.rules
            .iter()
            .map(|rule| rule.parse().expect("the rules of the table are sound"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_of_the_table_can_be_read() {
        for source in SOURCES {
            assert_eq!(source.renames().len(), source.rules.len(), "{}", source.name);
        }
    }
}
