//! Searching: variants that are proposed after the results of those before them.

use toml::{Table, Value};

use crate::config::{Dimension, GENERATION, Range, Search, Values, Variant};
use crate::search::{
    Dimension as Axis, GaussianProcess, Observation, Point, Random, Sobol, Space, Strategy, Tpe,
    Value as Place,
};
use crate::{StudyConfig, StudyError};

/// A search over what varies, for one arm of a study.
pub(super) struct Searching<'a> {
    study: &'a StudyConfig,
    arm: (&'a str, Table),
    space: Space,
    strategy: Box<dyn Strategy>,
    seed: u64,
    history: Vec<Observation>,
    proposed: Vec<Point>,
}

impl<'a> Searching<'a> {
    /// One search for each arm; none for a study that does not search.
    pub fn of(study: &'a StudyConfig) -> Result<Vec<Self>, StudyError> {
        let strategy = || -> Option<(Box<dyn Strategy>, u64)> {
            Some(match study.search {
                Search::Grid
                | Search::OneAtATime
                | Search::SuccessiveHalving { .. }
                | Search::Hyperband { .. } => return None,
                Search::Random { seed } => (Box::new(Random), seed),
                Search::Sobol { seed } => (Box::new(Sobol), seed),
                Search::Tpe { seed } => (Box::new(Tpe::default()), seed),
                Search::GaussianProcess { seed } => (Box::new(GaussianProcess::default()), seed),
            })
        };
        if strategy().is_none() {
            return Ok(Vec::new());
        }
        let space = space(study)?;
        let mut searches = Vec::new();
        for arm in Self::arms(study) {
            let Some((strategy, seed)) = strategy() else { break };
            searches.push(Self {
                study,
                arm,
                space: space.clone(),
                strategy,
                seed,
                history: Vec::new(),
                proposed: Vec::new(),
            });
        }
        Ok(searches)
    }

    /// The arms of a study; one without a name and settings, where it has none.
    pub fn arms(study: &'a StudyConfig) -> impl Iterator<Item = (&'a str, Table)> {
        let arms = study.variant.iter().map(|(name, settings)| (name.as_str(), settings.clone()));
        let lone = study.variant.is_empty().then(|| ("", Table::new()));
        arms.chain(lone)
    }

    /// What the arm is called; empty for the one of a study that has none.
    pub fn arm(&self) -> &str {
        self.arm.0
    }

    /// How many variants are still to be proposed.
    pub fn left(&self) -> usize {
        let all = self.space.size().and_then(|size| usize::try_from(size).ok());
        let most = self.study.budget.unwrap_or(0).min(all.unwrap_or(usize::MAX));
        most.saturating_sub(self.history.len() + self.proposed.len())
    }

    /// The next variants; none when the budget is spent, or nothing is left to try.
    pub fn next(&mut self) -> Result<Vec<Variant>, StudyError> {
        let count = self.left().min(GENERATION);
        if count == 0 {
            return Ok(Vec::new());
        }
        self.proposed = self.strategy.propose(&self.space, &self.history, self.seed, count)?;
        let variant = |point: &Point| {
            let values = point_values(self.study, point);
            Ok(self.study.variant_of(self.arm.0, &self.arm.1, &values)?)
        };
        self.proposed.iter().map(variant).collect()
    }

    /// What the variants came to, in their order: what is to be made small, `None` where there is nothing.
    pub fn learn(&mut self, costs: &[Option<f64>]) {
        let points = self.proposed.drain(..).zip(costs);
        self.history.extend(points.map(|(point, &value)| Observation { point, value }));
    }
}

/// All that varies, as searches see it.
pub(super) fn space(study: &StudyConfig) -> Result<Space, StudyError> {
    Space::new(study.vary.iter().map(axis).collect())
}

/// The values at a point.
pub(super) fn point_values<'a>(
    study: &'a StudyConfig,
    point: &Point,
) -> Vec<(&'a Dimension, Value)> {
    let places = study.vary.iter().zip(point);
    places.map(|(dimension, &place)| (dimension, value(dimension, place))).collect()
}

/// A dimension as searches see it: a list of numbers has an order.
fn axis(dimension: &Dimension) -> Axis {
    match &dimension.values {
        Values::List(values) => match is_ordered(values) {
            true => Axis::Integer { low: 0, high: values.len() as i64 - 1 },
            false => Axis::Categorical { choices: values.len() },
        },
        Values::Range(Range { min, max, integer: true, .. }) => {
            Axis::Integer { low: *min as i64, high: *max as i64 }
        }
        Values::Range(Range { min, max, log: true, .. }) => {
            Axis::LogFloat { low: *min, high: *max }
        }
        Values::Range(Range { min, max, .. }) => Axis::Float { low: *min, high: *max },
    }
}

fn is_ordered(values: &[Value]) -> bool {
    let numbers: Option<Vec<f64>> = values
        .iter()
        .map(|value| value.as_float().or(value.as_integer().map(|n| n as f64)))
        .collect();
    numbers.is_some_and(|n| n.len() > 1 && (n.is_sorted() || n.iter().rev().is_sorted()))
}

/// The value at a place of an axis.
fn value(dimension: &Dimension, place: Place) -> Value {
    match (&dimension.values, place) {
        (Values::List(values), Place::Choice(at)) => values[at].clone(),
        (Values::List(values), Place::Integer(at)) => values[at as usize].clone(),
        (_, Place::Integer(number)) => Value::Integer(number),
        (_, Place::Float(number)) => Value::Float(number),
        (_, Place::Choice(at)) => Value::Integer(at as i64),
    }
}
