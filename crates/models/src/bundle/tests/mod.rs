//! Bundles as they are written, read and used; `hostile` those that are not as they should be.

mod hostile;

use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use crate::{Architecture, Cnn, catalog, state};

/// The bits of the outputs.
fn outputs(network: &Network, values: Vec<f32>) -> Vec<f32> {
    let [channels, height, width] = network.architecture().input;
    let images = values.len() / (channels * height * width);
    let values = TensorData::new(values, [images, channels, height, width]);
    let images = Tensor::from_data(values, &Device::flex());
    network.forward(images).into_data().try_to_vec().unwrap()
}

fn network(architecture: &Architecture) -> Network {
    architecture.init(Initialization::PyTorch, 1, &Device::flex()).unwrap()
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("class {i}")).collect()
}

/// A network for two channels with every kind of tensor.
fn tiny() -> Bundle {
    let architecture = Architecture::new("tiny", [2, 4, 4])
        .conv("conv1", 3, 3, 1)
        .batch_norm("bn1")
        .relu()
        .flatten()
        .linear("fc1", 4);
    Bundle::from_parts(network(&architecture), names(4), vec![0.25, 0.5], vec![0.125, 0.3])
}

/// A network whose outputs are its pixels, 0 to 255.
fn pixels(count: usize) -> Bundle {
    let network = network(&Architecture::new("pixels", [1, 1, count]).flatten());
    Bundle::from_parts(network, names(count), vec![0.0], vec![1.0 / 255.0])
}

/// What a test compares.
fn parts(bundle: &Bundle) -> (&Architecture, state::State, &[String], &[f32], &[f32]) {
    let network = bundle.network();
    let state = state::read(network);
    (network.architecture(), state, bundle.classes(), bundle.mean(), bundle.std())
}

#[test]
fn a_bundle_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiny.safetensors");
    for bundle in [tiny(), pixels(3)] {
        bundle.save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bundle.to_bytes().unwrap(), bytes);
        for loaded in [
            Bundle::load(&path, &Device::flex()).unwrap(),
            Bundle::from_bytes(&bytes, &Device::flex()).unwrap(),
        ] {
            assert_eq!(parts(&loaded), parts(&bundle));
            assert_eq!(loaded.to_bytes().unwrap(), bytes);
        }
    }
}

#[test]
fn the_texts_stand_in_the_order_of_their_keys() {
    let bytes = pixels(2).to_bytes().unwrap();
    let header = r#"{"__metadata__":{
        "architecture":"{\"name\":\"pixels\",\"input\":[1,1,2],\"layers\":[{\"name\":\"flatten1\",\"op\":\"flatten\"}]}",
        "bundle":"1",
        "classes":"[\"class 0\",\"class 1\"]",
        "format":"pt",
        "normalization":"{\"mean\":[0.0],\"std\":[0.003921569]}",
        "selvedge":"VERSION"}}"#;
    let header = header.replace("\n        ", "").replace("VERSION", env!("CARGO_PKG_VERSION"));
    let text = std::str::from_utf8(&bytes[8..]).unwrap();
    assert_eq!(text.trim_end(), header);
    assert!((0..5).all(|_| pixels(2).to_bytes().unwrap() == bytes));
}

#[test]
fn every_small_network_of_the_catalog_can_be_bundled() {
    for architecture in catalog() {
        if architecture.summary().unwrap().parameters() > 1_000_000 {
            continue;
        }
        let classes = names(architecture.output_shape().unwrap().size());
        let bundle = Bundle::from_parts(network(&architecture), classes, vec![0.0], vec![1.0]);
        let loaded = Bundle::from_bytes(&bundle.to_bytes().unwrap(), &Device::flex()).unwrap();
        assert_eq!(parts(&loaded), parts(&bundle), "{}", architecture.name);
    }
}

#[test]
fn a_bundle_is_a_file_of_weights_as_well() {
    let bundle = tiny();
    let other =
        bundle.network().architecture().init(Initialization::PyTorch, 2, &Device::flex()).unwrap();
    let loaded = other.load_bytes(&bundle.to_bytes().unwrap()).unwrap();
    assert_eq!(state::read(&loaded), state::read(bundle.network()));
}

