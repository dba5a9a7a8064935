mod table;

use std::fs;
use std::path::Path;

use image::{ImageBuffer, Rgb};

use super::*;
use crate::{DataErrorKind, ImageReader};

/// Makes a file of an image of 4 × 4 pixels of one colour, and the folders that it is in.
fn image(folder: &Path, path: &str, value: u8) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ImageBuffer::from_pixel(4, 4, Rgb([value; 3])).save(path).unwrap();
}

/// Files of images; those of a class have values of their own.
fn images(folder: &Path, paths: &[&str]) {
    paths.iter().enumerate().for_each(|(i, path)| image(folder, path, i as u8));
}

fn reader() -> ImageReader {
    ImageReader::new([1, 2, 2]).unwrap()
}

/// The first pixel and the label of each image.
fn read(images: &crate::ImageDataset) -> Vec<(u8, u16)> {
    (0..images.len()).map(|i| (images.image(i)[0], images.label(i))).collect()
}

#[track_caller]
fn refused(path: &Path, part: &str) {
    let error = ImageFolder::open(path).unwrap_err().to_string();
    assert!(error.contains(part), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn one_level_of_folders_is_to_be_split_and_the_names_are_the_classes() {
    let dir = tempfile::tempdir().unwrap();
    images(
        dir.path(),
        &["dog/b.png", "cat/2.jpg.png", "cat/1.bmp", "dog/deep/er/c.gif", "dog/a.PNG"],
    );
    let folder = ImageFolder::open(dir.path()).unwrap();
    assert_eq!(folder.classes(), ["cat", "dog"]);
    assert_eq!(folder.counts(), [Some(5), None, None]);
    assert!(folder.notes().is_empty(), "{:?}", folder.notes());
    let images = folder.load(&reader()).unwrap();
    assert_eq!(read(&images.train), [(2, 0), (1, 0), (4, 1), (0, 1), (3, 1)]);
    assert_eq!(images.train.shape(), [1, 2, 2]);
    let split = images.split(0.4, 1).unwrap();
    assert_eq!(
        (split.train.class_counts(), split.validation.class_counts()),
        (vec![1, 2], vec![1, 1])
    );
    assert!(split.test.is_none());
    assert_eq!(images.dataset().unwrap().train.len(), 5);
}

#[test]
fn parts_have_folders_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    images(
        dir.path(),
        &[
            "Train/a/0.png",
            "Train/b/1.png",
            "valid/a/2.png",
            "valid/b/3.png",
            "test/a/4.png",
            "more/x.png",
        ],
    );
    let folder = ImageFolder::open(dir.path()).unwrap();
    assert_eq!(folder.counts(), [Some(2), Some(2), Some(1)]);
    assert_eq!(
        folder.notes(),
        ["folder `more` beside `train` left out", "test: no image of 1 class: `b`"]
    );
    let images = folder.load(&reader()).unwrap();
    let split = images.split(0.5, 1).unwrap();
    let [train, validation] = [&split.train, &split.validation].map(|view| read(view.dataset()));
    assert_eq!((train, validation), (vec![(0, 0), (1, 1)], vec![(2, 0), (3, 1)]));
    assert_eq!(read(split.test().unwrap().dataset()), [(4, 0)]);
    assert_eq!(images.shared_images().unwrap(), [0, 0]);
    let error = images.dataset().unwrap_err().to_string();
    assert!(error.contains("expected no images to validate on, found 2"), "{error}");
}

#[test]
fn what_is_left_out_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["a/0.png", "b/1.png", "beside.png"]);
    for name in [".DS_Store", "a/.hidden.png", "a/note.TXT", "a/b.txt", "b/photo.heic", "b/README"]
    {
        fs::write(dir.path().join(name), "x").unwrap();
    }
    fs::create_dir(dir.path().join("__MACOSX")).unwrap();
    let folder = ImageFolder::open(dir.path()).unwrap();
    let notes = folder.notes();
    assert!(notes[0].starts_with("1 image in ") && notes[0].ends_with("in no class, left out"));
    assert_eq!(notes[1], "1 hidden file or folder left out");
    let files = "4 files that are no images left out: 2 .txt, 1 .heic, 1 without an ending";
    assert_eq!(notes[2], files);
    assert_eq!(folder.counts(), [Some(2), None, None]);
}

