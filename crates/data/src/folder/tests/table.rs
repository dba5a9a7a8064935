//! Tables of paths and labels.

use super::*;

#[test]
fn a_table_names_files_labels_and_parts() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["i/0.png", "i/1.png", "i/2.png", "3.png"]);
    let table = dir.path().join("labels.csv");
    let text = "\u{feff}Note; Class ;Filename;SPLIT\n-;10;i/0.png;train\n-;9;\"i/1.png\";Train\n\
                -;9;i/2.png;val\n-;10;3.png;test\n-;10;3.png;test\n";
    fs::write(&table, text).unwrap();
    let folder = ImageFolder::open(&table).unwrap();
    // Numbers are in the order of numbers.
    assert_eq!(folder.classes(), ["9", "10"]);
    let notes = [
        "1 row that names a file again left out",
        "validation: no image of 1 class: `10`",
        "test: no image of 1 class: `9`",
    ];
    assert_eq!(folder.notes(), notes);
    let images = folder.load(&reader()).unwrap();
    assert_eq!(read(&images.train), [(0, 1), (1, 0)]);
    assert_eq!(read(images.validation.as_ref().unwrap()), [(2, 0)]);
    assert_eq!(read(images.test.as_ref().unwrap()), [(3, 1)]);
}

#[test]
fn damaged_tables_are_refused_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let table = dir.path().join("t.csv");
    for (text, part) in [
        (
            "",
            "header: expected a column of paths (path, filepath, file_path, image_path, filename, file_name, \
             file, image), found",
        ),
        ("path,label,path\n1.png,a,2.png\n", "header: 2 columns `path`: which one is meant?"),
        (
            "path,colour\n1.png,red\n",
            "header: expected a column of labels (label, class, category, target, label_name, class_name, \
             labels, classes), found path, colour",
        ),
        ("path,label\n", "a table without rows"),
        ("path,label\n1.png,a\n2.png\n", "line: 3"),
        ("path,label\n1.png,a\n,b\n", "line 3: the path is empty"),
        ("path,label\n1.png,\n", "line 2: the label is empty"),
        (
            "path,label,split\n1.png,a,trian\n",
            "line 2: split: expected train, val or test, found `trian`",
        ),
        (
            "path,label\n1.png,a\n2.png,b\n1.png,b\n",
            "line 4: `1.png` has another label or split than in line 2",
        ),
        (
            "path,label,split\n1.png,a,train\n1.png,a,test\n",
            "line 3: `1.png` has another label or split",
        ),
        ("path,label\n1.png,a\n2.png,a\n", "at least 2 classes, found `a` alone"),
        ("path,label\n1.png,a\u{1b}[0m\n2.png,b\n", "class `a\\u{1b}[0m`"),
    ] {
        fs::write(&table, text).unwrap();
        refused(&table, part);
    }
    fs::write(&table, b"path,label\n\xff.png,a\n").unwrap();
    refused(&table, "t.csv: CSV");
}

#[test]
fn a_file_is_one_however_its_path_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["i/0.png", "i/1.png", "j/0.png"]);
    let table = dir.path().join("t.csv");
    let write = |rows: &[String]| fs::write(&table, "path,label\n".to_owned() + &rows.join("\n"));
    let absolute = dir.path().join("i/0.png").display().to_string();
    let spellings = ["i/0.png", "./i/0.png", "i//0.png", "i/./0.png", "j/../i/0.png", &absolute];
    let mut rows: Vec<String> = spellings.map(|path| format!("{path},a")).into();
    rows.push("i/1.png,b".into());
    rows.push("j/0.png,b".into());
    write(&rows).unwrap();
    let folder = ImageFolder::open(&table).unwrap();
    assert_eq!(folder.counts(), [Some(3), None, None]);
    assert_eq!(folder.notes(), ["5 rows that name a file again left out"]);
    for path in &spellings[1..] {
        write(&["i/0.png,a".into(), format!("{path},b")]).unwrap();
        refused(&table, "line 3: `");
        refused(&table, "has another label or split than in line 2");
    }
    // What is not there is told apart by what it says.
    write(&["no/0.png,a".into(), "./no/0.png,a".into(), "0.png,b".into()]).unwrap();
    assert_eq!(ImageFolder::open(&table).unwrap().counts(), [Some(2), None, None]);
}

#[test]
fn of_several_columns_that_could_be_meant_the_one_that_is_taken_is_told() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["0.png", "1.png"]);
    let table = dir.path().join("t.csv");
    fs::write(&table, "file,path,class,label\nx,0.png,p,a\ny,1.png,q,b\n").unwrap();
    let folder = ImageFolder::open(&table).unwrap();
    assert_eq!(folder.classes(), ["a", "b"]);
    let notes = [
        "paths are taken from the column `path`, not from `file`",
        "labels are taken from the column `label`, not from `class`",
    ];
    assert_eq!(folder.notes(), notes);
}

#[test]
fn an_image_that_a_table_names_and_that_cannot_be_read_is_told_with_the_line() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["0.png", "1.png", "2.png"]);
    fs::write(dir.path().join("3.png"), "damaged").unwrap();
    let table = dir.path().join("t.csv");
    let text = "path,label\n0.png,a\n1.png,b\n\nnone.png,b\n3.png,a\n";
    // With the line breaks of Windows, too.
    let of_windows = text.replace('\n', "\r\n");
    fs::write(&table, of_windows).unwrap();
    let error = ImageFolder::open(&table).unwrap().load(&reader()).unwrap_err().to_string();
    assert!(error.contains("t.csv: line 5: cannot open"), "{error}");
    fs::write(&table, text).unwrap();
    let folder = ImageFolder::open(&table).unwrap();
    let error = folder.load(&reader()).unwrap_err();
    let missing = dir.path().join("none.png");
    let expected = format!("{}: line 5: cannot open {}: ", table.display(), missing.display());
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert_eq!(error.kind(), DataErrorKind::NotFound);
    assert_eq!(error.path(), Some(missing.as_path()));
    let images = folder.with_damaged(Damaged::Skip).load(&reader()).unwrap();
    let damaged = "3.png: not a PNG, JPEG, BMP, WebP, GIF or TIFF file";
    assert!(
        images.skipped()[1].contains("t.csv: line 6: ") && images.skipped()[1].ends_with(damaged)
    );
}
