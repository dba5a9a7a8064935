//! Files in other types of floats, and of networks that are not known.

use burn::tensor::DType;

use super::*;
use crate::weights::{FloatType, WeightType, inspect, load_state};
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
    parallel.save_safetensors(&first, Some(FloatType::Bf16.into())).unwrap();
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

/// A tensor's name, type and bytes, as they lie in a file.
type Raw = (String, safetensors::Dtype, Vec<u8>);

/// The text `selvedge_weights` and the tensors of a file of safetensors, as the crate of that name reads them.
fn raw(path: &std::path::Path) -> (Option<String>, Vec<Raw>) {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let text = header.metadata().as_ref().and_then(|texts| texts.get("selvedge_weights").cloned());
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter();
    (text, tensors.map(|(name, t)| (name, t.dtype(), t.data().to_vec())).collect())
}

#[test]
fn weights_of_eight_bits_come_back_to_half_a_step_and_the_rest_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let [path, full] = ["int8.safetensors", "f32.safetensors"].map(|name| folder.path().join(name));
    let saved = network(&tiny(), 5);
    saved.save_safetensors_as(&path, WeightType::Int8).unwrap();
    let (text, tensors) = raw(&path);
    assert_eq!(text.as_deref(), Some("int8"));
    let expected = state::read(&saved);
    for (name, dtype, data) in &tensors {
        let is_weight = expected.get(name).is_some_and(|weight| weight.shape().len() >= 2);
        assert_eq!(*dtype == safetensors::Dtype::I8, is_weight, "{name}");
        assert!(!is_weight || data.len() == expected[name].num_elements(), "{name}");
    }
    // Nobody who asks sees the scales, and whoever reads the file gets numbers of f32.
    let file = inspect(&path).unwrap();
    assert!(file.tensors.iter().all(|t| t.dtype == DType::F32 && !t.name.ends_with("_scale")));
    let found = state::read(&network(&tiny(), 1).load(&path).unwrap());
    for (name, expected) in &expected {
        let (a, b) = (expected.as_slice::<f32>().unwrap(), found[name].as_slice::<f32>().unwrap());
        let largest = a.iter().fold(0f32, |most, value| most.max(value.abs()));
        let step = if expected.shape().len() >= 2 { largest / 127.0 } else { 0.0 };
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 0.5001 * step), "{name}");
    }
    // Written as f32 again, it is no file of whole numbers any more.
    file.save_safetensors(&full, Some(FloatType::F32.into())).unwrap();
    assert_eq!(raw(&full).0, None);
    assert_eq!(state::read(&network(&tiny(), 2).load(&full).unwrap()), found);
}

#[test]
fn scales_that_are_missing_or_of_another_shape_are_named() {
    use safetensors::{Dtype, tensor::TensorView};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("int8.safetensors");
    let whole = [1u8; 6];
    let scales = [0u8; 12];
    let text = || Some([("selvedge_weights".to_string(), "int8".to_string())].into());
    let write = |count: Option<usize>, texts| {
        let mut tensors = vec![("w", TensorView::new(Dtype::I8, vec![2, 3], &whole).unwrap())];
        if let Some(count) = count {
            let data = &scales[..4 * count];
            tensors.push(("w_scale", TensorView::new(Dtype::F32, vec![count], data).unwrap()));
        }
        std::fs::write(&path, safetensors::serialize(tensors, texts).unwrap()).unwrap();
        inspect(&path)
    };
    let message = |count| write(count, text()).unwrap_err().to_string();
    assert!(message(None).ends_with("`w` has no scales `w_scale`"), "{}", message(None));
    let end = "`w_scale`: expected F32 [2], found F32 [3]";
    assert!(message(Some(3)).ends_with(end), "{}", message(Some(3)));
    let file = write(Some(2), text()).unwrap();
    assert_eq!(file.tensors.len(), 1);
    // Without the text they are two tensors like any other, which eight bits would confuse.
    let file = write(Some(2), None).unwrap();
    assert_eq!(file.tensors.len(), 2);
    let error = file.save_safetensors(folder.path().join("b.safetensors"), Some(WeightType::Int8));
    let message = error.unwrap_err().to_string();
    assert!(message.ends_with("`w` already is of whole numbers of eight bits"), "{message}");
}

#[test]
fn scales_of_eight_bits_and_names_that_clash_are_refused() {
    use safetensors::{Dtype, tensor::TensorView};
    let folder = tempfile::tempdir().unwrap();
    let [path, out] = ["a.safetensors", "b.safetensors"].map(|name| folder.path().join(name));
    let bytes = [0u8; 32];
    let view =
        |dtype, shape: Vec<usize>, size| TensorView::new(dtype, shape, &bytes[..size]).unwrap();
    let text = Some([("selvedge_weights".to_string(), "int8".to_string())].into());
    let (whole, scales) = (view(Dtype::I8, vec![4, 2], 8), view(Dtype::F8_E4M3, vec![4], 4));
    let file = safetensors::serialize([("w", whole), ("w_scale", scales)], text).unwrap();
    std::fs::write(&path, file).unwrap();
    let message = inspect(&path).unwrap_err().to_string();
    assert!(message.ends_with("`w_scale`: expected F32 [4], found floats of 8 bits"), "{message}");
    let (floats, scales) = (view(Dtype::F32, vec![2, 2], 16), view(Dtype::F32, vec![2], 8));
    std::fs::write(
        &path,
        safetensors::serialize([("w", floats), ("w_scale", scales)], None).unwrap(),
    )
    .unwrap();
    let message = inspect(&path).unwrap().save_safetensors(&out, Some(WeightType::Int8));
    let message = message.unwrap_err().to_string();
    assert!(
        message.ends_with("the scales of `w` would have the name of the tensor `w_scale`"),
        "{message}"
    );
    assert!(!out.exists());
}

#[test]
fn a_bundle_of_eight_bits_is_a_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let [path, small] = ["a.safetensors", "b.safetensors"].map(|name| folder.path().join(name));
    let device = burn::tensor::Device::flex();
    let network = crate::Cnn::cnn3(2).architecture();
    let network = network.init(crate::Initialization::PyTorch, 0, &device).unwrap();
    let classes = ["trouser", "sandal"].map(String::from).to_vec();
    let bundle = crate::Bundle::from_parts(network, classes, vec![0.286], vec![0.353]);
    bundle.save(&path).unwrap();
    let file = inspect(&path).unwrap();
    assert!(file.is_bundle());
    file.save_safetensors(&small, Some(WeightType::Int8)).unwrap();
    let size = |path| std::fs::metadata(path).unwrap().len() as f64;
    assert!(size(&small) < 0.4 * size(&path), "{} {}", size(&small), size(&path));
    let found = crate::Bundle::load(&small, &device).unwrap();
    assert_eq!((found.classes(), found.mean()), (bundle.classes(), bundle.mean()));
    let pixels: Vec<u8> = (0..784).map(|i| (i * 7 % 251) as u8).collect();
    let [a, b] = [&bundle, &found].map(|b| b.predict_image(&pixels).unwrap().probabilities);
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 0.01), "{a:?} {b:?}");
    assert_ne!(a, b);
}
