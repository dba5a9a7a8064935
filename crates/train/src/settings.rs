//! Settings of two runs, one beside the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use serde::Serialize;
use toml::{Table, Value};

/// A setting that is not the same in two places.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingDifference {
    /// Its name, such as `fit.optimizer.name`.
    pub name: String,
    /// Its value in the first place, if it is set there.
    pub there: Option<Value>,
    /// Its value in the second.
    pub here: Option<Value>,
}

impl SettingDifference {
    /// Which differ, by their names; tables, and tables in lists, are compared value by value.
    ///
    /// ```
    /// use selvedge_train::SettingDifference;
    ///
    /// let [there, here] = ["fit.epochs = 3", "fit.epochs = 2"].map(|text| text.parse().unwrap());
    /// let found = SettingDifference::between(&there, &here);
    /// assert_eq!(found.len(), 1);
    /// assert_eq!(found[0].text(ToString::to_string), "fit.epochs is 3 there, 2 here");
    /// ```
    pub fn between(there: &Table, here: &Table) -> Vec<Self> {
        let [there, here] = [flat(there), flat(here)];
        let names: BTreeSet<&String> = there.keys().chain(here.keys()).collect();
        let pairs = names.into_iter().map(|name| Self {
            name: name.clone(),
            there: there.get(name).map(|value| (*value).clone()),
            here: here.get(name).map(|value| (*value).clone()),
        });
        pairs.filter(|pair| pair.there != pair.here).collect()
    }

    /// In words, with values as `shown`.
    pub fn text(&self, shown: impl Fn(&Value) -> String) -> String {
        let text = |value: &Option<Value>| value.as_ref().map_or("not set".into(), &shown);
        format!("{} is {} there, {} here", self.name, text(&self.there), text(&self.here))
    }
}

/// The values of a table by names with dots.
pub(crate) fn flat(table: &Table) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    for (name, value) in table {
        flatten(name.clone(), value, &mut found);
    }
    found
}

fn flatten<'a>(name: String, value: &'a Value, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Table(table) => {
            for (below, value) in table {
                flatten(format!("{name}.{below}"), value, found);
            }
        }
        Value::Array(values) if values.iter().any(Value::is_table) => {
            for (i, value) in values.iter().enumerate() {
                flatten(format!("{name}.{i}"), value, found);
            }
        }
        value => _ = found.insert(name, value),
    }
}

/// A value for a table. What has no place in TOML, or no name to be written by as a program's own types, still
/// tells one from another as text.
pub(crate) fn written(value: &(impl Serialize + Debug)) -> Value {
    Value::try_from(value).unwrap_or_else(|_| format!("{value:?}").into())
}

/// A value as it is said: a text without quotes.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}
