use std::sync::Arc;

use burn::tensor::Device;
use selvedge_train::Context;

use super::super::tests::{STUDY, datasets, run};
use super::super::{Runner, StudyResults};
use super::*;
use crate::StudyError;
use crate::store::FolderStore;

/// Two arms at three learning rates.
fn two_dimensions() -> StudyResults {
    let text = STUDY.replace("[0.1, 0.01]", "[0.1, 0.01, 0.001]")
        + "[[variant]]\nname = 'plain'\n[[variant]]\nname = 'wide|er'\n'model.hidden' = 8\n";
    run(tempfile::tempdir().unwrap().path(), &text)
}

fn content(results: &StudyResults, items: &str) -> Content {
    Block::read(&format!("s.toml\n{items}")).unwrap().content(results).unwrap()
}

/// The cells of the lines of a table.
fn cells(markdown: &str) -> Vec<Vec<&str>> {
    let lines = markdown.lines().filter(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn a_grid_has_a_row_for_each_value_and_a_column_for_each_arm() {
    let results = two_dimensions();
    let made = content(&results, "grid by=learning_rate value=test.accuracy");
    let cells = cells(&made.markdown);
    assert_eq!(cells[0], ["learning_rate", "plain", "wide\\|er", "wide\\|er − plain", "p"]);
    let places: Vec<&str> = cells[2..].iter().map(|row| row[0]).collect();
    assert_eq!(places, ["0.1", "0.01", "0.001"]);
    for (row, variants) in cells[2..].iter().zip(0..) {
        // The variants are those of the first arm, then those of the second.
        let means = [variants, variants + 3].map(|at| {
            let values = results.variants[at].trials.iter().flatten();
            let values = values.map(|t| t.score(crate::config::Part::Test, "accuracy").unwrap());
            100.0 * values.sum::<f64>() / 2.0
        });
        for (cell, mean) in row[1..3].iter().zip(means) {
            assert!(cell.starts_with(&format!("{mean:.2} ± ")), "{row:?} {mean}");
        }
        let difference = row[3].trim_matches('*').parse::<f64>().unwrap();
        assert!((difference - (means[1] - means[0])).abs() < 0.006, "{row:?}");
    }
    let note = "a difference that is more than chance is bold. 2 seeds are too few to tell a difference from chance.";
    assert!(made.markdown.ends_with(note), "{}", made.markdown);
    let only = content(&results, "grid by=learning_rate value=train.loss.best only=plain");
    assert!(only.markdown.starts_with("| learning_rate | plain |\n"), "{}", only.markdown);
}

#[test]
fn the_best_of_each_arm_is_that_of_the_table_and_is_compared_with_the_first() {
    let results = two_dimensions();
    let made = content(&results, "best value=train.accuracy,test.accuracy");
    let cells = cells(&made.markdown);
    assert_eq!(cells.len(), 4, "{}", made.markdown);
    for row in &cells[2..] {
        let arm = row[0].replace('\\', "");
        let best = results
            .table()
            .rows
            .into_iter()
            .find(|r| results.variants[r.variant].variant.arm == arm);
        assert_eq!(best.unwrap().name.replace('|', "\\|"), format!("{}, {}", row[0], row[1]));
    }
    assert_eq!((cells[2][7], cells[3].len()), ("–", 8));
    // Without arms, all else than a setting are the groups.
    let plain = run(tempfile::tempdir().unwrap().path(), STUDY);
    let made = content(&plain, "best by=learning_rate value=test.loss");
    assert_eq!(self::cells(&made.markdown).len(), 3, "{}", made.markdown);
}

#[test]
fn a_table_has_what_was_asked_for_and_says_what_is_left_out() {
    let mut results = two_dimensions();
    let all = content(&results, "table");
    let head = &cells(&all.markdown)[0];
    assert_eq!(head[..3], ["variant", "seeds", "validation loss"]);
    assert!(head.contains(&"p") && head.contains(&"test accuracy (%)"), "{head:?}");
    assert!(all.markdown.contains("p is adjusted for 5 comparisons. 2 seeds are too few to tell"));
    let two = content(&results, "table rows=2 columns=seeds,parameters,test.loss");
    assert_eq!(cells(&two.markdown).len(), 4);
    assert!(
        two.markdown.contains("The best 2 of 6 variants. In bold the best"),
        "{}",
        two.markdown
    );
    results.variants[0].trials[1] = None;
    results.variants[1].trials.fill(None);
    let cut = content(&results, "table order=study columns=seeds,validation.loss");
    let rows = cells(&cut.markdown);
    assert_eq!(rows[2][1..2], ["1 of 2"]);
    assert_eq!(rows[3][1..], ["0 of 2", "–"]);
    assert!(cut.markdown.ends_with("3 of 12 trials are not finished yet."), "{}", cut.markdown);
}

#[test]
fn figures_are_drawn_the_same_each_time_with_a_name_of_their_own() {
    let results = two_dimensions();
    let items = "curves value=train.loss,validation.loss only=plain\nintervals\nconfusion\n\
                 setting by=learning_rate value=test.accuracy title='What <rate>?'";
    let [first, again] = [0, 1].map(|_| content(&results, items));
    assert!(first == again);
    let names: Vec<&str> = first.figures.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "s_curves_train_loss.svg",
        "s_intervals.svg",
        "s_confusion.svg",
        "s_setting_test_accuracy.svg",
    ];
    assert_eq!(names, expected);
    assert!(first.markdown.contains("![What &lt;rate\\>?](figures/s_setting_test_accuracy.svg)"));
    assert!(
        first.figures.iter().all(|(_, bytes)| bytes.starts_with(b"<svg") && bytes.len() < LARGE)
    );
    for (items, expected) in [
        ("curves value=test.loss", "curves: an epoch has values of training and validation images"),
        ("curves", "curves: it needs `value`"),
        ("curves value=train.loss,train.accuracy", "curves: the values of a figure are all losses"),
        ("setting by=x value=test.loss", "setting: `x` does not vary"),
        ("grid value=test.loss", "grid: it needs `by`"),
        ("number value=test.loss only=nobody", "number: no variant or arm is called `nobody`"),
    ] {
        let block = Block::read(&format!("s.toml\n{items}")).unwrap();
        let error = block.content(&results).unwrap_err();
        assert!(error.message.starts_with(expected) && error.line == 2, "{error}");
    }
}

#[test]
fn a_study_is_read_from_a_folder_in_which_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let finished = run(folder.path(), STUDY);
    let datasets = datasets();
    let read = |text: &str| {
        let store = Arc::new(FolderStore::existing(folder.path()).unwrap());
        let runner = Runner::new(store, &datasets, "flex");
        runner.read(&text.parse().unwrap(), &Context::new(&Device::flex()))
    };
    let names = || {
        let mut names = Vec::new();
        for sub in ["", "trials", "owners", "leases"] {
            let entries = std::fs::read_dir(folder.path().join(sub)).into_iter().flatten();
            names.extend(entries.map(|entry| entry.unwrap().path()));
        }
        names.sort();
        names
    };
    let before = names();
    assert_eq!(read(STUDY).unwrap().text(), finished.text());
    let more = read(&STUDY.replace("seeds = 2", "seeds = 3")).unwrap();
    assert!(!more.complete());
    assert_eq!(more.table().rows.iter().map(|row| row.unfinished).sum::<usize>(), 2);
    // What a search would try after trials that are missing is not known.
    let search = "[study]\nsearch = 'random'\nbudget = 12";
    let none =
        read(&STUDY.replace("[study]", search).replace("[0.1, 0.01]", "{ min = 0.01, max = 0.1 }"));
    assert_eq!((none.as_ref().unwrap().variants.len(), none.unwrap().complete()), (4, false));
    assert_eq!(names(), before);
    let record = folder
        .path()
        .join("trials")
        .join(format!("{}.toml", finished.trials().next().unwrap().key));
    std::fs::write(&record, "x").unwrap();
    assert!(matches!(read(STUDY), Err(StudyError::Record { .. })));
    assert_eq!(std::fs::read(record).unwrap(), b"x");
    assert!(FolderStore::existing(folder.path().join("none")).is_err());
}

