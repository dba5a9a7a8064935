use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::{GENERATION, StudyConfig, Variant};
use crate::search::MedianPruner;

/// How trials that are worse than most are ended before their last epoch.
///
/// Variants are tried in generations of four, in the order in which they are proposed or listed. A trial is compared with
/// those of the same seed, of the same `[[variant]]` and of earlier generations that came to their end: so it does not
/// depend on what runs at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Pruner {
    /// A trial ends where its best epoch so far is worse than the median of what the others had at that epoch.
    Median {
        /// How many others there must be.
        #[serde(default = "startup", deserialize_with = "startup_of")]
        startup: usize,
        /// Epochs that every trial may take.
        #[serde(default, deserialize_with = "warmup_of")]
        warmup: usize,
    },
}

impl Pruner {
    /// What a trial must have come to after each epoch but its last, given what others came to; smaller is better. Nothing
    /// is said of epochs that none of the others reached: there every trial goes on.
    pub(crate) fn limits(self, epochs: usize, others: &[Vec<f64>]) -> Vec<Option<f64>> {
        let Self::Median { startup, warmup } = self;
        let pruner = MedianPruner { startup, warmup };
        let longest = others.iter().map(Vec::len).max().unwrap_or(0);
        (1..epochs.min(longest.saturating_add(1)))
            .map(|epoch| pruner.limit(epoch, others))
            .collect()
    }

    /// Why no trial can ever end early, if none can: `variants` are those of a grid.
    pub(super) fn idle(self, study: &StudyConfig, variants: &[Variant]) -> Option<String> {
        let Self::Median { startup, warmup } = self;
        let epochs = |variant: &Variant| variant.trial.fit.epochs;
        let of_arm = |(_, arm): &(String, toml::Table)| {
            usize::try_from(arm.get("epochs")?.as_integer()?).ok()
        };
        let longest = variants.iter().map(epochs).chain(study.variant.iter().filter_map(of_arm));
        let longest = longest.max().unwrap_or(0);
        // It always takes its last epoch.
        if longest <= warmup.saturating_add(1) {
            return Some(format!(
                "warmup is {warmup}, and no trial has more than {longest} epochs: none could end early"
            ));
        }
        let others = if study.search.is_listed() {
            // Of each arm: how many came before, and how many of them are beyond the warmup, now and before its last
            // generation.
            let mut arms: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
            let mut most = 0;
            for variant in variants {
                let [place, now, before] = arms.entry(&variant.arm).or_default();
                if *place % GENERATION == 0 {
                    *before = *now;
                }
                let is_baseline = study.baseline.as_ref() == Some(&variant.name);
                if epochs(variant) > warmup.saturating_add(1) && !is_baseline {
                    most = most.max(*before);
                }
                *now += usize::from(epochs(variant) > warmup);
                *place += 1;
            }
            most
        } else {
            study.most_tried().saturating_sub(1) / GENERATION * GENERATION
        };
        (others < startup).then(|| {
            format!(
                "startup is {startup}, but a trial is compared with {others} others at most, those of earlier generations \
                 of {GENERATION}: none could end early"
            )
        })
    }

    /// In words, of a study with several `[[variant]]`s or without.
    pub(crate) fn words(self, has_arms: bool) -> String {
        let Self::Median { startup, warmup } = self;
        let spared = match warmup {
            0 => String::new(),
            1 => ", from the second epoch on".into(),
            epochs => format!(", after {epochs} epochs that every trial may take"),
        };
        let arm = if has_arms { " and the same [[variant]]" } else { "" };
        format!("the median of at least {startup} earlier trials of the same seed{arm}{spared}")
    }
}

fn startup() -> usize {
    MedianPruner::default().startup
}

fn startup_of<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    named("startup", value)
}

fn warmup_of<'de, D: Deserializer<'de>>(value: D) -> Result<usize, D::Error> {
    named("warmup", value)
}

/// A number, or an error with its name: serde forgets where it was in an enum with a tag.
fn named<'de, D: Deserializer<'de>>(name: &str, value: D) -> Result<usize, D::Error> {
    usize::deserialize(value).map_err(|error| de::Error::custom(format!("{name}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_as_many_as_the_longest_of_the_others_has_epochs() {
        let pruner = Pruner::Median { startup: 2, warmup: 0 };
        let others = [vec![0.5, 0.4, 0.3], vec![0.7, 0.6]];
        let expected = [Some(0.6), Some(0.5), None];
        // 10^18 numbers would not fit into any memory.
        assert_eq!(pruner.limits(1_000_000_000_000_000_000, &others), expected);
        assert_eq!(pruner.limits(3, &others), expected[..2], "the last epoch is always taken");
        assert!(pruner.limits(usize::MAX, &[]).is_empty());
    }
}
