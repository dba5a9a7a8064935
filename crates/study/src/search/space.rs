//! What a search chooses from.

use selvedge_train::TrainError;
use serde::{Deserialize, Serialize};

use crate::StudyError;
use selvedge_train::require;

/// Whole numbers up to here are exact in an f64, which searches calculate with.
const WIDEST: u64 = 1 << 53;

/// One thing that varies.
///
/// Values without an order (optimizers, activations) are [`Categorical`](Self::Categorical). A list of numbers
/// (dropout 0, 0.25, 0.5) has an order that the searches learn from: take [`Integer`](Self::Integer) from 0 to
/// the last place in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// One of several values that have no order.
    Categorical {
        /// How many there are.
        choices: usize,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        low: i64,
        /// The largest.
        high: i64,
    },
    /// A number of which each part of the range is as likely as another of its length.
    Float {
        /// The smallest.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// A positive number of which each power of ten is as likely as another: learning rates, weight decays.
    LogFloat {
        /// The smallest; above 0.
        low: f64,
        /// The largest.
        high: f64,
    },
}

/// The value of a point in one [`Dimension`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// The place of a categorical value among the choices, counted from 0.
    Choice(usize),
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
}

/// A value for each dimension of a space, in their order.
pub type Point = Vec<Value>;

/// All points that there are to choose from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Space {
    dimensions: Vec<Dimension>,
}

impl Space {
    /// A space of `dimensions`.
    ///
    /// # Errors
    ///
    /// [`TrainError::Setting`] if there are none, one has no values, a bound is not finite, or a range is wider
    /// than numbers can tell apart.
    ///
    /// ```
    /// use selvedge_study::search::{Dimension, Space};
    ///
    /// let rates = Dimension::LogFloat { low: 1e-4, high: 1e-1 };
    /// let space = Space::new(vec![rates, Dimension::Categorical { choices: 3 }])?;
    /// assert_eq!(space.size(), None);
    /// assert!(Space::new(vec![Dimension::LogFloat { low: 0.0, high: 1.0 }]).is_err());
    /// # Ok::<(), selvedge_study::StudyError>(())
    /// ```
    pub fn new(dimensions: Vec<Dimension>) -> Result<Self, StudyError> {
        require(!dimensions.is_empty(), "dimensions", 0, "at least one")?;
        dimensions.iter().try_for_each(Dimension::check)?;
        Ok(Self { dimensions })
    }

    /// What varies.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// The number of points; `None` if a dimension has no end of values, or there are more than 2⁶⁴.
    pub fn size(&self) -> Option<u64> {
        self.dimensions.iter().try_fold(1_u64, |size, d| size.checked_mul(d.size()?))
    }

    /// Whether `point` has a value for each dimension, of its kind and in its range.
    pub fn contains(&self, point: &[Value]) -> bool {
        point.len() == self.dimensions.len()
            && self.dimensions.iter().zip(point).all(|(d, &value)| d.contains(value))
    }

    /// The point at `unit`, a number from 0 to 1 for each dimension: a uniformly drawn one gives each
    /// point the chance that its dimension names. Floats have six digits: of a learning rate more would say
    /// nothing.
    ///
    /// # Panics
    ///
    /// Panics if there is not a number for each dimension.
    pub fn at(&self, unit: &[f64]) -> Point {
        assert_eq!(unit.len(), self.dimensions.len(), "unit: expected a number for each dimension");
        self.dimensions.iter().zip(unit).map(|(d, &unit)| d.at(unit)).collect()
    }

    /// Where `point` lies: [`at`](Self::at) gives it back, floats to about six digits. A whole number or a choice
    /// lies in the middle of its part.
    ///
    /// # Panics
    ///
    /// Panics if `point` is not one of the space.
    pub fn unit(&self, point: &[Value]) -> Vec<f64> {
        assert!(self.contains(point), "point: expected one of the space, got {point:?}");
        self.dimensions.iter().zip(point).map(|(d, &value)| d.unit(value)).collect()
    }

