use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::store::{
    BurnToPyTorchAdapter, BurnpackStore, ModuleSnapshot, ModuleStore, SafetensorsStore,
};
use burn::tensor::{DType, Device};

use super::*;
use crate::weights::{Format, inspect, inspect_bytes};
use crate::{Cnn, ModelError, TransferCnn, state};

#[test]
fn every_kind_of_file_gives_the_values_that_torch_saved() {
    for name in WHOLE {
        let loaded = network(&tiny(), 0).load(data(name)).unwrap();
        assert_eq!(state::read(&loaded), expected(), "{name}");
    }
}

#[test]
fn the_loaded_network_computes_what_torch_computes() {
    let loaded = network(&tiny(), 0).load_pytorch(data("tiny.pt")).unwrap();
    let text = std::fs::read_to_string(data("tiny.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let rows: Vec<Vec<f32>> = serde_json::from_value(json["logits"].clone()).unwrap();
    for (found, expected) in logits(&loaded).into_iter().zip(rows.concat()) {
        assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
    }
}

#[test]
fn the_content_tells_the_format_and_not_the_name() {
    let dir = tempfile::tempdir().unwrap();
    let burnpack = dir.path().join("net.pt");
    network(&tiny(), 1).save_burnpack(&burnpack).unwrap();
    for (path, format) in [
        (data("tiny.pt"), Format::PyTorchZip),
        (data("tiny_legacy.pt"), Format::PyTorchLegacy),
        (data("tiny_bf16.safetensors"), Format::Safetensors),
        (burnpack, Format::Burnpack),
    ] {
        let path = &path;
        let renamed = dir.path().join("weights.bin");
        std::fs::copy(path, &renamed).unwrap();
        assert_eq!(inspect(&renamed).unwrap().format, format);
        network(&tiny(), 0).load(&renamed).unwrap();
    }
}

#[test]
fn a_file_of_another_format_than_was_asked_for_is_named() {
    let message = network(&tiny(), 0).load_pytorch(data("tiny.safetensors")).unwrap_err();
    assert!(message.to_string().ends_with("a file of safetensors, not of PyTorch"), "{message}");
    let message = network(&tiny(), 0).load_safetensors(data("tiny.pt")).unwrap_err();
    assert!(message.to_string().ends_with("a file of PyTorch, not of safetensors"), "{message}");
}

#[test]
fn what_a_checkpoint_holds_besides_is_told_and_left_alone() {
    let file = inspect(data("tiny_checkpoint.pt")).unwrap();
    assert_eq!(file.key.as_deref(), Some("model_state_dict"));
    assert_eq!(file.ignored_names, ["argparse.Namespace"]);
    assert_eq!(file.tensors.len(), 11);
    assert!(inspect(data("tiny.pt")).unwrap().ignored_names.is_empty());
}

#[test]
fn names_shapes_and_types_are_listed() {
    let file = inspect(data("tiny_f16.safetensors")).unwrap();
    let find = |name: &str| file.tensors.iter().find(|t| t.name == name).unwrap();
    assert_eq!(find("fc1.weight").shape, [5, 48]);
    assert_eq!(find("fc1.weight").dtype, DType::F16);
    assert_eq!(find("bn1.num_batches_tracked").dtype, DType::I64);
}

#[test]
fn a_list_of_tensors_is_answered_with_what_to_do() {
    let message = inspect(data("tiny_list.pt")).unwrap_err().to_string();
    assert!(message.contains("`torch.save(model.state_dict(), path)`"), "{message}");
}

#[test]
fn both_formats_that_are_written_bring_back_every_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net");
    for architecture in [tiny(), TransferCnn::new(5).architecture()] {
        let saved = network(&architecture, 1);
        saved.save_safetensors(&path).unwrap();
        let loaded = network(&architecture, 2).load_safetensors(&path).unwrap();
        assert_eq!(state::read(&loaded), state::read(&saved));
        saved.save_burnpack(&path).unwrap();
        let loaded = network(&architecture, 2).load_burnpack(&path).unwrap();
        assert_eq!(state::read(&loaded), state::read(&saved));
    }
}

#[test]
fn the_same_weights_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name| {
        let path = dir.path().join(name);
        network(&tiny(), 1).save_safetensors(&path).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = write("first");
    assert!((0..5).all(|_| write("again") == first));
}

#[test]
fn a_network_in_training_can_be_loaded_and_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    let device = Device::flex().autodiff();
    let training = tiny().init(Initialization::PyTorch, 0, &device).unwrap();
    let training = training.load(data("tiny_f16.pt")).unwrap();
    training.save_safetensors(&path).unwrap();
    let loaded = network(&tiny(), 0).load(&path).unwrap();
    assert_eq!(state::read(&loaded), expected());
}

