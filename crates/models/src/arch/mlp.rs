use serde::{Deserialize, Serialize};

use super::grey_28;
use crate::Architecture;

/// What follows each hidden layer of an [`Mlp`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HiddenActivation {
    /// max(x, 0)
    #[default]
    Relu,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
    /// Nothing: the network is linear.
    Identity,
}

/// A multi-layer perceptron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mlp {
    /// `[channels, height, width]` of an image.
    #[serde(default = "grey_28")]
    pub input: [usize; 3],
    /// Features of each hidden layer.
    pub hidden: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// What follows each hidden layer.
    #[serde(default)]
    pub activation: HiddenActivation,
}

impl Mlp {
    /// 784-256-128-64 and the classes, with ReLU.
    pub fn new(classes: usize) -> Self {
        Self {
            input: grey_28(),
            hidden: vec![256, 128, 64],
            classes,
            activation: HiddenActivation::Relu,
        }
    }

    /// The same network with another activation.
    #[must_use]
    pub fn with_activation(self, activation: HiddenActivation) -> Self {
        Self { activation, ..self }
    }

    /// The same network for other images, `[channels, height, width]`.
    #[must_use]
    pub fn with_input(self, input: [usize; 3]) -> Self {
        Self { input, ..self }
    }

    /// The network as data; parameters are `fc1`, `fc2` ….
    pub fn architecture(&self) -> Architecture {
        let mut net = Architecture::new("mlp", self.input).flatten();
        for (i, &features) in self.hidden.iter().enumerate() {
            net = net.linear(&format!("fc{}", i + 1), features);
            net = match self.activation {
                HiddenActivation::Relu => net.relu(),
                HiddenActivation::Sigmoid => net.sigmoid(),
                HiddenActivation::Tanh => net.tanh(),
                HiddenActivation::Identity => net,
            };
        }
        net.linear(&format!("fc{}", self.hidden.len() + 1), self.classes)
    }
}
