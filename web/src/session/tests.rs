use burn::tensor::{Device, Tensor, TensorData};
use selvedge_data::IdxArray;
use selvedge_models::{Bundle, Cnn, Initialization, explain};
use serde_json::Value;

use super::*;

fn bundle() -> Bundle {
    let network = Cnn::cnn2_small(3).architecture();
    let network = network.init(Initialization::PyTorch, 4, &Device::flex()).unwrap();
    let classes = ["shirt", "shoe", "bag"].map(String::from).to_vec();
    Bundle::from_parts(network, classes, vec![0.25], vec![0.5])
}

/// 28 × 28 grey pixels, no row like another.
fn pixels() -> Vec<u8> {
    (0..784).map(|i| ((i * 37 + i / 28 * 11) % 256) as u8).collect()
}

fn rgba() -> Vec<u8> {
    pixels().into_iter().flat_map(|pixel| [pixel, pixel, pixel, 255]).collect()
}

/// The page's way: JSON in, JSON out.
fn ask(session: &mut Session, request: Value, bytes: &[u8]) -> (Value, Vec<u8>) {
    let Answer { text, bytes } = session.answer(request.to_string().as_bytes(), bytes);
    (serde_json::from_str(&text).unwrap(), bytes)
}

fn error(session: &mut Session, request: Value, bytes: &[u8]) -> String {
    let (answer, _) = ask(session, request, bytes);
    let error = answer["error"].as_str().expect("it is refused").to_owned();
    assert!(error.len() < 300 && !error.contains('\n'), "{error}");
    error
}

fn with_picture() -> Session {
    let mut session = Session::default();
    ask(&mut session, json!({ "do": "load" }), &bundle().to_bytes().unwrap());
    let request = json!({ "do": "classify", "width": 28, "height": 28, "background": "as_is" });
    ask(&mut session, request, &rgba());
    session
}

