use std::fmt;
use std::str::FromStr;

use selvedge_train::{Metrics, Reconstruction, Score};

use super::super::unit::Unit;
use crate::config::Part;
use crate::trial::{Ending, TrialRecord};

/// A value of a trial, such as `test.accuracy`.
///
/// ```
/// use selvedge_study::pages::Measure;
///
/// let measure: Measure = "train.loss.best".parse()?;
/// assert_eq!(measure.words(), "lowest training loss");
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The images that it is of.
    pub part: Part,
    /// The name of the value, such as `accuracy`.
    pub column: String,
    /// The best of all epochs, and not that of the model that was chosen.
    pub is_best: bool,
}

impl Measure {
    /// The value of a trial that was complete, if it has it.
    pub fn of(&self, trial: &TrialRecord) -> Option<f64> {
        if !matches!(trial.ending, Ending::Complete {}) {
            return None;
        }
        let value = match self.is_best {
            false => trial.score(self.part, &self.column)?,
            true => {
                let values = trial.curve(self.part, &self.column)?.into_iter();
                let is_loss = self.column == "loss";
                values.reduce(if is_loss { f64::min } else { f64::max })?
            }
        };
        Some(value).filter(|value| value.is_finite())
    }

    /// In words: "test accuracy".
    pub fn words(&self) -> String {
        let best = match (self.is_best, self.column.as_str()) {
            (false, _) => "",
            (true, "loss") => "lowest ",
            (true, _) => "highest ",
        };
        format!("{best}{} {}", self.part_words(), self.column.replace('_', " "))
    }

    /// The images that it is of, in words.
    pub(super) fn part_words(&self) -> &'static str {
        if self.part == Part::Train { "training" } else { self.part.name() }
    }

    pub(super) fn unit(&self) -> Unit {
        Unit::of(&self.column)
    }
}

impl FromStr for Measure {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let columns = || Metrics::COLUMNS.iter().chain(Reconstruction::COLUMNS);
        let read = || {
            let mut words = text.split('.');
            let part = words.next()?;
            let part = Part::ALL.into_iter().find(|other| other.name() == part)?;
            let column = words.next().filter(|name| columns().any(|other| other == name))?;
            let is_best = match (words.next(), words.next()) {
                (None, _) => false,
                (Some("best"), None) if part != Part::Test => true,
                _ => return None,
            };
            Some(Self { part, column: column.into(), is_best })
        };
        read().ok_or_else(|| {
            format!(
                "`{}` is no value: expected one such as test.accuracy, validation.loss or train.loss.best",
                crate::config::printable(text)
            )
        })
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}", self.part.name(), self.column, if self.is_best { ".best" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_of_a_part_and_the_best_epoch_only_where_there_are_epochs() {
        for text in ["test.accuracy", "train.loss.best", "validation.macro_f1"] {
            assert_eq!(text.parse::<Measure>().unwrap().to_string(), text);
        }
        for text in
            ["accuracy", "test.loss.best", "train.loss.last", "test.loss.best.best", "a.b", ""]
        {
            let message = text.parse::<Measure>().unwrap_err();
            assert!(message.starts_with(&format!("`{text}` is no value: expected")), "{message}");
        }
    }
}
