use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::tree::{Wrong, read};

/// What varies: a setting, and what it can be.
#[derive(Clone, Debug, PartialEq)]
pub struct Dimension {
    /// The keys that lead to the setting, such as `model`, `dropout`.
    pub path: Vec<String>,
    /// What it can be.
    pub values: Values,
    /// Where it matters: elsewhere it is not set. Every path has one of its values.
    pub when: Vec<(Vec<String>, Vec<Value>)>,
}

/// What a setting can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// One of these.
    List(Vec<Value>),
    /// Numbers from `min` to `max`.
    Range(Range),
}

/// Numbers from `min` to `max`, both included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Whether equal ratios, not differences, are equally far apart.
    #[serde(default)]
    pub log: bool,
    /// Whether they are whole numbers.
    #[serde(default)]
    pub integer: bool,
    /// How many of them a grid has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub points: Option<usize>,
}

/// A dimension with conditions, as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditional {
    values: Value,
    when: Table,
}

impl Dimension {
    /// Reads `key = value` of `[vary]`.
    pub(crate) fn read(key: &str, value: Value) -> Result<Self, Wrong> {
        let path = path_of(key)?;
        let (values, when) = match value {
            Value::Table(mut table)
                if table.contains_key("when") || table.contains_key("values") =>
            {
                if !table.contains_key("when") {
                    let message = "`values` stands beside `when`; without conditions, a list does";
                    return Err(Wrong::other(&[], message));
                }
                if !table.contains_key("values") {
                    // A range, beside its condition.
                    let when = table.remove("when");
                    let range = std::mem::take(&mut table);
                    table.insert("values".into(), Value::Table(range));
                    table.extend(when.map(|when| ("when".to_string(), when)));
                }
                let Conditional { values, when } = read(Value::Table(table))?;
                let when = when.into_iter().map(|(key, value)| {
                    let values = match value {
                        Value::Array(values) => values,
                        one => vec![one],
                    };
                    Ok((path_of(&key)?, values))
                });
                (values, when.collect::<Result<_, Wrong>>()?)
            }
            values => (values, Vec::new()),
        };
        Ok(Self { path, values: Values::read(values)?, when })
    }

    /// The path in one text, as in a file.
    pub fn name(&self) -> String {
        self.path.join(".")
    }

    /// Whether the setting matters where others are as `table` has them.
    pub(crate) fn matters(&self, table: &Table) -> bool {
        self.when.iter().all(|(path, values)| {
            get(table, path).is_some_and(|found| values.iter().any(|value| same(found, value)))
        })
    }

    /// Every value of a list; of a range both ends.
    pub(crate) fn ends(&self) -> Vec<Value> {
        match &self.values {
            Values::List(values) => values.clone(),
            Values::Range(range) => vec![range.at(0.0), range.at(1.0)],
        }
    }

    /// What it is in a grid.
    ///
    /// # Errors
    ///
    /// For a range that does not say how many points it has.
    pub(crate) fn grid(&self) -> Result<Vec<Value>, Wrong> {
        match &self.values {
            Values::List(values) => Ok(values.clone()),
            Values::Range(range) => {
                let points = range.points.ok_or_else(|| {
                    Wrong::other(&[], "a grid needs to know how many `points` the range has")
                })?;
                let step = (points - 1).max(1) as f64;
                let mut values: Vec<Value> =
                    (0..points).map(|i| range.at(i as f64 / step)).collect();
                values.dedup();
                Ok(values)
            }
        }
    }
}

/// The keys of a dotted path.
pub(crate) fn path_of(key: &str) -> Result<Vec<String>, Wrong> {
    let path: Vec<String> = key.split('.').map(|part| part.trim().to_owned()).collect();
    match path.iter().any(String::is_empty) {
        true => Err(Wrong::other(&[], format!("`{key}` is not a path of settings"))),
        false => Ok(path),
    }
}

/// What a path leads to. Where a table was written as its name, `name` is that text.
pub(crate) fn get<'a>(table: &'a Table, path: &[String]) -> Option<&'a Value> {
    let (key, rest) = path.split_first()?;
    match (table.get(key)?, rest) {
        (value, []) => Some(value),
        (Value::Table(inner), rest) => get(inner, rest),
        (name @ Value::String(_), [one]) if one == "name" => Some(name),
        _ => None,
    }
}

/// Whether two values are the same, as a number or as the name of a table.
fn same(found: &Value, value: &Value) -> bool {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|n| n as f64));
    match (found, value) {
        (Value::Table(table), Value::String(_)) => table.get("name") == Some(value),
        _ => match (number(found), number(value)) {
            (Some(a), Some(b)) => a == b,
            _ => found == value,
        },
    }
}

