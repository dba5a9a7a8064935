use std::io::Write;

use super::*;
use crate::DataErrorKind;

/// A file of records whose labels and pixels follow a rule: pixel `i` of image `n` is `(7 n + i) % 251`.
fn records(labels: &[&[u8]]) -> Vec<u8> {
    let record = |(n, labels): (usize, &&[u8])| {
        let pixels = (0..PIXELS).map(move |i| ((7 * n + i) % 251) as u8);
        labels.iter().copied().chain(pixels).collect::<Vec<u8>>()
    };
    labels.iter().enumerate().flat_map(record).collect()
}

fn classes(n: usize) -> Vec<String> {
    (0..n).map(|i| i.to_string()).collect()
}

fn read(bytes: &[u8], labels: CifarLabels, n: usize) -> Result<ImageDataset, DataError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    ImageDataset::from_cifar_files("c", &[file.path()], labels, classes(n))
}

#[test]
fn records_of_ten_classes_are_read_plane_by_plane() {
    let data = read(&records(&[&[3], &[9]]), CifarLabels::Cifar10, 10).unwrap();
    assert_eq!((data.labels(), data.shape()), (&[3, 9][..], [3, 32, 32]));
    // Red, row 1, column 2 of the second image; green, row 0, column 0 of the first.
    assert_eq!(data.image(1)[32 + 2], 7 + 34);
    assert_eq!(data.image(0)[1024], (1024 % 251) as u8);
}

#[test]
fn the_coarse_label_comes_before_the_fine_one() {
    let bytes = records(&[&[1, 90], &[19, 99]]);
    let fine = read(&bytes, CifarLabels::Cifar100Fine, 100).unwrap();
    let coarse = read(&bytes, CifarLabels::Cifar100Coarse, 20).unwrap();
    assert_eq!(fine.labels(), [90, 99]);
    assert_eq!(coarse.labels(), [1, 19]);
    assert_eq!(fine.images(), coarse.images());
}

#[test]
fn files_are_joined_and_may_be_compressed() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.bin", "b.bin.gz"].map(|name| folder.path().join(name));
    std::fs::write(&paths[0], records(&[&[1]])).unwrap();
    let file = std::fs::File::create(&paths[1]).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(&records(&[&[2], &[0]])).unwrap();
    gzip.finish().unwrap();
    let read = || ImageDataset::from_cifar_files("c", &paths, CifarLabels::Cifar10, classes(3));
    assert_eq!(read().unwrap().labels(), [1, 2, 0]);

    let whole = std::fs::read(&paths[1]).unwrap();
    std::fs::write(&paths[1], &whole[..whole.len() - 9]).unwrap();
    let error = read().unwrap_err();
    assert_eq!((error.kind(), error.path()), (DataErrorKind::Format, Some(paths[1].as_path())));
    assert!(error.to_string().contains("the gzip stream is cut off or damaged"), "{error}");
}

#[test]
fn a_file_that_ends_within_a_record_names_its_length() {
    let bytes = records(&[&[0], &[0]]);
    let error = read(&bytes[..4000], CifarLabels::Cifar10, 10).unwrap_err();
    assert_eq!((error.kind(), error.offset()), (DataErrorKind::Format, Some(4000)));
    let message = "ends at byte 4000, within a record: expected a multiple of 3073 bytes";
    assert!(error.to_string().ends_with(message), "{error}");
    // As if it were of CIFAR-100.
    assert!(read(&bytes, CifarLabels::Cifar100Fine, 100).is_err());
}

#[test]
fn a_label_out_of_range_names_its_offset() {
    let error = read(&records(&[&[0], &[10]]), CifarLabels::Cifar10, 10).unwrap_err();
    assert!(
        error.to_string().ends_with("label at byte 3073: expected less than 10, found 10"),
        "{error}"
    );
    let error = read(&records(&[&[0, 100]]), CifarLabels::Cifar100Fine, 100).unwrap_err();
    assert_eq!(error.offset(), Some(1));
}
