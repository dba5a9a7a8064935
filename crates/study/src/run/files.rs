//! The results of a study as files: for spreadsheets, for programs, for `optuna-dashboard`.

use std::path::Path;

use selvedge_files::{Output, OutputError};
use serde::Serialize;

use super::table::{Row, Table};
use super::{Contrast, StudyResults};
use crate::config::{Part, are};
use crate::trial::Ending;

/// The files that [`StudyResults::write`] makes.
const FILES: [&str; 5] =
    ["table.txt", "variants.csv", "trials.csv", "results.json", "optuna.jsonl"];

/// What stands above everything that a quick study leaves.
pub(super) const QUICK: &str = "A quick look, which measures nothing: one epoch on a fiftieth of the training images, \
                                judged by a twentieth of the others.";

/// `results.json`.
#[derive(Serialize)]
struct Json<'a> {
    question: &'a str,
    metric: String,
    seeds: &'a [u64],
    /// Whether it was a quick look, whose figures say nothing.
    quick: bool,
    complete: bool,
    answer: String,
    reference: Option<&'a str>,
    variants: &'a [Row],
    /// Of the test accuracy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contrasts: Vec<Contrast>,
}

/// `Ok` if results can be written to a folder, so that this is known before anything runs. What had to be made for that
/// is removed again.
///
/// # Errors
///
/// [`OutputError`] with the folder.
pub fn check_output(folder: impl AsRef<Path>) -> Result<(), OutputError> {
    Output::new(folder.as_ref()).map(drop)
}

impl StudyResults {
    /// Writes what came of the study to a folder:
    ///
    /// | file | what it is |
    /// |---|---|
    /// | `table.txt` | the variants, the best first, and what they say in words |
    /// | `variants.csv` | a line a variant |
    /// | `trials.csv` | a line a trial, with its settings |
    /// | `results.json` | the variants with intervals and comparisons; their names to the letter |
    /// | `optuna.jsonl` | a journal that `optuna-dashboard optuna.jsonl` opens |
    ///
    /// A spreadsheet takes text that begins with `=`, `+`, `-` or `@` for a formula. Such names and settings have an
    /// apostrophe before them in the CSV files, as OWASP advises ("CSV Injection"); numbers stay numbers.
    ///
    /// # Errors
    ///
    /// [`OutputError`] if one cannot be written: then all stay as they were.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), OutputError> {
        let output = Output::new(folder.as_ref())?;
        let table = self.table();
        let json = Json {
            question: &self.study.question,
            metric: self.study.metric.to_string(),
            seeds: &self.study.seeds,
            quick: self.study.is_quick,
            complete: self.complete(),
            answer: table.answer(),
            reference: table.reference.map(|at| table.rows[at].name.as_str()),
            variants: &table.rows,
            contrasts: self.contrasts(Part::Test, "accuracy"),
        };
        output.replace(&FILES, |new| {
            new.write("table.txt", &self.text_of(&table))?;
            new.write("variants.csv", &variants_csv(&table.rows))?;
            new.write("trials.csv", &self.trials_csv())?;
            new.write_json("results.json", &json)?;
            new.write("optuna.jsonl", &super::journal::of(self))
        })
    }

    /// The variants beside each other, the arms beside each other wherever all else is the same, and what it says in
    /// words.
    pub fn text(&self) -> String {
        self.text_of(&self.table())
    }

    fn text_of(&self, table: &Table) -> String {
        let mut text = if self.study.is_quick { format!("{QUICK}\n\n") } else { String::new() };
        if !self.study.question.is_empty() {
            text += &format!("{}\n\n", crate::config::printable(&self.study.question));
        }
        if !self.complete() {
            let missing = are(self.unfinished(table), "trial");
            text += &format!(
                "{missing} not finished, or the results are not here yet: the table shows the rest.\n\n"
            );
        }
        text += &table.text();
        for (part, column) in [(Part::Test, "accuracy"), (Part::Test, "loss")] {
            let contrasts = self.contrasts_text(part, column);
            if !contrasts.is_empty() {
                text += &format!("\n{contrasts}");
                break;
            }
        }
        let tuned = self.tuned_text(table);
        if !tuned.is_empty() {
            text += &format!("\n{tuned}");
        }
        format!("{text}\n{}\n", table.answer())
    }

    fn trials_csv(&self) -> String {
        let names: Vec<String> = self.study.vary.iter().map(|d| d.name()).collect();
        let columns: Vec<String> =
            self.trials().next().map(|trial| trial.columns.clone()).unwrap_or_default();
        let mut header: Vec<String> =
            ["variant", "seed", "ending", "best_epoch"].map(String::from).into();
        for part in Part::ALL {
            header.extend(columns.iter().map(|column| format!("{}_{column}", part.name())));
        }
        header.extend(names.iter().cloned());
        header.extend(["seconds", "key"].map(String::from));
        let mut rows = vec![header];
        for results in &self.variants {
            for trial in results.trials.iter().flatten() {
                let ending = match trial.ending {
                    Ending::Complete {} => "complete".to_owned(),
                    Ending::Pruned { epoch } => format!("pruned after epoch {epoch}"),
                    Ending::Diverged { .. } => "diverged".into(),
                };
                let mut row = vec![
                    literal(&results.variant.name),
                    trial.seed.to_string(),
                    ending,
                    trial.best_epoch.to_string(),
                ];
                for part in Part::ALL {
                    row.extend(columns.iter().map(|column| field(trial.score(part, column))));
                }
                for name in &names {
                    let setting = results.variant.settings.iter().find(|(key, _)| key == name);
                    row.push(setting.map_or(String::new(), |(_, value)| match value {
                        toml::Value::String(text) => literal(text),
                        value => value.to_string(),
                    }));
                }
                row.extend([format!("{:.3}", trial.seconds), trial.key.clone()]);
                rows.push(row);
            }
        }
        csv(&rows)
    }
}

