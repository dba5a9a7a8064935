//! How other sources name the networks of the catalog.

use std::collections::{BTreeMap, BTreeSet};

use super::rename::Rename;
use super::wrappers::after;

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
    /// The part after which it numbers blocks twice, by stage and within the stage: the rules see one number, counted
    /// through all stages from 0.
    pub counts_through: Option<&'static str>,
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
        counts_through: None,
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
        counts_through: None,
    },
    // timm/models/efficientnet.py, `mobilenetv2_100`: the first block has no expansion.
    Source {
        name: "timm",
        rules: &[
            "conv_stem=features.0.0",
            "bn1=features.0.1",
            "blocks.0.conv_dw=features.1.conv.0.0",
            "blocks.0.bn1=features.1.conv.0.1",
            "blocks.0.conv_pw=features.1.conv.1",
            "blocks.0.bn2=features.1.conv.2",
            "blocks.*.conv_pw=features.+.conv.0.0",
            "blocks.*.bn1=features.+.conv.0.1",
            "blocks.*.conv_dw=features.+.conv.1.0",
            "blocks.*.bn2=features.+.conv.1.1",
            "blocks.*.conv_pwl=features.+.conv.2",
            "blocks.*.bn3=features.+.conv.3",
            "conv_head=features.18.0",
            "bn2=features.18.1",
            "classifier=classifier.1",
        ],
        flattens: false,
        counts_through: Some("blocks"),
    },
    // The same, `tf_efficientnet_lite0`. That which timm calls `efficientnet_lite0` pads in another way and is
    // `efficientnet_lite0_timm` here, under timm's names.
    Source {
        name: "timm",
        rules: &[
            "conv_stem=_conv_stem",
            "bn1=_bn0",
            "blocks.0.conv_dw=_blocks.0._depthwise_conv",
            "blocks.0.bn1=_blocks.0._bn1",
            "blocks.0.conv_pw=_blocks.0._project_conv",
            "blocks.0.bn2=_blocks.0._bn2",
            "blocks.*.conv_pw=_blocks.*._expand_conv",
            "blocks.*.bn1=_blocks.*._bn0",
            "blocks.*.conv_dw=_blocks.*._depthwise_conv",
            "blocks.*.bn2=_blocks.*._bn1",
            "blocks.*.conv_pwl=_blocks.*._project_conv",
            "blocks.*.bn3=_blocks.*._bn2",
            "conv_head=_conv_head",
            "bn2=_bn1",
            "classifier=_fc",
        ],
        flattens: false,
        counts_through: Some("blocks"),
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
        counts_through: None,
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

    /// The names as the rules see them, in the same order.
    pub fn counted(&self, names: &[String]) -> Vec<String> {
        let Some(part) = self.counts_through else { return names.to_vec() };
        let blocks: BTreeSet<[u32; 2]> =
            names.iter().filter_map(|name| Some(block(name, part)?.0)).collect();
        let index: BTreeMap<[u32; 2], usize> = blocks.into_iter().zip(0..).collect();
        let counted = |name: &String| match block(name, part) {
            Some((block, rest)) => format!("{part}.{}.{rest}", index[&block]),
            None => name.clone(),
        };
        names.iter().map(counted).collect()
    }
}

/// The stage and the number of the block of `part` that `name` is in, and the rest of the name.
fn block<'n>(name: &'n str, part: &str) -> Option<([u32; 2], &'n str)> {
    let (stage, rest) = after(name, part)?.split_once('.')?;
    let (block, rest) = rest.split_once('.')?;
    Some(([stage.parse().ok()?, block.parse().ok()?], rest))
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

    #[test]
    fn blocks_of_stages_are_counted_through_in_the_order_of_numbers_and_not_of_text() {
        let source = SOURCES.iter().find(|source| source.counts_through.is_some()).unwrap();
        let names = ["blocks.10.0.a.b", "blocks.2.1.a", "blocks.2.0.a", "blocks.2.x.a", "a.2.0.b"];
        let counted = source.counted(&names.map(String::from));
        assert_eq!(
            counted,
            ["blocks.2.a.b", "blocks.1.a", "blocks.0.a", "blocks.2.x.a", "a.2.0.b"]
        );
    }
}
