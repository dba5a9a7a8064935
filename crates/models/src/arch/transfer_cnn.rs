use serde::{Deserialize, Serialize};

use super::grey_28;
use crate::Architecture;

/// The network of the transfer study: two convolutions with max-pool, channel dropout and ReLU, and
/// three linear layers, the last of which a transfer replaces.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransferCnn {
    /// `[channels, height, width]` of an image.
    #[serde(default = "grey_28")]
    pub input: [usize; 3],
    /// For each convolution: channels, kernel and max-pool after it; a pool of 1 is left out.
    #[serde(default = "convolutions")]
    pub convolutions: Vec<[usize; 3]>,
    /// Features of the hidden linear layers; dropout follows the first.
    #[serde(default = "hidden")]
    pub hidden: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// Probability of both kinds of dropout; 0 leaves them out.
    #[serde(default)]
    pub dropout: f64,
}

fn convolutions() -> Vec<[usize; 3]> {
    vec![[28, 5, 2], [20, 3, 1]]
}

fn hidden() -> Vec<usize> {
    vec![500, 100]
}

impl TransferCnn {
    /// The network for 28 × 28 grey images: 1→28 (5 × 5, pool 2), 28→20 (3 × 3), then 2000→500→100.
    pub fn new(classes: usize) -> Self {
        Self {
            input: grey_28(),
            convolutions: convolutions(),
            hidden: hidden(),
            classes,
            dropout: 0.0,
        }
    }

    /// The same network with dropout.
    #[must_use]
    pub fn with_dropout(self, dropout: f64) -> Self {
        Self { dropout, ..self }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data; parameters are `conv1`, `conv2`, `fc1`, `fc2` and `fc3`.
    pub fn architecture(&self) -> Architecture {
        let mut net = Architecture::new("transfer_cnn", self.input);
        for (i, &[channels, kernel, pool]) in self.convolutions.iter().enumerate() {
            net = net.conv(&format!("conv{}", i + 1), channels, kernel, 0);
            if pool > 1 {
                net = net.max_pool(pool);
            }
            if self.dropout != 0.0 {
                net = net.channel_dropout(self.dropout);
            }
            net = net.relu();
        }
        net = net.flatten();
        for (i, &features) in self.hidden.iter().enumerate() {
            net = net.linear(&format!("fc{}", i + 1), features).relu();
            if i == 0 && self.dropout != 0.0 {
                net = net.dropout(self.dropout);
            }
        }
        net.linear(&format!("fc{}", self.hidden.len() + 1), self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Shape;

    #[test]
    fn two_thousand_features_reach_the_first_linear_layer() {
        let net = TransferCnn::new(5).with_dropout(0.3).architecture();
        assert!(net.shapes().unwrap().contains(&Shape::Features(2000)));
        assert_eq!(net.head(), Some("fc3"));
    }

    #[test]
    fn a_file_names_what_differs_and_nothing_unknown() {
        let read = |text: &str| serde_json::from_str::<TransferCnn>(text);
        let net = read(r#"{"classes": 5, "dropout": 0.3}"#).unwrap();
        assert_eq!(net, TransferCnn::new(5).with_dropout(0.3));
        let message = read(r#"{"classes": 5, "droput": 0.3}"#).unwrap_err().to_string();
        assert!(message.starts_with("unknown field `droput`"), "{message}");
    }
}
