//! Files of PyTorch with random changes: whatever they become, there is an answer.

use std::io::{Cursor, Read};

use proptest::prelude::*;
use zip::{CompressionMethod, ZipArchive};

use super::hostile::torch_zip;
use super::*;
use crate::weights::inspect_bytes;

/// Changes at places that are given as parts of the whole, and how long it becomes.
fn changed(mut bytes: Vec<u8>, changes: &[(f64, u8)], length: f64) -> Vec<u8> {
    let whole = bytes.len() as f64;
    for &(place, byte) in changes {
        bytes[(place * whole) as usize] = byte;
    }
    bytes.truncate((length * whole) as usize + 1);
    bytes
}

/// The pickle of a file and its storages.
fn parts(name: &str) -> (Vec<u8>, Vec<(String, Vec<u8>)>) {
    let bytes = std::fs::read(data(name)).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let (mut pickle, mut storages) = (Vec::new(), Vec::new());
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        let name = entry.name().unwrap().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        match name.split_once('/').unwrap().1 {
            "data.pkl" => pickle = content,
            rest => storages.extend(rest.strip_prefix("data/").map(|key| (key.into(), content))),
        }
    }
    (pickle, storages)
}

/// Asserts that the bytes are refused, or give tensors of the stated multiple of their size.
fn assert_answered(bytes: &[u8]) {
    let Ok(file) = inspect_bytes(bytes) else { return };
    let size = |tensor: &crate::weights::TensorInfo| {
        tensor.shape.iter().product::<usize>() * tensor.dtype.size()
    };
    let total: usize = file.tensors.iter().map(size).sum();
    assert!(total <= 8 * bytes.len() + (1 << 20), "{total} from {}", bytes.len());
    let _ = (file.state(), file.to_string());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_file_is_read_or_refused(
        which in 0..4_usize,
        changes in prop::collection::vec((0.0..1.0, any::<u8>()), 0..6),
        length in prop_oneof![Just(0.9999), 0.0..1.0],
    ) {
        let name = ["checkpoints/no_checksums.pt", "one.pt", "one_legacy.pt", "tiny_legacy.pt"][which];
        assert_answered(&changed(std::fs::read(data(name)).unwrap(), &changes, length));
    }

    #[test]
    fn a_changed_pickle_is_read_or_refused(
        which in 0..4_usize,
        changes in prop::collection::vec((0.0..1.0, any::<u8>()), 1..6),
    ) {
        let name = ["checkpoints/beside.pt", "checkpoints/kinds.pt", "tiny_module.pt", "tiny_views.pt"][which];
        let (pickle, storages) = parts(name);
        let storages: Vec<(&str, &[u8])> =
            storages.iter().map(|(key, content)| (key.as_str(), &content[..])).collect();
        let pickle = changed(pickle, &changes, 0.9999);
        assert_answered(&torch_zip(&pickle, &storages, CompressionMethod::Stored));
    }
}
