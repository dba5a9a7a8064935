//! The committed Fashion-MNIST, and damaged copies of small files in its format.

use std::fs;
use std::path::{Path, PathBuf};

use selvedge_data::published::{FASHION_MNIST, MNIST};
use selvedge_data::{
    ClassSubset, DataError, DataErrorKind, Dataset, IdxArray, IdxData, IdxReader, Source, Split,
};

fn committed_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets")
}

fn committed() -> Dataset {
    FASHION_MNIST.load(&Source::folder(committed_folder())).unwrap()
}

// Expected: classes and counts as published by Zalando Research; mean and deviation as widely
// used for it (0.2860, 0.3530).
#[test]
fn the_committed_data_set_is_the_published_one() {
    let data = committed();
    FASHION_MNIST.verify(&data).unwrap();
    let test = data.test.as_ref().unwrap();
    assert_eq!((data.train.len(), test.len()), (60_000, 10_000));
    assert_eq!(data.train.view().class_counts(), [6_000; 10]);
    assert_eq!(test.view().class_counts(), [1_000; 10]);
    let (mean, std) = data.train.view().mean_std();
    assert!((mean[0] - 0.2860).abs() < 5e-5, "{mean:?}");
    assert!((std[0] - 0.3530).abs() < 5e-5, "{std:?}");
}

#[test]
fn another_data_sets_content_is_not_verified() {
    let data = committed();
    let error = MNIST.verify(&data).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Checksum, "{error}");
    let error = FASHION_MNIST.verify(&Dataset::new(data.train, None).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("t10k-images-idx3-ubyte: "), "{error}");
    assert!(error.to_string().ends_with("found none"), "{error}");
}

// Expected: FM-1 has 24,975 / 5,025 / 5,000 images; FM-2 has the others of 50,000 / 10,000 /
// 10,000.
#[test]
fn fm1_and_fm2_have_their_numbers_of_images() {
    let data = committed();
    let split = data.split_official().unwrap();
    let fm1 = split.select(&ClassSubset::fm1()).unwrap();
    let fm2 = split.select(&ClassSubset::fm2()).unwrap();
    let sizes = |s: &Split| [s.train.len(), s.validation.len(), s.test().unwrap().len()];
    assert_eq!(sizes(&split), [50_000, 10_000, 10_000]);
    assert_eq!(sizes(&fm1), [24_975, 5_025, 5_000]);
    assert_eq!(sizes(&fm2), [25_025, 4_975, 5_000]);
    assert_eq!(fm1.train.classes(), ["T-shirt/top", "Trouser", "Coat", "Sandal", "Bag"]);
    assert_eq!(fm2.train.classes(), ["Pullover", "Dress", "Shirt", "Sneaker", "Ankle boot"]);
    for position in 0..fm1.validation.len() {
        let index = fm1.validation.indices()[position] as usize;
        assert!(index >= 50_000);
        let label = usize::from(fm1.validation.label(position));
        assert_eq!([0, 1, 4, 5, 8][label], data.train.label(index));
    }
}

#[test]
fn fractions_of_fm1_are_nested_and_stratified() {
    let data = committed();
    let split = data.split_official().unwrap();
    let train = split.select(&ClassSubset::fm1()).unwrap().train;
    let counts = train.class_counts();
    let mut before: Vec<u32> = Vec::new();
    // Expected: 5, 10, 25, 50 and 100 % of 24,975, rounded.
    for (fraction, images) in
        [(0.05, 1_249), (0.1, 2_498), (0.25, 6_244), (0.5, 12_488), (1.0, 24_975)]
    {
        let part = train.stratified_fraction(fraction, 1).unwrap();
        assert_eq!(part.len(), images);
        let indices = part.indices();
        assert!(indices.is_sorted());
        assert!(before.iter().all(|i| indices.binary_search(i).is_ok()));
        for (&found, &of) in part.class_counts().iter().zip(&counts) {
            assert!((found as f64 - fraction * of as f64).abs() <= 1.0);
        }
        before = indices.to_vec();
    }
}

