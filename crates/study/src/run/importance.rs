//! How much of the differences between trials each setting explains.

use std::collections::BTreeMap;

use toml::Value;

use super::StudyResults;

/// The most groups that the numbers of a setting are left in; those of more fall into four by their size.
const MOST_GROUPS: usize = 8;

/// How many groups those are.
const QUARTERS: usize = 4;

/// What one setting explains of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The setting, `variant` for those that change together, or `seed`.
    pub setting: String,
    /// How many values it has, or groups of values that are near one another.
    pub groups: usize,
    /// The share of the variance that lies between these: 0 to 1.
    pub share: f64,
    /// What it would be on average if the setting did nothing.
    pub by_chance: f64,
}

impl StudyResults {
    /// The share of the variance of the metric, over all trials, that each setting that varies explains, the largest
    /// first: one-way η², the variation between the means of the trials with the same value over the whole variation
    /// (K. Pearson, *On the general theory of skew correlation and non-linear regression*, 1905). Numbers of more
    /// than eight values fall into four groups of equal size.
    ///
    /// In a grid of which all trials are finished, the shares add up to 1 or less: what is left are combinations of
    /// settings and chance. There is none for a setting that has one value, and none at all if nothing differs.
    pub fn importance(&self) -> Vec<Importance> {
        let mut values = Vec::new();
        let mut trials = Vec::new();
        for results in &self.variants {
            for trial in results.trials.iter().flatten() {
                let value = trial.value(&self.study.metric).filter(|value| value.is_finite());
                if let Some(value) = value {
                    values.push(value);
                    trials.push((results, trial));
                }
            }
        }
        let mut factors: Vec<(String, Vec<String>)> = Vec::new();
        for dimension in &self.study.vary {
            let found = trials.iter().map(|(_, trial)| get(&trial.settings, &dimension.path));
            factors.push((dimension.name(), labels(&found.collect::<Vec<_>>())));
        }
        if self.study.variant.len() > 1 {
            let arms = trials.iter().map(|(results, _)| results.variant.arm.clone());
            factors.push(("variant".into(), arms.collect()));
        }
        factors.push(("seed".into(), trials.iter().map(|(_, t)| t.seed.to_string()).collect()));
        let importance = |(setting, labels): (String, Vec<String>)| {
            let (groups, share) = explained(&values, &labels)?;
            let by_chance = (groups - 1) as f64 / (values.len() - 1) as f64;
            Some(Importance { setting, groups, share, by_chance })
        };
        let mut all: Vec<Importance> = factors.into_iter().filter_map(importance).collect();
        all.sort_by(|a, b| b.share.total_cmp(&a.share));
        all
    }
}

/// What a path leads to; of a table that has a name and was written as one, that name.
fn get<'a>(table: &'a toml::Table, path: &[String]) -> Option<&'a Value> {
    let (key, rest) = path.split_first()?;
    match (table.get(key)?, rest) {
        (value, []) => Some(value),
        (Value::Table(inner), rest) => get(inner, rest),
        _ => None,
    }
}

/// The groups of values by name.
fn labels(values: &[Option<&Value>]) -> Vec<String> {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|n| n as f64));
    let label = |value: &Option<&Value>| value.map_or("not set".into(), Value::to_string);
    let mut numbers: Vec<f64> = values.iter().flatten().filter_map(|value| number(value)).collect();
    numbers.sort_by(f64::total_cmp);
    let mut distinct = numbers.clone();
    distinct.dedup();
    if distinct.len() <= MOST_GROUPS {
        return values.iter().map(label).collect();
    }
    // Equal ones are in one group.
    let group = |value: f64| {
        let below = numbers.partition_point(|&other| other < value);
        format!("quarter {}", QUARTERS * below / numbers.len())
    };
    values.iter().map(|value| value.and_then(number).map_or_else(|| label(value), group)).collect()
}

/// The number of groups, and η²: the share of the squares about the mean that lies between the means of the groups.
/// `None` of fewer than two groups, as many groups as values, or values that are all the same.
fn explained(values: &[f64], labels: &[String]) -> Option<(usize, f64)> {
    let mut groups: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (value, label) in values.iter().zip(labels) {
        groups.entry(label).or_default().push(*value);
    }
    if groups.len() < 2 || groups.len() == values.len() {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let center = mean(values);
    let total: f64 = values.iter().map(|value| (value - center).powi(2)).sum();
    let between: f64 =
        groups.values().map(|group| group.len() as f64 * (mean(group) - center).powi(2)).sum();
    (total > 0.0 && total.is_finite()).then(|| (groups.len(), (between / total).clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(labels: &[&str]) -> Vec<String> {
        labels.iter().map(ToString::to_string).collect()
    }

    // F = scipy.stats.f_oneway([0.91, 0.93, 0.92, 0.94], [0.88, 0.90, 0.89], [0.95, 0.97]).statistic
    // F * 2 / (F * 2 + 6) == 0.8693548387096774 (SciPy 1.17.1; η² from F with 3 groups of 9 values)
    #[test]
    fn the_share_is_that_of_the_analysis_of_variance() {
        let values = [0.91, 0.93, 0.92, 0.94, 0.88, 0.90, 0.89, 0.95, 0.97];
        let labels = named(&["a", "a", "a", "a", "b", "b", "b", "c", "c"]);
        let (groups, share) = explained(&values, &labels).unwrap();
        assert_eq!(groups, 3);
        assert!((share - 0.8693548387096774).abs() < 1e-12, "{share}");
    }

    #[test]
    fn shares_of_a_grid_without_interaction_add_up_to_one() {
        // 10 for the first setting, 1 for the second: squares 100 and 1 of 101.
        let values = [0.0, 1.0, 10.0, 11.0];
        let first = explained(&values, &named(&["a", "a", "b", "b"])).unwrap().1;
        let second = explained(&values, &named(&["x", "y", "x", "y"])).unwrap().1;
        assert!((first - 100.0 / 101.0).abs() < 1e-12 && (first + second - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_does_not_vary_or_never_repeats_explains_nothing() {
        let values = [1.0, 2.0, 3.0];
        assert_eq!(explained(&values, &named(&["a", "a", "a"])), None);
        assert_eq!(explained(&values, &named(&["a", "b", "c"])), None);
        assert_eq!(explained(&[1.0, 1.0, 1.0], &named(&["a", "b", "b"])), None);
    }

    #[test]
    fn many_numbers_fall_into_quarters_and_few_keep_their_value() {
        let numbers: Vec<Value> = (0..12).map(|i| Value::Float(f64::from(i) / 8.0)).collect();
        let mut all: Vec<Option<&Value>> = numbers.iter().map(Some).collect();
        all.push(None);
        let groups = labels(&all);
        assert_eq!(groups[..4], named(&["quarter 0", "quarter 0", "quarter 0", "quarter 1"]));
        assert_eq!((groups[11].as_str(), groups[12].as_str()), ("quarter 3", "not set"));
        assert_eq!(labels(&all[..2]), ["0.0", "0.125"]);
    }
}
