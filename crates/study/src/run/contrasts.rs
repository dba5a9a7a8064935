//! Arms of a study beside each other, wherever everything else is the same.

use std::fmt::Write as _;

use serde::Serialize;

use super::table::SEED;
use super::unit::Unit;
use super::{StudyResults, VariantResults};
use crate::config::Part;
use crate::statistics::{
    Interval, Superiority, bca_interval, mean, paired_superiority, sign_flip_p, step_down_p,
};
use crate::trial::Ending;

/// A p below this is more than chance.
const ALPHA: f64 = 0.05;

/// An arm beside the first one where all that varies has the same values, paired by seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contrast {
    /// The arm.
    pub arm: String,
    /// What varies: `dataset.fraction=0.05`; empty if nothing does.
    pub at: String,
    /// The mean of each arm over the seeds that both have: of the first, of this one.
    pub means: [f64; 2],
    /// The number of seeds that both have.
    pub n: usize,
    /// This arm less the first.
    pub difference: f64,
    /// The 95 % BCa bootstrap interval of it; `None` of one seed.
    pub interval: Option<Interval>,
    /// The two-sided p of the exact sign-flip test.
    pub p: f64,
    /// The same adjusted for the comparisons of the table, those of every arm at every place, by the step-down maximum
    /// ([`step_down_p`]): the chance that any of them is below 0.05 where there is no difference is 0.05 at most.
    pub adjusted_p: f64,
    /// How often this arm's value is larger.
    pub superiority: Option<Superiority>,
}

impl Contrast {
    /// Whether chance alone explains the difference.
    pub fn is_chance(&self) -> bool {
        self.adjusted_p >= ALPHA
    }
}

impl StudyResults {
    /// Every arm but the first beside the first, by a value such as `accuracy` of the test images; empty for a study
    /// of fewer than two arms.
    pub fn contrasts(&self, part: Part, column: &str) -> Vec<Contrast> {
        let arms: Vec<&str> = self.study.variant.iter().map(|(name, _)| name.as_str()).collect();
        let Some((first, others)) = arms.split_first() else { return Vec::new() };
        let of_arm = |arm: &'_ &str| -> Vec<(&VariantResults, &VariantResults)> {
            self.variants.iter().filter_map(|v| Some((self.same(v, arm, first)?, v))).collect()
        };
        let pairs: Vec<(&VariantResults, &VariantResults)> =
            others.iter().flat_map(of_arm).collect();
        let values: Vec<Vec<Option<[f64; 2]>>> = pairs
            .iter()
            .map(|(a, b)| {
                let [a, b] = [a, b].map(|results| values(results, part, column));
                a.into_iter().zip(b).map(|(a, b)| Some([a?, b?])).collect()
            })
            .collect();
        let difference = |pair: &Option<[f64; 2]>| pair.map(|[a, b]| b - a);
        let differences: Vec<Vec<Option<f64>>> =
            values.iter().map(|pairs| pairs.iter().map(difference).collect()).collect();
        // Arms are shown in one table, and looked through for the smallest p: they are one family.
        let adjusted = step_down_p(&differences);
        let all = pairs.iter().zip(&values).zip(adjusted);
        all.filter_map(|(((_, results), pairs), adjusted)| contrast(results, pairs, adjusted))
            .collect()
    }

    /// The variant of the first arm that has the settings of `of`, if that is one of `arm`.
    fn same(&self, of: &VariantResults, arm: &str, first: &str) -> Option<&VariantResults> {
        let is_of = |results: &VariantResults, arm: &str| results.variant.arm == arm;
        if !is_of(of, arm) {
            return None;
        }
        let settings = &of.variant.settings;
        self.variants.iter().find(|v| is_of(v, first) && v.variant.settings == *settings)
    }

    /// The contrasts as text.
    pub fn contrasts_text(&self, part: Part, column: &str) -> String {
        let contrasts = self.contrasts(part, column);
        let Some((first, _)) = self.study.variant.first() else { return String::new() };
        if contrasts.is_empty() {
            return String::new();
        }
        let unit = Unit::of(column);
        let width = |of: fn(&Contrast) -> &str, least: usize| {
            contrasts.iter().map(|c| of(c).chars().count()).max().unwrap_or(0).max(least)
        };
        let (arms, places) = (width(|c| &c.arm, 3), width(|c| &c.at, 2));
        let mut text = format!(
            "{} {column}, each beside \"{first}\":\n{:arms$}  {:places$}  {:>8}  {:>8}  {:>10}  {:>20}  {:>6}  {:>10}\n",
            part.name(),
            "arm",
            "at",
            "first",
            "arm",
            "difference",
            "95 % interval",
            "p",
            "adjusted p"
        );
        for c in &contrasts {
            let interval = c.interval.map_or("–".into(), |interval| unit.interval(&interval));
            let ([a, b], difference) =
                (c.means.map(|mean| unit.value(mean)), unit.signed(c.difference));
            let _ = writeln!(
                text,
                "{:arms$}  {:places$}  {a:>8}  {b:>8}  {difference:>10}  {interval:>20}  {:>6.3}  {:>10.3}",
                c.arm, c.at, c.p, c.adjusted_p
            );
        }
        text
    }
}

