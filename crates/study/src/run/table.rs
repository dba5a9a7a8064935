//! What the trials of a study say together.

use std::fmt::Write as _;

use serde::Serialize;

use super::unit::Unit;
use super::{StudyResults, VariantResults};
use crate::config::{Metric, Part};
use crate::statistics::{self, Better, Comparison, SMALLEST_SEEDS, Summary, compare};
use crate::trial::{Ending, TrialRecord};

/// Decides the draws of intervals, so that a table is the same whenever it is made.
pub(super) const SEED: u64 = 0;

/// What a variant came to, over its seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// The variant's place in the study.
    pub variant: usize,
    /// Its name.
    pub name: String,
    /// The metric that decides; `None` if no trial has one.
    pub metric: Option<Summary>,
    /// The values of the test images, by name: of the model that validation chose.
    pub test: Vec<(String, Summary)>,
    /// The epochs that validation chose, on average.
    pub best_epoch: Option<f64>,
    /// Trials that diverged.
    pub diverged: usize,
    /// The epochs after which trials were ended early, in the order of the seeds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pruned: Vec<usize>,
    /// Trials that failed.
    pub failed: usize,
    /// Trials that are not finished.
    pub unfinished: usize,
    /// Beside the reference, paired by seed; `None` of the reference itself, and where there are fewer than two
    /// seeds in common.
    pub comparison: Option<Comparison>,
}

/// The rows of a study, the best first, and what they say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Table {
    /// The best first; then those of which a trial has no value, and those without any.
    pub rows: Vec<Row>,
    /// The place among the rows of the one that others are compared with: the baseline, or else the best.
    pub reference: Option<usize>,
    /// The metric, in words.
    pub metric: String,
    /// Whether less is better.
    pub less_is_better: bool,
    /// How many seeds there are.
    pub seeds: usize,
}

impl Row {
    /// The trials without a value.
    pub fn missing(&self) -> usize {
        self.diverged + self.pruned.len() + self.failed + self.unfinished
    }

    /// What came of the trials without a value: "2 diverged", "pruned after epoch 3".
    pub fn missing_words(&self) -> Vec<String> {
        let count = |(count, what): (usize, &str)| (count > 0).then(|| format!("{count} {what}"));
        let mut words: Vec<String> = [(self.diverged, "diverged"), (self.failed, "failed")]
            .into_iter()
            .chain([(self.unfinished, "not finished")])
            .filter_map(count)
            .collect();
        let mut epochs = self.pruned.clone();
        epochs.sort_unstable();
        epochs.dedup();
        let epochs: Vec<String> = epochs.iter().map(ToString::to_string).collect();
        let (many, epochs) = (if epochs.len() > 1 { "s" } else { "" }, epochs.join(", "));
        match self.pruned.len() {
            0 => {}
            1 => words.push(format!("pruned after epoch {epochs}")),
            trials => words.push(format!("{trials} pruned after epoch{many} {epochs}")),
        }
        words
    }
}

impl StudyResults {
    /// The variants beside each other.
    pub fn table(&self) -> Table {
        let metric = &self.study.metric;
        let mut rows: Vec<Row> =
            self.variants.iter().enumerate().map(|(i, v)| self.row(i, v)).collect();
        let cost = |row: &Row| row.metric.as_ref().map_or(f64::INFINITY, |s| metric.cost(s.mean));
        // A mean of the seeds that survived is not one of all: whole rows come first.
        let place = |row: &Row| match (&row.metric, row.missing()) {
            (None, _) => 2,
            (Some(_), 0) => 0,
            (Some(_), _) => 1,
        };
        rows.sort_by(|a, b| {
            let (a_place, b_place) = (place(a), place(b));
            a_place.cmp(&b_place).then(cost(a).total_cmp(&cost(b))).then(a.variant.cmp(&b.variant))
        });
        let baseline = self.study.baseline.as_ref();
        let named = baseline.and_then(|name| rows.iter().position(|row| row.name == *name));
        // What has no value is nothing to compare with.
        let has_value = |&at: &usize| rows.get(at).is_some_and(|row| row.metric.is_some());
        let reference = named.filter(has_value).or(Some(0).filter(has_value));
        if let Some(at) = reference {
            self.compare(&mut rows, at);
        }
        Table {
            rows,
            reference,
            metric: metric.words(),
            less_is_better: metric.is_loss(),
            seeds: self.study.seeds.len(),
        }
    }

