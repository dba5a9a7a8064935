//! The tables of the page.

use selvedge_report::html::{Block, Cell, Mark, Row, Section, Table};

use super::super::importance::Importance;
use super::super::unit::Unit;
use super::text;
use super::{Report, figures};
use crate::config::Part;
use crate::statistics::{SMALLEST_SEEDS, Summary};
use crate::trial::Ending;

/// Rows of a table: more are in the files beside the page.
const MOST_ROWS: usize = 100;
/// Characters of a reason.
const LONGEST: usize = 300;

impl Report<'_> {
    /// The variants beside each other.
    pub(super) fn variants(&self) -> Section {
        let mut section = Section::new("The variants").with(self.variant_table());
        if self.table.rows.len() > MOST_ROWS {
            let note = format!(
                "The best {MOST_ROWS} of {}: all are in variants.csv.",
                self.table.rows.len()
            );
            section = section.with(Block::Note(note));
        }
        section = section.with(Block::Note(self.marks())).with(Block::Note(self.columns()));
        match self.interval_figure() {
            Some(figure) => section.with(figure),
            None => section,
        }
    }

    fn variant_table(&self) -> Table {
        let table = &self.table;
        let metric = self.unit.label(&table.metric);
        let tested: Vec<String> =
            table.rows.iter().find(|row| !row.test.is_empty()).map_or(vec![], |row| {
                row.test
                    .iter()
                    .map(|(name, _)| name.clone())
                    .filter(|name| name != "macro_f1")
                    .collect()
            });
        let is_compared = table.rows.iter().any(|row| row.comparison.is_some());
        let has_ended = table.rows.iter().any(|row| row.missing() > 0);
        let mut columns = vec!["variant".to_owned(), "seeds".into(), metric];
        columns.extend(tested.iter().map(|name| Unit::of(name).label(&format!("test {name}"))));
        if is_compared {
            let other = self.reference();
            columns.extend([format!("difference from {other}"), "p".into(), "P(better)".into()]);
        }
        columns.push("best epoch".into());
        if has_ended {
            columns.push("not complete".into());
        }
        let caption = format!("{}, the best first", text::count(table.rows.len(), "variant"));
        let mut shown = Table::new(caption, columns);
        for (at, row) in table.rows.iter().take(MOST_ROWS).enumerate() {
            let Unit { factor, digits, .. } = self.unit;
            let metric = row.metric.as_ref();
            let mut value = mean(metric, self.unit);
            if let Some(ends) = metric.and_then(|summary| summary.interval) {
                value = value.with_interval((factor * ends.low, factor * ends.high), digits);
            }
            let mut cells = vec![
                Cell::text(&row.name),
                Cell::count(metric.map_or(0, |summary| summary.n)),
                value,
            ];
            cells.extend(tested.iter().map(|name| {
                let summary = row.test.iter().find(|(other, _)| other == name);
                mean(summary.map(|(_, summary)| summary), Unit::of(name))
            }));
            match &row.comparison {
                Some(c) => {
                    let ends = (factor * c.interval.low, factor * c.interval.high);
                    cells.push(Cell::difference(factor * c.difference, ends, digits));
                    cells.push(Cell::p(c.p_step_down));
                    cells.push(Cell::number(c.superiority.probability, 2));
                }
                None if is_compared => cells.extend([Cell::None, Cell::None, Cell::None]),
                None => {}
            }
            cells.push(row.best_epoch.map_or(Cell::None, |epoch| Cell::number(epoch, 1)));
            if has_ended {
                cells.push(Cell::text(row.missing_words().join(", ")));
            }
            let mark = match at {
                0 if metric.is_some() => Mark::Best,
                at if self.is_tied(at) => Mark::Tied,
                _ => Mark::None,
            };
            shown.rows.push(Row::from(cells).with_mark(mark));
        }
        shown
    }

    /// What others are compared with, in a few words.
    fn reference(&self) -> String {
        match self.table.reference {
            Some(at) if self.results.study.baseline.is_some() => {
                text::short(&self.table.rows[at].name, 60)
            }
            _ => "the best".into(),
        }
    }

    /// What the marks mean.
    fn marks(&self) -> String {
        let order = if self.table.less_is_better { "lowest" } else { "highest" };
        let mut text = format!("★ best: the {order} mean {}.", self.table.metric);
        if (0..self.table.rows.len()).any(|at| self.is_tied(at)) {
            text += " ≈ best: chance alone explains the difference from it (p is 0.05 or more).";
        }
        match self.table.pairs().max() {
            Some(most) if most < SMALLEST_SEEDS => {
                text += &format!(
                    " With {} p cannot be below 0.05, however large a difference is: {SMALLEST_SEEDS} seeds are the fewest.",
                    text::count(most, "seed")
                );
            }
            // Some comparisons may have enough seeds, and others not.
            _ => text += &format!(" {}", text::too_few(self.table.pairs())),
        }
        text.trim_end().into()
    }

    /// What the columns are.
    fn columns(&self) -> String {
        if self.table.seeds == 1 {
            return "Values are those of one seed: how far another would be from them is not known.".into();
        }
        let mut text = String::from(
            "Values are means over the seeds ± one sample standard deviation; below is the 95 % BCa bootstrap \
             interval of the mean.",
        );
        let compared = self.table.pairs().count();
        if compared > 0 {
            let points = if self.unit.factor == 100.0 { ", in percentage points," } else { "" };
            text += &format!(
                " Differences from {}{points} are paired by seed, with their 95 % interval below; p is that of the exact \
                 two-sided sign-flip test, adjusted for {} by the step-down maximum; P(better) is the share of \
                 seeds with which a variant is the better one, equal ones counted half. Where an interval leaves out 0 and \
                 p is 0.05 or more, p decides: of few seeds such intervals are somewhat too narrow, and each is for \
                 one comparison alone.",
                self.reference(),
                text::adjusted_for(self.table.pairs())
            );
        }
        text
    }

    /// The arms beside the first one, wherever all else is the same.
    pub(super) fn contrasts(&self) -> Section {
        let section = Section::new("The arms beside each other");
        let columns = ["accuracy", "loss"].into_iter();
        let found = columns.map(|column| (column, self.results.contrasts(Part::Test, column)));
        let Some((column, contrasts)) = found.into_iter().find(|(_, all)| !all.is_empty()) else {
            return section;
        };
        let first = self.results.study.variant.first().map_or("", |(name, _)| name.as_str());
        let first = text::short(first, 60);
        let unit = Unit::of(column);
        let has_places = contrasts.iter().any(|contrast| !contrast.at.is_empty());
        let mut names = vec!["arm".to_owned()];
        names.extend(has_places.then(|| "at".to_owned()));
        let means = [unit.label(&first), unit.label("this arm"), "difference".into()];
        names.extend(means);
        names.extend(["p", "adjusted p", "seeds"].map(String::from));
        let caption = format!("Test {column} of each arm beside {first}");
        let mut table = Table::new(caption, names);
        for contrast in contrasts.iter().take(MOST_ROWS) {
            let [of_first, of_arm] =
                contrast.means.map(|mean| Cell::number(unit.factor * mean, unit.digits));
            let difference = unit.factor * contrast.difference;
            let difference = match contrast.interval {
                Some(ends) => {
                    let ends = (unit.factor * ends.low, unit.factor * ends.high);
                    Cell::difference(difference, ends, unit.digits)
                }
                None => Cell::number(difference, unit.digits),
            };
            let mut cells = vec![Cell::text(&contrast.arm)];
            cells.extend(has_places.then(|| Cell::text(&contrast.at)));
            cells.extend([of_first, of_arm, difference]);
            cells.extend([
                Cell::p(contrast.p),
                Cell::p(contrast.adjusted_p),
                Cell::count(contrast.n),
            ]);
            table.rows.push(Row::from(cells));
        }
        let better = if column == "loss" { "lower" } else { "higher" };
        let told = contrasts.iter().filter(|contrast| !contrast.is_chance()).count();
        let text = format!(
            "Of {}, {told} cannot be explained by chance alone: adjusted p is below 0.05. The {better} value is the \
             better one.",
            text::count(contrasts.len(), "comparison")
        );
        let note = "Paired by seed; differences, in the unit of the values, have their 95 % BCa bootstrap interval below. Adjusted p counts in the \
                    comparisons of all arms, by the step-down maximum.";
        let more = contrasts.len().saturating_sub(MOST_ROWS);
        let section = section.with(text).with(table).with(Block::Note(note.into()));
        match more {
            0 => section,
            more => section.with(Block::Note(format!("{more} more are in results.json."))),
        }
    }

    pub(super) fn importance_table(&self, all: &[Importance]) -> Table {
        let caption = format!("Share of the variance of the {} over all trials", self.table.metric);
        let mut table = Table::new(caption, ["setting", "values", "explained", "by chance (%)"]);
        for importance in all {
            table.rows.push(Row::from([
                Cell::text(&importance.setting),
                Cell::count(importance.groups),
                Cell::share(importance.share),
                Cell::number(100.0 * importance.by_chance, 1),
            ]));
        }
        table
    }

    /// The trials that came to no value, and why.
    pub(super) fn ended(&self) -> Section {
        let section = Section::new("Trials without a value");
        let mut rows = Vec::new();
        for results in &self.results.variants {
            let name = &results.variant.name;
            let mut add = |seed: u64, why: String| {
                rows.push(Row::from([
                    Cell::text(name),
                    Cell::Number(seed.to_string()),
                    Cell::text(why),
                ]));
            };
            for trial in results.trials.iter().flatten() {
                if let Some(epoch) = trial.pruned_after() {
                    add(trial.seed, format!("pruned after epoch {epoch}: it was worse than most"));
                }
                if let Ending::Diverged { epoch, batch } = trial.ending {
                    let place = match batch {
                        0 => format!("in the validation after epoch {epoch}"),
                        batch => format!("in batch {batch} of epoch {epoch}"),
                    };
                    add(trial.seed, format!("diverged: the loss was not finite {place}"));
                }
            }
            for failure in &results.failures {
                add(failure.seed, format!("failed: {}", text::short(&failure.message, LONGEST)));
            }
        }
        if rows.is_empty() {
            return section;
        }
        let count = rows.len();
        rows.truncate(MOST_ROWS);
        let shown = rows.len();
        let mut table =
            Table::new(text::count(count, "trial"), ["variant", "seed", "what happened"]);
        table.rows = rows;
        match shown < count {
            true => section.with(table).with(Block::Note(format!("The first {shown} of {count}."))),
            false => section.with(table),
        }
    }

    /// Which classes the best variant takes for which.
    pub(super) fn classes(&self) -> Section {
        let section = Section::new("Which classes are confused");
        let (Some(best), Some((part, matrix, seeds))) = (self.best(), self.confusion()) else {
            return section;
        };
        let images = format!("{} images of {}", part.name(), text::count(seeds, "seed"));
        let pairs = figures::mistakes(&matrix, 3);
        let text = match pairs.is_empty() {
            true => format!("{} makes no mistake on the {images}.", best.variant.name),
            false => format!(
                "The best variant, {}, on the {images} taken together: {:.2} % are right. Most often it takes {}.",
                best.variant.name,
                100.0 * matrix.accuracy(),
                text::listed(&pairs)
            ),
        };
        let mut section = section.with(text);
        if matrix.classes.len() <= figures::MOST_CLASSES {
            let caption = "Images by class; the share is that of the row";
            section = section.with(selvedge_report::html::confusion_table(caption, &matrix));
        }
        section.with(selvedge_report::html::class_table(
            "How well each class is told from the rest",
            &matrix,
        ))
    }
}

fn mean(summary: Option<&Summary>, unit: Unit) -> Cell {
    summary.map_or(Cell::None, |summary| {
        let deviation = summary.standard_deviation.map(|deviation| unit.factor * deviation);
        Cell::mean(unit.factor * summary.mean, deviation, unit.digits)
    })
}
