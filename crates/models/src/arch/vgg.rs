use serde::{Deserialize, Serialize};

use crate::error::require_28_pixels;
use crate::{Architecture, BatchNorm, Conv, MaxPool, ModelError, Op};

/// Channels of the convolutions; 0 is a max-pool.
const VGG11: &[usize] = &[64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0];
const VGG13: &[usize] = &[64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0];
const VGG16: &[usize] =
    &[64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0];
const VGG19: &[usize] =
    &[64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0];

/// A VGG network (Simonyan and Zisserman, 2015) with torchvision's parameter names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vgg {
    /// The name, for messages and reports.
    pub name: String,
    /// `[channels, height, width]` of an image, from 28 × 28 up.
    pub input: [usize; 3],
    /// Channels of the convolutions in their order; 0 is a max-pool.
    pub plan: Vec<usize>,
    /// Whether batch normalization follows each convolution.
    #[serde(default)]
    pub batch_norm: bool,
    /// Number of classes.
    pub classes: usize,
    /// Probability of dropout after the first two linear layers; torchvision's is 0.5.
    #[serde(default = "half")]
    pub dropout: f64,
    /// Whether one linear layer classifies what an average over each channel leaves, as in pytorch-cifar's
    /// `models/vgg.py`; otherwise three do, as in torchvision. Without hidden layers there is no dropout.
    #[serde(default)]
    pub one_linear: bool,
}

fn half() -> f64 {
    0.5
}

impl Vgg {
    fn new(name: &str, plan: &[usize], classes: usize) -> Self {
        Self {
            name: name.into(),
            input: [3, 224, 224],
            plan: plan.to_vec(),
            batch_norm: false,
            classes,
            dropout: half(),
            one_linear: false,
        }
    }

    /// Eight convolutions.
    pub fn vgg11(classes: usize) -> Self {
        Self::new("vgg11", VGG11, classes)
    }

    /// Ten convolutions.
    pub fn vgg13(classes: usize) -> Self {
        Self::new("vgg13", VGG13, classes)
    }

    /// Thirteen convolutions.
    pub fn vgg16(classes: usize) -> Self {
        Self::new("vgg16", VGG16, classes)
    }

    /// Sixteen convolutions.
    pub fn vgg19(classes: usize) -> Self {
        Self::new("vgg19", VGG19, classes)
    }

    /// The same network with batch normalization: torchvision's `vgg16_bn` and so on.
    #[must_use]
    pub fn with_batch_norm(self) -> Self {
        Self { name: format!("{}_bn", self.name), batch_norm: true, ..self }
    }

    /// The same network for CIFAR's images of 32 × 32 pixels with one linear layer, `vgg16_bn_cifar` and so on:
    /// with batch normalization that of github.com/kuangliu/pytorch-cifar, under its names.
    ///
    /// ```
    /// use selvedge_models::Vgg;
    ///
    /// // sum(p.numel() for p in VGG("VGG16").parameters()) of pytorch-cifar
    /// let net = Vgg::vgg16(10).with_batch_norm().for_cifar().architecture()?;
    /// assert_eq!(net.summary()?.parameters(), 14_728_266);
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    #[must_use]
    pub fn for_cifar(self) -> Self {
        let name = format!("{}_cifar", self.name);
        Self { name, input: [3, 32, 32], one_linear: true, ..self }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data; names count every layer, as torchvision's `Sequential` does.
    ///
    /// Of images below 32 × 32, one pixel is left for the last pool, which torchvision's network fails at:
    /// here it does nothing then, and what is left goes through the adaptive pool to 7 × 7 as any size does.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for images smaller than 28 × 28.
    pub fn architecture(&self) -> Result<Architecture, ModelError> {
        require_28_pixels(self.input)?;
        let mut features: Vec<Op> = Vec::new();
        let [_, height, width] = self.input;
        let mut side = height.min(width);
        for &out_channels in &self.plan {
            if out_channels == 0 {
                features.push(if side < 2 { Op::Identity } else { MaxPool::new(2).into() });
                side = (side / 2).max(1);
                continue;
            }
            features.push(Conv::new(out_channels, 3).padding(1).into());
            if self.batch_norm {
                features.push(BatchNorm::new().into());
            }
            features.push(Op::Relu);
        }
        let mut net = Architecture::new(&self.name, self.input);
        for (i, op) in features.into_iter().enumerate() {
            net = net.layer(format!("features.{i}"), op);
        }
        if self.one_linear {
            return Ok(net.adaptive_avg_pool(1).flatten().linear("classifier", self.classes));
        }
        let dropout = Op::Dropout { probability: self.dropout };
        let hidden = Op::Linear { out_features: 4096, bias: true };
        let head = Op::Linear { out_features: self.classes, bias: true };
        let classifier =
            [hidden.clone(), Op::Relu, dropout.clone(), hidden, Op::Relu, dropout, head];

        net = net.layer("avgpool", Op::AdaptiveAvgPool2d { size: 7 }).flatten();
        for (i, op) in classifier.into_iter().enumerate() {
            net = net.layer(format!("classifier.{i}"), op);
        }
        Ok(net)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn any_size_from_28_up_gives_one_logit_a_class() {
        for net in [Vgg::vgg11(3), Vgg::vgg13(3), Vgg::vgg16(3), Vgg::vgg19(3)] {
            for size in [28, 31, 32, 50, 224] {
                let net = net.clone().with_batch_norm().with_input([1, size, size]);
                let net = net.architecture().unwrap();
                assert_eq!(net.output_shape().unwrap(), Shape::Features(3), "{} {size}", net.name);
                assert_eq!(net.head(), Some("classifier.6"));
            }
        }
    }

    #[test]
    fn names_count_the_normalizations_as_torchvision_does() {
        // torchvision.models.vgg16_bn: the last convolution is features.40; without, features.28.
        let last = |vgg: Vgg| {
            let net = vgg.architecture().unwrap();
            let convolution = |l: &&crate::Layer| matches!(l.op, Op::Conv2d { .. });
            net.layers.iter().rfind(convolution).unwrap().name.clone()
        };
        assert_eq!(last(Vgg::vgg16(10)), "features.28");
        assert_eq!(last(Vgg::vgg16(10).with_batch_norm()), "features.40");
    }
}
