//! How the learning rate moves through a run, as a pure function of where the run is.
//!
//! A [`Schedule`] gives a factor of the base rate. It keeps nothing, so that a run that goes on from a
//! checkpoint has the rates of one that was never stopped.

mod check;
mod decay;
mod one_cycle;
mod plateau;

use serde::{Deserialize, Serialize};

pub use decay::Decay;
pub use one_cycle::{Annealing, OneCycle};
pub use plateau::{Plateau, PlateauMode};

/// Where a run is when it takes a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position<'a> {
    /// The optimizer's steps so far in the whole run: 0 before the first.
    pub step: usize,
    /// The optimizer's steps in one epoch, at least 1.
    pub steps_per_epoch: usize,
    /// The epochs of the whole run.
    pub epochs: usize,
    /// The monitored value, such as the validation loss, of every epoch that is complete. Only
    /// [`Plateau`] looks at it.
    pub monitored: &'a [f64],
}

impl Position<'_> {
    fn steps(&self) -> f64 {
        self.epochs as f64 * self.per_epoch()
    }

    fn per_epoch(&self) -> f64 {
        self.steps_per_epoch.max(1) as f64
    }
}

/// When the factor moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Once an epoch, as in torchvision's reference training: the rate is the same within an epoch.
    #[default]
    Epoch,
    /// With every step, for which fractions of an epoch are put into the same formulas.
    Step,
}

/// How the learning rate moves through a run: a warm-up, then a [`Decay`].
///
/// The warm-up is PyTorch's `LinearLR`, from [`warmup_factor`](Self::warmup_factor) to 1, and what comes
/// after it begins at its end, as with PyTorch's `SequentialLR`: cosine, linear and polynomial decay
/// take the epochs that are left, and epochs in `step_size` and `milestones` are counted from there.
///
/// Units are epochs, as in torchvision (`lr_step_size`, `lr_warmup_epochs`). By default the factor moves
/// once an epoch, as torchvision steps its schedulers; [`Interval::Step`] puts fractions of an epoch into
/// the same formulas. Always with every step move [`OneCycle`], whose unit is the step in PyTorch, too,
/// and a warm-up that is counted in steps.
///
/// In a file the settings of the decay stand beside those of the warm-up:
///
/// ```
/// use selvedge_train::{Position, Schedule};
///
/// let file = r#"{"name": "step", "step_size": 30, "gamma": 0.1, "warmup_epochs": 5}"#;
/// let schedule: Schedule = serde_json::from_str(file).unwrap();
/// assert_eq!(schedule, Schedule::step(30, 0.1).with_warmup_epochs(5));
///
/// let at = |epoch: usize| {
///     let monitored = &[];
///     let position = Position { step: epoch * 100, steps_per_epoch: 100, epochs: 90, monitored };
///     schedule.factor(&position)
/// };
/// assert_eq!([at(0), at(5), at(34)], [0.01, 1.0, 1.0]);
/// assert!((at(35) - 0.1).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What happens after the warm-up.
    #[serde(flatten)]
    pub decay: Decay,
    /// When the factor moves.
    #[serde(default, skip_serializing_if = "is_default")]
    pub interval: Interval,
    /// Epochs of the warm-up; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub warmup_epochs: usize,
    /// Steps of the warm-up, instead of epochs; 0 for none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub warmup_steps: usize,
    /// The factor of the warm-up's first step, above 0 and at most 1: 0.01, as torchvision's
    /// `lr_warmup_decay`.
    #[serde(default = "warmup_factor", skip_serializing_if = "is_usual_warmup")]
    pub warmup_factor: f64,
}

const WARMUP_FACTOR: f64 = 0.01;

fn warmup_factor() -> f64 {
    WARMUP_FACTOR
}

