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
        format!("{:.*}", self.digits, value * self.factor)
    }

    /// A difference: with a plus or a minus.
    pub fn signed(self, value: f64) -> String {
        format!("{:+.*}", self.digits, value * self.factor)
    }

    /// Both ends of an interval of a difference.
    pub fn interval(self, interval: &Interval) -> String {
        format!("{} to {}", self.signed(interval.low), self.signed(interval.high))
    }

    /// Mean ± standard deviation.
    pub fn shown(self, summary: Option<&Summary>) -> String {
        let Some(summary) = summary else { return "–".into() };
        let mean = self.value(summary.mean);
        match summary.standard_deviation {
            Some(deviation) => format!("{mean} ± {}{}", self.value(deviation), self.sign),
            None => format!("{mean}{}", self.sign),
        }
    }
}