impl Values {
    fn read(value: Value) -> Result<Self, Wrong> {
        match value {
            Value::Array(values) if values.is_empty() => {
                Err(Wrong::other(&[], "the list is empty: nothing can be chosen"))
            }
            Value::Array(values) => {
                for (i, value) in values.iter().enumerate() {
                    if values[..i].iter().any(|before| same(before, value)) {
                        return Err(Wrong::other(&[], format!("{value} is in the list twice")));
                    }
                }
                Ok(Self::List(values))
            }
            table @ Value::Table(_) => {
                let range: Range = read(table)?;
                range.check().map_err(|message| Wrong::other(&[], message))?;
                Ok(Self::Range(range))
            }
            other => {
                let message = format!(
                    "a list is expected, or a range {{ min = …, max = … }}, not {}; what does not vary \
                     stands in [base]",
                    super::tree::kind(&other)
                );
                Err(Wrong::other(&[], message))
            }
        }
    }
}

impl Range {
    fn check(&self) -> Result<(), String> {
        let Self { min, max, .. } = *self;
        if !(min.is_finite() && max.is_finite() && min < max) {
            return Err(format!(
                "a range goes from a number to a larger one, not from {min} to {max}"
            ));
        }
        if self.log && min <= 0.0 {
            return Err(format!("a range with `log` begins above 0, not at {min}"));
        }
        if self.integer
            && (min.fract() != 0.0
                || max.fract() != 0.0
                || min.abs().max(max.abs()) > 2f64.powi(53))
        {
            return Err(format!(
                "a range of integers goes from one to another, not from {min} to {max}"
            ));
        }
        match self.points {
            Some(n @ (0 | 1)) => Err(format!("a range has at least 2 `points`, not {n}")),
            Some(n) if n > 10_000 => Err(format!("a range has at most 10000 `points`, not {n}")),
            _ => Ok(()),
        }
    }

    /// The number at a share of the way from the smallest to the largest.
    pub(crate) fn at(&self, share: f64) -> Value {
        let Self { min, max, .. } = *self;
        let number = match share {
            0.0 => min,
            1.0 => max,
            share if self.log => (min.ln() + share * (max.ln() - min.ln())).exp(),
            share => min + share * (max - min),
        };
        match self.integer {
            true => Value::Integer(number.round() as i64),
            false => Value::Float(number.clamp(min, max)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dimension(text: &str) -> Result<Dimension, Wrong> {
        let table: Table = text.parse().unwrap();
        let (key, value) = table.into_iter().next().unwrap();
        Dimension::read(&key, value)
    }

    fn grid(text: &str) -> String {
        let values = dimension(text).unwrap().grid().unwrap();
        values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn lists_and_ranges_become_grids() {
        assert_eq!(grid("lr = [0.1, 0.01]"), "0.1 0.01");
        assert_eq!(grid("'model.dropout' = { min = 0, max = 0.5, points = 3 }"), "0.0 0.25 0.5");
        assert_eq!(grid("e = { min = 1, max = 4, integer = true, points = 4 }"), "1 2 3 4");
        let values = dimension("x = { min = 1e-4, max = 1e-2, log = true, points = 3 }");
        let middle = values.unwrap().grid().unwrap()[1].as_float().unwrap();
        assert!((middle - 1e-3).abs() < 1e-12);
    }

    #[test]
    fn a_condition_holds_for_names_and_numbers() {
        let text =
            "'optimizer.momentum' = { values = [0, 0.9], when = { 'optimizer.name' = ['sgd'] } }";
        let momentum = dimension(text).unwrap();
        let table = |text: &str| text.parse::<Table>().unwrap();
        assert!(momentum.matters(&table("optimizer = 'sgd'")));
        assert!(momentum.matters(&table("optimizer = { name = 'sgd' }")));
        assert!(!momentum.matters(&table("optimizer = 'adam'")));
        assert!(!momentum.matters(&table("epochs = 1")));
    }

    #[test]
    fn what_cannot_vary_is_refused() {
        for (text, message) in [
            ("x = []", "the list is empty: nothing can be chosen"),
            ("x = [1, 1.0]", "1.0 is in the list twice"),
            (
                "x = { min = 1, max = 1 }",
                "a range goes from a number to a larger one, not from 1 to 1",
            ),
            ("x = { min = 0, max = 1, log = true }", "a range with `log` begins above 0, not at 0"),
            ("x = { min = 0, max = 1, points = 1 }", "a range has at least 2 `points`, not 1"),
            ("x = { min = 0, max = 1, pints = 1 }", "`pints` is unknown; did you mean `points`?"),
            ("'x..y' = [1]", "`x..y` is not a path of settings"),
        ] {
            assert_eq!(dimension(text).unwrap_err().to_string(), message);
        }
        let message = dimension("x = 3").unwrap_err().to_string();
        assert!(message.starts_with("a list is expected, or a range"), "{message}");
    }
}
