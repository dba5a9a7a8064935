use serde::{Deserialize, Serialize};

/// A lower rate whenever the monitored value has not improved for some epochs: PyTorch's
/// `ReduceLROnPlateau` with a relative threshold.
///
/// It is a function of the monitored values of all epochs so far. Those of a warm-up do not count. A
/// value that is not a number is no improvement. PyTorch's `eps`, below which a change is left out, is 0
/// here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plateau {
    /// Whether the value should fall or rise: [`PlateauMode::Min`].
    pub mode: PlateauMode,
    /// What the rate is multiplied by, above 0 and below 1: 0.1.
    pub factor: f64,
    /// How many epochs without an improvement are borne before the one that lowers the rate: 10.
    pub patience: usize,
    /// The share of the best value by which a value must be better to be an improvement, at least 0:
    /// 1e-4.
    pub threshold: f64,
    /// How many epochs after a change are not counted: 0.
    pub cooldown: usize,
    /// The least factor of the base rate, at least 0 and at most 1: 0.
    pub min_factor: f64,
}

/// Which way a monitored value improves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlateauMode {
    /// It falls, as a loss.
    #[default]
    Min,
    /// It rises, as an accuracy.
    Max,
}

impl Default for Plateau {
    /// PyTorch's settings.
    fn default() -> Self {
        Self {
            mode: PlateauMode::Min,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            cooldown: 0,
            min_factor: 0.0,
        }
    }
}

impl Plateau {
    /// The factor after epochs with these values.
    pub(super) fn factor(&self, monitored: &[f64]) -> f64 {
        let mut factor: f64 = 1.0;
        let mut best: Option<f64> = None;
        let (mut bad_epochs, mut cooling) = (0, 0);
        for &value in monitored {
            if self.improves(value, best) {
                best = Some(value);
                bad_epochs = 0;
            } else {
                bad_epochs += 1;
            }
            if cooling > 0 {
                cooling -= 1;
                bad_epochs = 0;
            }
            if bad_epochs > self.patience {
                factor = (factor * self.factor).max(self.min_factor);
                cooling = self.cooldown;
                bad_epochs = 0;
            }
        }
        factor
    }

    fn improves(&self, value: f64, best: Option<f64>) -> bool {
        match (self.mode, best) {
            (_, None) => value.is_finite(),
            (PlateauMode::Min, Some(best)) => value < best * (1.0 - self.threshold),
            (PlateauMode::Max, Some(best)) => value > best * (1.0 + self.threshold),
        }
    }
}
