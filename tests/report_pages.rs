//! The pages of the reports are what the records make them.

#[path = "common/example.rs"]
mod example;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn report_pages(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(example::program("report_pages"));
    command.current_dir(root()).args(arguments).arg("--folder").arg(folder).output().unwrap()
}

/// All files below a folder, with what is in them.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(self::files(&path)),
            false => files.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
    files.sort();
    files
}

/// The studies and the records of the repository, and a page.
fn folder(page: &str) -> tempfile::TempDir {
    let folder = copy_of_reports(&["studies", "data/trials"]);
    fs::write(folder.path().join("page.md"), page).unwrap();
    folder
}

fn page(folder: &Path) -> String {
    fs::read_to_string(folder.join("page.md")).unwrap()
}

/// A study of images that are nowhere, beside that of A1.
fn without_images(folder: &Path) {
    let text = fs::read_to_string(folder.join("studies/a1.toml")).unwrap();
    let lines = |with: &str| -> String {
        let lines = text.lines().map(|line| match line.starts_with("dataset = ") {
            true => with.replace("SAME", line),
            false => line.into(),
        });
        lines.collect::<Vec<String>>().join("\n")
    };
    let nowhere = "dataset = { folder = 'nowhere/at/all' }";
    fs::write(folder.join("studies/none.toml"), lines(nowhere)).unwrap();
    let before = format!("SAME\npretrain = {{ {nowhere} }}");
    fs::write(folder.join("studies/before.toml"), lines(&before)).unwrap();
}