#[test]
fn a_bundle_is_described_and_names_a_picture_as_programs_do() {
    let mut session = Session::default();
    let (about, _) = ask(&mut session, json!({ "do": "load" }), &bundle().to_bytes().unwrap());
    assert_eq!(about["input"], json!([1, 28, 28]));
    assert_eq!(about["classes"], json!(["shirt", "shoe", "bag"]));
    // (1 · 9 + 1) · 10 + (10 · 9 + 1) · 20 + (980 + 1) · 50 + (50 + 1) · 3
    assert_eq!(about["parameters"], 51_123);
    assert_eq!(about["cam_layer"], "relu2");
    let layers: Vec<&str> =
        about["layers"].as_array().unwrap().iter().map(|l| l["path"].as_str().unwrap()).collect();
    assert_eq!(layers, ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"]);

    let request = json!({ "do": "classify", "width": 28, "height": 28, "background": "guess" });
    let (said, seen) = ask(&mut session, request, &rgba());
    let expected = bundle().predict_image(&pixels()).unwrap();
    assert_eq!(said["class"], expected.class);
    let probabilities: Vec<f32> = serde_json::from_value(said["probabilities"].clone()).unwrap();
    assert_eq!(probabilities, expected.probabilities);
    assert_eq!(seen, pixels());
}

#[test]
fn maps_are_those_of_the_library_on_a_scale_of_bytes() {
    let mut session = with_picture();
    let bundle = bundle();
    let values: Vec<f32> = pixels().iter().map(|p| (f32::from(*p) / 255.0 - 0.25) / 0.5).collect();
    let data = TensorData::new(values, [1, 1, 28, 28]);
    let image = Tensor::<4>::from_data(data, &Device::flex());
    let near = |pixels: &[u8], map: Tensor<4>, least: f32, largest: f32| {
        let map: Vec<f32> = map.into_data().try_to_vec().unwrap();
        assert_eq!(pixels.len(), map.len());
        for (pixel, value) in pixels.iter().zip(&map) {
            let expected = 255.0 * (value - least) / (largest - least);
            assert!((f32::from(*pixel) - expected).abs() < 0.51, "{pixel} {expected}");
        }
    };
    let largest = |about: &Value| about["largest"].as_f64().unwrap() as f32;

    let (about, shown) = ask(&mut session, json!({ "do": "saliency", "class": 2 }), &[]);
    let map = explain::saliency(bundle.network(), image.clone(), &[2]).unwrap();
    near(&shown, explain::largest_over_channels(map), 0.0, largest(&about));

    let (about, shown) = ask(&mut session, json!({ "do": "grad_cam", "class": 1 }), &[]);
    let map = explain::grad_cam(bundle.network(), image.clone(), &[1], None).unwrap();
    near(&shown, explain::upsample(map, [28, 28]).unwrap(), 0.0, largest(&about));

    let (about, shown) = ask(&mut session, json!({ "do": "maps", "layer": "conv2" }), &[]);
    assert_eq!(about["shape"], json!([20, 14, 14]));
    let maps = bundle.network().feature_maps(&["conv2"], image).unwrap().remove(0).1;
    let least = about["least"].as_f64().unwrap() as f32;
    assert!(least < 0.0 && shown.contains(&0) && shown.contains(&255));
    near(&shown, maps, least, largest(&about));
}

#[test]
fn a_network_of_colors_is_shown_and_looked_into_in_colors() {
    let network = Cnn::cnn2_small(2).with_input([3, 16, 20]).architecture();
    let network = network.init(Initialization::PyTorch, 4, &Device::flex()).unwrap();
    let classes = vec!["red".to_string(), "blue".to_string()];
    let bundle = Bundle::from_parts(network, classes, vec![0.4, 0.5, 0.6], vec![0.2, 0.3, 0.4]);
    let mut session = Session::default();
    ask(&mut session, json!({ "do": "load" }), &bundle.to_bytes().unwrap());
    let request = json!({ "do": "classify", "width": 20, "height": 16, "background": "guess" });
    let rgba: Vec<u8> = (0..320u32).flat_map(|i| [i, i * 3, i * 7, 255].map(|v| v as u8)).collect();
    let planes = |channel: usize| rgba.iter().skip(channel).step_by(4);
    let expected: Vec<u8> = (0..3).flat_map(planes).copied().collect();
    let (said, seen) = ask(&mut session, request, &rgba);
    // The network takes 20 for the shorter side: what it gets is cut out of a larger picture.
    assert_eq!(seen.len(), 960);
    let stretched = bundle.with_resize(Some(selvedge_models::ImageResize::Stretch));
    ask(&mut session, json!({ "do": "load" }), &stretched.to_bytes().unwrap());
    let request = json!({ "do": "classify", "width": 20, "height": 16, "background": "guess" });
    let (exact, seen) = ask(&mut session, request, &rgba);
    assert_eq!(seen, expected);
    assert_ne!(exact["probabilities"], said["probabilities"]);
    let expected = stretched.predict_image(&expected).unwrap().probabilities;
    let found: Vec<f32> = serde_json::from_value(exact["probabilities"].clone()).unwrap();
    assert_eq!(found, expected);
    for request in
        [json!({ "do": "saliency", "class": 1 }), json!({ "do": "grad_cam", "class": 1 })]
    {
        assert_eq!(ask(&mut session, request, &[]).1.len(), 320);
    }
}

#[test]
fn what_cannot_be_is_refused_in_one_line_and_changes_nothing() {
    let mut session = Session::default();
    let classify = |width: u32| json!({ "do": "classify", "width": width, "height": 28, "background": "guess" });
    assert_eq!(error(&mut session, classify(28), &rgba()), "choose a network first");
    assert_eq!(
        error(&mut session, json!({ "do": "steps", "count": 1 }), &[]),
        "begin a training first"
    );
    ask(&mut session, json!({ "do": "load" }), &bundle().to_bytes().unwrap());
    assert_eq!(
        error(&mut session, json!({ "do": "saliency", "class": 0 }), &[]),
        "choose a picture first"
    );

    let mut session = with_picture();
    let bytes = bundle().to_bytes().unwrap();
    let at = bytes.windows(12).position(|part| part == b"\"bundle\":\"1\"").unwrap();
    let mut other = bytes.clone();
    other[at + 10] = b'9';
    let told = error(&mut session, json!({ "do": "load" }), &other);
    assert!(told.contains("a bundle of version 9, not 1"), "{told}");
    for cut in [0, 7, 8, bytes.len() / 2, bytes.len() - 1] {
        error(&mut session, json!({ "do": "load" }), &bytes[..cut]);
    }
    let told = error(&mut session, classify(0), &[]);
    assert_eq!(told, "the picture has 0 × 28 pixels, so there is nothing to see");
    error(&mut session, classify(29), &rgba());
    let told = error(&mut session, json!({ "do": "maps", "layer": "conv3" }), &[]);
    assert!(told.starts_with("`cnn2_small` has no layer named `conv3`"), "{told}");
    assert_eq!(
        error(&mut session, json!({ "do": "grad_cam", "class": 3 }), &[]),
        "class is 3, but must be below 3"
    );
    let told = error(&mut session, json!({ "do": "fly" }), &[]);
    assert!(told.starts_with("the page and its WebAssembly do not fit each other"), "{told}");
    // The network and the picture are those of before.
    assert_eq!(ask(&mut session, json!({ "do": "saliency", "class": 0 }), &[]).1.len(), 784);
}

fn idx(shape: Vec<usize>, bytes: Vec<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    IdxArray::new(shape, IdxData::U8(bytes)).unwrap().write_gzip(&mut file).unwrap();
    file
}

#[test]
fn a_network_is_trained_by_requests_and_taken_as_the_one_that_names() {
    let mut session = Session::default();
    let images: Vec<u8> = (0..8u8).flat_map(|i| [i % 2 * 200 + 20; 784]).collect();
    let files = [
        ("train_images", idx(vec![8, 28, 28], images.clone())),
        ("train_labels", idx(vec![8], (0..8).map(|i| i % 2).collect())),
        ("test_images", idx(vec![8, 28, 28], images)),
        ("test_labels", idx(vec![8], (0..8).map(|i| i % 2).collect())),
    ];
    let settings =
        json!({ "network": "cnn2_small", "learning_rate": 0.01, "batch_size": 4, "seed": 0 });
    let train = json!({ "do": "train", "settings": settings, "classes": ["dark", "light"] });
    let told = error(&mut session, train.clone(), &[]);
    assert_eq!(told, "the images to train with are not there yet");
    for (file, bytes) in &files {
        let request = json!({ "do": "data", "file": file });
        let told = error(&mut session, request.clone(), &bytes[..bytes.len() - 9]);
        assert!(told.starts_with(&file.replace("train", "training").replace('_', " ")), "{told}");
        ask(&mut session, request, bytes);
    }
    let (about, _) = ask(&mut session, train, &[]);
    assert_eq!(about, json!({ "train_images": 8, "test_images": 8 }));
    let mut last = Value::Null;
    while last["epochs"].as_f64().unwrap_or(0.0) < 8.0 {
        last = ask(&mut session, json!({ "do": "steps", "count": 2 }), &[]).0;
    }
    assert_eq!(last["epoch_end"]["accuracy"], 1.0, "{last}");
    let (_, trained) = ask(&mut session, json!({ "do": "trained" }), &[]);
    ask(&mut session, json!({ "do": "load" }), &trained);
    let light: Vec<u8> = [220, 220, 220, 255].repeat(784);
    let request = json!({ "do": "classify", "width": 28, "height": 28, "background": "as_is" });
    assert_eq!(ask(&mut session, request, &light).0["class"], 1);
}
