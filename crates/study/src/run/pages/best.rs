//! The best that each arm reaches.

use super::super::unit::Unit;
use super::super::{StudyResults, VariantResults};
use super::block::Item;
use super::pivot::placed;
use super::words::{
    cell, compared, difference, escaped, missing, p, seeds, summary, table, with_notes,
};
use crate::config::printable;
use crate::statistics::Comparison;

/// An arm, with its best variant: `None` if nothing of it has a value.
struct Group<'a> {
    name: String,
    best: Option<&'a VariantResults>,
}

pub(super) fn of(results: &StudyResults, item: &Item) -> Result<String, String> {
    let groups = groups(results, item)?;
    let metric = &results.study.metric;
    let unit = Unit::of(metric.column());
    let (reference, comparisons) = comparisons(results, &groups);
    let mut head = ["", "best", "seeds"].map(String::from).to_vec();
    head.push(unit.label(&metric.words()));
    let values: Vec<_> =
        item.values.iter().filter(|v| v.to_string() != metric.to_string()).collect();
    head.extend(values.iter().map(|value| value.unit().label(&value.words())));
    if reference.is_some() {
        head.extend(["difference (95 % interval)", "p"].map(String::from));
    }
    let own = metric.to_string().parse()?;
    let rows = groups.iter().zip(&comparisons).map(|(group, comparison)| {
        let of = |measure| group.best.and_then(|variant| summary(variant, measure));
        let of_metric = of(&own);
        let mut row = vec![escaped(&group.name)];
        row.push(group.best.map_or("–".into(), |best| escaped(&settings(results, best, item))));
        row.push(seeds(results, item, of_metric.as_ref().map_or(0, |summary| summary.n)));
        row.push(cell(unit, of_metric.as_ref()));
        row.extend(values.iter().map(|value| cell(value.unit(), of(value).as_ref())));
        match comparison {
            Some(c) => row.extend([difference(unit, c), p(c.p_step_down)]),
            None if reference.is_some() => row.extend(["–".to_owned(), "–".into()]),
            None => {}
        }
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut notes = vec![format!("The best of each, by the {}.", metric.words())];
    if let Some(reference) = reference {
        let name = match reference.name.is_empty() {
            true => "the first".into(),
            false => escaped(&reference.name),
        };
        let pairs: Vec<usize> = comparisons.iter().flatten().map(|found| found.n).collect();
        notes.extend(compared(&name, &pairs));
    }
    notes.push(missing(results, item));
    Ok(with_notes(table(&head, &rows, 2), notes))
}

/// Each group beside the first that has a value, in the order of the groups; no reference where nothing is compared.
fn comparisons<'a, 'b>(
    results: &StudyResults,
    groups: &'b [Group<'a>],
) -> (Option<&'b Group<'a>>, Vec<Option<Comparison>>) {
    let (places, variants): (Vec<usize>, Vec<&VariantResults>) =
        groups.iter().enumerate().filter_map(|(at, group)| Some((at, group.best?))).unzip();
    let mut all = vec![None; groups.len()];
    for comparison in results.comparisons(&variants, 0) {
        let place = places[comparison.variant];
        all[place] = Some(comparison);
    }
    let is_compared = all.iter().any(Option::is_some);
    (places.first().map(|&at| &groups[at]).filter(|_| is_compared), all)
}

/// The groups in the order of the study.
fn groups<'a>(results: &'a StudyResults, item: &Item) -> Result<Vec<Group<'a>>, String> {
    let group = |variant: &VariantResults| match &item.by {
        Some(setting) => placed(results, variant, setting).map(|(_, others)| others),
        None => Some(variant.variant.arm.clone()),
    };
    let mut names: Vec<String> = Vec::new();
    for name in results.variants.iter().filter_map(group) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() {
        let setting = item.by.as_deref().unwrap_or_default();
        return Err(format!("`{}` does not vary", printable(setting)));
    }
    // The best of the table comes first there.
    let table = results.table();
    let rows = || table.rows.iter().filter(|row| row.metric.is_some());
    let best = |name: &String| {
        let mut variants = rows().map(|row| &results.variants[row.variant]);
        variants.find(|variant| group(variant).as_ref() == Some(name))
    };
    Ok(names.into_iter().map(|name| Group { best: best(&name), name }).collect())
}

/// What was chosen: the settings that vary within the group.
fn settings(results: &StudyResults, variant: &VariantResults, item: &Item) -> String {
    if let Some(setting) = &item.by {
        let value = placed(results, variant, setting).map(|(value, _)| value);
        return value.map_or(String::new(), |v| format!("{setting}={}", crate::config::shown(&v)));
    }
    variant.settings_text()
}
