use serde::{Deserialize, Serialize};

use super::{conv, fifth};
use crate::{Architecture, Conv, Op};

/// How many times wider the blocks of a stage are inside, the channels that come out of it, its blocks, and
/// the stride of the first one.
const STAGES: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// MobileNetV2 (Sandler et al., 2018) with torchvision's parameter names: inverted bottlenecks with ReLU6,
/// 3.5 million parameters.
///
/// ```
/// use selvedge_models::MobileNetV2;
///
/// // torchvision: sum(p.numel() for p in mobilenet_v2().parameters())
/// let net = MobileNetV2::new(1000).architecture();
/// assert_eq!(net.summary()?.parameters(), 3_504_872);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MobileNetV2 {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image.
    pub input: [usize; 3],
    /// Number of classes.
    pub classes: usize,
    /// Probability of dropout before the last layer; torchvision's is 0.2.
    #[serde(default = "fifth")]
    pub dropout: f64,
}

impl MobileNetV2 {
    /// torchvision's MobileNetV2, for 224 × 224 colour images.
    pub fn new(classes: usize) -> Self {
        Self { name: "mobilenet_v2".into(), input: [3, 224, 224], classes, dropout: fifth() }
    }

    /// The same network for other images, `[channels, height, width]`; five strides halve them, rounding
    /// up.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data.
    pub fn architecture(&self) -> Architecture {
        let net = Architecture::new(&self.name, self.input);
        let mut net = conv_norm(net, "features.0.0", "features.0.1", conv(32, 3, 2)).op(Op::Relu6);
        let (mut in_channels, mut index) = (32, 1);
        for [expansion, channels, blocks, stride] in STAGES {
            for block in 0..blocks {
                let stride = if block == 0 { stride } else { 1 };
                let name = format!("features.{index}");
                net = match stride == 1 && in_channels == channels {
                    true => net.residual(
                        &name,
                        |main| bottleneck(main, "", [in_channels, expansion, channels], 1),
                        |shortcut| shortcut,
                    ),
                    false => {
                        let sizes = [in_channels, expansion, channels];
                        bottleneck(net, &format!("{name}."), sizes, stride)
                    }
                };
                (in_channels, index) = (channels, index + 1);
            }
        }
        conv_norm(net, "features.18.0", "features.18.1", conv(1280, 1, 1))
            .op(Op::Relu6)
            .adaptive_avg_pool(1)
            .flatten()
            .layer("classifier.0", Op::Dropout { probability: self.dropout })
            .linear("classifier.1", self.classes)
    }
}

/// The layers of an inverted bottleneck, whose names begin with `prefix`.
fn bottleneck(
    mut net: Architecture,
    prefix: &str,
    [in_channels, expansion, channels]: [usize; 3],
    stride: usize,
) -> Architecture {
    let inside = in_channels * expansion;
    let named = |name: &str| format!("{prefix}conv.{name}");
    let mut index = 0;
    if expansion != 1 {
        net = conv_norm(net, &named("0.0"), &named("0.1"), conv(inside, 1, 1)).op(Op::Relu6);
        index = 1;
    }
    let [depthwise, norm] = [0, 1].map(|part| named(&format!("{index}.{part}")));
    net = conv_norm(net, &depthwise, &norm, conv(inside, 3, stride).groups(inside)).op(Op::Relu6);
    let [project, norm] = [1, 2].map(|part| named(&(index + part).to_string()));
    conv_norm(net, &project, &norm, conv(channels, 1, 1))
}

fn conv_norm(net: Architecture, name: &str, norm: &str, conv: Conv) -> Architecture {
    net.layer(name, conv).batch_norm(norm)
}
