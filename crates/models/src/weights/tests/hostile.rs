use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, ZipArchive};

use super::*;
use crate::weights::inspect;
use crate::{ModelError, state};

/// What the malicious files of `make_weights.py` create when Python loads them.
const MARKER: &str = "selvedge_pickle_was_run";

/// A file of each format for [`one`], small enough to be damaged at every byte.
fn small_files() -> Vec<(String, Vec<u8>)> {
    let dir = tempfile::tempdir().unwrap();
    let [safetensors, burnpack] = ["one.safetensors", "one.bpk"].map(|name| dir.path().join(name));
    one().save_safetensors(&safetensors).unwrap();
    one().save_burnpack(&burnpack).unwrap();
    [data("one.pt"), data("one_legacy.pt"), safetensors, burnpack]
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .into()
}

/// Loads `bytes` as a file into [`one`].
fn load(bytes: &[u8]) -> Result<Network, ModelError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    one().load(file.path())
}

/// Asserts that `bytes` are refused as damaged with `reason`.
#[track_caller]
fn assert_refused(bytes: &[u8], reason: &str) {
    let error = load(bytes).unwrap_err();
    assert!(matches!(error, ModelError::File { .. }), "{error}");
    assert!(error.to_string().contains(reason), "no `{reason}` in: {error}");
}

/// A file as `torch.save` writes it.
pub(super) fn torch_zip(
    pickle: &[u8],
    storages: &[(&str, &[u8])],
    method: CompressionMethod,
) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    let pickle = ("data.pkl".to_string(), pickle);
    let storages = storages.iter().map(|(key, bytes)| (format!("data/{key}"), *bytes));
    for (name, bytes) in [pickle].into_iter().chain(storages) {
        zip.start_file(format!("archive/{name}"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The pickled `(2, 1, 1, 1)` and `(1, 1, 1, 1)`.
pub(super) const SHAPE: &[u8] = b"(K\x02K\x01K\x01K\x01t";
pub(super) const STRIDES: &[u8] = b"(K\x01K\x01K\x01K\x01t";

pub(super) fn stored(pickle: &[u8], storages: &[(&str, &[u8])]) -> Vec<u8> {
    torch_zip(pickle, storages, CompressionMethod::Stored)
}

/// A network with one tensor, `c.weight` of shape `[2, 1, 1, 1]`.
pub(super) fn one() -> Network {
    let op = crate::Conv::new(2, 1).without_bias();
    network(&Architecture::new("one", [1, 1, 1]).layer("c", op), 0)
}

/// The pickle of `{"c.weight": tensor}` with a storage "0" of `elements`, the offset, and the
/// pickled shape and strides.
pub(super) fn tensor_pickle(elements: u32, offset: u32, shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let mut pickle =
        b"\x80\x02}X\x08\0\0\0c.weightctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storage\
                       ctorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuJ"
            .to_vec();
    pickle.extend(elements.to_le_bytes());
    pickle.extend(b"tQJ");
    pickle.extend(offset.to_le_bytes());
    pickle.extend(shape);
    pickle.extend(strides);
    pickle.extend(b"\x89ccollections\nOrderedDict\n)RtRs.");
    pickle
}

#[test]
fn commands_in_a_pickle_are_not_run() {
    for name in ["tiny_commands.pt", "tiny_commands_legacy.pt"] {
        let file = inspect(data(name)).unwrap();
        assert_eq!(file.ignored_names, ["__builtin__.eval", "posix.system"], "{name}");
        let loaded = file.load_into(network(&tiny(), 0)).unwrap();
        assert_eq!(state::read(&loaded), expected(), "{name}");
    }
    for (name, class) in
        [("tiny_command_alone.pt", "posix.system"), ("tiny_code_for_a_tensor.pt", "eval")]
    {
        let message = inspect(data(name)).unwrap_err().to_string();
        assert!(message.contains(class) && message.contains("torch.save("), "{message}");
    }
    let folders = [Path::new("."), Path::new(env!("CARGO_MANIFEST_DIR")), &data("")];
    assert!(folders.iter().all(|folder| !folder.join(MARKER).exists()), "a pickle was run");
}

#[test]
fn truncated_files_are_refused_at_every_length() {
    for (name, whole) in small_files() {
        load(&whole).unwrap();
        for length in 0..whole.len() {
            let error = load(&whole[..length]).map(|_| ()).unwrap_err();
            assert!(matches!(error, ModelError::File { .. }), "{name}, {length} bytes: {error}");
        }
    }
}

#[test]
fn a_changed_byte_gives_an_error_or_a_network_but_no_panic() {
    let (mut loaded, mut refused) = (0, 0);
    for (name, whole) in small_files() {
        for position in 0..whole.len() {
            let mut changed = whole.clone();
            // Small and large changes in turn, of numbers, operations and lengths.
            changed[position] ^= [0x01, 0x80, 0xff][position % 3];
            match load(&changed) {
                Ok(_) => loaded += 1,
                Err(ModelError::File { .. } | ModelError::Mismatch { .. }) => refused += 1,
                Err(error) => panic!("{name}, byte {position}: {error}"),
            }
        }
    }
    // Values without a checksum and unused bytes may change; names, lengths and offsets may not.
    assert!(loaded > 100 && refused > 100, "{loaded} loaded, {refused} refused");
}

#[test]
fn values_that_were_changed_in_a_zip_archive_are_refused() {
    let mut bytes = std::fs::read(data("one.pt")).unwrap();
    let mut archive = ZipArchive::new(Cursor::new(bytes.clone())).unwrap();
    let start = archive.by_name("one/data/0").unwrap().data_start().unwrap() as usize;
    bytes[start] ^= 1;
    assert_refused(&bytes, "their checksum is");
}

#[test]
fn a_safetensors_header_longer_than_the_file_is_refused() {
    for length in [1u64 << 20, 99_000_000, 0xffff_ffff] {
        let mut bytes = length.to_le_bytes().to_vec();
        bytes.extend(b"{\"conv1.weight\":{}}");
        assert_refused(&bytes, &format!("a header of {length} bytes in a file of 27 bytes"));
    }
}

#[test]
fn a_safetensors_header_above_16_mib_is_refused() {
    let header = format!("{{{}}}", " ".repeat(16 << 20));
    assert_refused(&safetensors(&header, 0), "a header of 16777218 bytes, the longest are of");
}

/// A safetensors file with this header and `length` bytes of values.
pub(super) fn safetensors(header: &str, length: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + length, 0);
    bytes
}

#[test]
fn overlapping_or_impossible_offsets_in_safetensors_are_refused() {
    let entry = |name: &str, shape: &str, offsets: &str| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}"#)
    };
    let pair = |b: &str| vec![entry("a", "[2]", "[0,8]"), entry("b", "[2]", b)];
    for (entries, length, reason) in [
        (pair("[4,12]"), 12, "invalid offset for tensor `b`"),
        (pair("[0,8]"), 8, "invalid offset for tensor `"),
        (vec![entry("a", "[2]", "[8,0]")], 8, "invalid offset for tensor `a`"),
        (vec![entry("a", "[2]", "[0,800]")], 8, "invalid shape, data type, or offset"),
        (vec![entry("a", "[4611686018427387904,4]", "[0,0]")], 0, "overflow"),
        (vec![entry("a", "[3]", "[0,8]")], 8, "invalid shape, data type, or offset"),
    ] {
        assert_refused(&safetensors(&format!("{{{}}}", entries.join(",")), length), reason);
    }
}

