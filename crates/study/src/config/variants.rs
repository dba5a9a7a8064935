use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::dataset::Part;
use super::tree::Wrong;
use super::trial::{TrialConfig, expanded, inherit, set};
use super::vary::{Dimension, get, path_of};
use super::{ConfigError, Search, StudyConfig};

/// The variants of a quick study.
pub(super) const QUICK: usize = 6;

/// The most variants of one study.
const MOST: usize = 100_000;

/// One way to set what varies.
#[derive(Clone, Debug)]
pub struct Variant {
    /// What tells it from the others: `learning_rate=0.01, model.dropout=0.25`, or its name in the file.
    pub name: String,
    /// The name of the `[[variant]]` that it is one of; empty if there are none.
    pub arm: String,
    /// The settings that vary, with their values, in the order of the file.
    pub settings: Vec<(String, Value)>,
    /// All settings.
    pub trial: TrialConfig,
}

impl StudyConfig {
    /// All variants of a grid, or of one setting at a time; of a search, which proposes its own, the base with each
    /// value of a list and each end of a range by itself.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a setting that is unknown or out of range, a grid without end, or one that is larger than
    /// the budget.
    pub fn variants(&self) -> Result<Vec<Variant>, ConfigError> {
        let mut made = match self.search {
            Search::Grid => self.grid()?,
            Search::OneAtATime => self.one_at_a_time()?,
            _ => {
                // So that a value that is out of range is found before anything runs.
                let mut variants = Vec::new();
                for dimension in &self.vary {
                    for value in dimension.ends() {
                        variants.push(self.make("", &Table::new(), &[(dimension, value)])?);
                    }
                }
                return Ok(variants);
            }
        };
        self.check_variants(&mut made)?;
        if self.is_quick {
            made.iter_mut().for_each(|variant| variant.trial.make_quick());
            // What differed by its epochs alone is the same now.
            let mut seen = BTreeSet::new();
            made.retain(|variant| seen.insert(variant.trial.to_table().to_string()));
            // From the first to the last, so that every arm is among them.
            let last = made.len() - 1;
            let chosen = |at: usize| (0..QUICK).any(|i| i * last / (QUICK - 1) == at);
            let quick = made.into_iter().enumerate().filter(|(at, _)| chosen(*at));
            return Ok(quick.map(|(_, variant)| variant).collect());
        }
        if let Some(budget) = self.budget.filter(|&budget| budget < made.len()) {
            let message = format!("the study has {} variants, the budget is {budget}", made.len());
            return Err(ConfigError::at(
                &self.lines,
                &["study"],
                Wrong::other(&["budget"], message),
            ));
        }
        Ok(made)
    }

    /// The variant with the settings of an arm, these values of what varies, and the base for the rest.
    pub(crate) fn variant_of(
        &self,
        arm: &str,
        settings: &Table,
        values: &[(&Dimension, Value)],
    ) -> Result<Variant, ConfigError> {
        let mut variant = self.make(arm, settings, values)?;
        if self.is_quick {
            variant.trial.make_quick();
        }
        Ok(variant)
    }

    fn grid(&self) -> Result<Vec<Variant>, ConfigError> {
        let base = [(String::new(), Table::new())];
        let arms = if self.variant.is_empty() { &base[..] } else { &self.variant[..] };
        let mut choices = Vec::new();
        let mut count = arms.len();
        for dimension in &self.vary {
            let values = dimension.grid().map_err(|wrong| self.in_vary(dimension, wrong))?;
            count = count.saturating_mul(values.len());
            choices.push((dimension, values));
        }
        if count > MOST {
            let message = format!("the grid has {count} variants, the most is {MOST}");
            return Err(ConfigError::at(&self.lines, &["vary"], Wrong::other(&[], message)));
        }
        let mut variants = Vec::new();
        for (name, arm) in arms {
            let mut chosen: Vec<Vec<(&Dimension, Value)>> = vec![Vec::new()];
            for (dimension, values) in &choices {
                let mut longer = Vec::new();
                for before in chosen {
                    for value in values {
                        let mut all = before.clone();
                        all.push((*dimension, value.clone()));
                        longer.push(all);
                    }
                }
                chosen = longer;
            }
            for values in chosen {
                variants.push(self.make(name, arm, &values)?);
            }
        }
        Ok(variants)
    }