#[test]
fn loading_leaves_a_clone_as_it_was() {
    let original = network(&tiny(), 0);
    let before = state::read(&original);
    let loaded = original.clone().load(data("tiny.pt")).unwrap();
    assert_eq!(state::read(&loaded), expected());
    assert_eq!(state::read(&original), before);
}

#[test]
fn updates_from_before_do_not_replace_loaded_statistics() {
    let training = tiny().init(Initialization::PyTorch, 0, &Device::flex().autodiff()).unwrap();
    let images = Tensor::ones([2, 1, 8, 8], &Device::flex().autodiff());
    // In training, a pass moves the statistics; Burn puts the update off.
    let _ = training.forward(images);
    let loaded = training.load(data("tiny.pt")).unwrap();
    assert_eq!(state::read(&loaded), expected());
}

#[test]
fn linear_weights_are_written_as_pytorch_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    network(&TransferCnn::new(5).architecture(), 1).save_safetensors(&path).unwrap();
    let mut store = SafetensorsStore::from_file(&path);
    let tensors = store.get_all_tensors().unwrap();
    let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
    let expected = "conv1.bias conv1.weight conv2.bias conv2.weight fc1.bias fc1.weight \
                    fc2.bias fc2.weight fc3.bias fc3.weight";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(tensors["fc1.weight"].shape.to_vec(), [500, 2000]);
    assert_eq!(tensors["conv2.weight"].shape.to_vec(), [20, 28, 3, 3]);
}

#[test]
fn a_file_of_another_network_lists_every_difference_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    let burnpack = dir.path().join("net.bpk");
    network(&tiny(), 1).save_burnpack(&burnpack).unwrap();
    let other = Architecture::new("other", [1, 8, 8])
        .conv("conv1", 3, 5, 2)
        .conv("conv2", 3, 3, 1)
        .flatten()
        .linear("fc1", 4);
    for path in [data("tiny.pt"), data("tiny_legacy.pt"), data("tiny.safetensors"), burnpack] {
        let message = network(&other, 0).load(&path).unwrap_err().to_string();
        let [weight, fc1] = match path.extension().unwrap().to_str() {
            Some("bpk") => ["gamma", "fc1.weight has shape [48, 5], expected [192, 4]"],
            _ => ["weight", "fc1.weight has shape [5, 48], expected [4, 192]"],
        };
        for part in [
            "the weights do not fit `other`: missing conv2.weight, conv2.bias; unexpected bn1.",
            "conv1.weight has shape [3, 1, 3, 3], expected [3, 1, 5, 5]",
            fc1,
            &format!("bn1.{weight}"),
            "bn1.running_mean",
            "fc2.bias",
        ] {
            assert!(message.contains(part), "{} lacks {part}: {message}", path.display());
        }
    }
}

#[test]
fn the_count_of_batches_is_unexpected_where_no_running_mean_is() {
    let mut plain = tiny();
    plain.layers.retain(|layer| layer.name != "bn1");
    let error = network(&plain, 0).load(data("tiny.safetensors")).unwrap_err();
    let ModelError::Mismatch { unexpected, .. } = error else { panic!("{error}") };
    assert!(unexpected.contains(&"bn1.num_batches_tracked".to_string()), "{unexpected:?}");
}

#[test]
fn a_file_that_is_not_there_or_a_folder_is_an_error_with_its_name() {
    let dir = tempfile::tempdir().unwrap();
    for path in [dir.path().join("nothing.pt"), dir.path().to_path_buf()] {
        let error = network(&Cnn::cnn2(5).architecture(), 0).load(&path).unwrap_err();
        let ModelError::File { path: found, .. } = &error else { panic!("{error}") };
        assert_eq!(found.as_ref(), Some(&path), "{error}");
    }
}

