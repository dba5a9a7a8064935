//! Checkpoints as popular programs leave them, from `make_checkpoints.py`: where their weights are found.

use super::arrays::npz;
use super::hostile::{SHAPE, STRIDES, one, safetensors, stored, tensor_pickle};
use super::*;
use crate::weights::{
    Choice, Format, ReadOptions, WeightFile, inspect, inspect_bytes_with, inspect_with,
};
use crate::{ModelError, state};

fn checkpoint(name: &str) -> PathBuf {
    data("checkpoints").join(name)
}

fn under(key: &str) -> ReadOptions {
    ReadOptions { key: Some(key.into()), ..ReadOptions::default() }
}

/// The network of the checkpoints.
pub(super) fn net() -> Architecture {
    Architecture::new("net", [1, 1, 3]).flatten().linear("fc", 2)
}

/// Asserts that the file holds the values of `make_checkpoints.py`, each one larger by `more`, under names that
/// end in `fc.weight` and `fc.bias`.
#[track_caller]
pub(super) fn assert_holds(file: &WeightFile<'_>, more: f32) {
    let state = file.state().unwrap();
    let values = |end: &str| {
        let (_, data) = state.iter().find(|(name, _)| name.ends_with(end)).unwrap();
        data.clone().try_to_vec::<f32>().unwrap()
    };
    assert_eq!(values("fc.weight"), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0].map(|v| v / 8.0 + more));
    assert_eq!(values("fc.bias"), [-1.0 + more, 2.0 + more]);
}

#[test]
fn the_weights_are_found_wherever_they_are() {
    for (name, key) in [
        ("05_lightning_compiled.ckpt", Some("state_dict")),
        ("14_namespace_half.pth.tar", Some("state_dict")),
        ("beside.pt", Some("my_own")),
        ("averaged.pt", Some("model")),
        ("dataclass.pt", Some("weights")),
        ("object.pt", Some("1.averages.shadow")),
        ("nested.pt", None),
        ("module_in_checkpoint.pt", Some("model")),
        ("kinds.pt", None),
        ("no_checksums.pt", None),
        ("script.pt", None),
    ] {
        let file = inspect(checkpoint(name)).unwrap();
        assert_eq!(file.key.as_deref(), key, "{name}");
        assert_holds(&file, 0.0);
        let bytes = std::fs::read(checkpoint(name)).unwrap();
        assert_holds(&inspect_bytes_with(&bytes, &ReadOptions::default()).unwrap(), 0.0);
    }
}

#[test]
fn nothing_but_the_weights_is_taken() {
    for (name, count) in [("05_lightning_compiled.ckpt", 2), ("beside.pt", 2), ("nested.pt", 3)] {
        assert_eq!(inspect(checkpoint(name)).unwrap().tensors.len(), count, "{name}");
    }
}

#[test]
fn averages_are_taken_on_request_and_told_otherwise() {
    let file = inspect(checkpoint("averaged.pt")).unwrap();
    let averages = Choice { key: "model_ema.module".into(), tensors: 2, elements: 8 };
    assert!(file.choices.contains(&averages), "{:?}", file.choices);
    let text = file.to_string();
    let end = "under the key `model`; not taken: `model_ema.module` (8 elements in 2 tensors)";
    assert!(text.ends_with(end), "{text}");
    for key in ["model_ema.module", "model_ema"] {
        let file = inspect_with(checkpoint("averaged.pt"), &under(key)).unwrap();
        assert_holds(&file, 1.0);
    }
}

#[test]
fn of_equal_sets_one_is_chosen_by_its_key() {
    let path = checkpoint("adversarial.pt");
    let message = inspect(&path).unwrap_err().to_string();
    let end = "it holds several sets of weights, of which one is chosen by its key: there are `generator` (8 \
               elements in 2 tensors), `discriminator` (8 elements in 2 tensors)";
    assert!(message.ends_with(end), "{message}");
    for (key, more) in [("generator", 0.0), ("discriminator", 1.0)] {
        assert_holds(&inspect_with(&path, &under(key)).unwrap(), more);
    }
    // All of them, under their longer names.
    let whole = inspect_with(&path, &under("")).unwrap();
    assert_eq!(whole.tensors[0].name, "discriminator.fc.bias");
    assert_eq!(whole.tensors.len(), 4);
}

