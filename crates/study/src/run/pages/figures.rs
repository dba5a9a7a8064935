//! Figures for a page.

use selvedge_report::plot::{
    self, Emphasis, IntervalRow, Intervals, MeanCurve, MeanCurves, Picture, Places, ValueAxis,
};
use toml::Value;

pub(super) use super::super::report::capital;
use super::super::report::{count, runs, sum};
use super::super::table::Row;
use super::super::{StudyResults, VariantResults};
use super::Measure;
use super::block::{Item, Kind};
use super::pivot::Pivot;
use super::table::winner;
use super::words::{NO_SUM, one, summary};
use crate::config::Part;

/// Curves, and rows of intervals, where nothing else is asked for.
const CURVES: usize = 10;
const ROWS: usize = 25;

/// A figure with its title; `None` if nothing is finished that could be drawn.
pub(super) fn of(results: &StudyResults, item: &Item) -> Result<Option<(String, Picture)>, String> {
    match item.kind {
        Kind::Intervals => intervals(results, item),
        Kind::Confusion => confusion(results, item),
        Kind::Setting => mean_curves(results, item, by_setting(results, item)?),
        _ => mean_curves(results, item, by_epoch(results, item)?),
    }
}

/// The rows of the table that an item is about, the best first.
fn rows(results: &StudyResults, item: &Item, most: usize) -> Result<Vec<Row>, String> {
    item.variants(results)?;
    let rows = results.table().rows.into_iter();
    let rows = rows.filter(|row| item.has(&results.variants[row.variant]));
    Ok(rows.take(item.rows.unwrap_or(most)).collect())
}

/// What each value is called beside the others: what differs, the part or all of it.
fn labels(values: &[Measure]) -> Vec<String> {
    let same = |of: fn(&Measure) -> &str| values.iter().all(|value| of(value) == of(&values[0]));
    match (values.len(), same(|value| &value.column)) {
        (1, _) => vec![String::new()],
        (_, true) => values.iter().map(|value| value.part_words().into()).collect(),
        (_, false) => values.iter().map(Measure::words).collect(),
    }
}

/// The axis of values of one unit.
fn axis(values: &[Measure]) -> Result<ValueAxis, String> {
    let unit = values.first().ok_or("it needs `value`, such as test.accuracy")?.unit();
    if values.iter().any(|value| value.unit() != unit) {
        return Err("the values of a figure are all losses, or all shares".into());
    }
    let name = match values {
        [value] => value.words(),
        _ if values.iter().all(|value| value.column == values[0].column) => {
            values[0].column.clone()
        }
        _ => "share".into(),
    };
    Ok(ValueAxis { label: unit.label(&name), limits: unit.limits })
}

/// The name of a curve: of the variant, if there are several, and of the value, if there are.
fn label(variant: &str, is_lone: bool, value: &str) -> String {
    match (is_lone, value) {
        (true, "") => variant.into(),
        (true, value) => value.into(),
        (false, "") => variant.into(),
        (false, value) => format!("{variant}, {value}"),
    }
}

fn by_epoch(results: &StudyResults, item: &Item) -> Result<(Places, Vec<MeanCurve>), String> {
    let rows = rows(results, item, CURVES)?;
    let mut curves = Vec::new();
    if item.values.iter().any(|value| value.part == Part::Test || value.is_best) {
        return Err(
            "an epoch has values of training and validation images, such as train.loss".into()
        );
    }
    for row in &rows {
        for (value, name) in item.values.iter().zip(labels(&item.values)) {
            let factor = value.unit().factor;
            let runs = runs(&results.variants[row.variant], value.part, &value.column);
            let scaled = |run: Vec<f64>| run.into_iter().map(|value| factor * value).collect();
            let runs: Vec<Vec<f64>> = runs.into_iter().map(scaled).collect();
            if !runs.is_empty() {
                curves.push(MeanCurve::of_epochs(label(&row.name, rows.len() == 1, &name), &runs));
            }
        }
    }
    Ok((Places::Epochs, curves))
}

