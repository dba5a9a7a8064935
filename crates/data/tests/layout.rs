//! The order of the dimensions of images in IDX files.

use std::fs;
use std::path::{Path, PathBuf};

use selvedge_data::{DataError, DataErrorKind, IdxArray, IdxData, ImageDataset, ImageLayout};

/// Two images in a file of this shape, whose pixels count up from 0, and their labels.
fn put(folder: &Path, shape: [usize; 4]) -> [PathBuf; 2] {
    let pixels = (0..shape.iter().product::<usize>()).map(|i| i as u8).collect();
    [("images", shape.to_vec(), pixels), ("labels", vec![2], vec![0, 1])].map(
        |(name, shape, bytes)| {
            let path = folder.join(name);
            let array = IdxArray::new(shape, IdxData::U8(bytes)).unwrap();
            array.write(fs::File::create(&path).unwrap()).unwrap();
            path
        },
    )
}

fn classes() -> Vec<String> {
    vec!["left".to_owned(), "right".to_owned()]
}

fn read([images, labels]: &[PathBuf; 2]) -> Result<ImageDataset, DataError> {
    ImageDataset::from_idx_files("mine", images, labels, classes())
}

#[test]
fn channels_last_are_refused_with_the_file_the_shape_and_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    for channels in [1, 3, 4] {
        let files = put(folder.path(), [2, 5, 6, channels]);
        let error = read(&files).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "{}: dimensions at byte 4: expected [images, channels, height, width], found [2, 5, 6, {channels}], which looks like channels last (transpose the array, or name its layout by ImageDataset::from_idx_files_with_layout)",
                files[0].display()
            )
        );
        let (path, offset) = (Some(files[0].as_path()), Some(4));
        assert_eq!(
            (error.kind(), error.path(), error.offset()),
            (DataErrorKind::Format, path, offset)
        );
    }
}

#[test]
fn channels_first_are_read_as_before_even_where_the_last_dimension_is_small() {
    let folder = tempfile::tempdir().unwrap();
    for shape in [[2, 3, 5, 6], [2, 3, 5, 4], [2, 1, 4, 3], [2, 5, 6, 7], [2, 4, 3, 3]] {
        let data = read(&put(folder.path(), shape)).unwrap();
        assert_eq!(data.shape(), shape[1..]);
    }
}

// Expected: pixel (row, column) of channel c is byte (row * 2 + column) * 3 + c of a 2 x 2 image.
#[test]
fn a_named_layout_is_taken_at_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let files = put(folder.path(), [2, 2, 2, 3]);
    let read = |layout| {
        let [images, labels] = &files;
        ImageDataset::from_idx_files_with_layout("mine", images, labels, classes(), layout).unwrap()
    };
    let last = read(ImageLayout::ChannelsLast);
    assert_eq!(last.shape(), [3, 2, 2]);
    assert_eq!(last.image(0), [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]);
    assert_eq!(last.image(1), [12, 15, 18, 21, 13, 16, 19, 22, 14, 17, 20, 23]);
    let first = read(ImageLayout::ChannelsFirst);
    assert_eq!(first.shape(), [2, 2, 3]);
    assert_eq!(first.images(), (0..24).collect::<Vec<u8>>());
}