/// A study of one dimension with arms in which so many trials of each arm are finished.
fn arms(finished: [usize; 3]) -> StudyResults {
    let text = STUDY.replace("seeds = 2", "seeds = 3").replace("[0.1, 0.01]", "[0.1]")
        + "[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\n'model.hidden' = 8\n\
           [[variant]]\nname = 'c'\n'model.hidden' = 16\n";
    let mut results = run(tempfile::tempdir().unwrap().path(), &text);
    for (variant, finished) in results.variants.iter_mut().zip(finished) {
        variant.trials[finished..].fill(None);
    }
    results
}

#[test]
fn an_arm_with_too_few_seeds_takes_no_comparison_from_the_others() {
    let results = arms([3, 1, 2]);
    let made = content(&results, "best").markdown;
    let rows = cells(&made);
    assert_eq!([rows[2][2], rows[3][2], rows[4][2]], ["3", "1 of 3", "2 of 3"]);
    assert_eq!(rows[3][4..], ["–", "–"]);
    // As the table of the study has it, where the first is named as the baseline.
    let mut named = results.clone();
    named.study.baseline = Some(results.variants[0].variant.name.clone());
    let table = named.table();
    let c = table.rows.iter().find_map(|row| row.comparison.as_ref()).unwrap();
    assert!(rows[4][4].starts_with(&format!("{:+.4} (", c.difference)), "{made}");
    let note = "Differences and p are from \"a\", paired by seed; p is adjusted for 1 comparison. 2 seeds are too few";
    assert!(made.contains(note), "{made}");
}

