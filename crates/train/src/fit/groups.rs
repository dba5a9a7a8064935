use selvedge_models::{ModelError, NamePattern};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::error::require;

/// Parameters that learn faster or slower than the others, or decay otherwise, as PyTorch's `param_groups`.
///
/// Layers that were trained before need smaller steps than a fresh head (Howard and Ruder, 2018):
///
/// ```
/// use selvedge_train::{FitConfig, ParamGroup};
///
/// let config = FitConfig {
///     param_groups: vec![
///         ParamGroup::new("conv*", 0.01)?,
///         ParamGroup::new("fc1, fc2", 0.1)?,
///     ],
///     ..FitConfig::default()
/// };
/// # let _ = config;
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamGroup {
    /// The names of the parameters.
    pub parameters: NamePattern,
    /// What the learning rate is multiplied by, above 0. To keep parameters as they are, freeze
    /// them.
    #[serde(default = "one")]
    pub factor: f64,
    /// Their weight decay; `None` is that of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
}

fn one() -> f64 {
    1.0
}

impl ParamGroup {
    /// The parameters that `pattern` chooses, with `factor` times the learning rate.
    ///
    /// # Errors
    ///
    /// [`ModelError::Pattern`] if the pattern cannot be read.
    pub fn new(pattern: &str, factor: f64) -> Result<Self, ModelError> {
        Ok(Self { parameters: pattern.parse()?, factor, weight_decay: None })
    }

    /// The same with a weight decay of their own.
    #[must_use]
    pub fn with_weight_decay(self, weight_decay: f64) -> Self {
        Self { weight_decay: Some(weight_decay), ..self }
    }

    pub(super) fn check(&self) -> Result<(), TrainError> {
        let Self { factor, weight_decay, .. } = *self;
        let possible = factor > 0.0 && factor.is_finite();
        require(possible, "learning rate factor", factor, "above 0")?;
        let decay = weight_decay.unwrap_or(0.0);
        let possible = decay >= 0.0 && decay.is_finite();
        require(possible, "weight decay of a group", decay, "0 or more")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FitConfig;
    use crate::{Context, FitData, OptimizerConfig, TrainError, fit};
    use burn::tensor::Device;
    use selvedge_data::{ImageDataset, Normalization};
    use selvedge_models::{Architecture, Initialization, Network, state};

    fn network() -> Network {
        let network = Architecture::new("two", [1, 2, 2]).flatten().linear("fc1", 3);
        network.linear("fc2", 2).init(Initialization::PyTorch, 0, &Device::flex()).unwrap()
    }

    /// How far each parameter goes in a single step of gradient descent.
    fn step(groups: &[(&str, f64)]) -> Result<Vec<(String, Vec<f32>)>, TrainError> {
        let pixels = (0..16).map(|i| 16 * i).collect();
        let names = vec!["a".into(), "b".into()];
        let view = ImageDataset::new("t", pixels, [1, 2, 2], vec![0, 1, 1, 0], names)?.view();
        let normalization = Normalization::unit();
        let data = FitData::new(view.clone(), view, normalization);
        let groups = groups.iter().map(|(p, factor)| ParamGroup::new(p, *factor));
        let config = FitConfig {
            epochs: 1,
            learning_rate: 0.5,
            param_groups: groups.collect::<Result<_, _>>()?,
            optimizer: OptimizerConfig::sgd(0.0),
            ..FitConfig::default()
        };
        let fitted = fit(network(), &data, &config, &Context::new(&Device::flex()))?;
        let [before, after] = [&network(), &fitted.model].map(state::read);
        let moved = after.into_iter().map(|(name, after)| {
            let [before, after] = [&before[&name], &after].map(|d| d.try_to_vec::<f32>().unwrap());
            (name, after.iter().zip(before).map(|(a, b)| a - b).collect())
        });
        Ok(moved.collect())
    }

    #[test]
    fn a_group_moves_by_its_share_of_the_step() {
        // The last group that has a parameter counts.
        let groups = [("fc*", 0.5), ("fc1", 0.1), ("fc2.bias", 2.0)];
        let factor = |name: &str| match name {
            "fc1.weight" | "fc1.bias" => 0.1,
            "fc2.weight" => 0.5,
            _ => 2.0,
        };
        let whole = step(&[]).unwrap();
        assert!(whole.iter().all(|(_, moved)| moved.iter().any(|v| v.abs() > 1e-3)), "{whole:?}");
        for ((name, whole), (_, part)) in whole.iter().zip(&step(&groups).unwrap()) {
            for (whole, part) in whole.iter().zip(part) {
                // Differences of numbers below 1 are right to 6e-8 each.
                assert!((part - factor(name) * whole).abs() < 3e-7, "{name}: {part} {whole}");
            }
        }
    }

    #[test]
    fn a_group_of_nothing_and_impossible_factors_are_refused() {
        let error = step(&[("conv*", 0.1)]).unwrap_err().to_string();
        assert_eq!(error, "no parameter of `two` is selected by `conv*`");
        // The head is `fc2`: without the slip the head would have the slow rate, too.
        let error = step(&[("fc*, !fc3", 0.1)]).unwrap_err().to_string();
        assert_eq!(error, "no parameter of `two` is selected by `!fc3`");
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = step(&[("fc1", factor)]).unwrap_err();
            assert!(matches!(error, TrainError::Setting { .. }), "{factor}: {error}");
        }
    }

    #[test]
    fn settings_that_are_left_out_have_their_defaults() {
        let old = r#"{"epochs":3,"batch_size":64,"learning_rate":0.01,"optimizer":{"name":"adam"},
                      "weight_decay":0.0,"seed":7}"#;
        let config: FitConfig = serde_json::from_str(old).unwrap();
        let expected = FitConfig {
            epochs: 3,
            batch_size: 64,
            learning_rate: 0.01,
            seed: 7,
            ..FitConfig::default()
        };
        assert_eq!(config, expected);
        let json = serde_json::to_string(&config).unwrap();
        assert!(!json.contains("param_groups"), "{json}");
        let groups = vec![ParamGroup::new("fc1, !*.bias", 0.5).unwrap()];
        let config = FitConfig { param_groups: groups, ..config };
        let json = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<FitConfig>(&json).unwrap(), config);
    }
}
