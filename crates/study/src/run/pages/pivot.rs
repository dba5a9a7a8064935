//! The variants by one setting and by all else.

use toml::Value;

use super::super::{StudyResults, VariantResults};
use super::block::Item;
use crate::config::{Search, get};

/// A table of two dimensions.
pub(super) struct Pivot<'a> {
    /// The values of the setting, in the order of the study.
    pub places: Vec<Value>,
    /// What else the variants are, in the order of the study.
    pub columns: Vec<String>,
    /// By place, then by column.
    pub cells: Vec<Vec<Option<&'a VariantResults>>>,
}

impl<'a> Pivot<'a> {
    /// The variants that an item is about, by its setting.
    pub fn of(results: &'a StudyResults, item: &Item) -> Result<Self, String> {
        let setting = item.by.as_deref().ok_or("it needs `by`, the name of a setting")?;
        let mut pivot = Self { places: Vec::new(), columns: Vec::new(), cells: Vec::new() };
        for variant in item.variants(results)? {
            let Some((value, others)) = placed(results, variant, setting) else { continue };
            let row = position(&mut pivot.places, |place| *place == value, || value.clone());
            let column = position(&mut pivot.columns, |c| *c == others, || others.clone());
            pivot.cells.resize_with(pivot.places.len(), Vec::new);
            pivot.cells.iter_mut().for_each(|cells| cells.resize(pivot.columns.len(), None));
            pivot.cells[row][column] = Some(variant);
        }
        match pivot.places.is_empty() {
            true => Err(format!("`{}` does not vary", crate::config::printable(setting))),
            false => Ok(pivot),
        }
    }
}

/// The place of what is looked for, which is put at the end if it is not there.
fn position<T>(all: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl Fn() -> T) -> usize {
    all.iter().position(is).unwrap_or_else(|| {
        all.push(new());
        all.len() - 1
    })
}

/// As [`split`]; where one setting varies at a time also the base, whose own value stands beside the others.
pub(super) fn placed(
    results: &StudyResults,
    variant: &VariantResults,
    setting: &str,
) -> Option<(Value, String)> {
    if let Some((value, others)) = split(variant, setting) {
        return Some((value.clone(), others));
    }
    let study = &results.study;
    let base = &variant.variant;
    let is_base = matches!(study.search, Search::OneAtATime)
        && base.settings.is_empty()
        && !study.variant.iter().any(|(name, _)| *name == base.arm);
    let path = &study.vary.iter().find(|dimension| dimension.name() == setting)?.path;
    if !is_base {
        return None;
    }
    // As the file has it, or else as it is where the file says nothing.
    let value = get(&study.base, path).cloned();
    Some((value.or_else(|| get(&base.trial.to_table(), path).cloned())?, String::new()))
}

/// The value of a setting that varies, and the name of all else that the variant is: empty if that is nothing.
pub(in super::super) fn split<'a>(
    results: &'a VariantResults,
    setting: &str,
) -> Option<(&'a Value, String)> {
    let variant = &results.variant;
    let (_, value) = variant.settings.iter().find(|(key, _)| key == setting)?;
    let arm = Some(variant.arm.clone()).filter(|arm| !arm.is_empty());
    let others = variant.settings.iter().filter(|(key, _)| key != setting);
    let others = others.map(|(key, value)| format!("{key}={}", crate::config::shown(value)));
    Some((value, arm.into_iter().chain(others).collect::<Vec<_>>().join(", ")))
}