#[test]
fn folders_that_cannot_be_meant_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    refused(&path.join("none"), "none: not there");
    let kind = ImageFolder::open(path.join("none")).unwrap_err().kind();
    assert_eq!(kind, DataErrorKind::NotFound);
    fs::write(path.join("x.txt"), "").unwrap();
    refused(&path.join("x.txt"), "neither a folder nor a table in .csv");
    refused(path, "expected a folder of images for each class, found none");
    image(path, "a/0.png", 0);
    refused(path, "expected images of at least 2 classes, found `a` alone");
    fs::create_dir(path.join("b")).unwrap();
    refused(path, "class `b`: no image to learn from");
    let path = path.join("parts");
    image(&path, "test/a/0.png", 0);
    refused(&path, "a folder `test`, but none called `train`");
    image(&path, "train/a/0.png", 0);
    image(&path, "train/b/0.png", 0);
    image(&path, "test/c/0.png", 0);
    refused(&path, "class `c`: images for test alone, none to learn from");
    image(&path, "testing/a/0.png", 0);
    refused(&path, "both `test` and `testing`: which one is meant?");
}

#[cfg(unix)]
#[test]
fn names_and_links_of_any_kind_are_followed_or_told() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    images(path, &["elsewhere/0.png", "classes/b/1.png"]);
    let classes = path.join("classes");
    symlink(path.join("elsewhere"), classes.join("a")).unwrap();
    // A file's name may be anything.
    let odd = classes.join("b").join(OsStr::from_bytes(b"\xff\n.png"));
    fs::copy(classes.join("b/1.png"), odd).unwrap();
    let folder = ImageFolder::open(&classes).unwrap();
    assert_eq!(read(&folder.load(&reader()).unwrap().train), [(0, 0), (1, 1), (1, 1)]);

    // A link to nothing is an image that cannot be read.
    symlink("nowhere", classes.join("b/2.png")).unwrap();
    let error = ImageFolder::open(&classes).unwrap().load(&reader()).unwrap_err();
    assert!(error.to_string().contains("b/2.png: No such file"), "{error}");
    fs::remove_file(classes.join("b/2.png")).unwrap();

    symlink(&classes, classes.join("b/again")).unwrap();
    refused(&classes, "a link to a folder that it is in");
    fs::remove_file(classes.join("b/again")).unwrap();

    fs::create_dir(classes.join("red\u{1b}[31m")).unwrap();
    refused(&classes, "class `red\\u{1b}[31m`: its name has control characters");
    fs::create_dir(classes.join(OsStr::from_bytes(b"\xff"))).unwrap();
    refused(&classes, "the name of a class must be UTF-8");
}

#[test]
fn a_folder_without_images_to_validate_or_to_test_on_is_told() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["train/a/0.png", "train/b/1.png"]);
    fs::create_dir(dir.path().join("val")).unwrap();
    fs::create_dir_all(dir.path().join("test/a")).unwrap();
    let folder = ImageFolder::open(dir.path()).unwrap();
    let notes = [
        "validation: a folder without images: a share of the images to learn from validates",
        "test: a folder without images",
    ];
    assert_eq!(folder.notes(), notes);
    assert_eq!(folder.counts(), [Some(2), None, None]);
}

/// Two classes of ten images, the third and the last of which are damaged.
fn damaged() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..10u8 {
        image(dir.path(), &format!("a/{i}.png"), i);
        image(dir.path(), &format!("b/{i}.png"), 100 + i);
    }
    fs::write(dir.path().join("a/2.png"), "no image").unwrap();
    fs::write(dir.path().join("b/9.png"), "").unwrap();
    dir
}

