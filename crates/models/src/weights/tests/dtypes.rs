//! Files in other types of floats, and of networks that are not known.

use burn::tensor::DType;

use super::*;
use crate::weights::{FloatType, inspect, load_state};
use crate::{ModelError, state};

#[test]
fn half_precision_is_written_as_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    // Multiples of 1/64 below 2, which every type holds exactly.
    let saved = network(&tiny(), 0).load(data("tiny.pt")).unwrap();
    for (to, dtype) in [(FloatType::F16, DType::F16), (FloatType::Bf16, DType::BF16)] {
        saved.save_safetensors_as(&path, to).unwrap();
        assert!(inspect(&path).unwrap().tensors.iter().all(|tensor| tensor.dtype == dtype));
        assert_eq!(state::read(&network(&tiny(), 1).load(&path).unwrap()), expected());
    }
}

#[test]
fn a_number_beyond_half_precision_is_named_with_its_tensor() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    let mut state = expected();
    state.insert("fc2.bias".into(), TensorData::new(vec![0.0f32, 70000.0, 0.0, 0.0], [4]));
    let large = state::write(network(&tiny(), 0), state);
    let message = large.save_safetensors_as(&path, FloatType::F16).unwrap_err().to_string();
    let end = "fc2.bias: it holds 7e4, which f16 cannot hold: the largest is 6.5504e4";
    assert!(message.ends_with(end), "{message}");
    assert!(!path.exists());
    large.save_safetensors_as(&path, FloatType::Bf16).unwrap();
}

#[test]
fn every_tensor_of_a_file_goes_from_format_to_format_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let [first, pack, last] =
        ["a.safetensors", "b.bpk", "c.safetensors"].map(|name| folder.path().join(name));
    // The count of batches is i64, and the wrapper's part of the name is the user's business here.
    for name in ["tiny_f16.pt", "tiny_data_parallel.pt", "tiny_f64.pt"] {
        let file = inspect(data(name)).unwrap();
        file.save_safetensors(&first, None).unwrap();
        let converted = inspect(&first).unwrap();
        assert_eq!(converted.tensors, file.tensors, "{name}");
        assert_eq!(state::read(&network(&tiny(), 0).load(&first).unwrap()), expected(), "{name}");
        converted.save_burnpack(&pack, None).unwrap();
        inspect(&pack).unwrap().save_safetensors(&last, None).unwrap();
        assert!(std::fs::read(&first).unwrap() == std::fs::read(&last).unwrap(), "{name}");
    }
    let names = load_state(&first).unwrap();
    assert!(names.contains_key("bn1.num_batches_tracked"));
    let parallel = inspect(data("tiny_data_parallel.pt")).unwrap();
    parallel.save_safetensors(&first, Some(FloatType::Bf16)).unwrap();
    assert!(load_state(&first).unwrap().keys().all(|name| name.starts_with("module.")));
    let types: Vec<DType> = inspect(&first).unwrap().tensors.iter().map(|t| t.dtype).collect();
    assert_eq!(types.iter().filter(|dtype| **dtype == DType::BF16).count(), 10);
    assert!(types.contains(&DType::I64));
}

#[test]
fn renamed_tensors_are_written_under_their_new_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.safetensors");
    let file = inspect(data("tiny_data_parallel.pt")).unwrap();
    let file = file.renamed(&["fc2=head".parse().unwrap()]).unwrap();
    file.save_safetensors(&path, None).unwrap();
    let state = load_state(&path).unwrap();
    assert_eq!(state["head.bias"], expected()["fc2.bias"]);
    assert!(state.contains_key("conv1.weight"));
}

#[test]
fn a_file_is_not_converted_onto_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("net.safetensors");
    std::fs::copy(data("tiny.safetensors"), &path).unwrap();
    let before = std::fs::read(&path).unwrap();
    let file = inspect(&path).unwrap();
    for error in [file.save_safetensors(&path, None), file.save_burnpack(&path, None)] {
        let error = error.unwrap_err();
        assert!(matches!(error, ModelError::File { .. }), "{error}");
    }
    assert!(std::fs::read(&path).unwrap() == before);
}
