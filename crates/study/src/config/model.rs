use std::path::Path;

use selvedge_models::{
    Architecture, Cnn, ConvAutoencoder, CourseCnn, HiddenActivation, LinearAutoencoder, Mlp,
    ModelError, Op, TransferCnn, named,
};
use serde::{Deserialize, Deserializer, Serialize};

/// The network of a trial: one of the [catalog](selvedge_models::catalog), or the one that a file describes, with
/// what is to be different.
///
/// In a study file a text is the name: `model = "cnn2"` is `model = { name = "cnn2" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelConfig {
    /// The name in the catalog, or the path of a file that ends in `.json`.
    pub name: String,
    /// The probability of every dropout. The networks of the course have theirs where the course had them; of others
    /// those that they have are changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Channels of each convolution, of `cnn2_small`, `cnn2`, `cnn3`, `cnn5`, `conv_autoencoder` and `encoder_cnn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<usize>>,
    /// Features of each hidden linear layer, of the same classifiers (one), `transfer_cnn` and the MLPs (any number);
    /// of `linear_autoencoder` the widths of its encoder.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "one_or_more")]
    pub hidden: Option<Vec<usize>>,
    /// The function behind each hidden layer of an MLP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<HiddenActivation>,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: "cnn2_small".into(),
            dropout: None,
            channels: None,
            hidden: None,
            activation: None,
        }
    }
}

/// One number, or a list of them.
fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<usize>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a number above 0 is expected, or a list of them")]
    enum OneOrMore {
        One(usize),
        More(Vec<usize>),
    }
    Ok(Some(match OneOrMore::deserialize(from)? {
        OneOrMore::One(n) => vec![n],
        OneOrMore::More(all) => all,
    }))
}

impl ModelConfig {
    /// The network for images of `[channels, height, width]` and a number of classes.
    ///
    /// # Errors
    ///
    /// [`ModelError::Setting`] for an unknown name, a value that is out of range, or a setting that the network does
    /// not have; as [`Architecture::read`] for a file.
    pub fn architecture(
        &self,
        input: [usize; 3],
        classes: usize,
    ) -> Result<Architecture, ModelError> {
        let mut left = Left(self.clone());
        let architecture = left.build(input, classes)?;
        left.refuse()?;
        architecture.shapes()?;
        Ok(architecture)
    }
}

/// The settings that no network has taken yet.
struct Left(ModelConfig);

impl Left {
    fn build(&mut self, input: [usize; 3], classes: usize) -> Result<Architecture, ModelError> {
        let name = self.0.name.clone();
        let cnn = |cnn: Cnn, left: &mut Self| -> Result<Architecture, ModelError> {
            let cnn = cnn.with_input(input);
            let dropout = left.dropout()?.unwrap_or(cnn.dropout);
            let channels = left.0.channels.take().unwrap_or(cnn.channels);
            let hidden = left.one_hidden(cnn.hidden)?;
            Ok(Cnn { channels, hidden, dropout, ..cnn }.architecture())
        };
        let course = CourseCnn::new(classes).with_input(input);
        let autoencoder = ConvAutoencoder::default().with_input(input);
        let linear = LinearAutoencoder::default().with_input(input);
        let built = match name.as_str() {
            "cnn2_small" => cnn(Cnn::cnn2_small(classes), self)?,
            "cnn2" => cnn(Cnn::cnn2(classes), self)?,
            "cnn3" => cnn(Cnn::cnn3(classes), self)?,
            "cnn5" => cnn(Cnn::cnn5(classes), self)?,
            "transfer_cnn" => {
                let net = TransferCnn::new(classes).with_input(input);
                let dropout = self.dropout()?.unwrap_or(net.dropout);
                let hidden = self.0.hidden.take().unwrap_or(net.hidden);
                TransferCnn { hidden, dropout, ..net }.architecture()
            }
            "mlp" | "mlp_relu" | "mlp_sigmoid" | "mlp_tanh" | "mlp_identity" => {
                let net = Mlp::new(classes).with_input(input);
                let activation = match name.as_str() {
                    "mlp_sigmoid" => HiddenActivation::Sigmoid,
                    "mlp_tanh" => HiddenActivation::Tanh,
                    "mlp_identity" => HiddenActivation::Identity,
                    _ => HiddenActivation::Relu,
                };
                let activation = self.0.activation.take().unwrap_or(activation);
                let hidden = self.0.hidden.take().unwrap_or(net.hidden);
                Mlp { hidden, activation, ..net }.architecture()
            }
            "conv_autoencoder" => {
                let channels = self.0.channels.take().unwrap_or(autoencoder.channels);
                ConvAutoencoder { channels, ..autoencoder }.architecture()
            }
            "encoder_cnn" => {
                let channels = self.0.channels.take().unwrap_or(autoencoder.channels);
                let hidden = self.one_hidden(50)?;
                ConvAutoencoder { channels, ..autoencoder }.classifier(hidden, classes)
            }
            "linear_autoencoder" => {
                let widths = self.0.hidden.take().unwrap_or(linear.widths);
                LinearAutoencoder { widths, ..linear }.architecture()
            }
            "mnist_cnn3" => course.mnist_cnn3(self.dropout()?.unwrap_or(0.0)),
            "bn_cnn" => course.bn_cnn(self.dropout()?.unwrap_or(0.0)),
            file if Path::new(file).extension().is_some_and(|e| e == "json") => {
                self.fit(Architecture::read(Path::new(file))?, input, classes)?
            }
            name => self.fit(named(name)?, input, classes)?,
        };
        Ok(Architecture { name, ..built })
    }