#[test]
fn an_unknown_key_is_answered_with_those_that_there_are() {
    let error = inspect_with(checkpoint("adversarial.pt"), &under("ema\u{1b}")).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains(r"no weights under `ema\u{1b}`; there are `generator` ("),
        "{message}"
    );
    for path in [data("tiny.safetensors"), data("tiny.pt")] {
        let message = inspect_with(path, &under("ema")).unwrap_err().to_string();
        assert!(message.contains("under `ema`"), "{message}");
    }
}

#[test]
fn a_key_takes_the_tensors_whose_names_begin_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two.safetensors");
    let of = |name: &str, more: f32| {
        let weight: Vec<f32> = (0..6).map(|i| i as f32 / 8.0 + more).collect();
        let bias = vec![-1.0 + more, 2.0 + more];
        [
            (format!("{name}.fc.weight"), TensorData::new(weight, [2, 3])),
            (format!("{name}.fc.bias"), TensorData::new(bias, [2])),
        ]
    };
    let state = of("model", 0.0).into_iter().chain(of("module.ema", 1.0)).collect();
    crate::weights::save_state(&path, &state).unwrap();
    let [pack, archive] = ["two.bpk", "two.npz"].map(|name| folder.path().join(name));
    inspect(&path).unwrap().save_burnpack(&pack, None).unwrap();
    let arrays = state.iter().map(|(name, data)| {
        let shape = data.shape().to_vec().iter().map(|n| format!("{n},")).collect::<String>();
        let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({shape})}}");
        let values = data.as_slice::<f32>().unwrap().iter().flat_map(|v| v.to_le_bytes());
        (name.as_str(), header, values.collect::<Vec<u8>>())
    });
    std::fs::write(&archive, npz(arrays)).unwrap();
    for path in [&path, &pack, &archive] {
        for (key, more) in [("model", 0.0), ("ema", 1.0), ("module.ema", 1.0)] {
            let file = inspect_with(path, &under(key)).unwrap();
            assert_eq!(file.key.as_deref(), Some(key));
            assert_eq!(file.tensors[1].name, "fc.weight");
            assert_holds(&file, more);
            // Burn's own format has layouts of its own, which these tensors have not.
            if path != &pack {
                file.load_into(network(&net(), 0)).unwrap();
            }
        }
    }
    let error = inspect_with(&path, &under("mod")).unwrap_err().to_string();
    assert!(error.contains("under `mod`: no name begins with it"), "{error}");
}

/// A dictionary of tensors of three elements under these names.
fn flat(names: &[&str]) -> Vec<u8> {
    let tensor = tensor_pickle(100, 0, b"K\x03\x85", b"K\x01\x85");
    // Without its own name, and what puts it into a dictionary.
    let tensor = &tensor[16..tensor.len() - 2];
    let mut pickle = b"\x80\x02}".to_vec();
    for name in names {
        pickle.extend([b'X', name.len() as u8, 0, 0, 0]);
        pickle.extend([name.as_bytes(), tensor, b"s"].concat());
    }
    pickle.push(b'.');
    stored(&pickle, &[("0", &[0; 400])])
}

#[test]
fn networks_side_by_side_are_told_and_taken_by_their_keys() {
    // One dictionary, and the same under a key.
    let names = ["model.a.weight", "model.b.weight", "ema.a.weight", "ema.b.weight", "step.x"];
    let flat = flat(&names);
    let file = inspect_bytes_with(&flat, &ReadOptions::default()).unwrap();
    let keys: Vec<&str> = file.networks.iter().map(|choice| choice.key.as_str()).collect();
    assert_eq!((keys, file.tensors.len()), (vec!["ema", "model"], 5));
    let text = file.to_string();
    let part = "networks side by side, of which a key takes one: there are `ema` (6 elements in 2 tensors), \
                `model` (6 elements in 2 tensors)";
    assert!(text.contains(part), "{text}");
    let file = inspect_bytes_with(&flat, &under("ema")).unwrap();
    let names: Vec<&str> = file.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!((names, file.networks.len()), (vec!["a.weight", "b.weight"], 0));
    let message = inspect_bytes_with(&flat, &under("teacher")).unwrap_err().to_string();
    assert!(message.contains("no weights under `teacher`; there are"), "{message}");
    assert!(message.contains("`ema` (6 elements in 2 tensors), `model` ("), "{message}");
}

