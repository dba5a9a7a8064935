//! A data set that is an entry of a program's own, of another form than MNIST's.

mod common;

use std::fs;
use std::path::Path;

use selvedge_data::published::{PublishedFile, PublishedPart, PublishedSet};
use selvedge_data::{DataErrorKind, Dataset, IdxData, ImageDataset, OfficialSplit, Source};

use common::{content, gzip, idx};

/// Writes an IDX file, compressed, and describes its content.
fn put(folder: &Path, name: &'static str, shape: &[usize], bytes: Vec<u8>) -> PublishedFile {
    let raw = idx(shape, IdxData::U8(bytes));
    fs::write(folder.join(format!("{name}.gz")), gzip(&raw)).unwrap();
    content(name, &raw)
}

/// 30 colour images of 5 × 4 pixels in three classes, without test images.
fn colours(folder: &Path) -> PublishedSet {
    let pixels = (0..30 * 3 * 5 * 4).map(|i| (i % 251) as u8).collect();
    let labels = (0..30).map(|i| i % 3).collect();
    let train = PublishedPart::Idx {
        images: put(folder, "images", &[30, 3, 5, 4], pixels),
        labels: put(folder, "labels", &[30], labels),
    };
    PublishedSet {
        name: "colours",
        display_name: "Colours",
        folder: "colours",
        classes: &["red", "green", "blue"],
        ..common::set(train, [3, 5, 4])
    }
}

#[test]
fn a_set_of_another_form_without_test_images_is_loaded_verified_and_split() {
    let folder = tempfile::tempdir().unwrap();
    let set = colours(folder.path());
    let data = set.load(&Source::folder(folder.path())).unwrap();
    set.verify(&data).unwrap();
    assert_eq!((data.train.len(), data.shape()), (30, [3, 5, 4]));
    assert_eq!(data.train.name(), "Colours train");
    assert!(data.test.is_none());
    let split = data.split_stratified_three([0.8, 0.1, 0.1], 1).unwrap();
    assert_eq!(split.train.class_counts(), [8, 8, 8]);
    assert_eq!(split.validation.class_counts(), [1, 1, 1]);
    assert_eq!(split.test().unwrap().class_counts(), [1, 1, 1]);
    let error = data.split_official().unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::InvalidInput);
}

#[test]
fn an_official_split_may_have_no_test_images() {
    let folder = tempfile::tempdir().unwrap();
    let official = Some(OfficialSplit { train: 25, validation: 5, test: 0 });
    let set = PublishedSet { official, ..colours(folder.path()) };
    let split = set.load(&Source::folder(folder.path())).unwrap().split_official().unwrap();
    assert_eq!((split.train.len(), split.validation.len()), (25, 5));
    assert!(split.test.is_none());
}

#[test]
fn images_of_another_shape_than_the_entrys_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let set = PublishedSet { shape: [3, 4, 5], ..colours(folder.path()) };
    let error = set.load(&Source::folder(folder.path())).unwrap_err();
    let path = folder.path().join("images.gz");
    assert_eq!(
        error.to_string(),
        format!(
            "{}: dimensions at byte 8: expected [images, 3, 4, 5], found [30, 3, 5, 4]",
            path.display()
        )
    );
    assert_eq!((error.kind(), error.offset()), (DataErrorKind::Format, Some(8)));
}

#[test]
fn a_changed_pixel_or_label_is_refused_and_the_file_is_named_raw_and_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let set = colours(folder.path());
    let source = Source::folder(folder.path());
    let published = set.load(&source).unwrap();

    let labels = put(folder.path(), "labels", &[30], vec![0; 30]);
    let path = folder.path().join("labels.gz");
    let error = set.load(&source).unwrap_err();
    let PublishedPart::Idx { images, labels: expected } = set.train else { unreachable!() };
    assert_eq!(
        error.to_string(),
        format!(
            "{}: damaged or changed, not the published file of Colours: SHA-256 of the content: expected {}, found {}",
            path.display(),
            expected.content().unwrap(),
            labels.content().unwrap()
        )
    );
    assert_eq!((error.kind(), error.path()), (DataErrorKind::Checksum, Some(path.as_path())));

    // One bit of one pixel of a raw file, which has no check sum of its own.
    let mut pixels = published.train.images().to_vec();
    pixels[1234] ^= 1;
    let raw = idx(&[30, 3, 5, 4], IdxData::U8(pixels));
    let path = folder.path().join("images");
    fs::write(&path, &raw).unwrap();
    let error = set.load(&source).unwrap_err();
    assert_eq!((error.kind(), error.path()), (DataErrorKind::Checksum, Some(path.as_path())));
    assert!(error.to_string().contains(images.content().unwrap()), "{error}");

    // As one's own data set they are read all the same.
    let classes = published.classes().to_vec();
    let labels = folder.path().join("labels.gz");
    let mine = ImageDataset::from_idx_files("mine", &path, labels, classes).unwrap();
    assert_eq!(mine.len(), 30);
    // And what is in memory is told from what is published.
    let error = set.verify(&Dataset::new(mine, None).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("images: SHA-256 of the content: expected "), "{error}");
}

#[test]
fn training_images_in_the_place_of_test_images_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let set = colours(folder.path());
    let test = PublishedPart::Idx {
        images: put(folder.path(), "test-images", &[1, 3, 5, 4], vec![8; 60]),
        labels: put(folder.path(), "test-labels", &[1], vec![2]),
    };
    let set = PublishedSet { test: Some(test), ..set };
    let source = Source::folder(folder.path());
    assert_eq!(set.load(&source).unwrap().test.unwrap().len(), 1);
    for (from, to) in [("images.gz", "test-images.gz"), ("labels.gz", "test-labels.gz")] {
        fs::copy(folder.path().join(from), folder.path().join(to)).unwrap();
    }
    let path = folder.path().join("test-images.gz");
    assert_eq!(
        set.load(&source).unwrap_err().to_string(),
        format!("{}: this is images of Colours, not test-images", path.display())
    );
}