#[test]
fn what_the_data_says_is_kept() {
    struct Shoes(Vec<String>);
    impl DataSpec for Shoes {
        fn classes(&self) -> &[String] {
            &self.0
        }

        fn mean_std(&self) -> (&[f32], &[f32]) {
            (&[0.5], &[0.25])
        }
    }
    let shoes = Shoes(names(5));
    let bundle = Bundle::new(network(&Cnn::cnn3(5).architecture()), &shoes);
    assert_eq!(
        (bundle.classes(), bundle.mean(), bundle.std()),
        (&shoes.0[..], &[0.5][..], &[0.25][..])
    );
    bundle.check().unwrap();
}

#[test]
fn probabilities_are_the_softmax_of_the_outputs() {
    let prediction = pixels(3).predict_image(&[0, 2, 1]).unwrap();
    assert_eq!((prediction.class, prediction.name.as_str()), (1, "class 1"));
    // torch.softmax(torch.tensor([0., 2., 1.]), 0)
    for (found, expected) in
        prediction.probabilities.iter().zip([0.09003057, 0.66524096, 0.24472847])
    {
        assert!((found - expected).abs() < 1e-7, "{found} instead of {expected}");
    }
    // e⁻²⁵⁵ is not an f32.
    let certain = pixels(2).predict_image(&[255, 0]).unwrap();
    assert_eq!(certain.probabilities, [1.0, 0.0]);
}

#[test]
fn equal_outputs_give_the_first_class() {
    assert_eq!(pixels(3).predict_image(&[7, 9, 9]).unwrap().class, 1);
}

#[test]
fn images_are_normalized_channel_by_channel() {
    let bundle = tiny();
    let bytes: Vec<u8> = (0..3 * 32).map(|i| (i * 37 % 256) as u8).collect();
    let normalized = bytes.iter().enumerate().map(|(i, &pixel)| {
        let (mean, std) = if i / 16 % 2 == 0 { (0.25f32, 0.125f32) } else { (0.5, 0.3) };
        (f32::from(pixel) - 255.0 * mean) / (255.0 * std)
    });
    let logits = outputs(bundle.network(), normalized.collect());
    let predictions = bundle.predict(&bytes).unwrap();
    assert_eq!(predictions.len(), 3);
    for (prediction, logits) in predictions.iter().zip(logits.chunks(4)) {
        let sum: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        for (probability, logit) in prediction.probabilities.iter().zip(logits) {
            let expected = (f64::from(*logit).exp() / sum) as f32;
            assert!((probability - expected).abs() < 1e-6, "{probability} instead of {expected}");
        }
    }
}

#[test]
fn more_images_than_a_batch_are_all_predicted() {
    let bundle = pixels(2);
    assert_eq!(bundle.network().architecture().inference_batch().unwrap(), 256);
    let bytes: Vec<u8> = (0..600).flat_map(|i| [100, (i % 201) as u8]).collect();
    let predictions = bundle.predict(&bytes).unwrap();
    assert_eq!(predictions.len(), 600);
    for (i, prediction) in predictions.iter().enumerate() {
        assert_eq!(prediction.class, usize::from(i % 201 > 100), "image {i}");
    }
    assert!(bundle.predict(&[]).unwrap().is_empty());
}

#[test]
fn a_network_in_training_is_used_for_inference() {
    let bundle = tiny();
    let device = Device::flex().autodiff();
    let training = Bundle::from_bytes(&bundle.to_bytes().unwrap(), &device).unwrap();
    let bytes: Vec<u8> = (0..64).collect();
    assert_eq!(training.predict(&bytes).unwrap(), bundle.predict(&bytes).unwrap());
}

