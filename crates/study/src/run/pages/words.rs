//! Words and numbers of a page.

use super::super::report::{adjusted_for, count, listed, mistakes, sum, too_few};
use super::super::table::SEED;
use super::super::unit::Unit;
use super::super::{StudyResults, VariantResults};
use super::Measure;
use super::block::Item;
use crate::config::{Part, printable};
use crate::statistics::{Comparison, Summary};

/// Text that Markdown takes for nothing else, on one line, and that opens and ends no block of a page.
pub(super) fn escaped(text: &str) -> String {
    let text = printable(text);
    let (mut escaped, mut before) = (String::new(), ' ');
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        // Within a word `_` is itself: names of settings stay readable.
        let is_within = before.is_alphanumeric()
            && characters.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '<' => escaped += "&lt;",
            '_' if is_within => escaped.push(c),
            '\\' | '`' | '*' | '[' | ']' | '>' | '|' | '_' | '~' | '&' | '$' => {
                escaped.extend(['\\', c]);
            }
            c => escaped.push(c),
        }
        before = c;
    }
    escaped
}

/// Lines of a table; so many columns are text, the others are numbers.
pub(super) fn table(head: &[String], rows: &[Vec<String>], texts: usize) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let rule: Vec<String> =
        (0..head.len()).map(|at| if at < texts { "---".into() } else { "---:".into() }).collect();
    let rows = rows.iter().map(|row| line(row));
    [line(head), line(&rule)].into_iter().chain(rows).collect::<String>().trim_end().into()
}

/// A table with sentences below it, but for those that are empty.
pub(super) fn with_notes(table: String, mut notes: Vec<String>) -> String {
    notes.retain(|note| !note.is_empty());
    if notes.is_empty() { table } else { format!("{table}\n\n{}", notes.join(" ")) }
}

/// What a variant came to, over its seeds.
pub(super) fn summary(variant: &VariantResults, measure: &Measure) -> Option<Summary> {
    let values: Vec<f64> = variant.trials.iter().flatten().filter_map(|t| measure.of(t)).collect();
    Summary::of(&values, SEED)
}

/// Mean ± standard deviation without a unit, which stands at the head of the column.
pub(super) fn cell(unit: Unit, summary: Option<&Summary>) -> String {
    summary.map_or("–".into(), |summary| unit.mean(summary))
}

/// How many seeds there are, and how many there should be, where they are fewer.
pub(super) fn seeds(results: &StudyResults, item: &Item, n: usize) -> String {
    let all = if item.is_partial { 0 } else { results.study.seeds.len() };
    if n < all { format!("{n} of {all}") } else { n.to_string() }
}

/// A difference with its interval.
pub(super) fn difference(unit: Unit, comparison: &Comparison) -> String {
    format!("{} ({})", unit.signed(comparison.difference), unit.interval(&comparison.interval))
}

/// A p, never as 0.
pub(super) fn p(p: f64) -> String {
    if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }
}

/// What differences are from, and what p is worth, in sentences. `pairs` has the seeds of each comparison.
pub(super) fn compared(reference: &str, pairs: &[usize]) -> [String; 2] {
    let from = format!(
        "Differences and p are from \"{reference}\", paired by seed; p is adjusted for {}.",
        adjusted_for(pairs.iter().copied())
    );
    [from, too_few(pairs.iter().copied())]
}

/// What is missing of the variants that an item is about, in a sentence; empty if that is nothing.
pub(super) fn missing(results: &StudyResults, item: &Item) -> String {
    if item.is_partial {
        return String::new();
    }
    let variants = || results.variants.iter().filter(|variant| item.has(variant));
    // A search has no variants yet of those that it did not come to.
    let untried = results.untried_of(|arm| item.has_arm(arm));
    let all = variants().map(|variant| variant.trials.len()).fold(untried, usize::saturating_add);
    let left = |variant: &VariantResults| {
        let none = variant.trials.iter().filter(|trial| trial.is_none()).count();
        none.saturating_sub(variant.failures.len())
    };
    match (variants().map(left).fold(untried, usize::saturating_add), all) {
        (0, _) => String::new(),
        (left, all) => format!(
            "{left} of {} {} not finished yet.",
            count(all, "trial"),
            if left == 1 { "is" } else { "are" }
        ),
    }
}

/// The variant that an item is about: the one that it names, or else the best.
pub(super) fn one<'a>(
    results: &'a StudyResults,
    item: &Item,
) -> Result<Option<&'a VariantResults>, String> {
    let variants = item.variants(results)?;
    if let ([_, ..], [one]) = (item.only.as_slice(), variants.as_slice()) {
        return Ok(Some(one));
    }
    let rows = results.table().rows.into_iter().filter(|row| row.metric.is_some());
    Ok(rows.map(|row| &results.variants[row.variant]).find(|variant| item.has(variant)))
}

/// One mean ± standard deviation, and of how many seeds where they are not all there.
pub(super) fn number(results: &StudyResults, item: &Item) -> Result<String, String> {
    let value = item.value()?;
    let Some(variant) = one(results, item)? else { return Ok("–".into()) };
    let summary = summary(variant, value);
    let n = summary.as_ref().map_or(0, |summary| summary.n);
    // Of trials that are missing on purpose nothing is said, only of those without a value.
    let all = match item.is_partial {
        true => variant.trials.iter().flatten().count(),
        false => variant.trials.len(),
    };
    let number = value.unit().shown(summary.as_ref());
    Ok(if n < all { format!("{number} ({n} of {})", count(all, "seed")) } else { number })
}

/// What the table says, and what is missing of it.
pub(super) fn answer(results: &StudyResults, item: &Item) -> String {
    let missing = missing(results, item);
    let answer = escaped(&results.table().answer());
    if missing.is_empty() { answer } else { format!("{answer} {missing}") }
}

/// Why matrices have no sum.
pub(super) const NO_SUM: &str =
    "the matrices of the trials are of different classes, or count more images than there can be";

/// The classes that are confused most, over all seeds.
pub(super) fn confused(results: &StudyResults, item: &Item) -> Result<String, String> {
    let Some(variant) = one(results, item)? else { return Ok("–".into()) };
    let trials = variant.trials.iter().flatten();
    let matrices: Vec<_> = trials.filter_map(|trial| trial.confusion.get(&Part::Test)).collect();
    let none = "the study has no confusion matrix of the test images";
    let matrix = sum(&matrices).ok_or(if matrices.is_empty() { none } else { NO_SUM })?;
    let pairs = mistakes(&matrix, item.rows.unwrap_or(3));
    let pairs: Vec<String> = pairs.iter().map(|pair| escaped(pair)).collect();
    match pairs.is_empty() {
        true => Ok("none".into()),
        false => Ok(listed(&pairs)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_text_and_tables_stay_tables() {
        assert_eq!(escaped("a|b <c> *d*\n"), "a\\|b &lt;c\\> \\*d\\*\u{fffd}");
        assert_eq!(escaped("_a_ ~b~ &lt; $c$ d_e_1"), "\\_a\\_ \\~b\\~ \\&lt; \\$c\\$ d_e_1");
        let page = super::super::Page::read(&escaped("<!-- study: x -->")).unwrap();
        assert_eq!(page.with_contents(|_| Err("a block")), Ok("&lt;!-- study: x --\\>".into()));
        let head = ["x".to_owned(), "y".into()];
        let rows = [vec!["a".to_owned(), "1".into()]];
        assert_eq!(table(&head, &rows, 1), "| x | y |\n| --- | ---: |\n| a | 1 |");
        assert_eq!([p(0.03125), p(0.0001)], ["0.031", "< 0.001"]);
    }
}
