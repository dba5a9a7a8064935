//! Numbers and words as the page has them.

use toml::Value;

use crate::config::{Dimension, Values};
pub(in super::super) use crate::config::{adjusted_for, are, count};
use crate::statistics::SMALLEST_SEEDS;

/// "a, b and c"
pub(in super::super) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// That so many seeds tell nothing from chance, in a sentence; empty if they can, or nothing was compared. What counts
/// are the seeds that two variants have in common, those of each comparison.
pub(in super::super) fn too_few(pairs: impl Iterator<Item = usize>) -> String {
    let pairs: Vec<usize> = pairs.collect();
    let few = || pairs.iter().filter(|n| **n < SMALLEST_SEEDS);
    let (Some(least), Some(most)) = (few().min(), few().max()) else { return String::new() };
    if few().count() < pairs.len() {
        return format!(
            "{} of {} have fewer than {SMALLEST_SEEDS} seeds in common, too few to tell a difference from chance.",
            few().count(),
            count(pairs.len(), "comparison")
        );
    }
    let seeds =
        if least == most { count(*most, "seed") } else { format!("{least} to {most} seeds") };
    let are = if *most == 1 { "is" } else { "are" };
    format!("{seeds} {are} too few to tell a difference from chance.")
}

/// The start of a long text.
pub(super) fn short(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most).chain(['…']).collect(),
        false => text.into(),
    }
}

/// A value as a study file has it; texts without quotes.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) if is_long(*number) => format!("{number:e}"),
        other => other.to_string(),
    }
}

/// Whether a number has more digits than anybody reads: 1e308 has 309 before the point.
fn is_long(number: f64) -> bool {
    number.is_finite() && number != 0.0 && !(1e-6..1e6).contains(&number.abs())
}

/// An end of a range.
fn end(number: f64) -> String {
    if is_long(number) { format!("{number:e}") } else { number.to_string() }
}

/// What a dimension can be.
pub(super) fn choices(dimension: &Dimension) -> String {
    let mut text = match &dimension.values {
        Values::List(values) => values.iter().map(shown).collect::<Vec<_>>().join(", "),
        Values::Range(range) => {
            let mut text = format!("{} to {}", end(range.min), end(range.max));
            for (is_so, word) in [(range.log, "logarithmic"), (range.integer, "whole numbers")] {
                if is_so {
                    text += &format!(", {word}");
                }
            }
            text + &range.points.map_or(String::new(), |points| format!(", {points} points"))
        }
    };
    for (path, values) in &dimension.when {
        let values: Vec<String> = values.iter().map(shown).collect();
        text += &format!("; where {} is {}", path.join("."), values.join(" or "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_many_digits_have_exponents() {
        let written = [0.1, 1.0, 1e-4, 1e308, -1e-300].map(|n| shown(&Value::Float(n)));
        assert_eq!(written, ["0.1", "1.0", "0.0001", "1e308", "-1e-300"]);
        assert_eq!([0.5, 1e300].map(end), ["0.5", "1e300"]);
    }

    #[test]
    fn seeds_are_too_few_by_the_pairs_that_are_compared() {
        let words = |pairs: &[usize]| too_few(pairs.iter().copied());
        assert_eq!([words(&[]), words(&[6, 7])], ["", ""]);
        assert_eq!(words(&[2, 2]), "2 seeds are too few to tell a difference from chance.");
        assert_eq!(words(&[5, 3]), "3 to 5 seeds are too few to tell a difference from chance.");
        assert!(words(&[6, 3]).starts_with("1 of 2 comparisons have fewer than 6 seeds in common"));
    }
}