#[test]
fn a_safetensors_header_of_nested_lists_is_refused() {
    let header = format!("{{\"a\":{}", "[".repeat(100_000));
    assert_refused(&safetensors(&header, 0), "recursion limit exceeded");
}

/// A header of a tar archive with its check sum, the sum of its bytes where that itself is blank.
fn tar_header(mut header: [u8; 512], magic: &[u8; 8]) -> [u8; 512] {
    header[257..265].copy_from_slice(magic);
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    header
}

#[test]
fn a_tar_archive_that_begins_like_the_old_format_is_refused() {
    // The first header is also the five pickles of the old format: the magic number, a string over
    // most of the header, NONE thrice.
    let mut first = [0; 512];
    let start = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02X";
    first[..start.len()].copy_from_slice(start);
    let text = start.len() + 4;
    first[start.len()..text].copy_from_slice(&(505 - text as u32).to_le_bytes());
    first[124..136].copy_from_slice(b"00000000000\0");
    first[156] = b'0';
    first[505..].copy_from_slice(b".N.N.N.");
    // A sparse file of GNU tar, none of it in the archive: it unfolds to a hole of 1 TiB.
    let mut storages = [0; 512];
    storages[..8].copy_from_slice(b"storages");
    storages[124..136].copy_from_slice(b"00000000000\0");
    storages[156] = b'S';
    for position in [386, 483] {
        storages[position] = 0x80;
        storages[position + 4..position + 12].copy_from_slice(&(1u64 << 40).to_be_bytes());
    }
    let mut bytes = tar_header(first, b"ustar\x0000").to_vec();
    bytes.extend(tar_header(storages, b"ustar  \0"));
    bytes.resize(bytes.len() + 1024, 0);
    assert_refused(&bytes, "a tar archive");
}

