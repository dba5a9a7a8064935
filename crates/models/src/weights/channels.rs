//! A first convolution for images of other channels.

use burn::tensor::TensorData;

use super::load_options::InputChannels;
use crate::{Architecture, Op};

/// How the weights of a first convolution become those for images of other channels.
pub(super) struct Conversion {
    how: InputChannels,
    /// The channels in the file and in the network; one of them is 1.
    from: usize,
    to: usize,
    /// `[out_channels, in_channels, kernel, kernel]` of the network.
    shape: Vec<usize>,
}

/// The layer that takes the channels of the images, all at a time: the first, if it is a convolution without groups.
/// Layers without parameters may stand before it.
pub(super) fn input_layer(architecture: &Architecture) -> Option<&str> {
    let first = architecture.layers.iter().find(|layer| !layer.op.is_plain())?;
    // With groups a weight has fewer channels than the images.
    matches!(first.op, Op::Conv2d { groups: 1, .. }).then_some(first.name.as_str())
}

impl Conversion {
    /// `None` if nothing is to be converted, or the shapes, PyTorch's, differ in more than the channels.
    pub fn new(how: InputChannels, found: &[usize], expected: &[usize]) -> Option<Self> {
        let ([o, from, h, w], [out, to, height, width]) = (found, expected) else { return None };
        let fits = [o, h, w] == [out, height, width] && from != to && (*from == 1 || *to == 1);
        let is_asked = how != InputChannels::Refuse && *from > 0;
        (fits && is_asked).then(|| Self { how, from: *from, to: *to, shape: expected.to_vec() })
    }

    /// What is done, for a report.
    pub fn told(&self, name: &str) -> String {
        let Self { from, to, .. } = self;
        match (self.how, to) {
            (InputChannels::Sum, 1) => format!("{name} is the sum over {from} channels"),
            (_, 1) => format!("{name} is the mean over {from} channels"),
            (InputChannels::Sum, _) => {
                format!("{name} is repeated for {to} channels and divided by {to}")
            }
            _ => format!("{name} is repeated for {to} channels"),
        }
    }

    /// The weights of the network for those of the file, both f32; sums are of f64, in the channels' order.
    pub fn apply(&self, data: TensorData) -> Result<TensorData, String> {
        let values = data.as_slice::<f32>().map_err(|e| e.to_string())?;
        let [out, _, height, width] = self.shape[..] else { return Err("no convolution".into()) };
        let (pixels, divisor) = (
            height * width,
            match (self.how, self.to) {
                (InputChannels::Sum, 1) => 1.0,
                (InputChannels::Sum, to) => to as f64,
                (_, 1) => self.from as f64,
                _ => 1.0,
            },
        );
        let mut converted: Vec<f32> = Vec::with_capacity(out * self.to * pixels);
        for kernel in values.chunks_exact(self.from * pixels) {
            let sums = (0..pixels).map(|pixel| {
                let sum: f64 = (0..self.from).map(|c| f64::from(kernel[c * pixels + pixel])).sum();
                (sum / divisor) as f32
            });
            let sums: Vec<f32> = sums.collect();
            (0..self.to).for_each(|_| converted.extend(&sums));
        }
        Ok(TensorData::new(converted, self.shape.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Conv;

    fn converted(how: InputChannels, values: &[f32], from: [usize; 4], to: [usize; 4]) -> Vec<f32> {
        let conversion = Conversion::new(how, &from, &to).unwrap();
        let data = TensorData::new(values.to_vec(), from);
        conversion.apply(data).unwrap().try_to_vec().unwrap()
    }

    #[test]
    fn channels_are_added_or_averaged_and_repeated() {
        use InputChannels::{Mean, Sum};
        // Two kernels of 1 × 1 over three channels.
        let three = [1.0, 2.0, 6.0, -1.0, 0.0, 4.0];
        assert_eq!(converted(Sum, &three, [2, 3, 1, 1], [2, 1, 1, 1]), [9.0, 3.0]);
        assert_eq!(converted(Mean, &three, [2, 3, 1, 1], [2, 1, 1, 1]), [3.0, 1.0]);
        // One kernel of 1 × 2 over one channel.
        let one = [3.0, 6.0];
        let expected = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
        assert_eq!(converted(Sum, &one, [1, 1, 1, 2], [1, 3, 1, 2]), expected);
        let expected = [3.0, 6.0, 3.0, 6.0, 3.0, 6.0];
        assert_eq!(converted(Mean, &one, [1, 1, 1, 2], [1, 3, 1, 2]), expected);
    }

    #[test]
    fn a_first_convolution_with_groups_is_left_alone() {
        let net = |conv| Architecture::new("net", [3, 4, 4]).layer("first", conv);
        assert_eq!(input_layer(&net(Conv::new(6, 3))), Some("first"));
        assert_eq!(input_layer(&net(Conv::new(6, 3).groups(3))), None);
    }

    #[test]
    fn only_one_channel_can_become_several_and_the_other_way_round() {
        let new =
            |how, from: [usize; 4], to: [usize; 4]| Conversion::new(how, &from, &to).is_some();
        assert!(!new(InputChannels::Refuse, [8, 3, 3, 3], [8, 1, 3, 3]));
        assert!(new(InputChannels::Sum, [8, 3, 3, 3], [8, 1, 3, 3]));
        for (from, to) in [
            ([8, 3, 3, 3], [8, 4, 3, 3]),
            ([8, 3, 3, 3], [8, 1, 5, 5]),
            ([8, 3, 3, 3], [4, 1, 3, 3]),
            ([8, 1, 3, 3], [8, 1, 3, 3]),
            ([8, 0, 3, 3], [8, 1, 3, 3]),
        ] {
            assert!(!new(InputChannels::Sum, from, to), "{from:?} to {to:?}");
        }
    }
}