    fn row(&self, at: usize, results: &VariantResults) -> Row {
        let finished: Vec<&TrialRecord> = results.trials.iter().flatten().collect();
        let whole = || finished.iter().filter(|t| matches!(t.ending, Ending::Complete {}));
        let values: Vec<f64> = results.values(&self.study).into_iter().flatten().collect();
        let columns = finished.first().map(|trial| trial.columns.clone()).unwrap_or_default();
        let of_test = |column: String| {
            let values: Vec<f64> = whole().filter_map(|t| t.score(Part::Test, &column)).collect();
            Some((column, Summary::of(&values, SEED)?))
        };
        let ended = |how: fn(&Ending) -> bool| finished.iter().filter(|t| how(&t.ending)).count();
        let epochs: Vec<f64> = whole().map(|trial| trial.best_epoch as f64).collect();
        Row {
            variant: at,
            name: results.variant.name.clone(),
            metric: Summary::of(&values, SEED),
            test: columns.into_iter().filter_map(of_test).collect(),
            best_epoch: statistics::mean(&epochs),
            diverged: ended(|ending| matches!(ending, Ending::Diverged { .. })),
            pruned: finished.iter().filter_map(|trial| trial.pruned_after()).collect(),
            failed: results.failures.len(),
            unfinished: results.trials.len() - finished.len() - results.failures.len(),
            comparison: None,
        }
    }

    /// Compares every row with the one at `reference`.
    fn compare(&self, rows: &mut [Row], reference: usize) {
        let variants: Vec<_> = rows.iter().map(|row| &self.variants[row.variant]).collect();
        for comparison in self.comparisons(&variants, reference) {
            let place = comparison.variant;
            rows[place].comparison = Some(comparison);
        }
    }

    /// Variants beside the one at `reference`, those that have at least two seeds in common with it: the others have
    /// nothing to say.
    pub(super) fn comparisons(
        &self,
        variants: &[&VariantResults],
        reference: usize,
    ) -> Vec<Comparison> {
        let Some(own) = variants.get(reference).map(|of| paired_values(self, of)) else {
            return Vec::new();
        };
        let in_common = |theirs: &[(u64, f64)]| {
            theirs.iter().filter(|(seed, _)| own.iter().any(|(other, _)| other == seed)).count()
        };
        let all = variants.iter().enumerate().map(|(at, of)| {
            let name = of.variant.name.clone();
            (at, statistics::Variant { name, values: paired_values(self, of) })
        });
        let (places, compared): (Vec<usize>, Vec<statistics::Variant>) =
            all.filter(|(at, variant)| *at == reference || in_common(&variant.values) >= 2).unzip();
        let at = places.iter().position(|&place| place == reference).unwrap_or(0);
        let better = better(&self.study.metric);
        let mut comparisons = compare(&compared, at, better, SEED).unwrap_or_default();
        comparisons.iter_mut().for_each(|found| found.variant = places[found.variant]);
        comparisons
    }
}

impl Table {
    /// The best row, if any has a value.
    pub fn best(&self) -> Option<&Row> {
        self.rows.first().filter(|row| row.metric.is_some())
    }

    /// How many seeds each variant that is compared has in common with the reference. By these, and not by the seeds of
    /// the study, a difference can be told from chance or not.
    pub(super) fn pairs(&self) -> impl Iterator<Item = usize> {
        self.rows.iter().filter_map(|row| Some(row.comparison.as_ref()?.n))
    }

    /// The rows as text: rank, variant, metric and test values (mean ± standard deviation over the seeds), difference
    /// from the reference with its 95 % interval, and p adjusted for the number of comparisons.
    pub fn text(&self) -> String {
        let names = self.rows.iter().map(|row| row.name.chars().count());
        let width = names.max().unwrap_or(0).clamp(7, 120);
        let columns: Vec<&str> =
            self.rows.iter().find(|row| !row.test.is_empty()).map_or(vec![], |row| {
                row.test.iter().map(|(name, _)| name.as_str()).take(2).collect()
            });
        let mut text =
            format!("{:>4}  {:width$}  {:>5}  {:>18}", "rank", "variant", "seeds", self.metric);
        for column in &columns {
            let _ = write!(text, "  {:>18}", format!("test {}", column.replace('_', " ")));
        }
        let _ = writeln!(text, "  {:>10}  {:>22}  {:>10}", "difference", "95 % interval", self.p());
        for (at, row) in self.rows.iter().enumerate() {
            text += &self.line(at, row, &columns, width);
        }
        text
    }

