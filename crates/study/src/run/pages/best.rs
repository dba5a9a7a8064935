//! The best that each arm reaches.

use super::super::table::{SEED, better, paired_values};
use super::super::unit::Unit;
use super::super::{StudyResults, VariantResults};
use super::block::Item;
use super::pivot::split;
use super::words::{cell, escaped, missing, p, summary, table};
use crate::statistics::{Variant, compare};

pub(super) fn of(results: &StudyResults, item: &Item) -> Result<String, String> {
    let best = chosen(results, item)?;
    let metric = &results.study.metric;
    let unit = Unit::of(metric.column());
    let variants: Vec<Variant> = best
        .iter()
        .map(|(group, variant)| Variant {
            name: group.clone(),
            values: paired_values(results, variant),
        })
        .collect();
    // Of one seed there is nothing to compare.
    let comparisons = compare(&variants, 0, better(metric), SEED).unwrap_or_default();
    let mut head = ["", "best", "seeds"].map(String::from).to_vec();
    head.push(unit.label(&metric.words()));
    let values: Vec<_> =
        item.values.iter().filter(|v| v.to_string() != metric.to_string()).collect();
    head.extend(values.iter().map(|value| value.unit().label(&value.words())));
    if !comparisons.is_empty() {
        head.extend(["difference (95 % interval)", "p"].map(String::from));
    }
    let own = metric.to_string().parse()?;
    let rows = best.iter().enumerate().map(|(at, (group, variant))| {
        let of_metric = summary(variant, &own);
        let mut row = vec![escaped(group), escaped(&settings(variant, item))];
        row.push(of_metric.as_ref().map_or(0, |summary| summary.n).to_string());
        row.push(cell(unit, of_metric.as_ref()));
        row.extend(values.iter().map(|value| cell(value.unit(), summary(variant, value).as_ref())));
        if !comparisons.is_empty() {
            match comparisons.iter().find(|comparison| comparison.variant == at) {
                Some(c) => row.extend([
                    format!("{} ({})", unit.signed(c.difference), unit.interval(&c.interval)),
                    p(c.p_step_down),
                ]),
                None => row.extend(["–".to_owned(), "–".into()]),
            }
        }
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let mut notes = vec![format!("The best of each, by the {}.", metric.words())];
    notes.extend(Some(missing(results, item)).filter(|text| !text.is_empty()));
    Ok(format!("{}\n\n{}", table(&head, &rows, 2), notes.join(" ")))
}

/// The groups in the order of the study, each with its best variant.
fn chosen<'a>(
    results: &'a StudyResults,
    item: &Item,
) -> Result<Vec<(String, &'a VariantResults)>, String> {
    let group = |variant: &VariantResults| match &item.by {
        Some(setting) => split(variant, setting).map(|(_, others)| others),
        None => Some(variant.variant.arm.clone()),
    };
    let mut groups: Vec<String> = Vec::new();
    for name in results.variants.iter().filter_map(group) {
        if !groups.contains(&name) {
            groups.push(name);
        }
    }
    if groups.is_empty() {
        let setting = item.by.as_deref().unwrap_or_default();
        return Err(format!("`{}` does not vary", crate::config::printable(setting)));
    }
    // The best of the table comes first there.
    let table = results.table();
    let rows = || table.rows.iter().filter(|row| row.metric.is_some());
    let best = |name: String| {
        let mut variants = rows().map(|row| &results.variants[row.variant]);
        let variant = variants.find(|variant| group(variant).as_ref() == Some(&name))?;
        Some((name, variant))
    };
    Ok(groups.into_iter().filter_map(best).collect())
}

/// What was chosen: the settings that vary within the group.
fn settings(variant: &VariantResults, item: &Item) -> String {
    let all = variant.variant.settings.iter();
    let chosen = all.filter(|(key, _)| item.by.as_ref().is_none_or(|setting| setting == key));
    let words: Vec<String> =
        chosen.map(|(key, value)| format!("{key}={}", crate::config::shown(value))).collect();
    words.join(", ")
}
