//! Values of one setting down, all else across.

use super::super::report::{adjusted_for, count, too_few};
use super::super::{Contrast, StudyResults};
use super::Measure;
use super::block::Item;
use super::pivot::Pivot;
use super::words::{cell, escaped, missing, p, summary, table, with_notes};

pub(super) fn of(results: &StudyResults, item: &Item) -> Result<String, String> {
    let measure = item.value()?;
    let pivot = Pivot::of(results, item)?;
    let setting = item.by.as_deref().unwrap_or_default();
    let unit = measure.unit();
    let mut head = vec![escaped(setting)];
    head.extend(pivot.columns.iter().map(|column| match column.is_empty() {
        true => unit.label(&measure.words()),
        false => escaped(column),
    }));
    let contrasts = contrasts(results, item, measure);
    for (arm, _) in &contrasts {
        head.extend([
            format!("{} − {}", escaped(arm), escaped(&results.study.variant[0].0)),
            "p".into(),
        ]);
    }
    let most = pivot
        .cells
        .iter()
        .flatten()
        .flatten()
        .filter_map(|v| summary(v, measure))
        .map(|s| s.n)
        .max();
    let rows = pivot.places.iter().zip(&pivot.cells).map(|(place, cells)| {
        let shown = crate::config::shown(place);
        let mut row = vec![escaped(&shown)];
        for variant in cells {
            let summary = variant.and_then(|variant| summary(variant, measure));
            let fewer = summary
                .filter(|summary| Some(summary.n) < most)
                .map(|summary| format!(" ({})", summary.n));
            row.push(cell(unit, summary.as_ref()) + &fewer.unwrap_or_default());
        }
        let at = format!("{setting}={shown}");
        for (_, contrasts) in &contrasts {
            match contrasts.iter().find(|contrast| contrast.at == at) {
                Some(c) => {
                    let difference = unit.signed(c.difference);
                    row.push(if c.is_chance() { difference } else { format!("**{difference}**") });
                    row.push(p(c.adjusted_p));
                }
                None => row.extend(["–".to_owned(), "–".into()]),
            }
        }
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    // The head has the name of the value where there is one column.
    let name = match pivot.columns.as_slice() {
        [only] if only.is_empty() => String::new(),
        _ => unit.label(&measure.words()),
    };
    let over = match most.unwrap_or(0) {
        0 => String::new(),
        1 => "values of one seed".into(),
        seeds => format!("mean ± standard deviation over {}", count(seeds, "seed")),
    };
    let words: Vec<String> = [name, over].into_iter().filter(|text| !text.is_empty()).collect();
    let mut notes = Vec::new();
    if !words.is_empty() {
        notes.push(super::figures::capital(&words.join(": ")) + ".");
    }
    if rows.iter().flatten().any(|cell| cell.ends_with(')')) {
        notes.push("In brackets the number of seeds, where they are fewer.".into());
    }
    if !contrasts.is_empty() {
        let pairs = || contrasts.iter().flat_map(|(_, all)| all.iter().map(|c| c.n));
        notes.push(format!(
            "p is adjusted for {}; a difference that is more than chance is bold.",
            adjusted_for(pairs())
        ));
        notes.push(too_few(pairs()));
    }
    notes.push(missing(results, item));
    Ok(with_notes(table(&head, &rows, 1), notes))
}

/// Every arm but the first beside the first, where nothing varies but the setting.
fn contrasts<'a>(
    results: &'a StudyResults,
    item: &Item,
    measure: &Measure,
) -> Vec<(&'a str, Vec<Contrast>)> {
    let is_alone = results.variants.iter().all(|variant| variant.variant.settings.len() == 1);
    if measure.is_best || !is_alone || !item.only.is_empty() {
        return Vec::new();
    }
    let all = results.contrasts(measure.part, &measure.column);
    let arms = results.study.variant.iter().skip(1);
    let of = |arm: &str| all.iter().filter(|c| c.arm == arm).cloned().collect::<Vec<_>>();
    let arms = arms.map(|(arm, _)| (arm.as_str(), of(arm)));
    arms.filter(|(_, contrasts)| !contrasts.is_empty()).collect()
}