fn by_setting(results: &StudyResults, item: &Item) -> Result<(Places, Vec<MeanCurve>), String> {
    let pivot = Pivot::of(results, item)?;
    let setting = item.by.clone().unwrap_or_default();
    let number = |place: &Value| place.as_float().or(place.as_integer().map(|n| n as f64));
    let places: Option<Vec<f64>> = pivot.places.iter().map(number).collect();
    let places = places.ok_or_else(|| format!("`{setting}` is no number"))?;
    let mut curves = Vec::new();
    for (column, others) in pivot.columns.iter().enumerate() {
        for (value, name) in item.values.iter().zip(labels(&item.values)) {
            let factor = value.unit().factor;
            let values = |variant: &VariantResults| -> Vec<f64> {
                let trials = variant.trials.iter().flatten();
                trials.filter_map(|trial| value.of(trial)).map(|value| factor * value).collect()
            };
            let points = places.iter().zip(&pivot.cells);
            let points = points.filter_map(|(&place, cells)| Some((place, values(cells[column]?))));
            let points: Vec<_> = points.filter(|(_, values)| !values.is_empty()).collect();
            if !points.is_empty() {
                let label = label(others, pivot.columns.len() == 1, &name);
                curves.push(MeanCurve { label, points });
            }
        }
    }
    Ok((Places::Setting(setting), curves))
}

fn mean_curves(
    results: &StudyResults,
    item: &Item,
    (places, curves): (Places, Vec<MeanCurve>),
) -> Result<Option<(String, Picture)>, String> {
    let axis = axis(&item.values)?;
    if curves.is_empty() {
        return Ok(None);
    }
    let spread = match results.study.seeds.len() {
        1 => "one seed",
        _ => "mean over the seeds ± one standard deviation",
    };
    let asked = match &places {
        Places::Epochs => "How fast does it learn?".to_owned(),
        Places::Setting(setting) => format!("How does the result depend on {setting}?"),
    };
    let usual = || format!("{asked} {}, {spread}", capital(&axis.label));
    let title = item.title.clone().unwrap_or_else(usual);
    let curves = MeanCurves { title: title.clone(), places, axis, curves };
    Ok(Some((title, curves.picture())))
}

fn intervals(results: &StudyResults, item: &Item) -> Result<Option<(String, Picture)>, String> {
    let metric: Measure = results.study.metric.to_string().parse()?;
    let values = if item.values.is_empty() { vec![metric.clone()] } else { item.values.clone() };
    let [value] = values.as_slice() else { return Err("it is of one value".into()) };
    let axis = axis(&values)?;
    let factor = value.unit().factor;
    let table = results.table();
    let best = winner(&table, item);
    let emphasis = |row: &Row| match (best, &row.comparison) {
        _ if *value != metric || results.study.baseline.is_some() => Emphasis::Plain,
        (None, _) => Emphasis::Plain,
        (Some(best), _) if best.variant == row.variant => Emphasis::Best,
        (_, Some(comparison)) if comparison.is_chance() => Emphasis::Tied,
        _ => Emphasis::Plain,
    };
    let drawn = |row: &Row| {
        let variant = &results.variants[row.variant];
        let summary = summary(variant, value)?;
        let trials = variant.trials.iter().flatten();
        Some(IntervalRow {
            label: row.name.clone(),
            mean: factor * summary.mean,
            interval: summary.interval.map(|ends| (factor * ends.low, factor * ends.high)),
            values: trials.filter_map(|t| value.of(t)).map(|value| factor * value).collect(),
            emphasis: emphasis(row),
        })
    };
    let rows = rows(results, item, ROWS)?;
    let rows: Vec<IntervalRow> = rows.iter().filter_map(drawn).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let usual =
        || format!("{} {}, mean and 95 % interval", results.study.question, capital(&axis.label));
    let title = item.title.clone().unwrap_or_else(usual).trim().to_owned();
    let intervals = Intervals { title: title.clone(), axis, rows };
    Ok(Some((title, intervals.picture())))
}

fn confusion(results: &StudyResults, item: &Item) -> Result<Option<(String, Picture)>, String> {
    let Some(variant) = one(results, item)? else { return Ok(None) };
    let trials = variant.trials.iter().flatten();
    let matrices: Vec<_> = trials.filter_map(|trial| trial.confusion.get(&Part::Test)).collect();
    if matrices.is_empty() {
        return Ok(None);
    }
    let matrix = sum(&matrices).ok_or(NO_SUM)?;
    let usual = || {
        let name = match results.variants.len() {
            1 => "the network",
            _ => variant.variant.name.as_str(),
        };
        format!(
            "Which classes does {name} take for one another? {:.2} % of the test images of {} are right",
            100.0 * matrix.accuracy(),
            count(matrices.len(), "seed")
        )
    };
    let title = item.title.clone().unwrap_or_else(usual);
    let picture = plot::confusion(&title, &matrix).map_err(|error| error.to_string())?;
    Ok(Some((title, picture)))
}
