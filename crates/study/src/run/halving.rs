//! Halving: many variants for a few epochs, the best of them for more.

use selvedge_train::Stop;
use toml::{Table, Value};

use super::search::{Searching, point_values};
use crate::config::{Search, Variant};
use crate::search::{Hyperband, Point, Random, Rung, Strategy, SuccessiveHalving, promoted};
use crate::{StudyConfig, StudyError};

/// Successive halving or Hyperband, for one arm of a study. A variant that goes on is trained anew for more epochs:
/// a schedule that ends with the training would not be that of the longer one.
pub(super) struct Halving<'a> {
    study: &'a StudyConfig,
    arm: (&'a str, Table),
    brackets: Vec<(Vec<Rung>, Vec<Point>)>,
}

impl<'a> Halving<'a> {
    /// One for each arm; none for a study that does not halve.
    pub fn of(study: &'a StudyConfig) -> Result<Vec<Self>, StudyError> {
        let (brackets, seed) = match study.search {
            Search::SuccessiveHalving { smallest, eta, seed } => {
                let (trials, largest) = (study.budget.unwrap_or(0), study.largest_epochs()?);
                let halving = SuccessiveHalving { trials, smallest, largest, eta };
                (vec![halving.rungs()?], seed)
            }
            Search::Hyperband { smallest, eta, seed } => {
                let hyperband = Hyperband { smallest, largest: study.largest_epochs()?, eta };
                (hyperband.brackets()?, seed)
            }
            _ => return Ok(Vec::new()),
        };
        let space = super::search::space(study)?;
        let count: usize = brackets.iter().map(|rungs| rungs[0].trials).sum();
        // Drawn at once, so that no bracket has a point of another.
        let points = Random.propose(&space, &[], seed, count)?;
        let mut points = points.into_iter();
        let brackets: Vec<_> = brackets
            .into_iter()
            .map(|rungs| {
                let own = points.by_ref().take(rungs[0].trials).collect();
                (rungs, own)
            })
            .collect();
        let arms = Searching::arms(study);
        Ok(arms.map(|arm| Self { study, arm, brackets: brackets.clone() }).collect())
    }

    /// What the arm is called; empty for the one of a study that has none.
    pub fn arm(&self) -> &str {
        self.arm.0
    }

    /// Tries the variants of every rung; `try_all` tells what each came to, or `None` if trials were left undone. How
    /// many were not tried: because it was stopped, or it is not known which of a rung are the best.
    pub fn run(
        &self,
        stop: &Stop,
        mut try_all: impl FnMut(Vec<Variant>) -> Result<Option<Vec<Option<f64>>>, StudyError>,
    ) -> Result<usize, StudyError> {
        let mut left = 0;
        // A bracket has points of its own: it does not depend on another.
        for (rungs, points) in &self.brackets {
            let untried = |rungs: &[Rung]| -> usize {
                rungs.iter().map(|rung| rung.trials.min(points.len())).sum()
            };
            let mut going_on = points.clone();
            for (at, rung) in rungs.iter().enumerate() {
                if stop.is_requested() {
                    left += untried(&rungs[at..]);
                    break;
                }
                let variant = |point: &Point| self.variant(point, rung.budget);
                let variants = going_on.iter().map(variant).collect::<Result<Vec<_>, _>>()?;
                let later = &rungs[at + 1..];
                let Some(costs) = try_all(variants)? else {
                    left += untried(later);
                    break;
                };
                let Some(next) = later.first() else { break };
                let kept = promoted(&costs, next.trials);
                going_on = kept.into_iter().map(|place| going_on[place].clone()).collect();
            }
        }
        Ok(left)
    }

    /// The variant at a point, for so many epochs.
    fn variant(&self, point: &Point, epochs: u64) -> Result<Variant, StudyError> {
        let mut settings = self.arm.1.clone();
        settings.insert("epochs".into(), Value::Integer(epochs as i64));
        let values = point_values(self.study, point);
        let mut variant = self.study.variant_of(self.arm.0, &settings, &values)?;
        variant.name = format!("epochs={epochs}, {}", variant.name);
        Ok(variant)
    }
}
