//! Points that are listed beforehand.

use super::{Dimension, Observation, Point, Space, Strategy, Value, check};
use crate::StudyError;
use selvedge_train::require;

/// Every combination of values, the last dimension fastest, whatever the seed and the results.
///
/// Categorical dimensions give all their choices, integers all their values if these are `levels` or
/// fewer, and any other range `levels` of them from one end to the other, evenly (on a log scale where it has one).
///
/// ```
/// use selvedge_study::search::{Dimension, Grid, Space, Strategy, Value};
///
/// let space = Space::new(vec![
///     Dimension::Categorical { choices: 2 },
///     Dimension::LogFloat { low: 0.001, high: 0.1 },
/// ])?;
/// let grid = Grid { levels: 3 };
/// assert_eq!(grid.size(&space)?, 6);
/// let points = grid.propose(&space, &[], 0, 100)?;
/// assert_eq!(points.len(), 6);
/// assert_eq!(points[5], [Value::Choice(1), Value::Float(0.1)]);
/// # Ok::<(), selvedge_study::StudyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Values that a range is cut into: at least 1.
    pub levels: usize,
}

impl Grid {
    /// How many points `space` has on this grid.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`](selvedge_train::TrainError::Setting) if there are no levels, or more points than 2⁶⁴.
    pub fn size(&self, space: &Space) -> Result<u64, StudyError> {
        let axes = axes(space, self.levels)?;
        let size = axes.iter().try_fold(1_u64, |size, axis| size.checked_mul(axis.count));
        require(
            size.is_some(),
            "the size of the grid",
            "above 2^64",
            "smaller: take fewer levels",
        )?;
        Ok(size.unwrap_or(u64::MAX))
    }
}

impl Strategy for Grid {
    fn propose(
        &self,
        space: &Space,
        history: &[Observation],
        _seed: u64,
        count: usize,
    ) -> Result<Vec<Point>, StudyError> {
        check(space, history)?;
        let size = self.size(space)?;
        let axes = axes(space, self.levels)?;
        let from = history.len() as u64;
        let to = from.saturating_add(count as u64).min(size);
        Ok((from..to).map(|index| nth(&axes, index)).collect())
    }
}

/// The base point, and then one factor changed at a time: first each other value of the first dimension, then
/// of the second, and so on; whatever the seed and the results. Ranges have levels as in a [`Grid`].
///
/// It costs the sum of the levels and not their product, and tells what each factor does beside
/// the base point, but not what two of them do together.
#[derive(Clone, Debug, PartialEq)]
pub struct OneAtATime {
    /// Where the other factors stay.
    pub base: Point,
    /// Values that a range is cut into: at least 1.
    pub levels: usize,
}

impl Strategy for OneAtATime {
    fn propose(
        &self,
        space: &Space,
        history: &[Observation],
        _seed: u64,
        count: usize,
    ) -> Result<Vec<Point>, StudyError> {
        check(space, history)?;
        require(space.contains(&self.base), "base", "another point", "a point of the space")?;
        let axes = axes(space, self.levels)?;
        let changed = axes.iter().enumerate().flat_map(|(place, axis)| {
            let others = (0..axis.count).map(|level| axis.level(level));
            let others = others.filter(move |&value| value != self.base[place]);
            others.map(move |value| {
                let mut point = self.base.clone();
                point[place] = value;
                point
            })
        });
        let points = std::iter::once(self.base.clone()).chain(changed);
        Ok(points.skip(history.len()).take(count).collect())
    }
}

/// The values of one dimension that are tried.
struct Axis<'a> {
    dimension: &'a Dimension,
    count: u64,
}

impl Axis<'_> {
    fn level(&self, level: u64) -> Value {
        let last = (self.count - 1) as f64;
        let along = if last > 0.0 { level as f64 / last } else { 0.5 };
        match *self.dimension {
            Dimension::Categorical { .. } => Value::Choice(level as usize),
            Dimension::Integer { low, high } => {
                let offset = libm::round(along * high.abs_diff(low) as f64) as u64;
                Value::Integer(low.wrapping_add_unsigned(offset))
            }
            Dimension::Float { .. } | Dimension::LogFloat { .. } => self.dimension.at(along),
        }
    }
}

fn axes(space: &Space, levels: usize) -> Result<Vec<Axis<'_>>, StudyError> {
    require(levels >= 1, "levels", levels, "at least 1")?;
    let axis = |dimension| {
        let count = match dimension {
            &Dimension::Categorical { choices } => choices as u64,
            dimension => dimension.size().map_or(levels as u64, |size| size.min(levels as u64)),
        };
        Axis { dimension, count }
    };
    Ok(space.dimensions().iter().map(axis).collect())
}

fn nth(axes: &[Axis<'_>], mut index: u64) -> Point {
    let mut point: Point = Vec::new();
    for axis in axes.iter().rev() {
        point.push(axis.level(index % axis.count));
        index /= axis.count;
    }
    point.reverse();
    point
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> Space {
        Space::new(vec![
            Dimension::Integer { low: 0, high: 2 },
            Dimension::Float { low: 0.0, high: 1.0 },
            Dimension::Integer { low: 10, high: 110 },
        ])
        .unwrap()
    }

    #[test]
    fn a_grid_names_every_combination_once_in_pieces_or_at_once() {
        let grid = Grid { levels: 5 };
        let all = grid.propose(&space(), &[], 0, usize::MAX).unwrap();
        assert_eq!(all.len(), 3 * 5 * 5);
        assert_eq!(grid.size(&space()).unwrap(), 75);
        let last: Vec<Value> = all[..5].iter().map(|point| point[2]).collect();
        assert_eq!(last, [10, 35, 60, 85, 110].map(Value::Integer));
        let mut history = Vec::new();
        while let Some(point) = grid.propose(&space(), &history, 9, 1).unwrap().pop() {
            assert!(!history.iter().any(|o: &Observation| o.point == point));
            history.push(Observation { point, value: None });
        }
        assert!(history.iter().map(|o| &o.point).eq(&all));
    }

    #[test]
    fn one_factor_at_a_time_differs_from_the_base_in_one_value() {
        let base = vec![Value::Integer(1), Value::Float(0.5), Value::Integer(60)];
        let strategy = OneAtATime { base: base.clone(), levels: 3 };
        let points = strategy.propose(&space(), &[], 0, 100).unwrap();
        assert_eq!(points.len(), 1 + 2 + 2 + 2);
        assert_eq!(points[0], base);
        for point in &points[1..] {
            assert_eq!(point.iter().zip(&base).filter(|(a, b)| a != b).count(), 1, "{point:?}");
        }
    }

    #[test]
    fn one_level_is_the_middle_and_none_or_a_foreign_base_is_refused() {
        let middle = Grid { levels: 1 }.propose(&space(), &[], 0, 9).unwrap();
        assert_eq!(middle, [[Value::Integer(1), Value::Float(0.5), Value::Integer(60)]]);
        let none = Grid { levels: 0 }.propose(&space(), &[], 0, 9).unwrap_err();
        assert_eq!(none.to_string(), "levels is 0, but must be at least 1");
        let foreign = OneAtATime { base: vec![Value::Integer(1)], levels: 3 };
        let message = foreign.propose(&space(), &[], 0, 9).unwrap_err().to_string();
        assert_eq!(message, "base is another point, but must be a point of the space");
        let wide = Space::new(vec![Dimension::Categorical { choices: 1 << 30 }; 3]).unwrap();
        assert!(Grid { levels: 2 }.size(&wide).is_err());
    }
}