fn is_usual_warmup(factor: &f64) -> bool {
    *factor == WARMUP_FACTOR
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Schedule {
    /// [`constant`](Self::constant).
    fn default() -> Self {
        Self::constant()
    }
}

impl From<Decay> for Schedule {
    /// Without a warm-up.
    fn from(decay: Decay) -> Self {
        Self {
            decay,
            interval: Interval::Epoch,
            warmup_epochs: 0,
            warmup_steps: 0,
            warmup_factor: WARMUP_FACTOR,
        }
    }
}

impl From<OneCycle> for Schedule {
    fn from(cycle: OneCycle) -> Self {
        Decay::OneCycle(cycle).into()
    }
}

impl From<Plateau> for Schedule {
    fn from(plateau: Plateau) -> Self {
        Decay::Plateau(plateau).into()
    }
}

impl Schedule {
    /// The base rate throughout.
    pub fn constant() -> Self {
        Decay::Constant {}.into()
    }

    /// Times `gamma` every `step_size` epochs: PyTorch's `StepLR`.
    pub fn step(step_size: usize, gamma: f64) -> Self {
        Decay::Step { step_size, gamma }.into()
    }

    /// Times `gamma` at each of these epochs: PyTorch's `MultiStepLR`.
    pub fn multi_step(milestones: impl Into<Vec<usize>>, gamma: f64) -> Self {
        Decay::MultiStep { milestones: milestones.into(), gamma }.into()
    }

    /// Times `gamma` every epoch: PyTorch's `ExponentialLR`.
    pub fn exponential(gamma: f64) -> Self {
        Decay::Exponential { gamma }.into()
    }

    /// Half a cosine, from 1 to 0: PyTorch's `CosineAnnealingLR` over the run (Loshchilov and Hutter,
    /// 2017).
    pub fn cosine() -> Self {
        Decay::Cosine { min_factor: 0.0 }.into()
    }

    /// Half a cosine again and again, the first one `t_0` epochs long, each `t_mult` times as long as the
    /// one before: PyTorch's `CosineAnnealingWarmRestarts`.
    pub fn cosine_restarts(t_0: usize, t_mult: usize) -> Self {
        Decay::CosineRestarts { t_0, t_mult, min_factor: 0.0 }.into()
    }

    /// A straight line from 1 to 0: PyTorch's `LinearLR` over the run.
    pub fn linear() -> Self {
        Decay::Linear { end_factor: 0.0 }.into()
    }

    /// (1 − t/T)^`power`: PyTorch's `PolynomialLR` over the run.
    pub fn polynomial(power: f64) -> Self {
        Decay::Polynomial { power }.into()
    }

    /// Up and down once, with PyTorch's settings (see [`OneCycle`] for others).
    pub fn one_cycle() -> Self {
        OneCycle::default().into()
    }

    /// Lower whenever the monitored value no longer falls, with PyTorch's settings (see [`Plateau`] for
    /// others).
    pub fn plateau() -> Self {
        Plateau::default().into()
    }

    /// The same after a warm-up of so many epochs.
    #[must_use]
    pub fn with_warmup_epochs(self, epochs: usize) -> Self {
        Self { warmup_epochs: epochs, warmup_steps: 0, ..self }
    }

    /// The same after a warm-up of so many steps.
    #[must_use]
    pub fn with_warmup_steps(self, steps: usize) -> Self {
        Self { warmup_steps: steps, warmup_epochs: 0, ..self }
    }

    /// The same, moved at other times.
    #[must_use]
    pub fn with_interval(self, interval: Interval) -> Self {
        Self { interval, ..self }
    }

    /// What the base rate is multiplied by for the step at this position.
    ///
    /// It is finite and at least 0 for a schedule that [`check`](Self::check) accepts. Beyond the end of
    /// the run it stays what it was there; what repeats or falls without end goes on.
    pub fn factor(&self, position: &Position) -> f64 {
        let warmup = self.warmup(position);
        let step = position.step as f64;
        if step < warmup {
            let done = match (self.interval, self.warmup_steps) {
                (Interval::Epoch, 0) => {
                    (step / position.per_epoch()).floor() * position.per_epoch()
                }
                _ => step,
            };
            return self.warmup_factor + (1.0 - self.warmup_factor) * (done / warmup);
        }
        let since = step - warmup;
        let total = position.steps() - warmup;
        match &self.decay {
            Decay::OneCycle(cycle) => cycle.factor(since, total),
            Decay::Plateau(plateau) => {
                let skipped = (warmup / position.per_epoch()).ceil() as usize;
                plateau.factor(position.monitored.get(skipped..).unwrap_or(&[]))
            }
            decay => {
                let epochs = since / position.per_epoch();
                let epochs = if self.interval == Interval::Epoch { epochs.floor() } else { epochs };
                decay.factor(epochs, total / position.per_epoch())
            }
        }
    }

    /// The steps of the warm-up.
    fn warmup(&self, position: &Position) -> f64 {
        match self.warmup_steps {
            0 => self.warmup_epochs as f64 * position.per_epoch(),
            steps => steps as f64,
        }
    }
}

#[cfg(test)]
mod tests;
