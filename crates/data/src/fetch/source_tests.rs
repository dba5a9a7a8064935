use std::fs;
use std::path::{Path, PathBuf};

use selvedge_fetch::Environment;

use super::Source;
use super::find::{Found, find, find_in};
use crate::published::{FASHION_MNIST, MNIST, PublishedSet};
use crate::{DataError, DataErrorKind};

/// The files' paths, none of which is in an archive.
fn paths(found: Result<Found, DataError>) -> Result<Vec<PathBuf>, DataError> {
    found.map(|found| match found {
        Found::Files(paths) => paths,
        Found::Archive(path) => panic!("found the archive {}", path.display()),
    })
}

fn files(
    source: &Source,
    env: &Environment,
    set: &PublishedSet,
) -> Result<Vec<PathBuf>, DataError> {
    paths(find_in(source, env, set))
}

/// Makes the four files, empty, under `folder`.
fn put(folder: &Path) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    for (i, f) in MNIST.files().iter().enumerate() {
        let suffix = if i % 2 == 0 { ".gz" } else { "" };
        fs::write(folder.join(format!("{}{suffix}", f.name)), "").unwrap();
    }
    folder.to_owned()
}

fn found(source: &Source, env: &Environment) -> PathBuf {
    let files = files(source, env, &MNIST).unwrap();
    files[0].parent().unwrap().to_owned()
}

#[test]
fn places_are_searched_in_the_documented_order() {
    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    let mut env = Environment {
        variable: None,
        current: Some(at("project/deep/inside")),
        package: Some(at("package")),
        cache: Some(at("cache")),
        ..Environment::default()
    };
    fs::create_dir_all(at("variable")).unwrap();
    fs::create_dir_all(at("given")).unwrap();
    let source = Source::default().without_download().with_folder(at("given"));
    let error = files(&source, &env, &MNIST).unwrap_err().to_string();
    assert!(error.starts_with("MNIST not found in "), "{error}");

    // From the last place to the first: each new one comes before those that exist already.
    for (i, place) in [
        "cache/selvedge/mnist",
        "package/datasets/mnist",
        "project/datasets/mnist",
        "project/deep/inside/datasets/mnist",
        "variable",
        "variable/mnist",
        "given",
        "given/mnist",
    ]
    .into_iter()
    .enumerate()
    {
        let folder = put(&at(place));
        if i == 4 {
            env.variable = Some(at("variable"));
        }
        assert_eq!(found(&source, &env), folder);
    }
    // A named folder is the only one.
    let only = Source::folder(at("variable"));
    assert_eq!(found(&only, &env), at("variable/mnist"));
    // A given cache takes the place of the user's.
    let cache = Source::cache(at("own")).without_download();
    let error = files(&cache, &env, &MNIST).unwrap_err();
    assert!(error.to_string().starts_with("MNIST not found in "), "{error}");
    put(&at("own/mnist"));
    assert_eq!(found(&cache, &env), at("own/mnist"));
}

#[test]
fn raw_and_compressed_names_are_both_found() {
    let root = tempfile::tempdir().unwrap();
    put(root.path());
    let files = paths(find(&Source::folder(root.path()), &MNIST)).unwrap();
    let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap()).collect();
    assert_eq!(
        names,
        [
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte"
        ]
    );
}

#[test]
fn a_named_folder_must_exist_and_hold_all_files() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path();
    let message = |source: Source, env| files(&source, &env, &MNIST).unwrap_err().to_string();
    let missing = path.join("missing");
    assert_eq!(
        message(Source::folder(&missing), Environment::default()),
        format!("data folder {} is not a folder", missing.display())
    );
    let env = Environment { variable: Some(missing.clone()), ..Environment::default() };
    assert_eq!(
        message(Source::default(), env),
        format!("SELVEDGE_DATA {} is not a folder", missing.display())
    );
    let empty = message(Source::folder(path), Environment::default());
    let first = path.join("train-images-idx3-ubyte");
    assert_eq!(empty, format!("MNIST: no file {} (raw or .gz)", first.display()));
    let partial = put(&path.join("partial"));
    fs::remove_file(partial.join("t10k-labels-idx1-ubyte")).unwrap();
    let source = Source::default().with_folder(&partial).without_download();
    assert_eq!(
        message(source, Environment::default()),
        format!("MNIST: no file {} (raw or .gz)", partial.join("t10k-labels-idx1-ubyte").display())
    );
}

