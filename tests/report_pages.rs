//! The pages of the reports are what the records make them.

#[path = "common/example.rs"]
mod example;

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

/// The study and the records of A1, and a page.
fn folder(page: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let reports = root().join("docs/reports");
    for name in ["studies", "data/trials"] {
        fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let copy = |name: &str| fs::copy(reports.join(name), folder.path().join(name)).unwrap();
    copy("studies/a1.toml");
    // The six of A1: others would do no harm.
    for (record, _) in files(&reports.join("data/trials")) {
        copy(&format!("data/trials/{}", record.file_name().unwrap().to_str().unwrap()));
    }
    fs::write(folder.path().join("page.md"), page).unwrap();
    folder
}

fn page(folder: &Path) -> String {
    fs::read_to_string(folder.join("page.md")).unwrap()
}

#[test]
fn the_pages_and_figures_of_the_repository_are_those_of_the_records() {
    let folder = root().join("docs/reports");
    let before = files(&folder);
    let output = report_pages(&["--check"], &folder);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(files(&folder) == before, "a check writes nothing, no lock and no lease");
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
        ("a1.toml epoch=3", "page.md: line 2: base.epoch: `epoch` is unknown; did you mean"),
        (
            "a1.toml\ngrid by=epochs value=test.loss",
            "page.md: line 2: grid: `epochs` does not vary",
        ),
        ("a1.toml\ntable only=x", "page.md: line 2: table: no variant or arm is called `x`"),
        (
            "a1.toml\ntable columns=x",
            "page.md: line 2: table: `x` is no value: expected one such as",
        ),
        ("a1.toml\ncurve", "page.md: line 3: `curve` is unknown: there are table, grid,"),
        (
            "a1.toml\nconfusion\nconfusion",
            "page.md: line 2: confusion: another figure is called a1_confusion: give one a `name`",
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