    /// What the column of p is called: it is adjusted where there is more than one comparison.
    fn p(&self) -> &'static str {
        if self.pairs().count() > 1 { "adjusted p" } else { "p" }
    }

    fn line(&self, at: usize, row: &Row, columns: &[&str], width: usize) -> String {
        let name: String = match row.name.chars().count() > width {
            true => row.name.chars().take(width - 1).chain(['…']).collect(),
            false => row.name.clone(),
        };
        let seeds = row.metric.as_ref().map_or(0, |summary| summary.n);
        let mut line = format!("{:>4}  {name:width$}  {seeds:>5}  ", at + 1);
        let unit = Unit::of_loss(self.less_is_better);
        let _ = write!(line, "{:>18}", unit.shown(row.metric.as_ref()));
        for column in columns {
            let summary = row.test.iter().find(|(name, _)| name == column).map(|(_, s)| s);
            let _ = write!(line, "  {:>18}", Unit::of(column).shown(summary));
        }
        match &row.comparison {
            _ if self.reference == Some(at) => line += "   reference",
            Some(c) => {
                let (difference, interval) =
                    (unit.signed(c.difference), unit.interval(&c.interval));
                let _ = write!(line, "  {difference:>10}  {interval:>22}  {:>10.3}", c.p_step_down);
            }
            None => {}
        }
        for words in row.missing_words() {
            let _ = write!(line, "  {words}");
        }
        line.trim_end().to_owned() + "\n"
    }

    /// What the rows say, in words.
    pub fn answer(&self) -> String {
        let Some(best) = self.best() else { return "No trial has come to a value.".into() };
        let value = Unit::of_loss(self.less_is_better).shown(best.metric.as_ref());
        let so_far = if self.rows.iter().any(|row| row.unfinished > 0) { " so far" } else { "" };
        let mut text = format!("Best{so_far}: {}, {} {value}", best.name, self.metric);
        if let Some((name, summary)) = best.test.iter().rfind(|(name, _)| name == "accuracy") {
            let _ = write!(text, ", test {name} {}", Unit::of(name).shown(Some(summary)));
        }
        text += ".";
        let missing = |row: &&Row| row.metric.is_some() && row.missing() > 0;
        match self.rows.iter().filter(missing).count() {
            0 => {}
            _ if best.missing() > 0 => text += " No variant has a value of all its trials.",
            1 => {
                text += " One variant has trials without a value: it stands behind those that are whole."
            }
            n => {
                let _ = write!(
                    text,
                    " {n} variants have trials without a value: they stand behind those that are whole."
                );
            }
        }
        let others = self.pairs().count();
        match self.pairs().max() {
            None => {
                let with_value = self.rows.iter().filter(|row| row.metric.is_some()).count();
                match (with_value, self.seeds) {
                    (..2, _) => {}
                    (_, 1) => {
                        let _ = write!(
                            text,
                            " One seed is too few to tell a difference from chance: {SMALLEST_SEEDS} are the fewest."
                        );
                    }
                    _ => text += " None of the others has two seeds in common with the reference.",
                }
                return text;
            }
            Some(pairs) if pairs < SMALLEST_SEEDS => {
                let _ = write!(
                    text,
                    " {pairs} seeds are too few to tell a difference from chance: {SMALLEST_SEEDS} are the fewest."
                );
                return text;
            }
            Some(_) => {}
        }
        let is_chance = |row: &&Row| row.comparison.as_ref().is_some_and(Comparison::is_chance);
        let chance = self.rows.iter().filter(is_chance);
        let names: Vec<&str> = chance.map(|row| row.name.as_str()).collect();
        let reference = self.reference.map_or("", |at| &self.rows[at].name);
        match names.as_slice() {
            [] if others == 1 => text += " Its difference from the other is more than chance.",
            [] => {
                let _ = write!(
                    text,
                    " The differences of all {others} others from {reference} are more than chance."
                );
            }
            names => {
                let shown = names.iter().take(5).copied().collect::<Vec<_>>().join("; ");
                let more = names.len().saturating_sub(5);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                let _ = write!(text, " Not shown to differ from {reference}: {shown}{more}.");
                match others - names.len() {
                    0 => {}
                    1 => text += " The difference of the other one is more than chance.",
                    told => {
                        let _ = write!(
                            text,
                            " The differences of the other {told} are more than chance."
                        );
                    }
                }
            }
        }
        text
    }
}

/// The values that decide, with their seeds; none of a trial without one.
fn paired_values(results: &StudyResults, variant: &VariantResults) -> Vec<(u64, f64)> {
    let values = variant.values(&results.study);
    let pairs = results.study.seeds.iter().copied().zip(values);
    pairs.filter_map(|(seed, value)| Some((seed, value.filter(|v| v.is_finite())?))).collect()
}

/// Which way the metric goes.
fn better(metric: &Metric) -> Better {
    if metric.is_loss() { Better::Lower } else { Better::Higher }
}
