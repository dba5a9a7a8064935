use serde::{Deserialize, Serialize};

use super::decay::half_cosine;

/// Up from a low rate to the highest one and down to nearly nothing, once in a run: PyTorch's
/// `OneCycleLR` with its two phases (Smith and Topin, 2018). It moves with every step.
///
/// The base rate, times [`max_factor`](Self::max_factor), is PyTorch's `max_lr`. PyTorch moves the
/// momentum against the rate as well (`cycle_momentum`); here the momentum stays what it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OneCycle {
    /// The highest factor, above 0: 1.
    pub max_factor: f64,
    /// The share of the steps in which the rate rises, above 0 and below 1: 0.3.
    pub pct_start: f64,
    /// How many times lower than the highest the first rate is, at least 1: 25.
    pub div_factor: f64,
    /// How many times lower than the first the last rate is, at least 1: 10,000.
    pub final_div_factor: f64,
    /// What lies between: [`Annealing::Cos`].
    pub anneal_strategy: Annealing,
}

/// How a rate goes from one value to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Annealing {
    /// Along half a cosine.
    #[default]
    Cos,
    /// On a straight line.
    Linear,
}

impl Default for OneCycle {
    /// PyTorch's settings.
    fn default() -> Self {
        Self {
            max_factor: 1.0,
            pct_start: 0.3,
            div_factor: 25.0,
            final_div_factor: 1e4,
            anneal_strategy: Annealing::Cos,
        }
    }
}

impl OneCycle {
    /// The factor of a step of `total`.
    pub(super) fn factor(&self, step: f64, total: f64) -> f64 {
        let first = self.max_factor / self.div_factor;
        let last = first / self.final_div_factor;
        // The steps at which the rate is highest and lowest.
        let (top, end) = (self.pct_start * total - 1.0, total - 1.0);
        if step <= top {
            return self.between(step, 0.0, top, [first, self.max_factor]);
        }
        self.between(step, top, end, [self.max_factor, last])
    }

    fn between(&self, step: f64, start: f64, end: f64, [from, to]: [f64; 2]) -> f64 {
        let share =
            if end > start { ((step - start) / (end - start)).clamp(0.0, 1.0) } else { 1.0 };
        match self.anneal_strategy {
            Annealing::Cos => half_cosine(share, from, to),
            Annealing::Linear => from + (to - from) * share,
        }
    }
}