fn variants_csv(table: &[Row]) -> String {
    let header = [
        "variant",
        "seeds",
        "mean",
        "standard_deviation",
        "low",
        "high",
        "test_accuracy",
        "best_epoch",
        "difference",
        "p",
        "p_adjusted",
        "p_holm",
        "diverged",
        "pruned",
        "failed",
    ];
    let mut rows = vec![Vec::from(header.map(String::from))];
    for row in table {
        let summary = row.metric.as_ref();
        let interval = summary.and_then(|s| s.interval);
        let accuracy = row.test.iter().find(|(name, _)| name == "accuracy").map(|(_, s)| s.mean);
        let comparison = row.comparison.as_ref();
        let numbers = [
            summary.map(|s| s.n as f64),
            summary.map(|s| s.mean),
            summary.and_then(|s| s.standard_deviation),
            interval.map(|i| i.low),
            interval.map(|i| i.high),
            accuracy,
            row.best_epoch,
            comparison.map(|c| c.difference),
            comparison.map(|c| c.p),
            comparison.map(|c| c.p_step_down),
            comparison.map(|c| c.p_holm),
            Some(row.diverged as f64),
            Some(row.pruned.len() as f64),
            Some(row.failed as f64),
        ];
        rows.push([literal(&row.name)].into_iter().chain(numbers.map(field)).collect());
    }
    csv(&rows)
}

/// Text that a spreadsheet does not take for a formula.
fn literal(text: &str) -> String {
    match text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err() {
        true => format!("'{text}"),
        false => text.into(),
    }
}

/// A number, or nothing.
fn field(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| number.to_string())
}

fn csv(rows: &[Vec<String>]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row).expect("memory takes rows, which are of one length");
    }
    let bytes = writer.into_inner().expect("memory takes what is left");
    String::from_utf8(bytes).expect("it was made of texts")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{STUDY, run};
    use super::*;

    #[test]
    fn names_are_no_formulas_in_a_spreadsheet_and_numbers_stay_numbers() {
        for text in ["=1+1", "+a", "-cmd|x", "@SUM(A1)", "\t=1", "-"] {
            assert_eq!(literal(text), format!("'{text}"));
        }
        for text in ["a=1", "-0.5", "+1e-3", "1", "", "'=1", "learning_rate=0.1"] {
            assert_eq!(literal(text), text);
        }
        let text = format!(
            "{STUDY}[[variant]]\nname = '=HYPERLINK(\"x\")'\n[[variant]]\nname = '@b'\nbatch_size = 20\n"
        );
        let results = run(tempfile::tempdir().unwrap().path(), &text);
        let (table, trials) = (variants_csv(&results.table().rows), results.trials_csv());
        for file in [table, trials] {
            let mut reader = csv::Reader::from_reader(file.as_bytes());
            let names: Vec<String> =
                reader.records().map(|record| record.unwrap()[0].to_owned()).collect();
            assert!(names.iter().all(|name| name.starts_with("'=HYP") || name.starts_with("'@b")));
            assert!(file.contains("\"'=HYPERLINK(\"\"x\"\"), learning_rate=0.1\""), "{file}");
        }
    }

    #[test]
    fn a_quick_study_says_above_all_that_it_measures_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut results = run(folder.path(), STUDY);
        results.write(folder.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(
            !read("table.txt").contains("quick")
                && read("results.json").contains("\"quick\": false")
        );
        results.study = results.study.quick();
        results.write(folder.path()).unwrap();
        assert!(read("table.txt").starts_with(&format!("{QUICK}\n\n")));
        assert!(read("results.json").contains("\"quick\": true"));
    }
}