#[test]
fn an_arm_without_a_value_keeps_its_row_and_the_reference_is_named() {
    let made = content(&arms([0, 3, 3]), "best").markdown;
    let rows = cells(&made);
    assert_eq!(rows[2][..4], ["a", "–", "0 of 3", "–"]);
    assert_eq!((rows[3][4], rows.len()), ("–", 5));
    assert!(made.contains("Differences and p are from \"b\", paired by seed"), "{made}");
    let none = content(&arms([0, 0, 3]), "best").markdown;
    assert!(!none.contains("Differences") && cells(&none)[0].len() == 4, "{none}");
}

#[test]
fn a_number_and_an_answer_say_which_seeds_are_missing() {
    let results = arms([3, 2, 0]);
    let number = |only: &str| content(&results, &format!("number value=test.loss only={only}"));
    assert!(!number("a").markdown.contains("seeds"));
    assert!(number("b").markdown.ends_with(" (2 of 3 seeds)"), "{}", number("b").markdown);
    assert_eq!(number("c").markdown, "– (0 of 3 seeds)");
    let both = content(&results, "answer; number value=test.loss only=b").markdown;
    assert!(both.starts_with("Best so far: a, ") && !both.contains('\n'), "{both}");
    assert!(both.contains(" 4 of 9 trials are not finished yet. "), "{both}");
    let text = results.text();
    assert!(
        text.contains("4 trials are not finished, or the results are not here yet: "),
        "{text}"
    );
    let planned = Block::read("s.toml missing=planned; number value=test.loss only=b").unwrap();
    assert!(!planned.content(&results).unwrap().markdown.contains("seeds"));
}

#[test]
fn one_seed_or_none_in_common_with_the_reference_is_said_to_tell_nothing() {
    let answer = |finished| arms(finished).table().answer();
    assert!(
        answer([3, 1, 0])
            .ends_with(" None of the others has two seeds in common with the reference.")
    );
    assert!(!answer([3, 0, 0]).contains("in common"), "there is nothing to compare");
    let text = STUDY.replace("seeds = 2", "seeds = 1");
    let one = run(tempfile::tempdir().unwrap().path(), &text).table();
    let told = " One seed is too few to tell a difference from chance: 6 are the fewest.";
    assert!(one.answer().ends_with(told), "{}", one.answer());
}