#[test]
fn bytes_that_are_not_whole_images_are_refused() {
    let bundle = tiny();
    for (length, expected) in [
        (31, "number of bytes is 31, but must be a multiple of 32, for images of 2 × 4 × 4"),
        (65, "number of bytes is 65, but must be a multiple of 32, for images of 2 × 4 × 4"),
    ] {
        assert_eq!(bundle.predict(&vec![0; length]).unwrap_err().to_string(), expected);
    }
    for length in [0, 31, 64] {
        let message = bundle.predict_image(&vec![0; length]).unwrap_err().to_string();
        let expected = "but must be 32, for images of 2 × 4 × 4";
        assert!(message.ends_with(expected), "{message}");
    }
}

#[test]
fn parts_that_do_not_fit_are_refused_when_they_are_used() {
    let network = || tiny().into_network();
    for (bundle, expected) in [
        (
            Bundle::from_parts(network(), names(3), vec![0.0], vec![1.0]),
            "number of classes is 3, but must be 4, one an output of the network",
        ),
        (
            Bundle::from_parts(network(), names(4), vec![0.0; 3], vec![1.0]),
            "number of means is 3, but must be 1 or 2, one a channel",
        ),
        (
            Bundle::from_parts(network(), names(4), vec![0.0], vec![]),
            "number of standard deviations is 0, but must be 1 or 2, one a channel",
        ),
        (
            Bundle::from_parts(network(), names(4), vec![f32::NAN], vec![1.0]),
            "mean is NaN, but must be finite",
        ),
        (
            Bundle::from_parts(network(), names(4), vec![0.0], vec![1.0, 0.0]),
            "standard deviation is 0, but must be above 0 and finite",
        ),
        (
            Bundle::from_parts(network(), names(4), vec![0.0], vec![1e-40]),
            "normalization is mean 0.0, std 1e-40, but must be such that every pixel becomes a finite value",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        for error in [
            bundle.check().unwrap_err(),
            bundle.save(&path).unwrap_err(),
            bundle.to_bytes().unwrap_err(),
            bundle.predict(&[0; 32]).map(drop).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), expected);
        }
        assert!(!path.exists());
    }
}

#[test]
fn outputs_that_are_not_finite_name_the_image() {
    let bundle = tiny();
    let mut state = state::read(bundle.network());
    let bias = TensorData::new(vec![0.0, f32::NAN, 0.0, 0.0], [4]);
    state.insert("fc1.bias".into(), bias);
    let broken = state::write(bundle.network().clone(), state);
    let broken = Bundle::from_parts(broken, names(4), vec![0.0], vec![1.0]);
    let message = broken.predict(&[0; 64]).unwrap_err().to_string();
    assert_eq!(message, "`tiny`: its outputs for image 0 are not finite");
}

#[test]
fn how_images_were_resized_comes_back_and_is_not_asked_of_older_bundles() {
    let older = tiny().to_bytes().unwrap();
    assert!(!String::from_utf8_lossy(&older).contains("resize"));
    assert_eq!(Bundle::from_bytes(&older, &Device::flex()).unwrap().resize(), None);
    for resize in [ImageResize::ShorterSide(4), ImageResize::ShorterSide(5), ImageResize::Stretch] {
        let bytes = tiny().with_resize(Some(resize)).to_bytes().unwrap();
        let bundle = Bundle::from_bytes(&bytes, &Device::flex()).unwrap();
        assert_eq!(bundle.resize(), Some(resize));
        assert_eq!(bundle.to_bytes().unwrap(), bytes);
    }
    for side in [3, 65_536] {
        let error =
            tiny().with_resize(Some(ImageResize::ShorterSide(side))).to_bytes().unwrap_err();
        let expected = format!("shorter side of resized images is {side}, but must be 4 to 65535");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_resize_that_cannot_be_read_is_refused() {
    let bytes = tiny().with_resize(Some(ImageResize::ShorterSide(5))).to_bytes().unwrap();
    let text = br#"{\"shorter_side\":5}"#;
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    for other in [&br#"{\"shorter_side\":3}"#[..], br#"{\"shorter_sidx\":5}"#] {
        let mut changed = bytes.clone();
        changed[at..at + other.len()].copy_from_slice(other);
        let error = Bundle::from_bytes(&changed, &Device::flex()).unwrap_err().to_string();
        assert!(error.contains("shorter"), "{error}");
    }
}
