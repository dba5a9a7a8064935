//! How the values depend on a setting that is a number.

use std::collections::BTreeSet;

use selvedge_report::html::{Figure, Section};
use selvedge_report::plot::{MeanCurve, MeanCurves, Places, ValueAxis};

use super::super::pages;
use super::super::unit::Unit;
use super::figures::{MOST_CURVES, capital, is_complete};
use super::text;
use super::{Report, VariantResults};
use crate::config::{Part, Search};

/// Fewer values of a setting are no curve.
const LEAST: usize = 3;

impl Report<'_> {
    /// The curves by the value of the setting that has most, if one is a number.
    pub(super) fn by_setting(&self) -> Section {
        let mut section = Section::new("");
        for (part, column) in self.setting_columns() {
            let Some((curves, left_out)) = self.setting_curves(part, &column) else { continue };
            let Places::Setting(setting) = &curves.places else { continue };
            if section.is_empty() {
                section = Section::new(format!("By {}", text::short(setting, 80)));
            }
            let label = &curves.axis.label;
            let band = match self.table.seeds {
                1 => "",
                _ => "; the band is one sample standard deviation to each side",
            };
            let more = match left_out {
                0 => String::new(),
                n => format!(" {} left out.", text::are(n, "line")),
            };
            let cut =
                if curves.is_cut() { " Values far beyond the others are left out." } else { "" };
            let caption =
                format!("{} by {setting}: mean over the seeds{band}.{more}{cut}", capital(label));
            let best: Vec<String> =
                curves.curves.iter().take(3).map(|curve| curve.label.clone()).collect();
            let alternative = format!(
                "{} of the {label} by {setting}: {}.",
                text::count(curves.curves.len(), "line"),
                text::listed(&best)
            );
            section = section.with(Figure::of_curves(&curves, caption, alternative));
        }
        section
    }

    /// What is drawn: the metric, and the test accuracy or, where there is none, the test loss.
    pub(super) fn setting_columns(&self) -> Vec<(Part, String)> {
        let metric = &self.results.study.metric;
        let columns = self.results.trials().next().map(|trial| trial.columns.clone());
        let columns = columns.unwrap_or_default();
        let test = ["accuracy", "loss"].into_iter().find(|name| columns.iter().any(|c| c == name));
        let test = test.map(|name| (Part::Test, name.to_owned()));
        [(metric.part(), metric.column().to_owned())].into_iter().chain(test).collect()
    }

    /// One line for each combination of all else, the best first; also the number of lines that are left out.
    pub(super) fn setting_curves(&self, part: Part, column: &str) -> Option<(MeanCurves, usize)> {
        let study = &self.results.study;
        // Rungs of different numbers of epochs are no line.
        if matches!(study.search, Search::SuccessiveHalving { .. } | Search::Hyperband { .. }) {
            return None;
        }
        let unit = Unit::of(column);
        let of_setting = |name: String| (self.lines(&name, part, column), name);
        let all = study.vary.iter().map(|dimension| of_setting(dimension.name()));
        let widest = |lines: &[MeanCurve]| lines.iter().map(|line| line.points.len()).max();
        // Of equal ones the first.
        let (mut lines, setting) = all
            .rev()
            .filter(|(lines, _)| !lines.is_empty())
            .max_by_key(|(lines, _)| widest(lines))?;
        let left_out = lines.len().saturating_sub(MOST_CURVES);
        lines.truncate(MOST_CURVES);
        let label = unit.label(&format!("{} {column}", part.name()));
        let title = format!(
            "How does the result depend on {setting}? {}, mean over the seeds ± one standard deviation",
            capital(&label)
        );
        let axis = ValueAxis { label, limits: unit.limits };
        Some((
            MeanCurves { title, places: Places::Setting(setting), axis, curves: lines },
            left_out,
        ))
    }

    /// The lines by one setting that have enough places.
    fn lines(&self, setting: &str, part: Part, column: &str) -> Vec<MeanCurve> {
        let factor = Unit::of(column).factor;
        let mut lines: Vec<MeanCurve> = Vec::new();
        for row in &self.table.rows {
            let results = &self.results.variants[row.variant];
            let Some((place, others)) = split(results, setting) else { continue };
            let trials = results.trials.iter().flatten().filter(|trial| is_complete(trial));
            let values = trials.filter_map(|trial| trial.score(part, column));
            let values: Vec<f64> = values.map(|value| factor * value).collect();
            if values.is_empty() {
                continue;
            }
            match lines.iter_mut().find(|line| line.label == others) {
                Some(line) => line.points.push((place, values)),
                None => lines.push(MeanCurve { label: others, points: vec![(place, values)] }),
            }
        }
        let places = |line: &MeanCurve| -> usize {
            line.points.iter().map(|point| point.0.to_bits()).collect::<BTreeSet<_>>().len()
        };
        lines.retain(|line| places(line) >= LEAST);
        lines
    }
}

/// The value of a setting, if it is a number, and the name of all else that the variant is.
fn split(results: &VariantResults, setting: &str) -> Option<(f64, String)> {
    let (value, others) = pages::split(results, setting)?;
    let place = value.as_float().or(value.as_integer().map(|n| n as f64))?;
    Some((place, if others.is_empty() { "mean over the seeds".into() } else { others }))
}