/// Five images and labels for training and for testing, in a new folder.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { folder: tempfile::tempdir().unwrap() };
        for part in ["train", "t10k"] {
            files.put(&format!("{part}-images-idx3-ubyte"), &[5, 28, 28], vec![9; 5 * 784]);
            files.put(&format!("{part}-labels-idx1-ubyte"), &[5], vec![0, 1, 2, 3, 9]);
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn put(&self, name: &str, shape: &[usize], bytes: Vec<u8>) {
        let mut file = Vec::new();
        let array = IdxArray::new(shape.to_vec(), IdxData::U8(bytes)).unwrap();
        array.write(&mut file).unwrap();
        fs::write(self.path(name), file).unwrap();
    }

    fn load(&self) -> Result<Dataset, DataError> {
        FASHION_MNIST.load(&Source::folder(self.folder.path()))
    }

    fn message(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

#[test]
fn another_set_of_the_same_form_is_refused() {
    let files = Files::new();
    let error = files.load().unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Checksum);
    assert_eq!(error.path(), Some(files.path("train-images-idx3-ubyte").as_path()));
    assert!(
        error.to_string().contains(": damaged or changed, not the published file of Fashion-MNIST"),
        "{error}"
    );
}

#[test]
fn fashion_mnist_is_not_taken_for_mnist_whatever_the_folders_name_raw_or_compressed() {
    let published = committed_folder().join("fashion-mnist");
    let message = |folder: &Path| MNIST.load(&Source::folder(folder)).unwrap_err().to_string();
    let expected =
        |file: PathBuf| format!("{}: these are Fashion-MNIST's files, not MNIST's", file.display());
    let file = "train-images-idx3-ubyte";
    assert_eq!(message(&published), expected(published.join(format!("{file}.gz"))));

    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mnist");
    fs::create_dir(&folder).unwrap();
    for file in FASHION_MNIST.files() {
        let packed = published.join(format!("{}.gz", file.name));
        let array = IdxReader::new().read_file(packed).unwrap();
        array.write(fs::File::create(folder.join(file.name)).unwrap()).unwrap();
    }
    for given in [root.path(), &folder] {
        assert_eq!(message(given), expected(folder.join(file)));
    }
    // Asked for by their own name, they are found in that folder.
    let data = FASHION_MNIST.load(&Source::folder(&folder)).unwrap();
    assert_eq!(data.train.len(), 60_000);
}

// Expected: none of Fashion-MNIST's 10,000 test images is one of its training images (counted with
// NumPy: `len({x.tobytes() for x in train} & {x.tobytes() for x in test})` is 0).
#[test]
fn no_test_image_of_fashion_mnist_is_a_training_image() {
    assert!(committed().shared_images().is_empty());
}

#[test]
fn a_truncated_label_file_names_its_path_and_offset() {
    let files = Files::new();
    let path = files.path("train-labels-idx1-ubyte");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..11]).unwrap();
    assert_eq!(
        files.message(),
        format!("{}: truncated at byte 11: expected 5 bytes of data, found 3", path.display())
    );
}

#[test]
fn a_corrupt_image_file_names_its_path_and_offset() {
    let files = Files::new();
    let raw = files.path("t10k-images-idx3-ubyte");
    let array = IdxArray::new(vec![5, 28, 28], IdxData::U8(vec![9; 5 * 784])).unwrap();
    fs::remove_file(&raw).unwrap();
    let path = files.path("t10k-images-idx3-ubyte.gz");
    let mut gzip = Vec::new();
    array.write_gzip(&mut gzip).unwrap();
    let sum = gzip.len() - 5;
    gzip[sum] ^= 0xFF;
    fs::write(&path, gzip).unwrap();
    let error = files.load().unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Format);
    assert_eq!(error.path(), Some(path.as_path()));
    assert_eq!(error.offset(), Some(16 + 5 * 784));
    assert!(error.to_string().contains(": corrupt gzip stream after 3936 bytes"), "{error}");
}

#[test]
fn a_label_out_of_range_names_its_path_and_offset() {
    let files = Files::new();
    files.put("t10k-labels-idx1-ubyte", &[5], vec![0, 1, 10, 3, 4]);
    let path = files.path("t10k-labels-idx1-ubyte");
    assert_eq!(
        files.message(),
        format!("{}: label at byte 10: expected less than 10, found 10", path.display())
    );
}

#[test]
fn as_many_labels_as_images_are_needed() {
    let files = Files::new();
    files.put("train-labels-idx1-ubyte", &[4], vec![0; 4]);
    let labels = files.path("train-labels-idx1-ubyte");
    let images = files.path("train-images-idx3-ubyte");
    assert_eq!(
        files.message(),
        format!(
            "{}: count at byte 4: expected 5 labels for the images of {}, found 4",
            labels.display(),
            images.display()
        )
    );
}

#[test]
fn files_of_another_shape_or_type_are_refused() {
    let files = Files::new();
    let images = files.path("train-images-idx3-ubyte");
    files.put("train-images-idx3-ubyte", &[5, 28, 27], vec![0; 5 * 28 * 27]);
    assert_eq!(
        files.message(),
        format!(
            "{}: dimensions at byte 8: expected [images, 28, 28], found [5, 28, 27]",
            images.display()
        )
    );
    files.put("train-images-idx3-ubyte", &[5, 784], vec![0; 5 * 784]);
    assert!(files.message().contains("expected [images, height, width]"));

    let mut file = Vec::new();
    let array = IdxArray::new(vec![5], IdxData::I32(vec![0; 5])).unwrap();
    array.write(&mut file).unwrap();
    let files = Files::new();
    let labels = files.path("train-labels-idx1-ubyte");
    fs::write(&labels, file).unwrap();
    assert_eq!(
        files.message(),
        format!("{}: element type at byte 2: expected u8, found i32", labels.display())
    );
}

#[test]
fn a_missing_folder_is_named() {
    let error = FASHION_MNIST.load(&Source::folder("no/such/folder")).unwrap_err();
    assert_eq!(error.to_string(), "data folder no/such/folder is not a folder");
}