#[test]
fn what_is_written_into_a_line_is_the_same_the_second_time() {
    let results = arms([3, 3, 3]);
    let page = "It is <!-- study: s.toml; answer; confused -->old<!-- end -->, see.\n";
    let fill = |text: &str| {
        Page::read(text)
            .unwrap()
            .with_contents(|block| block.content(&results).map(|content| Some(content.markdown)))
    };
    let made = fill(page).unwrap();
    assert!(made.contains(" -->Best: ") && made.lines().count() == 1, "{made}");
    assert_eq!(fill(&made).unwrap(), made);
}

#[test]
fn seeds_are_counted_by_the_pairs_and_nothing_is_said_of_nothing() {
    let mut results = arms([3, 3, 3]);
    // A study of many seeds of which two are finished.
    results.study.seeds = (0..8).collect();
    for variant in &mut results.variants {
        variant.trials.truncate(2);
        variant.trials.resize(8, None);
    }
    for items in ["table", "best", "answer"] {
        let made = content(&results, items).markdown;
        assert!(made.contains("2 seeds are too few to tell a difference from chance"), "{made}");
    }
    results.variants.iter_mut().for_each(|variant| variant.trials.fill(None));
    for items in ["table columns=difference,p", "best", "grid by=learning_rate value=test.loss"] {
        let made = content(&results, items).markdown;
        assert!(!made.contains("0 comparisons") && !made.contains("0 seeds"), "{made}");
        assert!(made.ends_with("24 of 24 trials are not finished yet."), "{made}");
    }
}

#[test]
fn the_best_is_bold_where_all_rows_are_there_and_what_bold_means_is_said() {
    let made = content(&arms([3, 3, 3]), "table").markdown;
    let bold = |made: &str| cells(made).iter().filter(|row| row[0].starts_with("**")).count();
    let note = "In bold the best by the validation loss, whether or not that is more than chance.";
    assert_eq!((bold(&made), made.contains(note)), (1, true), "{made}");
    let cut = content(&arms([3, 3, 2]), "table").markdown;
    assert_eq!((bold(&cut), cut.contains("In bold")), (0, false), "{cut}");
    let planned = Block::read("s.toml missing=planned").unwrap();
    assert_eq!(bold(&planned.content(&arms([3, 3, 2])).unwrap().markdown), 1);
}

#[test]
fn where_one_setting_varies_at_a_time_the_value_of_the_base_stands_beside_the_others() {
    let text = STUDY.replace("[study]", "[study]\nsearch = 'one_at_a_time'")
        + "batch_size = [20]\n\"model.hidden\" = [8]\n";
    let results = run(tempfile::tempdir().unwrap().path(), &text);
    let first = |setting: &str| {
        let made = content(&results, &format!("grid by={setting} value=test.loss")).markdown;
        cells(&made)[2..].iter().map(|row| row[0].to_owned()).collect::<Vec<_>>()
    };
    // As the file has it, and as it is where the file says nothing.
    assert_eq!(first("batch_size"), ["10", "20"]);
    assert_eq!(first("model.hidden"), ["4", "8"]);
    assert_eq!(first("learning_rate"), ["0.001", "0.1", "0.01"]);
    let best = content(&results, "best by=batch_size").markdown;
    assert!(cells(&best)[2][1].starts_with("batch_size="), "{best}");
}

#[test]
fn counts_beyond_all_images_are_a_message() {
    let mut results = arms([1, 0, 0]);
    let trial = results.variants[0].trials[0].as_mut().unwrap();
    let matrix = trial.confusion.get_mut(&crate::config::Part::Test).unwrap();
    matrix.counts.iter_mut().for_each(|row| row.fill(i64::MAX as u64));
    for items in ["confused", "confusion"] {
        let block = Block::read(&format!("s.toml; {items}")).unwrap();
        let message = block.content(&results).unwrap_err().message;
        assert!(message.ends_with("or count more images than there can be"), "{message}");
    }
}

/// What is read of a study when the first trial of one arm, and what depends on it, is not finished.
fn without_a_first_trial(text: &str, arm: &str) -> [StudyResults; 2] {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), text);
    let first = whole.variants.iter().find(|variant| variant.variant.arm == arm).unwrap();
    let key = &first.trials[0].as_ref().unwrap().key;
    std::fs::remove_file(folder.path().join("trials").join(format!("{key}.toml"))).unwrap();
    let store = Arc::new(FolderStore::existing(folder.path()).unwrap());
    let datasets = datasets();
    let runner = Runner::new(store, &datasets, "flex");
    let read = runner.read(&text.parse().unwrap(), &Context::new(&Device::flex())).unwrap();
    assert!(whole.complete() && whole.untried() == 0 && !read.complete());
    [whole, read]
}

