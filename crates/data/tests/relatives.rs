//! Data sets of the forms of EMNIST, QMNIST and CIFAR, small ones: archives, spellings and hosts.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use selvedge_data::formats::cifar::CifarLabels;
use selvedge_data::published::{
    Checksum, FASHION_MNIST, MNIST, PublishedArchive, PublishedFile, PublishedPart, PublishedSet,
};
use selvedge_data::{DataError, DataErrorKind, IdxData, Source};
use selvedge_fetch::testing::{Reply, Server, tar_gz, zip};

use common::{content, gzip, idx};

fn file(name: &'static str, bytes: &[u8], checksum: Option<Checksum>) -> PublishedFile {
    PublishedFile { name, bytes: bytes.len() as u64, checksum }
}

/// A set of training images alone.
fn set(train: PublishedPart, shape: [usize; 3]) -> PublishedSet {
    PublishedSet { places: &["Small/raw"], ..common::set(train, shape) }
}

fn put(path: PathBuf, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn message(set: &PublishedSet, source: &Source) -> String {
    set.load(source).unwrap_err().to_string()
}

/// Two images of 2 rows and 3 columns, as EMNIST has them: column by column, the labels from 1.
struct Letters {
    set: PublishedSet,
    archive: Vec<u8>,
}

impl Letters {
    fn new(labels: &[u8]) -> Self {
        // Expected below: rows [[0, 2, 4], [1, 3, 5]] of the columns [0, 1], [2, 3], [4, 5].
        let images = idx(&[2, 3, 2], IdxData::U8((0..12).collect()));
        let labels = idx(&[2], IdxData::U8(labels.to_vec()));
        let archive = zip(&[
            ("gzip/other.gz", b"?"),
            ("gzip/letters-labels-idx1-ubyte.gz", &gzip(&labels)),
            ("gzip/letters-images-idx3-ubyte.gz", &gzip(&images)),
        ]);
        let part = PublishedPart::Transposed {
            images: file("letters-images-idx3-ubyte", &images, None),
            labels: file("letters-labels-idx1-ubyte", &labels, None),
            first_label: 1,
        };
        let published = PublishedArchive {
            name: "gzip.zip",
            bytes: archive.len() as u64,
            checksum: Checksum::Sha256(selvedge_files::sha256(&archive).leak()),
            folder: "gzip",
            suffix: ".gz",
        };
        Self { set: PublishedSet { archive: Some(published), ..set(part, [1, 2, 3]) }, archive }
    }
}

#[test]
fn emnists_images_stand_upright_and_its_first_letter_is_class_zero() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Letters::new(&[1, 3]);
    put(folder.path().join("gzip.zip"), &letters.archive);
    let data = letters.set.load(&Source::folder(folder.path())).unwrap().train;
    assert_eq!((data.shape(), data.labels()), ([1, 2, 3], &[0, 2][..]));
    assert_eq!(data.image(0), [0, 2, 4, 1, 3, 5]);
    assert_eq!(data.image(1), [6, 8, 10, 7, 9, 11]);
}

#[test]
fn a_letter_before_the_first_is_refused_and_named_by_the_archive_and_its_member() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Letters::new(&[1, 0]);
    put(folder.path().join("gzip.zip"), &letters.archive);
    let error = letters.set.load(&Source::folder(folder.path())).unwrap_err();
    let member = folder.path().join("gzip.zip/gzip/letters-labels-idx1-ubyte.gz");
    let expected = format!("{}: label at byte 9: expected 1 to 3, found 0", member.display());
    assert_eq!((error.to_string(), error.offset()), (expected, Some(9)));
}

#[test]
fn another_archive_than_the_published_one_is_refused_by_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let letters = Letters::new(&[1, 3]);
    put(folder.path().join("gzip.zip"), &Letters::new(&[2, 3]).archive);
    let error = letters.set.load(&Source::folder(folder.path())).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Checksum);
    assert!(
        error.to_string().contains("gzip.zip: damaged or changed, not the published"),
        "{error}"
    );
}

