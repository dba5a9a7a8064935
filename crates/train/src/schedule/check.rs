//! What a schedule must be like, for the run that it is for.

use super::{Decay, OneCycle, Plateau, Schedule};
use crate::TrainError;
use crate::error::require;

impl Schedule {
    /// Refuses settings out of their range, and a schedule that is longer than a run of so many epochs:
    /// what would begin after the end is a mistake.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] names the first setting that cannot be.
    ///
    /// ```
    /// use selvedge_train::Schedule;
    ///
    /// let schedule = Schedule::step(30, 0.1);
    /// assert!(schedule.check(90).is_ok());
    /// let error = schedule.check(10).unwrap_err();
    /// assert_eq!(error.to_string(), "schedule's step size is 30, but must be below the epochs after the warm-up: it would never act");
    /// ```
    pub fn check(&self, epochs: usize) -> Result<(), TrainError> {
        let warmup = self.warmup_epochs;
        let factor = self.warmup_factor;
        let possible = factor > 0.0 && factor <= 1.0;
        require(possible, "schedule's warm-up factor", factor, "above 0 and at most 1")?;
        let one = warmup == 0 || self.warmup_steps == 0;
        require(one, "schedule's warm-up steps", self.warmup_steps, "0 where epochs are given")?;
        let shorter = warmup == 0 || warmup < epochs;
        require(shorter, "schedule's warm-up epochs", warmup, "fewer than the epochs of the run")?;
        self.decay.check(epochs.saturating_sub(warmup))
    }

    /// As [`check`](Self::check), and refuses a warm-up in steps that is not shorter than the run, for
    /// which the steps of an epoch must be known.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn check_steps(&self, epochs: usize, steps_per_epoch: usize) -> Result<(), TrainError> {
        self.check(epochs)?;
        let steps = self.warmup_steps;
        let shorter = steps == 0 || steps < epochs.saturating_mul(steps_per_epoch);
        require(shorter, "schedule's warm-up steps", steps, "fewer than the steps of the run")?;
        // What is counted in epochs must begin within what the warm-up leaves of them.
        self.decay.check(epochs.saturating_sub(self.warmup_epochs + steps / steps_per_epoch.max(1)))
    }
}

impl Decay {
    fn check(&self, epochs: usize) -> Result<(), TrainError> {
        match self {
            Self::Constant {} => Ok(()),
            Self::Step { step_size, gamma } => {
                require(*step_size > 0, "schedule's step size", step_size, "at least 1")?;
                let expected = "below the epochs after the warm-up: it would never act";
                require(*step_size < epochs, "schedule's step size", step_size, expected)?;
                check_gamma(*gamma)
            }
            Self::MultiStep { milestones, gamma } => {
                require(!milestones.is_empty(), "schedule's milestones", "empty", "at least one")?;
                for (i, &milestone) in milestones.iter().enumerate() {
                    let name = "schedule's milestone";
                    let expected = "below the epochs after the warm-up: it would never act";
                    require(milestone < epochs, name, milestone, expected)?;
                    let before = if i == 0 { 0 } else { milestones[i - 1] };
                    require(milestone > before, name, milestone, "above 0 and the one before it")?;
                }
                check_gamma(*gamma)
            }
            Self::Exponential { gamma } => check_gamma(*gamma),
            Self::Cosine { min_factor } => check_share("schedule's least factor", *min_factor),
            Self::CosineRestarts { t_0, t_mult, min_factor } => {
                require(*t_0 > 0, "schedule's T_0", t_0, "at least 1")?;
                let expected = "at most the epochs after the warm-up";
                require(*t_0 <= epochs, "schedule's T_0", t_0, expected)?;
                require(*t_mult > 0, "schedule's T_mult", t_mult, "at least 1")?;
                check_share("schedule's least factor", *min_factor)
            }
            Self::Linear { end_factor } => check_share("schedule's end factor", *end_factor),
            Self::Polynomial { power } => {
                require(above_zero(*power), "schedule's power", power, "above 0")
            }
            Self::OneCycle(cycle) => cycle.check(),
            Self::Plateau(plateau) => plateau.check(epochs),
        }
    }
}

impl OneCycle {
    fn check(&self) -> Result<(), TrainError> {
        let max = self.max_factor;
        require(above_zero(max), "one-cycle's max factor", max, "above 0")?;
        let share = self.pct_start;
        let possible = share > 0.0 && share < 1.0;
        require(possible, "one-cycle's pct_start", share, "above 0 and below 1")?;
        for (name, divisor) in [
            ("one-cycle's div_factor", self.div_factor),
            ("one-cycle's final_div_factor", self.final_div_factor),
        ] {
            require(divisor >= 1.0 && divisor.is_finite(), name, divisor, "at least 1")?;
        }
        Ok(())
    }
}

impl Plateau {
    fn check(&self, epochs: usize) -> Result<(), TrainError> {
        let factor = self.factor;
        let possible = factor > 0.0 && factor < 1.0;
        require(possible, "plateau's factor", factor, "above 0 and below 1")?;
        // One epoch is the best, patience + 1 are worse, and one is left to have the lower rate.
        let acts = self.patience.saturating_add(3) <= epochs;
        let expected = "at least 3 below the epochs after the warm-up: it would never act";
        require(acts, "plateau's patience", self.patience, expected)?;
        let threshold = self.threshold;
        let possible = threshold >= 0.0 && threshold.is_finite();
        require(possible, "plateau's threshold", threshold, "0 or more")?;
        check_share("plateau's least factor", self.min_factor)
    }
}

fn check_gamma(gamma: f64) -> Result<(), TrainError> {
    require(gamma > 0.0 && gamma <= 1.0, "schedule's gamma", gamma, "above 0 and at most 1")
}

fn check_share(name: &'static str, share: f64) -> Result<(), TrainError> {
    require((0.0..=1.0).contains(&share), name, share, "at least 0 and at most 1")
}

fn above_zero(value: f64) -> bool {
    value > 0.0 && value.is_finite()
}