#[test]
fn a_key_can_go_on_within_the_names_of_a_set() {
    let path = checkpoint("05_lightning_compiled.ckpt");
    for key in ["state_dict.model", "model", "state_dict.model._orig_mod"] {
        let file = inspect_with(&path, &under(key)).unwrap();
        assert!(file.key.as_deref().unwrap().starts_with("state_dict.model"), "{key}");
        assert_holds(&file, 0.0);
    }
    assert!(inspect_with(&path, &under("state_dict.mod")).is_err());
}

/// A checkpoint with a set of weights of so many elements under each of these keys.
fn sets(sets: &[(&str, u8)]) -> Vec<u8> {
    let mut pickle = b"\x80\x02}".to_vec();
    for &(key, elements) in sets {
        let shape = [b'K', elements, 0x85];
        let tensor = tensor_pickle(100, 0, &shape, b"K\x01\x85");
        pickle.extend([b'X', key.len() as u8, 0, 0, 0]);
        pickle.extend(key.as_bytes());
        // Without the beginning and the end of a pickle of its own.
        pickle.extend(&tensor[2..tensor.len() - 1]);
        pickle.push(b's');
    }
    pickle.push(b'.');
    stored(&pickle, &[("0", &[0; 400])])
}

#[test]
fn the_set_that_is_clearly_meant_is_taken() {
    for (keys, expected) in [
        (&[("my_own", 3)][..], "my_own"),
        (&[("ema", 3), ("my_own", 3)], "my_own"),
        (&[("teacher", 3), ("model", 3)], "model"),
        (&[("net", 3), ("model_state_dict", 3), ("model", 3)], "model_state_dict"),
        (&[("criterion", 3), ("detector", 30)], "detector"),
        (&[("model_ema", 3)], "model_ema"),
        (&[("optimizer_buffers", 90), ("mine", 3)], "mine"),
    ] {
        let bytes = sets(keys);
        let file = inspect_bytes_with(&bytes, &ReadOptions::default()).unwrap();
        assert_eq!(file.key.as_deref(), Some(expected));
    }
    for keys in [&[("criterion", 4), ("detector", 30)][..], &[("ema", 3), ("swa", 3)]] {
        let bytes = sets(keys);
        let error = inspect_bytes_with(&bytes, &ReadOptions::default()).unwrap_err();
        assert!(error.to_string().contains("chosen by its key"), "{error}");
    }
}

#[test]
fn a_safetensors_file_is_read_but_for_tensors_of_types_that_are_not() {
    let header = r#"{"a":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"F16","shape":[1],"data_offsets":[1,3]}}"#;
    let bytes = safetensors(header, 3);
    let file = inspect_bytes_with(&bytes, &ReadOptions::default()).unwrap();
    assert_eq!(file.tensors.len(), 1);
    assert_eq!(file.left_out, [("a".to_string(), "of the type F8_E8M0".to_string())]);
}

#[test]
fn tensors_that_are_not_read_are_told_and_the_others_read() {
    let file = inspect(checkpoint("kinds.pt")).unwrap();
    let left_out: Vec<(&str, &str)> =
        file.left_out.iter().map(|(name, what)| (name.as_str(), what.as_str())).collect();
    assert_eq!(
        left_out,
        [
            ("sparse.weight", "a sparse tensor"),
            ("quantized.weight", "a quantized tensor"),
            ("meta.weight", "a meta tensor, without values"),
        ]
    );
    let state = file.state().unwrap();
    assert_eq!(state["u16.weight"].clone().try_to_vec::<f32>().unwrap(), [1.0, 65535.0]);
    assert_eq!(state["float8.weight"].clone().try_to_vec::<f32>().unwrap(), [1.0, 1.0]);
    assert_eq!(state["parameter.weight"].clone().try_to_vec::<f32>().unwrap(), [1.0]);
    assert!(file.to_string().contains("left out: 3, such as sparse.weight, a sparse tensor"));
}