#[test]
fn the_folder_of_the_variable_that_lacks_the_data_is_named_and_no_other_copy_is_used() {
    let root = tempfile::tempdir().unwrap();
    let (empty, cache) = (root.path().join("empty"), root.path().join("cache"));
    fs::create_dir(&empty).unwrap();
    put(&cache.join("selvedge/mnist"));
    let mut env = Environment { cache: Some(cache), ..Environment::default() };
    assert!(files(&Source::default(), &env, &MNIST).is_ok());
    env.variable = Some(empty.clone());
    let error = files(&Source::default(), &env, &MNIST).unwrap_err();
    let first = empty.join("train-images-idx3-ubyte");
    assert_eq!(
        error.to_string(),
        format!(
            "MNIST: no file {} (raw or .gz), and it is looked for nowhere else while SELVEDGE_DATA is set",
            first.display()
        )
    );
    assert_eq!((error.kind(), error.path()), (DataErrorKind::NotFound, Some(first.as_path())));
    // Unless a folder is given in code, which comes first.
    let given = put(&root.path().join("given"));
    assert_eq!(found(&Source::default().with_folder(&given), &env), given);
}

// A link to itself stands for what may not be looked at, since root may read everything.
#[cfg(unix)]
#[test]
fn what_may_not_be_read_in_a_named_folder_is_an_error_and_not_passed_over() {
    use std::os::unix::fs::symlink;

    let root = tempfile::tempdir().unwrap();
    let at = |path: &str| root.path().join(path);
    put(&at("cache/selvedge/mnist"));
    let unreadable = |path: PathBuf| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(&path, &path).unwrap();
        path
    };
    let find = |folder: PathBuf| {
        let (variable, cache) = (Some(folder), Some(at("cache")));
        let env = Environment { variable, cache, ..Environment::default() };
        files(&Source::default(), &env, &MNIST).unwrap_err()
    };
    let folder = unreadable(at("loop"));
    let error = find(folder.clone());
    assert_eq!((error.kind(), error.path()), (DataErrorKind::Io, Some(folder.as_path())));
    let start = format!("SELVEDGE_DATA: cannot look into {}: ", folder.display());
    assert!(error.to_string().starts_with(&start), "{error}");

    let file = unreadable(at("partly/mnist/train-images-idx3-ubyte"));
    let error = find(at("partly"));
    assert_eq!((error.kind(), error.path()), (DataErrorKind::Io, Some(file.as_path())));

    let nowhere = at("links/train-images-idx3-ubyte.gz");
    fs::create_dir(at("links")).unwrap();
    symlink(at("gone"), &nowhere).unwrap();
    assert_eq!(
        find(at("links")).to_string(),
        format!("cannot open {}: it is a link to a file that is not there", nowhere.display())
    );

    // Nobody named the workspace: the search goes on.
    unreadable(at("project/datasets/mnist"));
    let (current, cache) = (Some(at("project")), Some(at("cache")));
    let env = Environment { current, cache, ..Environment::default() };
    assert_eq!(found(&Source::default(), &env), at("cache/selvedge/mnist"));
}

#[test]
fn a_folder_may_have_any_name() {
    let root = tempfile::tempdir().unwrap();
    let folder = put(&root.path().join("fashion-mnist"));
    assert!(find(&Source::folder(&folder), &FASHION_MNIST).is_ok());
    // Whose files they are is seen when they are read.
    assert!(find(&Source::folder(&folder), &MNIST).is_ok());
}

#[test]
fn offline_nothing_is_asked_of_any_host() {
    // A host that would be waited for four times, half a minute each.
    let cache = tempfile::tempdir().unwrap();
    let source = Source::cache(cache.path()).with_urls(["http://192.0.2.1"]);
    let env = Environment { offline: true, ..Environment::default() };
    let error = files(&source, &env, &MNIST).unwrap_err().to_string();
    assert!(
        error.ends_with("SELVEDGE_OFFLINE forbids its download; name a folder that holds it"),
        "{error}"
    );
    // What is there is found as ever.
    let expected = put(&cache.path().join("mnist"));
    assert_eq!(found(&source, &env), expected);
}
