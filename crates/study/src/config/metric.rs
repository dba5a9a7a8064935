use std::fmt;
use std::str::FromStr;

use selvedge_train::{Metrics, Reconstruction, Score};
use serde::{Deserialize, Serialize};

use super::dataset::Part;

/// The value that decides between variants, such as `validation.loss`. Choices are made on validation images: a
/// metric of the test images is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Metric {
    part: Part,
    column: String,
}

impl Default for Metric {
    fn default() -> Self {
        Self { part: Part::Validation, column: "loss".into() }
    }
}

impl Metric {
    /// The images that it is of.
    pub fn part(&self) -> Part {
        self.part
    }

    /// The name of the value, such as `accuracy`.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether less is better.
    pub fn is_loss(&self) -> bool {
        self.column == "loss"
    }

    /// What is to be made small: the value, or its negative where more is better.
    pub fn cost(&self, value: f64) -> f64 {
        if self.is_loss() { value } else { -value }
    }

    /// In words: "validation loss".
    pub fn words(&self) -> String {
        format!("{} {}", self.part.name(), self.column.replace('_', " "))
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let columns: Vec<_> = Metrics::COLUMNS.iter().chain(Reconstruction::COLUMNS).collect();
        let expected = || {
            let mut names: Vec<_> =
                Metrics::COLUMNS.iter().map(|c| format!("validation.{c}")).collect();
            names.extend(Metrics::COLUMNS.iter().map(|c| format!("train.{c}")));
            format!("`{text}` is no metric, there are {}", names.join(", "))
        };
        let (part, column) = text.split_once('.').unwrap_or(("validation", text));
        let part = match part {
            "train" => Part::Train,
            "validation" => Part::Validation,
            "test" => {
                return Err("choices are made on validation images, the test images judge them: \
                            take `validation.…`"
                    .into());
            }
            _ => return Err(expected()),
        };
        match columns.iter().any(|&&name| name == column) {
            true => Ok(Self { part, column: column.into() }),
            false => Err(expected()),
        }
    }
}

impl TryFrom<String> for Metric {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Metric> for String {
    fn from(metric: Metric) -> Self {
        metric.to_string()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.part.name(), self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_a_part_and_a_value_and_never_of_the_test_images() {
        let metric: Metric = "validation.accuracy".parse().unwrap();
        assert_eq!((metric.words().as_str(), metric.is_loss()), ("validation accuracy", false));
        assert_eq!("loss".parse::<Metric>().unwrap(), Metric::default());
        assert!("test.loss".parse::<Metric>().unwrap_err().starts_with("choices are made on"));
        let message = "validation.acuracy".parse::<Metric>().unwrap_err();
        assert!(
            message.starts_with("`validation.acuracy` is no metric, there are validation.loss, ")
        );
    }
}
