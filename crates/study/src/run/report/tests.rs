use std::path::Path;

use super::super::tests::{STUDY, run};
use super::*;
use crate::config::Part;
use crate::trial::TrialRecord;

/// Two settings vary, one rate makes the loss infinite, and names and question are hostile.
fn hostile() -> StudyResults {
    let text = "[study]\nquestion = '<script>alert(1)</script>?'\nseeds = 2\n[base]\ndataset = 'halves'\n\
                optimizer = 'sgd'\nbatch_size = 10\nepochs = 2\nmodel = { name = 'mlp', hidden = 4 }\n\
                [vary]\nlearning_rate = [0.1, 1e30]\n'model.hidden' = [2, 4]\n\
                [[variant]]\nname = '<b>bold</b> & url(#a)'\n[[variant]]\nname = 'plain'\nbatch_size = 20\n";
    run(tempfile::tempdir().unwrap().path(), text)
}

/// What stands in quotes after ` name=` in a page without quotes elsewhere.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    html.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_page_of_a_study_has_all_its_parts_and_names_stay_text() {
    let html = hostile().report("cargo run --example study -- a.toml").to_html();
    for heading in [
        "The variants",
        "The arms beside each other",
        "Which settings matter",
        "How they learn",
        "Which classes are confused",
        "Trials without a value",
        "How it was decided",
        "Settings",
        "How to make it again",
    ] {
        assert!(html.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert!(!html.contains("<script>alert") && !html.contains("<b>bold"));
    assert!(html.contains("diverged: the loss was not finite in batch"));
    assert!(html.contains("The test images were measured once"));
    assert!(html.contains("cargo run --example study -- a.toml"));
    assert!(!html.contains("://"));
    let mut ids = attributes(&html, "id");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(count > 8 && ids.len() == count);
    assert_eq!(html.matches("role=\"img\"").count(), 3);
    assert_eq!(html.matches("role=\"img\" aria-label=\"\"").count(), 0);
}

#[test]
fn files_are_written_again_as_they_were_and_figures_that_are_gone_are_removed() {
    let (store, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let results = run(store.path(), STUDY);
    results.write_report(folder.path(), "again").unwrap();
    let figures = folder.path().join("figures");
    assert_eq!(names(folder.path()), ["figures", "report.html"]);
    let expected = ["confusion", "curves", "curves_accuracy", "variants"];
    let expected = expected.iter().flat_map(|name| [format!("{name}.png"), format!("{name}.svg")]);
    assert_eq!(names(&figures), expected.collect::<Vec<_>>());
    let read = |name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let before = ["report.html", "figures/variants.png", "figures/curves.svg"].map(read);
    results.write_report(folder.path(), "again").unwrap();
    assert!(before == ["report.html", "figures/variants.png", "figures/curves.svg"].map(read));
    let mut without = results.clone();
    let trials = without.variants.iter_mut().flat_map(|v| v.trials.iter_mut().flatten());
    trials.for_each(|trial: &mut TrialRecord| trial.confusion.clear());
    without.write_report(folder.path(), "again").unwrap();
    assert!(!names(&figures).contains(&"confusion.png".to_string()));
}

#[test]
fn a_report_that_cannot_be_written_leaves_the_old_one_and_says_where() {
    let (store, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let results = run(store.path(), STUDY);
    std::fs::create_dir_all(folder.path().join("figures/curves.svg")).unwrap();
    std::fs::write(folder.path().join("report.html"), "old").unwrap();
    let message = results.write_report(folder.path(), "").unwrap_err().to_string();
    let place = folder.path().join("figures/curves.svg");
    assert_eq!(message, format!("cannot write {}: it is a folder", place.display()));
    assert_eq!(std::fs::read_to_string(folder.path().join("report.html")).unwrap(), "old");
}

#[test]
fn the_best_is_marked_and_so_are_those_that_chance_cannot_tell_from_it() {
    let results = run(tempfile::tempdir().unwrap().path(), STUDY);
    let html = results.report("").to_html();
    // Two seeds cannot tell anything apart.
    assert_eq!(html.matches("<tr class=\"best\">").count(), 1);
    assert_eq!(html.matches("<tr class=\"tied\">").count(), 1);
    assert!(html.contains("With 2 seeds p cannot be below 0.05"));
    // The mark is about the best, whatever the others are compared with.
    let mut baseline = results.clone();
    let worst = baseline.table().rows[1].name.clone();
    baseline.study.baseline = Some(worst.clone());
    let html = baseline.report("").to_html();
    assert!(html.contains(&format!("difference from {worst}")));
    assert_eq!(html.matches("<tr class=\"tied\">").count(), 1);
}

#[test]
fn seeds_are_too_few_by_those_that_two_variants_have_in_common() {
    let six = STUDY.replace("seeds = 2", "seeds = 6");
    let mut results = run(tempfile::tempdir().unwrap().path(), &six);
    assert!(!results.report("").to_html().contains("p cannot be below 0.05"));
    results.variants[0].trials[2..].fill(None);
    assert!(results.report("").to_html().contains("With 2 seeds p cannot be below 0.05"));
}

#[test]
fn a_study_of_which_nothing_is_finished_has_a_page_that_says_so() {
    let mut results = run(tempfile::tempdir().unwrap().path(), STUDY);
    results.variants.iter_mut().for_each(|v| v.trials.fill(None));
    let folder = tempfile::tempdir().unwrap();
    results.write_report(folder.path(), "").unwrap();
    let html = std::fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(html.contains("The study is not finished: 4 trials are missing."));
    assert!(html.contains("No trial has come to a value."));
    assert_eq!(names(folder.path()), ["report.html"]);
}

#[test]
fn what_two_settings_explain_is_told_with_what_chance_would() {
    let text = STUDY.replace("[0.1, 0.01]", "[0.1, 0.001]\n'model.hidden' = [3, 4]");
    let results = run(tempfile::tempdir().unwrap().path(), &text);
    let all = results.importance();
    let names: std::collections::BTreeSet<_> = all.iter().map(|i| i.setting.as_str()).collect();
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["learning_rate", "model.hidden", "seed"]);
    // A rate of 0.1 learns the halves in two epochs, one of 0.001 hardly anything.
    assert_eq!(all[0].setting, "learning_rate");
    // Two groups of eight trials.
    assert_eq!((all[0].groups, all[0].by_chance), (2, 1.0 / 7.0));
    assert!(all.iter().map(|i| i.share).sum::<f64>() <= 1.0 + 1e-9);
}

#[test]
fn a_setting_of_three_numbers_has_a_curve_for_each_of_what_else_varies() {
    let text = STUDY
        .replace("[0.1, 0.01]", "[0.1, 0.001, 0.01]\n'model.activation' = ['relu', 'tanh']")
        .replace("hidden = 4", "hidden = 3");
    let results = run(tempfile::tempdir().unwrap().path(), &text);
    let report = Report::new(&results);
    let (curves, left_out) = report.setting_curves(Part::Validation, "loss").unwrap();
    let mut labels: Vec<&str> = curves.curves.iter().map(|curve| curve.label.as_str()).collect();
    labels.sort_unstable();
    assert_eq!((labels, left_out), (vec!["model.activation=relu", "model.activation=tanh"], 0));
    for curve in &curves.curves {
        let mut places: Vec<f64> = curve.points.iter().map(|point| point.0).collect();
        places.sort_by(f64::total_cmp);
        assert_eq!(places, [0.001, 0.01, 0.1]);
        assert!(curve.points.iter().all(|point| point.1.len() == 2), "a value for each seed");
    }
    assert!(results.report("").to_html().contains("<h2>By learning_rate</h2>"));
    // Two values are no curve.
    let results = run(tempfile::tempdir().unwrap().path(), STUDY);
    assert!(Report::new(&results).setting_curves(Part::Validation, "loss").is_none());
}

#[test]
fn the_page_of_a_quick_study_warns_that_it_measures_nothing() {
    let mut results = run(tempfile::tempdir().unwrap().path(), STUDY);
    assert!(!results.report("").to_html().contains("measures nothing"));
    results.study = results.study.quick();
    assert!(results.report("").to_html().contains("A quick look, which measures nothing"));
}