#[cfg(unix)]
#[test]
fn what_is_not_a_regular_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for path in [socket.as_path(), Path::new("/dev/null")] {
        let message = inspect(path).unwrap_err().to_string();
        assert!(message.ends_with("it is not a regular file"), "{message}");
    }
    let message = inspect(folder.path()).unwrap_err().to_string();
    assert!(message.contains("directory"), "{message}");
}

#[test]
fn burnpack_descriptions_longer_than_the_file_are_refused() {
    // Magic number, version 1, descriptions of 100 MiB.
    let mut bytes = b"NRUB\x01\0".to_vec();
    bytes.extend((100u32 << 20).to_le_bytes());
    assert_refused(&bytes, "bytes of descriptions in a file of 10 bytes");
}

#[test]
fn a_zip_bomb_is_refused() {
    // 100 MB of NONE, which would be two million times the memory of the 100 kB.
    let pickle = vec![b'N'; 100_000_000];
    let bytes = torch_zip(&pickle, &[], CompressionMethod::Deflated);
    assert!(bytes.len() < 200_000);
    assert_refused(&bytes, "unfolds to");
}

#[test]
fn a_compressed_storage_is_read() {
    let values: Vec<u8> = [0.25f32, -3.0, 9.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let pickle = tensor_pickle(3, 1, SHAPE, STRIDES);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let loaded = load(&torch_zip(&pickle, &[("0", &values)], method)).unwrap();
        let weight = &state::read(&loaded)["c.weight"];
        assert_eq!(weight.clone().try_to_vec::<f32>().unwrap(), [-3.0, 9.0]);
    }
}

#[test]
fn a_pickle_of_many_objects_is_refused() {
    assert_refused(&stored(&vec![b'N'; 3_000_000], &[]), "more than 128 MiB");
}

#[test]
fn copies_of_a_long_name_cost_nothing() {
    let mut pickle = b"\x80\x02c".to_vec();
    pickle.resize(1_000_000, b'x');
    pickle.extend(b"\ny\nq\0(");
    pickle.extend(b"h\0".repeat(100_000));
    pickle.extend(b"t.");
    assert_refused(&stored(&pickle, &[]), "it holds no dictionary of tensors");
}

#[test]
fn a_message_is_short_whatever_a_file_says() {
    // An object of a class with a long name, and a tensor with one whose storage is missing.
    let mut class = b"\x80\x02c".to_vec();
    class.resize(60_000, b'x');
    class.extend(b"\ny\n)\x81.");
    let tensor = tensor_pickle(2, 0, SHAPE, STRIDES);
    let name = [&60_000u32.to_le_bytes()[..], &[b'n'; 59_993], b".weight"].concat();
    let at = tensor.windows(4).position(|bytes| bytes == b"\x08\0\0\0").unwrap();
    let tensor = [&tensor[..at], &name, &tensor[at + 12..]].concat();
    for pickle in [class, tensor] {
        let message = load(&stored(&pickle, &[])).unwrap_err().to_string();
        assert!(message.len() < 2_000, "{} bytes", message.len());
    }
}

#[test]
fn truth_values_are_of_any_byte() {
    let pickle = tensor_pickle(2, 0, SHAPE, STRIDES);
    let at = pickle.windows(5).position(|bytes| bytes == b"Float").unwrap();
    let pickle = [&pickle[..at], b"Bool", &pickle[at + 5..]].concat();
    let bytes = stored(&pickle, &[("0", &[0, 0xa5])]);
    let state = crate::weights::inspect_bytes(&bytes).unwrap().state().unwrap();
    assert_eq!(state["c.weight"].clone().try_to_vec::<f32>().unwrap(), [0.0, 1.0]);
}

#[test]
fn deeply_nested_pickles_are_looked_into_as_deep_as_is_allowed() {
    for depth in [1_001, 100_000] {
        let mut pickle = b"\x80\x02}".to_vec();
        pickle.extend(b"\x85".repeat(depth));
        pickle.push(b'.');
        assert_refused(&stored(&pickle, &[]), "nested more than 100 deep, the limit");
    }
    // {"a": {"a": … {}}}, 200 of them.
    let mut pickle = b"\x80\x02".to_vec();
    pickle.extend(b"}X\x01\0\0\0a".repeat(200));
    pickle.push(b'}');
    pickle.extend(b"s".repeat(200));
    pickle.push(b'.');
    assert_refused(&stored(&pickle, &[]), "nested more than 100 deep, the limit");
}