#[test]
fn a_torchscript_archive_gives_its_parameters_unless_it_is_frozen() {
    let file = inspect(checkpoint("script.pt")).unwrap();
    assert_eq!(file.format, Format::TorchScript);
    let message = inspect(checkpoint("script_frozen.pt")).unwrap_err().to_string();
    assert!(message.contains("`torch.jit.freeze` makes constants of them"), "{message}");
    network(&net(), 0).load_pytorch(checkpoint("script.pt")).unwrap();
}

#[test]
fn values_that_are_not_finite_are_an_error_unless_they_are_allowed() {
    let path = checkpoint("not_finite.pt");
    let file = inspect(&path).unwrap();
    assert_eq!(file.non_finite().unwrap(), [("fc.weight".to_string(), 3)]);
    let error = file.load_into(network(&net(), 0)).unwrap_err();
    assert!(matches!(error, ModelError::File { .. }));
    let message = error.to_string();
    assert!(message.contains("fc.weight: 3 of 6 values are NaN or infinite as f32"), "{message}");
    let options = ReadOptions { allow_non_finite: true, ..ReadOptions::default() };
    let loaded = inspect_with(path, &options).unwrap().load_into(network(&net(), 0)).unwrap();
    assert!(state::read(&loaded)["fc.weight"].as_slice::<f32>().unwrap()[1].is_nan());
}

#[test]
fn a_file_of_a_big_endian_machine_is_read() {
    let values: Vec<u8> = [0.25f32, -3.0, 9.0].into_iter().flat_map(f32::to_be_bytes).collect();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let pickle = tensor_pickle(3, 1, SHAPE, STRIDES);
    for (name, content) in
        [("a/data.pkl", &pickle[..]), ("a/byteorder", b"big"), ("a/data/0", &values)]
    {
        zip.start_file(name, options).unwrap();
        std::io::Write::write_all(&mut zip, content).unwrap();
    }
    let bytes = zip.finish().unwrap().into_inner();
    let loaded = one().load_bytes(&bytes).unwrap();
    assert_eq!(weight(&loaded), [-3.0, 9.0]);
}

#[test]
fn a_view_of_a_storage_in_the_old_format_begins_where_it_says() {
    // As PyTorch 0.2 wrote them: the storage is told as a part of another, from its element 1 on.
    let tensor = tensor_pickle(3, 0, SHAPE, STRIDES);
    let at = tensor.windows(3).position(|bytes| bytes == b"tQJ").unwrap();
    let view = b"(X\x01\0\0\x001K\x01K\x02t";
    let mut bytes = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    bytes.extend(b"\x80\x02M\xe9\x03.\x80\x02}.");
    bytes.extend([&tensor[..at], view, &tensor[at..]].concat());
    bytes.extend(b"\x80\x02]X\x01\0\0\x000a.");
    bytes.extend(3u64.to_le_bytes());
    bytes.extend([0.25f32, -3.0, 9.0].into_iter().flat_map(f32::to_le_bytes));
    assert_eq!(weight(&one().load_bytes(&bytes).unwrap()), [-3.0, 9.0]);
}

#[test]
fn an_empty_tensor_of_huge_dimensions_is_refused() {
    // Shape [0, 2⁶², 2⁶²]: no elements, but whoever multiplies the rest is lost.
    let huge = b"\x8a\x08\0\0\0\0\0\0\0\x40";
    let shape = [b"(K\0", &huge[..], huge, b"t"].concat();
    let pickle = tensor_pickle(1, 0, &shape, b"(K\x01K\x01K\x01t");
    let message = one().load_bytes(&stored(&pickle, &[("0", &[0; 4])])).unwrap_err().to_string();
    assert!(message.contains("does not lie within"), "{message}");
}

fn weight(network: &Network) -> Vec<f32> {
    state::read(network)["c.weight"].clone().try_to_vec().unwrap()
}
