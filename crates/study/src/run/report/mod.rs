//! What a study found, as one page for people.

mod by_setting;
mod figures;
mod inside;
mod method;
mod tables;
mod text;

use std::path::Path;

use selvedge_files::Output;
use selvedge_report::html::{Block, Page, Section};

use super::table::{Row, Table};
use super::{StudyResults, VariantResults};
use crate::StudyError;

use super::files::QUICK;
use super::unit::Unit;
pub(super) use figures::{capital, mistakes, runs, sum};
use inside::Inside;
pub(super) use text::{adjusted_for, count, listed, too_few};

/// The files beside the page: those that a study does not have are removed.
const FIGURES: [&str; 18] = [
    "variants.svg",
    "variants.png",
    "curves.svg",
    "curves.png",
    "curves_loss.svg",
    "curves_loss.png",
    "curves_accuracy.svg",
    "curves_accuracy.png",
    "setting.svg",
    "setting.png",
    "setting_test.svg",
    "setting_test.png",
    "confusion.svg",
    "confusion.png",
    "feature_maps.svg",
    "feature_maps.png",
    "reconstructions.svg",
    "reconstructions.png",
];

/// The name of the page.
const PAGE: &str = "report.html";

impl StudyResults {
    /// Writes what came of the study to a folder, for people:
    ///
    /// | file | what it is |
    /// |---|---|
    /// | `report.html` | question, answer, tables, figures, settings and how to make it again, in one file |
    /// | `figures/…` | each figure as SVG and as PNG |
    ///
    /// `command` is the one that makes it again. Each of the two is replaced whole or not at all.
    ///
    /// # Errors
    ///
    /// [`StudyError::Plot`] if a figure cannot be drawn, [`StudyError::Output`] if a file cannot be written.
    pub fn write_report(&self, folder: impl AsRef<Path>, command: &str) -> Result<(), StudyError> {
        let output = Output::new(folder.as_ref())?;
        let report = Report::new(self);
        let inside = report.look();
        let page = report.page(command, &inside).to_html();
        let figures = Output::new(output.path("figures"))?;
        figures.replace(&FIGURES, |new| report.draw(inside, new))?;
        Ok(output.replace(&[PAGE], |new| new.write(PAGE, &page))?)
    }

    /// The page that [`write_report`](Self::write_report) writes, to add to.
    pub fn report(&self, command: &str) -> Page {
        let report = Report::new(self);
        report.page(command, &report.look())
    }
}

/// What the parts of the page are made from.
struct Report<'a> {
    results: &'a StudyResults,
    table: Table,
    /// The rows, in the same order, beside the best of them.
    from_best: Table,
    unit: Unit,
}

impl<'a> Report<'a> {
    fn new(results: &'a StudyResults) -> Self {
        let table = results.table();
        let from_best = match table.reference {
            Some(0) | None => table.clone(),
            Some(_) => {
                let mut without = results.clone();
                without.study.baseline = None;
                without.table()
            }
        };
        let unit = Unit::of(results.study.metric.column());
        Self { results, table, from_best, unit }
    }

    fn page(&self, command: &str, inside: &Inside) -> Page {
        let question = match self.results.study.question.trim() {
            "" => format!("Which of {} is best?", text::count(self.table.rows.len(), "variant")),
            question => question.to_owned(),
        };
        let mut page = Page::new(question, self.table.answer());
        let warnings = self.warnings();
        if !warnings.is_empty() {
            page = page.with_warning(warnings);
        }
        let sections = [
            self.variants(),
            self.contrasts(),
            self.importance(),
            self.by_setting(),
            self.curves(),
            self.classes(),
            inside.section(),
            self.ended(),
            self.method(),
            self.settings(),
            self.again(command),
        ];
        sections.into_iter().filter(|s| !s.is_empty()).fold(page, Page::with)
    }

    /// What is to be known before the answer is believed.
    fn warnings(&self) -> String {
        let sum = |count: fn(&Row) -> usize| self.table.rows.iter().map(count).sum::<usize>();
        let is_quick = self.results.study.is_quick;
        let mut text = if is_quick { format!("{QUICK} ") } else { String::new() };
        if !self.results.complete() {
            let missing = text::are(self.results.unfinished(&self.table), "trial");
            text += &format!("The study is not finished: {missing} missing. ");
        }
        let failed = sum(|row| row.failed);
        if failed > 0 {
            text += &format!(
                "{} failed, and may not when the study is run again.",
                text::count(failed, "trial")
            );
        }
        text.trim_end().into()
    }

    /// The results of the best variant.
    fn best(&self) -> Option<&'a VariantResults> {
        self.table.best().map(|row| &self.results.variants[row.variant])
    }

    /// Whether chance alone explains how the row differs from the best.
    fn is_tied(&self, at: usize) -> bool {
        let row = &self.from_best.rows[at];
        at > 0 && row.comparison.as_ref().is_some_and(|comparison| comparison.is_chance())
    }

    fn importance(&self) -> Section {
        let section = Section::new("Which settings matter");
        let all = self.results.importance();
        if all.iter().filter(|importance| importance.setting != "seed").count() < 2 {
            return section;
        }
        let note = "One-way η²: the variation between the means of the trials with the same value, over the whole \
                    variation. The last column is what a setting that does nothing explains on average. Numbers of \
                    more than eight values are taken in four groups of equal size. What is missing to 100 % are \
                    combinations of settings, and chance.";
        section.with(self.importance_table(&all)).with(Block::Note(note.into()))
    }
}

#[cfg(test)]
mod tests;