/// The values by seed; none of a trial that diverged.
fn values(results: &VariantResults, part: Part, column: &str) -> Vec<Option<f64>> {
    let value = |trial: &Option<crate::TrialRecord>| {
        let trial = trial.as_ref().filter(|t| matches!(t.ending, Ending::Complete {}))?;
        trial.score(part, column).filter(|value| value.is_finite())
    };
    results.trials.iter().map(value).collect()
}

fn contrast(
    results: &VariantResults,
    pairs: &[Option<[f64; 2]>],
    adjusted: Option<f64>,
) -> Option<Contrast> {
    let pairs: Vec<[f64; 2]> = pairs.iter().flatten().copied().collect();
    let differences: Vec<f64> = pairs.iter().map(|[a, b]| b - a).collect();
    let of = |at: usize| mean(&pairs.iter().map(|pair| pair[at]).collect::<Vec<_>>());
    let p = sign_flip_p(&differences)?;
    Some(Contrast {
        arm: results.variant.arm.clone(),
        at: results.settings_text(),
        means: [of(0)?, of(1)?],
        n: pairs.len(),
        difference: mean(&differences)?,
        interval: bca_interval(&differences, 0.95, SEED),
        p,
        adjusted_p: adjusted.unwrap_or(p),
        superiority: paired_superiority(&differences, SEED),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{STUDY, run};
    use super::*;

    #[test]
    fn comparisons_of_all_arms_are_one_family() {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "{}[[variant]]\nname = 'short'\n[[variant]]\nname = 'same'\nbatch_size = 11\n\
             [[variant]]\nname = 'other'\nbatch_size = 9\n",
            STUDY.replace("seeds = 2", "seeds = 6")
        );
        let results = run(folder.path(), &text);
        let contrasts = results.contrasts(Part::Test, "loss");
        assert_eq!(contrasts.len(), 4);
        let arm = |v: &VariantResults| v.variant.arm.clone();
        let loss = |v: &VariantResults| -> Vec<f64> {
            let score = |t: &Option<crate::TrialRecord>| {
                t.as_ref().unwrap().score(Part::Test, "loss").unwrap()
            };
            v.trials.iter().map(score).collect()
        };
        let of = |name: &str| -> Vec<Vec<f64>> {
            results.variants.iter().filter(|v| arm(v) == name).map(loss).collect()
        };
        let first = of("short");
        let differences: Vec<Vec<Option<f64>>> = ["same", "other"]
            .iter()
            .flat_map(|name| {
                of(name)
                    .into_iter()
                    .zip(&first)
                    .map(|(b, a)| b.iter().zip(a).map(|(b, a)| Some(b - a)).collect())
                    .collect::<Vec<_>>()
            })
            .collect();
        let expected: Vec<Option<f64>> = step_down_p(&differences);
        let found: Vec<Option<f64>> = contrasts.iter().map(|c| Some(c.adjusted_p)).collect();
        assert_eq!(found, expected);
    }
}