    fn one_at_a_time(&self) -> Result<Vec<Variant>, ConfigError> {
        let mut variants = vec![self.make("base", &Table::new(), &[])?];
        for dimension in &self.vary {
            for value in dimension.grid().map_err(|wrong| self.in_vary(dimension, wrong))? {
                variants.push(self.make("", &Table::new(), &[(dimension, value)])?);
            }
        }
        for (name, arm) in &self.variant {
            variants.push(self.make(name, arm, &[])?);
        }
        Ok(variants)
    }

    /// A variant of the base with the settings of an arm and these values.
    fn make(
        &self,
        name: &str,
        arm: &Table,
        values: &[(&Dimension, Value)],
    ) -> Result<Variant, ConfigError> {
        let base = expanded(self.base.clone());
        let mut table = base.clone();
        for (key, value) in arm {
            let path = path_of(key).map_err(|wrong| self.in_variant(name, wrong.below(key)))?;
            set(&mut table, &path, value.clone()).map_err(|wrong| self.in_variant(name, wrong))?;
        }
        let settings = self.set_values(&mut table, values)?;
        // What is trained before is as the base, but for what it says itself.
        inherit(&mut table, &base);
        // The epoch is chosen by what the variants are.
        let column = self.metric.column();
        if self.metric.part() == Part::Validation
            && column != "loss"
            && !table.contains_key("monitor")
        {
            table.insert("monitor".into(), column.into());
        }
        let trial =
            TrialConfig::from_table(table).map_err(|wrong| self.blame(name, arm, values, wrong))?;
        let mut words: Vec<String> = Vec::new();
        if !name.is_empty() {
            words.push(name.into());
        }
        words.extend(settings.iter().map(|(key, value)| format!("{key}={}", shown(value))));
        if words.is_empty() {
            words.push("base".into());
        }
        Ok(Variant { name: words.join(", "), arm: name.into(), settings, trial })
    }

    /// Sets the values that matter, and returns them in the order of the file.
    fn set_values(
        &self,
        table: &mut Table,
        values: &[(&Dimension, Value)],
    ) -> Result<Vec<(String, Value)>, ConfigError> {
        let mut left: Vec<&(&Dimension, Value)> = values.iter().collect();
        // A table before what is within it: the other way round it would take its place.
        left.sort_by_key(|(dimension, _)| dimension.path.len());
        let mut taken: Vec<(&Dimension, &Value)> = Vec::new();
        // Conditions may look at what other conditions let be set.
        while let Some(at) = left.iter().position(|(d, _)| d.when.is_empty() || d.matters(table)) {
            let (dimension, value) = left.remove(at);
            set(table, &dimension.path, value.clone())
                .map_err(|wrong| self.in_vary(dimension, wrong))?;
            taken.push((dimension, value));
        }
        taken.sort_by_key(|(dimension, _)| self.vary.iter().position(|d| d.path == dimension.path));
        Ok(taken.into_iter().map(|(d, value)| (d.name(), value.clone())).collect())
    }

    /// Refuses conditions that no variant meets, and variants that cannot be told apart.
    fn check_variants(&self, variants: &mut Vec<Variant>) -> Result<(), ConfigError> {
        for dimension in self.vary.iter().filter(|dimension| !dimension.when.is_empty()) {
            let name = dimension.name();
            if !variants.iter().any(|v| v.settings.iter().any(|(key, _)| *key == name)) {
                let message = "no variant meets its `when`: it would never be set";
                return Err(self.in_vary(dimension, Wrong::other(&[], message)));
            }
        }
        let mut seen: BTreeMap<String, Variant> = BTreeMap::new();
        let mut twins = None;
        variants.retain(|variant| {
            let settings = variant.trial.to_table().to_string();
            let Some(first) = seen.get(&settings) else {
                seen.insert(settings, variant.clone());
                return true;
            };
            // Values that do not matter, and one setting at a time that is as in the base.
            let is_again = first.settings == variant.settings && first.arm == variant.arm;
            if !is_again && self.search != Search::OneAtATime && twins.is_none() {
                twins = Some((first.name.clone(), variant.name.clone()));
            }
            false
        });
        if let Some((first, second)) = twins {
            let message = format!("\"{first}\" and \"{second}\" are the same variant");
            let section = if self.vary.is_empty() { "variant" } else { "vary" };
            return Err(ConfigError::at(&self.lines, &[section], Wrong::other(&[], message)));
        }
        // Names that are the same by rounding are numbered.
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        for variant in variants {
            let times = names.entry(variant.name.clone()).or_default();
            *times += 1;
            if *times > 1 {
                variant.name += &format!(" ({times})");
            }
        }
        Ok(())
    }

