//! Arms of a study, each with the settings that are best for it: one learning rate for both decides many a comparison
//! by itself.

use std::fmt::Write as _;

use serde::Serialize;

use super::table::Row;
use super::unit::Unit;
use super::{StudyResults, Table};
use crate::statistics::Comparison;

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
        let variants: Vec<_> = arms.iter().map(|arm| &self.variants[arm.row.variant]).collect();
        for comparison in self.comparisons(&variants, 0) {
            let at = comparison.variant;
            arms[at].comparison = Some(comparison);
        }
        arms
    }

    /// The same as text.
    pub(super) fn tuned_text(&self, table: &Table) -> String {
        let arms = self.tuned_arms(table);
        let Some(first) = arms.first() else { return String::new() };
        let unit = Unit::of_loss(self.study.metric.is_loss());
        let width = arms.iter().map(|arm| arm.variant.chars().count()).max().unwrap_or(0);
        let mut text =
            format!("the best of each, by {}, beside that of \"{}\":\n", table.metric, first.arm);
        let p = if arms.len() > 2 { "adjusted p" } else { "p" };
        for arm in &arms {
            let value = unit.shown(arm.row.metric.as_ref());
            let _ = write!(text, "{:width$}  {value:>18}", arm.variant);
            if let Some(c) = &arm.comparison {
                let (difference, interval) =
                    (unit.signed(c.difference), unit.interval(&c.interval));
                let _ = write!(text, "  {difference:>10}  {interval}  {p} {:.3}", c.p_step_down);
            }
            text.push('\n');
        }
        text
    }
}
