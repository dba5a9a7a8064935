//! How the values of a column are written.

use crate::statistics::{Interval, Summary};

/// How values are written: shares as percentages, losses as they are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit {
    /// What a value is multiplied by.
    pub factor: f64,
    /// Digits after the point.
    pub digits: usize,
    /// What the values lie within, once multiplied.
    #[cfg(feature = "plot")]
    pub limits: (f64, f64),
    /// Behind a value; empty for plain numbers.
    sign: &'static str,
}

impl Unit {
    /// That of a column such as `accuracy`: losses are plain numbers, all else are shares.
    pub fn of(column: &str) -> Self {
        Self::of_loss(column == "loss")
    }

    /// That of a loss, or of a share.
    pub fn of_loss(is_loss: bool) -> Self {
        match is_loss {
            true => Self {
                factor: 1.0,
                digits: 4,
                #[cfg(feature = "plot")]
                limits: (0.0, f64::INFINITY),
                sign: "",
            },
            false => Self {
                factor: 100.0,
                digits: 2,
                #[cfg(feature = "plot")]
                limits: (0.0, 100.0),
                sign: " %",
            },
        }
    }

    /// A name with its unit in brackets.
    #[cfg(feature = "plot")]
    pub fn label(self, name: &str) -> String {
        let name = name.replace('_', " ");
        if self.sign.is_empty() { name } else { format!("{name} (%)") }
    }

    /// A value without its sign.
    pub fn value(self, value: f64) -> String {
        let value = value * self.factor;
        match is_long(value) {
            true => format!("{value:.*e}", self.digits),
            false => format!("{value:.*}", self.digits),
        }
    }

    /// A difference: with a plus or a minus.
    pub fn signed(self, value: f64) -> String {
        let value = value * self.factor;
        match is_long(value) {
            true => format!("{value:+.*e}", self.digits),
            false => format!("{value:+.*}", self.digits),
        }
    }

    /// Both ends of an interval of a difference.
    pub fn interval(self, interval: &Interval) -> String {
        format!("{} to {}", self.signed(interval.low), self.signed(interval.high))
    }

    /// Mean ± standard deviation.
    pub fn shown(self, summary: Option<&Summary>) -> String {
        summary.map_or("–".into(), |summary| self.mean(summary) + self.sign)
    }

    /// The same without its sign.
    pub fn mean(self, summary: &Summary) -> String {
        let mean = self.value(summary.mean);
        match summary.standard_deviation {
            Some(deviation) => format!("{mean} ± {}", self.value(deviation)),
            None => mean,
        }
    }
}

/// Whether a number has more digits than anybody reads: a loss of 1e308 has 309 before the point.
fn is_long(value: f64) -> bool {
    value.is_finite() && value.abs() >= 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_many_digits_have_exponents() {
        let loss = Unit::of("loss");
        let written = [0.25, 999999.0, 1e6, -1e308].map(|value| loss.value(value));
        assert_eq!(written, ["0.2500", "999999.0000", "1.0000e6", "-1.0000e308"]);
        assert_eq!([1e308, 0.5].map(|value| loss.signed(value)), ["+1.0000e308", "+0.5000"]);
        assert_eq!(Unit::of("accuracy").value(1e300), "1.00e302");
    }
}