    /// Finds who set what is wrong: what varies, an arm, or the base.
    fn blame(
        &self,
        name: &str,
        arm: &Table,
        values: &[(&Dimension, Value)],
        wrong: Wrong,
    ) -> ConfigError {
        let sets = |path: &[String]| {
            let common = path.len().min(wrong.path.len());
            common > 0 && path[..common] == wrong.path[..common]
        };
        if let Some((dimension, value)) = values.iter().rev().find(|(d, _)| sets(&d.path)) {
            let index = match &dimension.values {
                super::Values::List(list) => list.iter().position(|other| other == value),
                super::Values::Range(_) => None,
            };
            let key = dimension.name();
            let is_range = matches!(dimension.values, super::Values::Range(_));
            let mut error = self.in_vary(dimension, wrong);
            if is_range && error.message.contains("a whole number") {
                error.message += "; a range of whole numbers says `integer = true`";
            }
            if let Some(index) = index {
                let path = ["vary".to_string(), key.clone(), index.to_string()];
                error.line = self.lines.line(&path).or(error.line);
            }
            error.setting = format!("vary.{key}");
            return error;
        }
        if arm.keys().filter_map(|key| path_of(key).ok()).any(|path| sets(&path)) {
            return self.in_variant(name, wrong);
        }
        ConfigError::at(&self.lines, &["base"], wrong)
    }

    /// A mistake that only the images or the network showed, in the settings below `section`, where the file says what
    /// the variant is.
    pub(crate) fn blame_variant(
        &self,
        variant: &Variant,
        section: &str,
        error: &dyn std::fmt::Display,
    ) -> ConfigError {
        let message = error.to_string();
        let is_below = |key: &&String| key.split('.').next() == Some(section);
        let varied = || variant.settings.iter().map(|(key, _)| key);
        // The setting that the error begins with, as in "model.dropout is 2", or else any of the section.
        let key = varied().find(|key| message.starts_with(&format!("{key} is ")));
        let key = key.or_else(|| varied().find(is_below));
        let arm = self.variant.iter().position(|(name, table)| {
            *name == variant.arm && table.keys().any(|key| is_below(&key))
        });
        let path = match (key, arm) {
            (Some(key), _) => vec!["vary".into(), key.clone()],
            (None, Some(at)) => vec!["variant".into(), at.to_string(), section.into()],
            (None, None) => vec!["base".into(), section.into()],
        };
        let setting = format!("variant \"{}\"", variant.name);
        ConfigError {
            file: self.lines.file.clone(),
            line: self.lines.line(&path),
            setting,
            message,
        }
    }

    fn in_vary(&self, dimension: &Dimension, mut wrong: Wrong) -> ConfigError {
        wrong.path.clear();
        ConfigError::at(&self.lines, &["vary", &dimension.name()], wrong)
    }

    fn in_variant(&self, name: &str, wrong: Wrong) -> ConfigError {
        let at = self.variant.iter().position(|(other, _)| other == name).unwrap_or(0);
        let mut error = ConfigError::at(&self.lines, &["variant", &at.to_string()], wrong);
        error.setting =
            error.setting.replacen(&format!("variant.{at}"), &format!("variant \"{name}\""), 1);
        error
    }
}

/// A value as a name shows it: a table by its name and what else it says.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
            format!("{number}")
        }
        Value::Float(number) if number.abs() < 1e-4 || number.abs() >= 1e15 => {
            format!("{number:e}")
        }
        Value::Float(number) => short(*number),
        Value::Table(table) => {
            let name = get(table, &["name".into()]).map(shown);
            let others = table.iter().filter(|(key, _)| *key != "name");
            let others = others.map(|(key, value)| format!("{key} {}", shown(value)));
            name.into_iter().chain(others).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// A number with at most six digits that count.
fn short(number: f64) -> String {
    let digits = (5 - number.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let text = format!("{number:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}