    /// The point of that number, counted as the digits of a clock are: the last dimension fastest. Of a finite space.
    pub(super) fn nth(&self, mut index: u64) -> Point {
        let mut point: Point = Vec::new();
        for dimension in self.dimensions.iter().rev() {
            let size = dimension.size().unwrap_or(1);
            point.push(dimension.nth(index % size));
            index /= size;
        }
        point.reverse();
        point
    }

    /// The number of a point of a finite space, as [`nth`](Self::nth) counts them.
    pub(super) fn index(&self, point: &[Value]) -> u64 {
        self.dimensions.iter().zip(point).fold(0, |index, (dimension, &value)| {
            index * dimension.size().unwrap_or(1) + dimension.index(value)
        })
    }
}

impl Dimension {
    fn check(&self) -> Result<(), TrainError> {
        match *self {
            Self::Categorical { choices } => {
                require(choices >= 1 && choices as u64 <= WIDEST, "choices", choices, "at least 1")
            }
            Self::Integer { low, high } => {
                require(low <= high, "high", high, "at least low")?;
                let fits = high.abs_diff(low) < WIDEST;
                require(fits, "high", high, "less than 2^53 above low")
            }
            Self::Float { low, high } => {
                let range = low < high && (high - low).is_finite();
                let shown = format!("{low} to {high}");
                require(range, "a float's range", shown, "two numbers, the larger one last")
            }
            Self::LogFloat { low, high } => {
                let range = 0.0 < low && low < high && high.is_finite();
                let shown = format!("{low} to {high}");
                require(
                    range,
                    "a log float's range",
                    shown,
                    "two numbers above 0, the larger one last",
                )
            }
        }
    }

    /// The number of values; `None` without an end.
    pub(super) fn size(&self) -> Option<u64> {
        match *self {
            Self::Categorical { choices } => Some(choices as u64),
            Self::Integer { low, high } => Some(high.abs_diff(low) + 1),
            Self::Float { .. } | Self::LogFloat { .. } => None,
        }
    }

    fn contains(&self, value: Value) -> bool {
        match (self, value) {
            (&Self::Categorical { choices }, Value::Choice(choice)) => choice < choices,
            (&Self::Integer { low, high }, Value::Integer(value)) => (low..=high).contains(&value),
            (&(Self::Float { low, high } | Self::LogFloat { low, high }), Value::Float(value)) => {
                (low..=high).contains(&value)
            }
            _ => false,
        }
    }

    pub(super) fn at(&self, unit: f64) -> Value {
        let unit = unit.clamp(0.0, 1.0);
        match *self {
            Self::Float { low, high } => {
                let decimals = (6.0 - libm::floor(libm::log10(high - low))).clamp(0.0, 300.0);
                let value = low + unit * (high - low);
                Value::Float(decimal(format!("{value:.*}", decimals as usize)).clamp(low, high))
            }
            Self::LogFloat { low, high } => {
                let (from, to) = (libm::log(low), libm::log(high));
                let value = libm::exp(from + unit * (to - from));
                Value::Float(decimal(format!("{value:.5e}")).clamp(low, high))
            }
            Self::Categorical { .. } | Self::Integer { .. } => {
                let size = self.size().unwrap_or(1);
                self.nth(((unit * size as f64) as u64).min(size - 1))
            }
        }
    }

    fn unit(&self, value: Value) -> f64 {
        match (self, value) {
            (&Self::Float { low, high }, Value::Float(value)) => (value - low) / (high - low),
            (&Self::LogFloat { low, high }, Value::Float(value)) => {
                let (from, to) = (libm::log(low), libm::log(high));
                (libm::log(value) - from) / (to - from)
            }
            _ => (self.index(value) as f64 + 0.5) / self.size().unwrap_or(1) as f64,
        }
    }