/// What is checked of the repository, as a copy: a study may be writing its records there.
fn copy_of_reports(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let reports = root().join("docs/reports");
    for name in names {
        fs::create_dir_all(folder.path().join(name)).unwrap();
        for entry in fs::read_dir(reports.join(name)).unwrap() {
            let path = entry.unwrap().path();
            // What a program has begun to write has another ending, and may be gone by now.
            let is_whole = path
                .extension()
                .is_some_and(|e| ["md", "toml", "svg", "png"].iter().any(|w| e == *w));
            if is_whole {
                fs::copy(&path, folder.path().join(name).join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

#[test]
fn the_pages_and_figures_of_the_repository_are_those_of_the_records() {
    let folder = copy_of_reports(&["", "studies", "figures", "data/trials"]);
    let before = files(folder.path());
    let output = report_pages(&["--check"], folder.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    assert!(files(folder.path()) == before, "a check writes nothing, no lock and no lease");
    // MNIST, CIFAR-10 and published weights may not be here. All else is of Fashion-MNIST, and was checked.
    for line in errors.lines().filter(|line| line.contains("the images of ")) {
        let name = line.split("the images of ").nth(1).unwrap().split(' ').next().unwrap();
        let study = fs::read_to_string(folder.path().join("studies").join(name)).unwrap();
        let elsewhere = [
            "dataset = \"mnist\"",
            "dataset = \"cifar10\"",
            "name = \"cifar10\"",
            "{ weights = \"",
        ];
        assert!(elsewhere.iter().any(|set| study.contains(set)), "{line}");
    }
}

#[test]
fn a_check_says_how_much_it_did_not_check_and_fails_if_that_is_all() {
    let table = |name: &str| format!("<!-- study: {name}.toml -->\n\nold\n\n<!-- end -->\n");
    let folder = folder(&(table("none") + &table("before")));
    without_images(folder.path());
    let before = page(folder.path());
    for (arguments, expected, code) in [
        (&["--check"][..], "2 of 2 blocks were not checked\nerror: nothing was checked", 1),
        (&[], "2 of 2 blocks stay as they are\n", 0),
    ] {
        let output = report_pages(arguments, folder.path());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(errors.contains(expected), "{errors}");
        assert_eq!((output.status.code(), page(folder.path())), (Some(code), before.clone()));
    }
    // One block that was checked is something.
    fs::write(folder.path().join("page.md"), table("none") + &table("a1")).unwrap();
    assert!(report_pages(&[], folder.path()).status.success());
    let output = report_pages(&["--check"], folder.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && errors.contains("1 of 2 blocks were not"), "{errors}");
}

#[test]
fn figures_that_no_page_has_any_more_are_named_and_stay() {
    let folder =
        folder("<!-- study: a1.toml; confusion -->\n<!-- end -->\n![](figures/a1_by_hand.svg)\n");
    without_images(folder.path());
    assert!(report_pages(&[], folder.path()).status.success());
    let figures = folder.path().join("figures");
    for name in ["a1_old.svg", "a1_by_hand.svg", "photo.png"] {
        fs::write(figures.join(name), "x").unwrap();
    }
    let output = report_pages(&["--check"], folder.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    let expected = format!("{} is in no page any more\n", figures.join("a1_old.svg").display());
    assert!(output.status.success() && figures.join("a1_old.svg").exists());
    assert_eq!(errors, expected);
}

#[test]
fn a_page_is_read_once_and_has_its_figures_beside_it() {
    let folder = folder("<!-- study: a1.toml; confusion -->\n<!-- end -->\n");
    let path = folder.path().join("page.md");
    let twice = [path.to_str().unwrap(), &format!("{}/./page.md", folder.path().display())];
    let output = report_pages(&twice, folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let other = folder.path().join("studies/other.md");
    fs::copy(&path, &other).unwrap();
    let output = report_pages(&[other.to_str().unwrap()], folder.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("a page with figures has to be in "), "{errors}");
    assert_eq!((output.status.code(), errors.lines().count()), (Some(1), 1));
}

#[test]
fn a_page_gets_its_table_and_figures_and_the_second_time_changes_no_byte() {
    let text = "# Page\n<!-- study: a1.toml\ntable columns=seeds,test.accuracy\n\
                curves value=validation.loss name=loss\n-->\nold\n<!-- end -->\n\
                Of <!-- study: a1.toml; number value=test.accuracy -->old<!-- end -->, end.\n";
    let folder = folder(text);
    let output = report_pages(&["--check"], folder.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.starts_with("error: not what the records make it: "), "{errors}");
    let hint = format!("report_pages -- --folder {}` writes it\n", folder.path().display());
    assert!(errors.ends_with(&hint), "{errors}");
    assert_eq!((page(folder.path()), errors.lines().count()), (text.to_owned(), 1));

    assert!(report_pages(&[], folder.path()).status.success());
    // statistics.mean and stdev of Python for .9894, .9880, .9880, .9852, .9874 and .9878: 98.763 and 0.137.
    let expected = "| variant | seeds | test accuracy (%) |\n| --- | ---: | ---: |\n| base | 6 | 98.76 ± 0.14 |\n";
    let made = page(folder.path());
    assert!(made.contains(expected), "{made}");
    assert!(made.contains("(figures/loss.svg)") && !made.contains("old"), "{made}");
    assert!(made.contains("-->98.76 ± 0.14 %<!-- end -->, end.\n"), "{made}");
    let before = files(folder.path());
    let figures = before.iter().filter(|(path, _)| path.starts_with(folder.path().join("figures")));
    assert_eq!(figures.count(), 1);
    assert!(report_pages(&["--check"], folder.path()).status.success());
    assert!(report_pages(&[], folder.path()).status.success());
    assert!(files(folder.path()) == before);
}

#[test]
fn what_is_not_finished_is_said_below_the_table_and_nothing_is_trained() {
    let folder = folder("<!-- study: a1.toml 'seeds=range(0,8)' -->\n<!-- end -->\n");
    assert!(report_pages(&[], folder.path()).status.success());
    let made = page(folder.path());
    assert!(made.contains("| base | 6 of 8 |"), "{made}");
    assert!(made.contains("2 of 8 trials are not finished yet."), "{made}");
    let other = self::folder(
        "<!-- study: a1.toml device=wgpu\ntable\ncurves value=train.loss\n-->\n<!-- end -->\n",
    );
    assert!(report_pages(&[], other.path()).status.success());
    let made = page(other.path());
    assert!(made.contains("6 of 6 trials are not finished yet."), "{made}");
    assert!(!other.path().join("figures").exists());
}

#[test]
fn mistakes_are_one_line_with_page_and_line() {
    for (block, expected) in [
        ("a9.toml", "page.md: line 2: "),
        ("a1.toml device=foo", "page.md: line 2: the device `foo` is unknown: there are flex, "),
        ("a1.toml epoch=3", "page.md: line 2: base.epoch: `epoch` is unknown; did you mean"),
        (
            "a1.toml\ngrid by=epochs value=test.loss",
            "page.md: line 3: grid: `epochs` does not vary",
        ),
        ("a1.toml\ntable only=x", "page.md: line 3: table: no variant or arm is called `x`"),
        (
            "a1.toml\ntable columns=x",
            "page.md: line 3: table: `x` is no value: expected one such as",
        ),
        ("a1.toml\ncurve", "page.md: line 3: `curve` is unknown: there are table, grid,"),
        (
            "a1.toml\nconfusion\nconfusion",
            "page.md: line 4: confusion: another figure is called a1_confusion: give one a `name`",
        ),
    ] {
        let text = format!("\n<!-- study: {block}\n-->\n<!-- end -->\n");
        let folder = folder(&text);
        let output = report_pages(&[], folder.path());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{block}: {errors}");
        assert!(errors.lines().count() == 1 && errors.contains(expected), "{block}: {errors}");
        assert_eq!(page(folder.path()), text);
    }
}

#[test]
fn a_damaged_record_is_named_and_stays() {
    let folder = folder("<!-- study: a1.toml -->\n<!-- end -->\n");
    let name = "5f828a7d6be41e6aeda7664c20aaa972.toml";
    let record = folder.path().join("data/trials").join(name);
    fs::write(&record, "key = 1\n").unwrap();
    let output = report_pages(&[], folder.path());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains(&format!("trials/{name} is damaged")), "{errors}");
    assert_eq!(fs::read_to_string(&record).unwrap(), "key = 1\n");
}

/// Mean and sample standard deviation of percentages, as pages have them.
fn spread(values: &[f64]) -> String {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    format!("{mean:.2} ± {:.2}", (squares / (values.len() - 1) as f64).sqrt())
}

#[test]
fn the_figures_of_scikit_learn_are_those_of_its_records() {
    let reports = root().join("docs/reports");
    let records = fs::read_to_string(reports.join("data/sklearn_mlp.csv")).unwrap();
    let mut runs: BTreeMap<[String; 3], Vec<f64>> = BTreeMap::new();
    for line in records.lines().filter(|line| !line.starts_with('#')).skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [activation, rate, epochs, _, accuracy, ..] = fields[..] else { panic!("{line}") };
        let run = [activation, rate, epochs].map(String::from);
        runs.entry(run).or_default().push(100.0 * accuracy.parse::<f64>().unwrap());
    }
    let page = fs::read_to_string(reports.join("e.md")).unwrap();
    let names = [("relu", "ReLU"), ("logistic", "sigmoid"), ("tanh", "tanh")];
    for ((activation, name), epochs) in names.iter().flat_map(|n| [(n, "50"), (n, "100")]) {
        let values = &runs[&[*activation, "0.1", epochs].map(String::from)];
        assert_eq!(values.len(), 3, "{name}");
        let row = page.lines().find(|line| line.starts_with(&format!("| {name} |"))).unwrap();
        assert!(row.contains(&spread(values)), "{name}, {epochs} epochs: {row}");
    }
    let diverged = &runs[&["identity", "0.1", "50"].map(String::from)];
    assert!(diverged.iter().all(|accuracy| accuracy.is_nan()));
    let row = page.lines().find(|line| line.starts_with("| none, at 0.001 |")).unwrap();
    for epochs in ["50", "100"] {
        let values = &runs[&["identity", "0.001", epochs].map(String::from)];
        assert!(row.contains(&spread(values)), "{epochs} epochs: {row}");
    }
}