#[test]
fn bytes_give_what_the_file_gives() {
    let dir = tempfile::tempdir().unwrap();
    let burnpack = dir.path().join("net.bpk");
    network(&tiny(), 1).load(data("tiny.pt")).unwrap().save_burnpack(&burnpack).unwrap();
    for path in WHOLE.map(data).into_iter().chain([burnpack]) {
        let bytes = std::fs::read(&path).unwrap();
        let file = inspect_bytes(&bytes).unwrap();
        assert_eq!((&file.path, file.is_at(&path)), (&None, false));
        assert_eq!(file.tensors, inspect(&path).unwrap().tensors);
        let loaded = network(&tiny(), 0).load_bytes(&bytes).unwrap();
        assert_eq!(state::read(&loaded), expected(), "{}", path.display());
    }
}

#[test]
fn the_bytes_are_those_of_the_saved_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    let network = network(&tiny(), 1);
    network.save_safetensors(&path).unwrap();
    assert_eq!(network.to_safetensors_bytes().unwrap(), std::fs::read(path).unwrap());
}

#[test]
fn safetensors_are_written_as_burn_writes_them() {
    let network = network(&tiny(), 1);
    let mut store = SafetensorsStore::from_bytes(None)
        .clear_metadata()
        .metadata("format", "pt")
        .with_to_adapter(BurnToPyTorchAdapter);
    store.collect_from(&network).unwrap();
    assert_eq!(network.to_safetensors_bytes().unwrap(), store.get_bytes().unwrap());
}

#[test]
fn a_network_without_parameters_has_files_without_tensors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net");
    let plain = Architecture::new("plain", [1, 2, 2]).relu().flatten();
    let plain = network(&plain, 0);
    let assert_loads = |path: &Path| {
        assert!(inspect(path).unwrap().tensors.is_empty());
        plain.clone().load(path).unwrap();
        let message = network(&tiny(), 0).load(path).unwrap_err().to_string();
        assert!(message.contains("the weights do not fit `tiny`: missing "), "{message}");
    };
    plain.save_safetensors(&path).unwrap();
    assert_loads(&path);
    plain.save_burnpack(&path).unwrap();
    assert_loads(&path);
    // torch.save({}, path)
    assert_loads(&data("empty.pt"));
    let message = plain.load(data("tiny.safetensors")).unwrap_err().to_string();
    assert!(message.contains("the weights do not fit `plain`: unexpected bn1."), "{message}");
}

#[test]
fn the_texts_of_a_safetensors_file_are_told() {
    let bytes = network(&tiny(), 1).to_safetensors_bytes().unwrap();
    let file = inspect_bytes(&bytes).unwrap();
    assert_eq!(file.metadata, [("format".to_string(), "pt".to_string())].into());
}

#[cfg(unix)]
#[test]
fn weights_are_as_readable_as_any_other_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let network = network(&tiny(), 0);
    std::fs::write(path("other"), "").unwrap();
    network.save_safetensors(path("net.safetensors")).unwrap();
    network.save_burnpack(path("net.bpk")).unwrap();
    network.save_onnx(path("net.onnx")).unwrap();
    let mode = |name: &str| path(name).metadata().unwrap().permissions().mode();
    for name in ["net.safetensors", "net.bpk", "net.onnx"] {
        assert_eq!(mode(name), mode("other"), "{name}");
    }
}

/// [`tiny`] as Burn's users write it.
#[derive(Module, Debug)]
struct Derived {
    conv1: Conv2d,
    bn1: BatchNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Derived {
    fn new(device: &Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([1, 3], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            bn1: BatchNormConfig::new(3).init(device),
            fc1: LinearConfig::new(48, 5).init(device),
            fc2: LinearConfig::new(5, 4).init(device),
        }
    }
}

#[test]
fn burnpack_files_are_exchanged_with_a_derived_module() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.bpk");
    let ours = network(&tiny(), 0).load(data("tiny.pt")).unwrap();
    ours.save_burnpack(&path).unwrap();

    let mut derived = Derived::new(&Device::flex());
    let result = derived.load_from(&mut BurnpackStore::from_file(&path)).unwrap();
    assert!(result.missing.is_empty() && result.unused.is_empty() && result.errors.is_empty());
    assert_eq!(state::read(&derived), expected());

    let back = dir.path().join("back.bpk");
    derived.save_into(&mut BurnpackStore::from_file(&back)).unwrap();
    let loaded = network(&tiny(), 1).load_burnpack(&back).unwrap();
    assert_eq!(state::read(&loaded), expected());
}
