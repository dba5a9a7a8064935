//! Arms of a study, each with the settings that are best for it: one learning rate for both decides many a comparison
//! by itself.

use std::fmt::Write as _;

use serde::Serialize;

use super::table::{Row, paired_values, shown};
use super::{StudyResults, Table};
use crate::statistics::{Better, Comparison, Variant, compare};

/// Decides the draws of intervals.
const SEED: u64 = 0;

/// The best variant of an arm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TunedArm {
    /// The arm.
    pub arm: String,
    /// Its best variant: the name, with the settings that were chosen.
    pub variant: String,
    /// What it came to.
    pub row: Row,
    /// Beside the best of the first arm, paired by seed; `None` of that itself.
    pub comparison: Option<Comparison>,
}

impl StudyResults {
    /// The best variant of each arm beside that of the first, chosen by the metric among variants of which every trial
    /// has a value; empty for a study of fewer than two arms, or in which nothing else varies.
    pub fn tuned_arms(&self, table: &Table) -> Vec<TunedArm> {
        if self.study.variant.len() < 2 || self.study.vary.is_empty() {
            return Vec::new();
        }
        let best = |(name, _): &(String, toml::Table)| {
            let of_arm = |row: &&Row| self.variants[row.variant].variant.arm == *name;
            let row = table.rows.iter().filter(of_arm).find(|row| row.missing() == 0)?;
            Some(TunedArm {
                arm: name.clone(),
                variant: row.name.clone(),
                row: row.clone(),
                comparison: None,
            })
        };
        let Some(mut arms) = self.study.variant.iter().map(best).collect::<Option<Vec<_>>>() else {
            return Vec::new();
        };
        let variants: Vec<Variant> = arms
            .iter()
            .map(|arm| Variant {
                name: arm.arm.clone(),
                values: paired_values(self, &self.variants[arm.row.variant]),
            })
            .collect();
        let better = if self.study.metric.is_loss() { Better::Lower } else { Better::Higher };
        for comparison in compare(&variants, 0, better, SEED).unwrap_or_default() {
            let at = comparison.variant;
            arms[at].comparison = Some(comparison);
        }
        arms
    }

    /// The same as text.
    pub(super) fn tuned_text(&self, table: &Table) -> String {
        let arms = self.tuned_arms(table);
        let Some(first) = arms.first() else { return String::new() };
        let is_share = !self.study.metric.is_loss();
        let factor = if is_share { 100.0 } else { 1.0 };
        let digits = if is_share { 2 } else { 4 };
        let width = arms.iter().map(|arm| arm.variant.chars().count()).max().unwrap_or(0);
        let mut text =
            format!("the best of each, by {}, beside that of \"{}\":\n", table.metric, first.arm);
        for arm in &arms {
            let value = shown(arm.row.metric.as_ref(), is_share);
            let _ = write!(text, "{:width$}  {value:>18}", arm.variant);
            if let Some(c) = &arm.comparison {
                let _ = write!(
                    text,
                    "  {:>+10.digits$}  {:+.digits$} to {:+.digits$}  p {:.3}",
                    c.difference * factor,
                    c.interval.low * factor,
                    c.interval.high * factor,
                    c.p_step_down
                );
            }
            text.push('\n');
        }
        text
    }
}