#[test]
fn an_archive_is_downloaded_from_the_second_host_when_the_first_is_down_and_read_where_it_lies() {
    let cache = tempfile::tempdir().unwrap();
    let letters = Letters::new(&[1, 3]);
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let down = format!("http://127.0.0.1:{port}");
    let archive = letters.archive.clone();
    let up = Server::start(move |_, _| Reply::whole(&archive));
    let hosts: Vec<&'static str> = vec![down.leak(), up.url.clone().leak()];
    let set = PublishedSet { hosts: hosts.leak(), ..letters.set };
    let source = Source::cache(cache.path()).with_attempts(1, Duration::ZERO);
    assert_eq!(set.load(&source).unwrap().train.len(), 2);
    assert_eq!(up.requests().len(), 1);
    assert_eq!(up.requests()[0].file, "gzip.zip");
    assert!(cache.path().join("small/gzip.zip").is_file());
    // Then it is found, and nothing more is asked for.
    set.load(&Source::cache(cache.path()).without_download()).unwrap();
    set.load(&source).unwrap();
    assert_eq!(up.requests().len(), 1);
}

/// Three images of one pixel with QMNIST's labels, and those of the second and third alone.
fn origins(labels: Vec<i32>) -> (PublishedSet, Vec<u8>, Vec<u8>) {
    let images = idx(&[3, 1, 1], IdxData::U8(vec![10, 20, 30]));
    let labels = idx(&[3, 8], IdxData::I32(labels));
    let md5 = |bytes: &[u8], digits| file("", bytes, Some(Checksum::Md5(digits)));
    // Of other files: the compressed ones are compared with them, the raw ones cannot be.
    let part = PublishedPart::WithOrigin {
        images: PublishedFile {
            name: "q-images-idx3-ubyte",
            ..md5(&images, "ed72d4157d28c017586c42bc6afe6370")
        },
        labels: PublishedFile {
            name: "q-labels-idx2-int",
            ..md5(&labels, "0058f8dd561b90ffdd0f734c6a30e5e4")
        },
        from: 1,
        to: 3,
    };
    (set(part, [1, 1, 1]), images, labels)
}

fn eight(label: i32) -> [i32; 8] {
    [label, 0, 1, 2, 3, -1, 1 << 20, 7]
}

#[test]
fn qmnists_class_is_the_first_of_eight_numbers_and_a_part_may_be_a_range() {
    let folder = tempfile::tempdir().unwrap();
    let (set, images, labels) = origins([eight(2), eight(0), eight(1)].concat());
    put(folder.path().join("Small/raw/q-images-idx3-ubyte"), &images);
    put(folder.path().join("Small/raw/q-labels-idx2-int"), &labels);
    let data = set.load(&Source::folder(folder.path())).unwrap().train;
    assert_eq!((data.images(), data.labels()), (&[20, 30][..], &[0, 1][..]));

    let (set, _, labels) = origins([eight(2), eight(0), eight(-1)].concat());
    put(folder.path().join("Small/raw/q-labels-idx2-int"), &labels);
    let error = set.load(&Source::folder(folder.path())).unwrap_err();
    // A header of 12 bytes, then two times eight numbers of 4 bytes.
    assert!(
        error.to_string().ends_with("label at byte 76: expected less than 3, found -1"),
        "{error}"
    );
}

#[test]
fn a_compressed_file_of_which_an_md5_is_known_must_be_the_published_one() {
    let folder = tempfile::tempdir().unwrap();
    let (set, images, labels) = origins([eight(2), eight(0), eight(1)].concat());
    put(folder.path().join("q-images-idx3-ubyte.gz"), &gzip(&images));
    put(folder.path().join("q-labels-idx2-int"), &labels);
    let error = set.load(&Source::folder(folder.path())).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::Checksum);
    assert!(
        error.to_string().contains(": MD5: expected ed72d4157d28c017586c42bc6afe6370"),
        "{error}"
    );
}

/// Records of two labels, coarse and fine, for three images.
fn cifar() -> (PublishedSet, Vec<u8>, Vec<u8>) {
    let records = |labels: [[u8; 2]; 3]| -> Vec<u8> {
        labels.iter().flat_map(|two| two.iter().copied().chain(vec![two[1]; 3072])).collect()
    };
    let train = records([[0, 2], [1, 1], [0, 0]]);
    let test = records([[1, 3], [1, 4], [0, 5]]).iter().map(|&b| b % 3).collect::<Vec<u8>>();
    let part = |files: Vec<PublishedFile>| PublishedPart::Cifar {
        files: files.leak(),
        labels: CifarLabels::Cifar100Fine,
    };
    let archive = PublishedArchive {
        name: "small-binary.tar.gz",
        bytes: 1 << 20,
        checksum: Checksum::Sha256("00000000"),
        folder: "small-bin",
        suffix: "",
    };
    let train_part = part(vec![content("train.bin", &train)]);
    let test_part = part(vec![content("test.bin", &test)]);
    let set = PublishedSet {
        test: Some(test_part),
        archive: Some(archive),
        ..set(train_part, [3, 32, 32])
    };
    (set, train, test)
}

