//! The variants beside each other.

use super::super::StudyResults;
use super::super::report::count;
use super::super::table::{Row, Table};
use super::super::unit::Unit;
use super::Measure;
use super::block::Item;
use super::words::{
    cell, compared, difference, escaped, missing, p, seeds, summary, table, with_notes,
};
use crate::statistics::mean;

/// A column of the table.
enum Column {
    Seeds,
    Metric,
    Interval,
    Difference,
    P,
    Superiority,
    Epoch,
    Seconds,
    Parameters,
    Value(Measure),
}

/// What a study has to say: a study of one variant compares nothing.
const ALL: [&str; 8] =
    ["seeds", "metric", "interval", "difference", "p", "test.accuracy", "test.loss", "epoch"];

pub(super) fn of(results: &StudyResults, item: &Item) -> Result<String, String> {
    let all = results.table();
    let variants = item.variants(results)?;
    let mut rows: Vec<&Row> =
        all.rows.iter().filter(|row| item.has(&results.variants[row.variant])).collect();
    rows.truncate(item.rows.unwrap_or(usize::MAX));
    if item.as_in_study {
        rows.sort_by_key(|row| row.variant);
    }
    let unit = Unit::of(results.study.metric.column());
    let columns = columns(results, item, &all)?;
    let mut head = vec!["variant".to_owned()];
    head.extend(columns.iter().map(|column| column.head(unit, &all)));
    let best = winner(&all, item).map(|best| best.variant);
    let lines = rows.iter().map(|row| {
        let name = escaped(&row.name);
        let name = if best == Some(row.variant) { format!("**{name}**") } else { name };
        let cells = columns.iter().map(|column| column.cell(row, results, item, unit));
        [name].into_iter().chain(cells).collect()
    });
    let lines: Vec<Vec<String>> = lines.collect();
    let mut notes = Vec::new();
    if rows.len() < variants.len() {
        notes.push(format!("The best {} of {}.", rows.len(), count(variants.len(), "variant")));
    }
    if rows.iter().any(|row| best == Some(row.variant)) {
        notes.push(format!(
            "In bold the best by the {}, whether or not that is more than chance.",
            all.metric
        ));
    }
    let is_compared = columns.iter().any(|c| matches!(c, Column::Difference | Column::P));
    let pairs: Vec<usize> = all.pairs().collect();
    if let (Some(at), true) = (all.reference, is_compared && !pairs.is_empty()) {
        notes.extend(compared(&escaped(&all.rows[at].name), &pairs));
    }
    notes.push(missing(results, item));
    Ok(with_notes(table(&head, &lines, 1), notes))
}

/// The row that is shown as the best: there is one only among several that are all there. Trials that diverged are,
/// those that are not finished may still change who is first, but for those that are missing on purpose.
pub(super) fn winner<'a>(all: &'a Table, item: &Item) -> Option<&'a Row> {
    let is_there = |row: &Row| match item.is_partial {
        true => row.metric.is_some() || row.diverged + row.pruned.len() > 0,
        false => row.unfinished + row.failed == 0,
    };
    let is_one = all.rows.len() > 1 && all.rows.iter().all(is_there);
    all.best().filter(|best| is_one && best.diverged + best.failed + best.pruned.len() == 0)
}

fn columns(results: &StudyResults, item: &Item, all: &Table) -> Result<Vec<Column>, String> {
    let is_compared = all.rows.iter().any(|row| row.comparison.is_some());
    let metric = results.study.metric.to_string();
    let known = results.trials().next().map(|trial| trial.columns.clone()).unwrap_or_default();
    let shown = |name: &&str| match *name {
        "difference" | "p" => is_compared,
        name => match name.strip_prefix("test.") {
            Some(column) => known.iter().any(|other| other == column),
            None => true,
        },
    };
    let usual = || ALL.iter().filter(|name| shown(name)).map(|name| name.to_string()).collect();
    let names: Vec<String> = if item.columns.is_empty() { usual() } else { item.columns.clone() };
    let column = |name: &String| {
        Ok(match name.as_str() {
            "seeds" => Column::Seeds,
            "metric" => Column::Metric,
            "interval" => Column::Interval,
            "difference" => Column::Difference,
            "p" => Column::P,
            "superiority" => Column::Superiority,
            "epoch" => Column::Epoch,
            "seconds" => Column::Seconds,
            "parameters" => Column::Parameters,
            name if name == metric => Column::Metric,
            name => Column::Value(name.parse()?),
        })
    };
    names.iter().map(column).collect()
}

impl Column {
    fn head(&self, unit: Unit, table: &Table) -> String {
        match self {
            Self::Seeds => "seeds".into(),
            Self::Metric => unit.label(&table.metric),
            Self::Interval => "95 % interval".into(),
            Self::Difference => "difference (95 % interval)".into(),
            Self::P => "p".into(),
            Self::Superiority => "P(better)".into(),
            Self::Epoch => "best epoch".into(),
            Self::Seconds => "seconds".into(),
            Self::Parameters => "parameters".into(),
            Self::Value(measure) => measure.unit().label(&measure.words()),
        }
    }

    fn cell(&self, row: &Row, results: &StudyResults, item: &Item, unit: Unit) -> String {
        let variant = &results.variants[row.variant];
        let finished = || variant.trials.iter().flatten();
        let none = || "–".to_owned();
        let comparison = row.comparison.as_ref();
        match self {
            Self::Seeds => {
                let n = row.metric.as_ref().map_or(0, |summary| summary.n);
                let mut words = seeds(results, item, n);
                for (count, what) in [
                    (row.diverged, "diverged"),
                    (row.pruned.len(), "pruned"),
                    (row.failed, "failed"),
                ] {
                    if count > 0 {
                        words += &format!(", {count} {what}");
                    }
                }
                words
            }
            Self::Metric => cell(unit, row.metric.as_ref()),
            Self::Interval => {
                row.metric.and_then(|summary| summary.interval).map_or_else(none, |ends| {
                    format!("{} to {}", unit.value(ends.low), unit.value(ends.high))
                })
            }
            Self::Difference => comparison.map_or_else(none, |c| difference(unit, c)),
            Self::P => comparison.map_or_else(none, |c| p(c.p_step_down)),
            Self::Superiority => {
                comparison.map_or_else(none, |c| format!("{:.2}", c.superiority.probability))
            }
            Self::Epoch => row.best_epoch.map_or_else(none, |epoch| format!("{epoch:.1}")),
            Self::Seconds => {
                let seconds: Vec<f64> = finished().map(|trial| trial.seconds).collect();
                // Short trainings are told apart by tenths.
                let shown =
                    |mean| if mean < 9.95 { format!("{mean:.1}") } else { format!("{mean:.0}") };
                mean(&seconds).map_or_else(none, shown)
            }
            Self::Parameters => finished().next().map_or_else(none, |t| t.parameters.to_string()),
            Self::Value(measure) => cell(measure.unit(), summary(variant, measure).as_ref()),
        }
    }
}
