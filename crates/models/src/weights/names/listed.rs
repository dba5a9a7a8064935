//! The names of a file as they are listed: without what wrappers put in, or as the user's rules make them.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::{Reading, Rename, readings, unwrapped};
use crate::error::printable;

/// The names of the tensors of a file.
#[derive(Debug, Default)]
pub(in crate::weights) struct Names {
    /// The name in the file by the name that is listed.
    pub keys: BTreeMap<String, String>,
    /// Parts of names that were taken away.
    pub wrappers: Vec<&'static str>,
    /// Whether they follow rules of the user.
    pub is_renamed: bool,
    readings: OnceLock<Vec<Reading>>,
}

impl Names {
    /// The names as they stand in the file.
    pub fn of_file<'n>(names: impl Iterator<Item = &'n String>) -> Self {
        let keys = names.map(|name| (name.clone(), name.clone())).collect();
        Self { keys, ..Self::default() }
    }

    /// Without what wrappers of networks put in.
    pub fn unwrapped(self) -> Self {
        let names: Vec<&str> = self.keys.keys().map(String::as_str).collect();
        let (names, wrappers) = unwrapped(&names);
        Self {
            keys: names.into_iter().zip(self.keys.into_values()).collect(),
            wrappers,
            ..Self::default()
        }
    }

    /// As `rules` make them, one after the other.
    ///
    /// # Errors
    ///
    /// What is wrong: a rule that no name follows, which is a slip, or two names that become one.
    pub fn renamed(&self, rules: &[Rename]) -> Result<Self, String> {
        let mut keys = self.keys.clone();
        for rule in rules {
            let (mut now, mut has_matched) = (BTreeMap::new(), false);
            for (name, key) in keys {
                let new = rule.apply(&name);
                has_matched |= new.is_some();
                let new = new.unwrap_or(name);
                if let Some(other) = now.insert(new.clone(), key.clone()) {
                    let [first, second, new] = [&other, &key, &new].map(|name| printable(name));
                    return Err(format!(
                        "`{first}` and `{second}` both become `{new}` by the rule `{rule}`"
                    ));
                }
            }
            if !has_matched {
                return Err(format!("no name follows the rule `{rule}`"));
            }
            keys = now;
        }
        Ok(Self {
            keys,
            wrappers: self.wrappers.clone(),
            is_renamed: true,
            readings: OnceLock::new(),
        })
    }

    /// The ways to understand them, found out once.
    pub fn readings(&self) -> &[Reading] {
        self.readings
            .get_or_init(|| readings(&self.keys, !self.is_renamed && !self.wrappers.is_empty()))
    }
}