#[test]
fn a_damaged_image_is_named_and_skipped_only_on_request() {
    let dir = damaged();
    let folder = ImageFolder::open(dir.path()).unwrap();
    let error = folder.load(&reader()).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Format);
    assert_eq!(error.path(), Some(dir.path().join("a/2.png").as_path()));
    let folder = folder.with_damaged(Damaged::Skip);
    let images = folder.load(&reader()).unwrap();
    assert_eq!(images.train.view().class_counts(), [9, 9]);
    assert_eq!(read(&images.train)[1..3], [(1, 0), (3, 0)]);
    let skipped = images.skipped();
    assert!(skipped[0].ends_with("a/2.png: not a PNG, JPEG, BMP, WebP, GIF or TIFF file"));
    assert!(skipped[1].ends_with("b/9.png: an empty file"));
    assert_eq!(skipped.len(), 2);
    for i in 0..10 {
        fs::write(dir.path().join(format!("b/{i}.png")), "no image").unwrap();
    }
    let error = folder.load(&reader()).unwrap_err().to_string();
    assert!(error.ends_with("class `b`: no image to learn from is readable"), "{error}");
}

#[test]
fn pixels_are_the_same_in_memory_in_a_file_and_with_any_number_of_threads() {
    let dir = tempfile::tempdir().unwrap();
    // More than one chunk.
    for i in 0..600u32 {
        let class = ["a", "b"][i as usize % 2];
        let path = dir.path().join(class);
        fs::create_dir_all(&path).unwrap();
        let (width, height) = (3 + i % 7, 2 + i % 5);
        let image =
            ImageBuffer::from_fn(width, height, |x, y| Rgb([x, y, i].map(|v| (v * 31) as u8)));
        image.save(path.join(format!("{i}.png"))).unwrap();
    }
    let folder = ImageFolder::open(dir.path()).unwrap();
    let load = |folder: &ImageFolder, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| folder.load(&ImageReader::new([3, 4, 4]).unwrap()).unwrap())
    };
    let expected = load(&folder, 1).train;
    let file = folder.clone().with_memory_limit(0).with_scratch_folder(dir.path());
    for found in [load(&folder, 3).train, load(&file, 2).train] {
        assert_eq!(found.images(), expected.images());
        assert_eq!(found.labels(), expected.labels());
    }
    assert_eq!(expected.len(), 600);
}

#[test]
fn loading_tells_how_far_it_is_and_ends_on_request() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["train/a/0.png", "train/b/1.png", "test/a/2.png"]);
    let folder = ImageFolder::open(dir.path()).unwrap();
    let last = Arc::new(AtomicUsize::new(0));
    let seen = last.clone();
    let watched = folder.clone().with_watch(move |done, total| {
        seen.store(10 * done + total, Ordering::Relaxed);
        true
    });
    watched.load(&reader()).unwrap();
    assert_eq!(last.load(Ordering::Relaxed), 33);
    let error = folder.with_watch(|_, _| false).load(&reader()).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Interrupted);
}

#[test]
fn a_class_too_small_to_be_divided_is_named_with_its_folder_and_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["a/0.png", "a/1.png", "a/2.png", "b/3.png"]);
    let split = |fraction| {
        let images = ImageFolder::open(dir.path()).unwrap().load(&reader()).unwrap();
        images.split(fraction, 1).map(drop).map_err(|error| error.to_string())
    };
    let path = dir.path().display();
    assert_eq!(
        split(0.2).unwrap_err(),
        format!(
            "{path}: class `b` has 1 image, which cannot both train and validate: add images of it, or put \
             images to validate on into a folder (or split) `val`"
        )
    );
    image(dir.path(), "b/4.png", 4);
    assert_eq!(split(0.2), Ok(()));
    assert_eq!(
        split(0.9).unwrap_err(),
        format!(
            "{path}: class `a` has 3 images, which would all validate at a validation fraction of 0.9: take a \
             smaller one, or add images of it"
        )
    );
    // The value as it was given, not 1 less it.
    for fraction in [0.0, 1.5, -1e300] {
        let expected = "validation fraction: expected a number above 0 and below 1, found ";
        assert_eq!(split(fraction), Err(format!("{expected}{fraction:?}").replace("0.0", "0")));
    }
}

#[test]
fn an_image_that_is_learned_and_tested_on_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    images(dir.path(), &["train/a/0.png", "train/b/1.png"]);
    image(dir.path(), "test/b/other.png", 0);
    let images = ImageFolder::open(dir.path()).unwrap().load(&reader()).unwrap();
    assert_eq!(images.shared_images().unwrap(), [0, 1]);
}