    /// The value of that number, of a dimension with an end.
    fn nth(&self, index: u64) -> Value {
        match *self {
            // Below the range's width, which fits.
            Self::Integer { low, .. } => Value::Integer(low.wrapping_add_unsigned(index)),
            _ => Value::Choice(index as usize),
        }
    }

    fn index(&self, value: Value) -> u64 {
        match (self, value) {
            (&Self::Integer { low, .. }, Value::Integer(value)) => value.abs_diff(low),
            (_, Value::Choice(choice)) => choice as u64,
            _ => 0,
        }
    }
}

/// A number of few digits, which people and files of decimals can take over exactly.
fn decimal(digits: String) -> f64 {
    digits.parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::search::tests::mixed;

    #[test]
    fn ends_and_middle_of_a_space_are_those_of_its_dimensions() {
        use Value::{Choice, Float, Integer};
        let space = mixed();
        assert_eq!(space.at(&[0.0; 4]), [Choice(0), Integer(-2), Float(-1.0), Float(1e-4)]);
        assert_eq!(space.at(&[1.0; 4]), [Choice(2), Integer(4), Float(3.0), Float(1e-1)]);
        let middle = space.at(&[0.5; 4]);
        assert_eq!(middle[..3], [Choice(1), Integer(1), Float(1.0)]);
        let Float(rate) = middle[3] else { panic!("{middle:?}") };
        // 10^-2.5 in six digits.
        assert_eq!(rate, 0.003_162_28);
    }

    #[test]
    fn a_finite_space_counts_its_points_and_finds_each_again() {
        let space = Space::new(mixed().dimensions()[..2].to_vec()).unwrap();
        assert_eq!(space.size(), Some(21));
        let points: Vec<Point> = (0..21).map(|index| space.nth(index)).collect();
        for (index, point) in points.iter().enumerate() {
            assert!(space.contains(point));
            assert_eq!(space.index(point), index as u64);
        }
        assert_eq!(points[1], [Value::Choice(0), Value::Integer(-1)]);
        assert_eq!(mixed().size(), None);
    }

    #[test]
    fn impossible_dimensions_are_refused_in_a_line() {
        for (dimension, expected) in [
            (Dimension::Categorical { choices: 0 }, "choices is 0, but must be at least 1"),
            (Dimension::Integer { low: 3, high: 2 }, "high is 2, but must be at least low"),
            (
                Dimension::Integer { low: i64::MIN, high: i64::MAX },
                "high is 9223372036854775807, but must be less than 2^53 above low",
            ),
            (
                Dimension::Float { low: f64::NAN, high: 1.0 },
                "a float's range is NaN to 1, but must be two numbers, the larger one last",
            ),
            (
                Dimension::LogFloat { low: 0.0, high: 1.0 },
                "a log float's range is 0 to 1, but must be two numbers above 0, the larger one last",
            ),
        ] {
            assert_eq!(Space::new(vec![dimension]).unwrap_err().to_string(), expected);
        }
        assert!(Space::new(vec![Dimension::Float { low: f64::MIN, high: f64::MAX }]).is_err());
        assert!(Space::new(Vec::new()).is_err());
    }

    #[test]
    fn a_point_of_another_space_is_not_contained() {
        let space = mixed();
        let point = space.at(&[0.3; 4]);
        assert!(space.contains(&point));
        assert!(!space.contains(&point[..3]));
        for (place, value) in
            [(0, Value::Choice(3)), (1, Value::Float(0.0)), (2, Value::Float(f64::NAN))]
        {
            let mut other = point.clone();
            other[place] = value;
            assert!(!space.contains(&other), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn a_point_lies_where_it_was_taken_from(unit in prop::collection::vec(0.0..=1.0, 4)) {
            let space = mixed();
            let point = space.at(&unit);
            prop_assert!(space.contains(&point));
            let found = space.unit(&point);
            prop_assert!((found[2] - unit[2]).abs() < 1e-6 && (found[3] - unit[3]).abs() < 1e-5);
            prop_assert_eq!(&space.at(&found)[..2], &point[..2]);
        }
    }
}