    /// A network that is changed as a whole alone.
    fn fit(
        &mut self,
        architecture: Architecture,
        input: [usize; 3],
        classes: usize,
    ) -> Result<Architecture, ModelError> {
        let mut architecture = architecture.with_input(input)?;
        // An autoencoder has none.
        if architecture.head().is_some() {
            architecture = architecture.with_classes(classes)?;
        }
        if let Some(probability) = self.dropout()? {
            let mut changed = false;
            for layer in &mut architecture.layers {
                if let Op::Dropout { probability: p } | Op::ChannelDropout { probability: p } =
                    &mut layer.op
                {
                    *p = probability;
                    changed = true;
                }
            }
            if !changed {
                self.0.dropout = Some(probability);
            }
        }
        Ok(architecture)
    }

    fn dropout(&mut self) -> Result<Option<f64>, ModelError> {
        match self.0.dropout.take() {
            Some(p) if !(0.0..1.0).contains(&p) => Err(ModelError::Setting {
                name: "model.dropout",
                value: p.to_string(),
                expected: "at least 0 and below 1".into(),
            }),
            dropout => Ok(dropout),
        }
    }

    fn one_hidden(&mut self, usual: usize) -> Result<usize, ModelError> {
        match self.0.hidden.take().as_deref() {
            None => Ok(usual),
            Some([one]) => Ok(*one),
            Some(other) => Err(ModelError::Setting {
                name: "model.hidden",
                value: format!("{other:?}"),
                expected: format!("one number: `{}` has one hidden layer", self.0.name).into(),
            }),
        }
    }

    /// Refuses a setting that the network does not have.
    fn refuse(self) -> Result<(), ModelError> {
        let ModelConfig { name, dropout, channels, hidden, activation } = self.0;
        let settings = [
            ("model.dropout", dropout.map(|p| p.to_string())),
            ("model.channels", channels.map(|c| format!("{c:?}"))),
            ("model.hidden", hidden.map(|h| format!("{h:?}"))),
            ("model.activation", activation.map(|a| format!("{a:?}").to_lowercase())),
        ];
        let left = settings.into_iter().find_map(|(setting, value)| Some((setting, value?)));
        let expected = || format!("left out: `{name}` has no such setting").into();
        left.map_or(Ok(()), |(name, value)| {
            Err(ModelError::Setting { name, value, expected: expected() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GREY: [usize; 3] = [1, 28, 28];

    fn config(text: &str) -> ModelConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_not_said_is_as_in_the_catalog() {
        for architecture in selvedge_models::catalog() {
            let config = ModelConfig { name: architecture.name.clone(), ..Default::default() };
            let input = architecture.input;
            let classes = match architecture.output_shape().unwrap() {
                selvedge_models::Shape::Features(n) => n,
                selvedge_models::Shape::Images(_) => 0,
            };
            assert_eq!(config.architecture(input, classes).unwrap(), architecture);
        }
    }

    #[test]
    fn settings_change_the_network_that_has_them_and_are_refused_by_others() {
        let net = config("name = 'cnn2'\ndropout = 0.25\nhidden = 30\nchannels = [4, 6]");
        let expected = Cnn { channels: vec![4, 6], hidden: 30, ..Cnn::cnn2(5) }.with_dropout(0.25);
        assert_eq!(net.architecture(GREY, 5).unwrap(), expected.architecture());
        for (text, message) in [
            (
                "name = 'resnet18'\nchannels = [3]",
                "model.channels is [3], but must be left out: `resnet18` has no such setting",
            ),
            (
                "name = 'lenet5'\ndropout = 0.5",
                "model.dropout is 0.5, but must be left out: `lenet5` has no such setting",
            ),
            (
                "name = 'cnn2'\ndropout = 1.5",
                "model.dropout is 1.5, but must be at least 0 and below 1",
            ),
            (
                "name = 'cnn2'\nhidden = [1, 2]",
                "model.hidden is [1, 2], but must be one number: `cnn2` has one hidden layer",
            ),
        ] {
            let input = if text.contains("resnet") { [3, 224, 224] } else { GREY };
            assert_eq!(config(text).architecture(input, 10).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn dropout_of_a_network_that_has_some_is_changed() {
        let net = config("name = 'vgg16'\ndropout = 0.25").architecture([3, 224, 224], 10).unwrap();
        let dropouts = net.layers.iter().filter_map(|layer| match layer.op {
            Op::Dropout { probability } => Some(probability),
            _ => None,
        });
        assert_eq!(dropouts.collect::<Vec<_>>(), [0.25, 0.25]);
    }
}