fn finished(results: &StudyResults, arm: &str) -> usize {
    let own = results.variants.iter().filter(|variant| variant.variant.arm == arm);
    own.map(|variant| variant.trials.iter().flatten().count()).sum()
}

const ARMS: &str = "[[variant]]\nname = 'a'\n[[variant]]\nname = 'b'\nl2 = 0.01\n[[variant]]\nname = 'c'\nl2 = 0.02\n";

#[test]
fn an_arm_that_is_not_finished_ends_the_search_of_no_other() {
    let random = STUDY
        .replace("[study]", "[study]\nsearch = 'random'\nbudget = 6")
        .replace("[0.1, 0.01]", "{ min = 0.01, max = 0.1 }");
    let [whole, read] = without_a_first_trial(&format!("{random}{ARMS}"), "b");
    assert_eq!(["a", "b", "c"].map(|arm| finished(&read, arm)), [12, 7, 12]);
    assert_eq!(["a", "b", "c"].map(|arm| finished(&whole, arm)), [12; 3]);
    // Of the arm's six variants with two seeds, four were tried, and one trial of them is missing.
    let missing = |items: &str| content(&read, items).markdown;
    assert_eq!(read.untried(), 4);
    assert!(missing("table").ends_with("5 of 36 trials are not finished yet."));
    assert!(missing("table only=b").ends_with("5 of 12 trials are not finished yet."));
    assert!(!missing("table only=a only=c").contains("not finished"));
    let html = read.report("").to_html();
    assert!(html.contains("The study is not finished: 5 trials are missing."));
    assert!(html.contains("It is not finished: 4 trials more may be tried."));
}

#[test]
fn an_arm_or_bracket_that_is_not_finished_ends_the_halving_of_no_other() {
    let halving = STUDY
        .replace("[study]", "[study]\nsearch = 'hyperband'")
        .replace("epochs = 2", "epochs = 3")
        .replace("[0.1, 0.01]", "{ min = 0.01, max = 0.1 }");
    // 3 variants for one epoch of which one goes on, and 2 for three epochs (L. Li et al., 2018, for R = 3, η = 3).
    let [whole, read] = without_a_first_trial(&format!("{halving}{ARMS}"), "b");
    assert_eq!(["a", "b", "c"].map(|arm| finished(&whole, arm)), [12; 3]);
    assert_eq!(["a", "b", "c"].map(|arm| finished(&read, arm)), [12, 9, 12]);
    assert_eq!(read.untried(), 2);
}

#[test]
fn an_arm_that_is_not_finished_hides_no_trial_of_another_of_a_grid_with_early_ends() {
    let grid = STUDY
        .replace("[study]", "[study]\npruner = { name = 'median', startup = 2 }")
        .replace("[0.1, 0.01]", "[0.1, 0.05, 0.02, 0.01, 0.0001]");
    let [whole, read] = without_a_first_trial(&format!("{grid}{ARMS}"), "b");
    assert_eq!(["a", "b", "c"].map(|arm| finished(&whole, arm)), [10; 3]);
    // Where the fifth variant of the arm would end is not known.
    assert_eq!(["a", "b", "c"].map(|arm| finished(&read, arm)), [10, 7, 10]);
}

#[test]
fn more_epochs_than_can_be_counted_are_read_and_nothing_is_finished() {
    let text = STUDY.replace("epochs = 2", "epochs = 9_000_000_000_000_000_000");
    let folder = tempfile::tempdir().unwrap();
    let (store, datasets) = (Arc::new(FolderStore::existing(folder.path()).unwrap()), datasets());
    let runner = Runner::new(store, &datasets, "flex");
    let read = runner.read(&text.parse().unwrap(), &Context::new(&Device::flex())).unwrap();
    assert_eq!(read.trials().count(), 0);
}