#[test]
fn the_state_of_an_optimizer_is_said_to_be_one() {
    // {"state": {}, "param_groups": []}, alone and as {"optimizer": …}.
    let state = b"}(X\x05\0\0\0state}X\x0c\0\0\0param_groups]u";
    let alone = [b"\x80\x02", &state[..], b"."].concat();
    let within = [b"\x80\x02}X\x09\0\0\0optimizer", &state[..], b"s."].concat();
    for pickle in [alone, within] {
        assert_refused(&stored(&pickle, &[]), "it holds the state of an optimizer, but no weights");
    }
}

#[test]
fn values_that_contain_themselves_are_looked_through_once() {
    // l = []; l.append(l); and a tower of lists, each of which holds the one before twice: 2⁶⁰ ways down.
    let mut tower = b"\x80\x02]".to_vec();
    tower.extend(b"2\x86".repeat(60));
    tower.push(b'.');
    for pickle in [b"\x80\x02]q\0h\0a.".to_vec(), tower] {
        assert_refused(&stored(&pickle, &[]), "no dictionary of tensors");
    }
    // A module whose parts are itself, twice.
    let pickle = b"\x80\x02cm\nM\n)\x81q\0}(X\x0b\0\0\0_parameters}X\x08\0\0\0_modules}(X\x01\0\0\0ah\0X\x01\0\0\0\
                   bh\0uub.";
    assert_refused(&stored(pickle, &[]), "too entangled");
}

#[test]
fn a_tensor_that_repeats_one_value_a_billion_times_is_refused() {
    // Shape [1000000000] and stride 0: 4 GB from 4 bytes.
    let pickle = tensor_pickle(1, 0, b"J\0\xca\x9a;\x85", b"K\0\x85");
    assert_refused(&stored(&pickle, &[("0", &[0; 4])]), "unfolds to 4000000004");
}

#[test]
fn a_tensor_beyond_its_storage_is_refused() {
    // What the storage is said to hold, where the tensor begins, and what the storage does hold.
    for (elements, offset, bytes) in [(2, 1, 8), (2, 0, 4), (1 << 30, 1 << 29, 8), (2, 0, 0)] {
        let pickle = tensor_pickle(elements, offset, SHAPE, STRIDES);
        let error = load(&stored(&pickle, &[("0", &vec![0; bytes])])).unwrap_err();
        assert!(matches!(error, ModelError::File { .. }), "{error}");
    }
    let error = load(&stored(&tensor_pickle(2, 0, SHAPE, STRIDES), &[])).unwrap_err();
    assert!(error.to_string().contains("storage `0` is not in the archive"), "{error}");
}

#[test]
fn archives_without_a_pickle_or_with_two_are_refused() {
    let zip = |names: &[&str]| {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for name in names {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(b"}.").unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    assert_refused(&zip(&["readme"]), "has one `data.pkl`, this has none");
    assert_refused(&zip(&["arr_0.npy"]), "archive of NumPy is cut off or damaged");
    assert_refused(&zip(&["a/model.pth"]), "unpack it first");
    assert_refused(
        &zip(&["a/version", "a/model.json"]),
        "TorchScript archive of PyTorch before 1.4",
    );
    assert_refused(&zip(&["a/data.pkl", "b/data.pkl"]), "has one `data.pkl`, this has 2 of them");
}

#[test]
fn files_of_another_kind_are_refused() {
    let tensorflow = [&[0; 100][..], b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"].concat();
    let kinds: [(&[u8], &str); 12] = [
        (b"", "empty"),
        (b"\n<!doctype html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "`git lfs pull`"),
        (b"{\"weight_map\": {}}", "a text in JSON"),
        (b"\x80\x02}.", "a pickle that `torch.save` did not write"),
        (b"GGUF\x03\0\0\0", "a GGUF file"),
        (b"\x89HDF\r\n\x1a\n", "Keras"),
        (b"\x93NUMPY\x01\0", "NumPy"),
        (b"\x08\x08\x12\x07pytorch", "an ONNX file"),
        (b"\x1c\0\0\0TFL3", "TensorFlow Lite"),
        (&tensorflow, "a checkpoint of TensorFlow"),
        (&[0; 300], "neither a file of PyTorch"),
    ];
    for (bytes, reason) in kinds {
        assert_refused(bytes, reason);
    }
}