#[test]
fn cifars_files_are_read_from_their_folder_and_from_the_archive_beside_which_they_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let (set, train, test) = cifar();
    let members = [("small-bin/test.bin", &test[..]), ("small-bin/train.bin", &train[..])];
    put(folder.path().join("small-binary.tar.gz"), &tar_gz(&members));
    let load = || set.load(&Source::folder(folder.path())).unwrap();
    assert_eq!(load().train.labels(), [2, 1, 0]);
    put(folder.path().join("small/train.bin"), &train);
    put(folder.path().join("small/test.bin"), &test);
    let data = load();
    assert_eq!(
        (data.train.labels(), data.test.unwrap().labels()),
        (&[2, 1, 0][..], &[0, 1, 2][..])
    );
}

#[test]
fn a_changed_pixel_of_cifar_is_told_in_a_file_and_in_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let (set, mut train, test) = cifar();
    train[100] ^= 1;
    let members = [("small-bin/train.bin", &train[..]), ("small-bin/test.bin", &test[..])];
    put(folder.path().join("small-binary.tar.gz"), &tar_gz(&members));
    let source = Source::folder(folder.path());
    let changed = ": damaged or changed, not the published file of Small: SHA-256 of the content: ";
    let text = message(&set, &source);
    assert!(text.contains(&format!("small-binary.tar.gz/small-bin/train.bin{changed}")), "{text}");
    put(folder.path().join("small/train.bin"), &train);
    put(folder.path().join("small/test.bin"), &test);
    assert!(message(&set, &source).contains(changed));
}

#[test]
fn what_is_missing_of_cifar_says_that_pickles_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let (set, ..) = cifar();
    let text = message(&set, &Source::folder(folder.path()));
    let first = folder.path().join("train.bin");
    let expected = format!(
        "Small: no file {} (raw or .gz, or small-binary.tar.gz; the pickles of the Python version are not read)",
        first.display()
    );
    assert_eq!(text, expected);
}

fn committed(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/fashion-mnist");
    fs::read(folder.join(format!("{name}.gz"))).unwrap()
}

/// Writes Fashion-MNIST's four files under names made of theirs.
fn spelled(root: &Path, spell: impl Fn(&str) -> String) {
    for file in FASHION_MNIST.files() {
        put(root.join(spell(file.name)), &committed(file.name));
    }
}

#[test]
fn the_folders_and_spellings_of_torchvision_and_kaggle_are_found() {
    let load = |root: &Path| FASHION_MNIST.load(&Source::folder(root)).map(|data| data.train.len());
    let spellings: [&dyn Fn(&str) -> String; 6] = [
        &|name| format!("FashionMNIST/raw/{name}.gz"),
        &|name| format!("raw/{name}.gz"),
        // Whether it is compressed is told by the first bytes.
        &|name| name.replace("-idx", ".idx"),
        &|name| format!("fashion-mnist/{}.gz", name.replace("-idx", ".idx")),
        &|name| format!("{name}/{name}"),
        &|name| format!("{0}/{0}", name.replace("-idx", ".idx")),
    ];
    for spell in spellings {
        let root = tempfile::tempdir().unwrap();
        spelled(root.path(), spell);
        assert_eq!(load(root.path()).unwrap(), 60_000);
    }
}

#[test]
fn files_of_another_set_are_called_by_its_name_also_where_one_of_them_is_broken() {
    let root = tempfile::tempdir().unwrap();
    spelled(root.path(), |name| format!("{name}.gz"));
    let broken = root.path().join("train-images-idx3-ubyte.gz");
    fs::write(&broken, &committed("train-images-idx3-ubyte")[..1000]).unwrap();
    let source = Source::folder(root.path());
    let labels = root.path().join("train-labels-idx1-ubyte.gz");
    let expected = format!("{}: these are Fashion-MNIST's files, not MNIST's", labels.display());
    assert_eq!(message(&MNIST, &source), expected);
    // Asked for by its own name, the defect is told.
    let error: DataError = FASHION_MNIST.load(&source).unwrap_err();
    assert_eq!((error.kind(), error.path()), (DataErrorKind::Format, Some(broken.as_path())));
}
