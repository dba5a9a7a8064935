use super::*;
use crate::{FitConfig, Stop, evaluate, evaluate_on, fit};
use burn::module::Module;
use burn::tensor::TensorData;
use selvedge_data::{Batch, ImageDataset};
use selvedge_models::{Architecture, Initialization, TransferCnn, state};

/// Images with one bright row; the label is the third of the image in which it lies.
fn rows(count: usize, offset: usize) -> View {
    let pixel = |i: usize, p: usize| {
        let noise = ((i * 144 + p + offset) as f64 * 78.233).sin().abs() * 90.0;
        noise as u8 + if p / 12 / 4 == i % 3 { 100 } else { 0 }
    };
    let images = (0..count).flat_map(|i| (0..144).map(move |p| pixel(i, p))).collect();
    let labels = (0..count).map(|i| (i % 3) as u16).collect();
    let classes = (0..3).map(|i| format!("third {i}")).collect();
    ImageDataset::new("rows", images, [1, 12, 12], labels, classes).unwrap().view()
}

fn data() -> FitData {
    let (train, validation) = (rows(90, 0), rows(45, 1_000_000));
    FitData::new(train.clone(), validation, Normalization::standardized(&train))
}

/// A convolution with batch normalization, and two linear layers with dropout between them.
fn network() -> Network {
    let net = Architecture::new("net", [1, 12, 12]).conv("conv1", 6, 3, 0).batch_norm("bn1").relu();
    let net = net.max_pool(2).flatten().linear("fc1", 16).relu().dropout(0.2).linear("fc2", 3);
    let network = net.init(Initialization::PyTorch, 3, &Device::flex()).unwrap();
    // Running statistics as if it had been trained.
    let values = |v: f32| TensorData::new(vec![v; 6], [6]);
    let [mean, var] = [("mean", 0.25), ("var", 0.5)];
    let statistics = [mean, var].map(|(n, v)| (format!("bn1.running_{n}"), values(v)));
    state::write(network, statistics.into())
}

fn config() -> FitConfig {
    FitConfig { epochs: 3, batch_size: 16, learning_rate: 0.01, seed: 5, ..FitConfig::default() }
}

fn context() -> Context {
    Context::new(&Device::flex())
}

/// The largest difference of two states with the same names.
fn distance(a: &state::State, b: &state::State) -> f32 {
    assert!(a.keys().eq(b.keys()));
    let of = |data: &TensorData| data.try_to_vec::<f32>().unwrap();
    let pairs = a.iter().flat_map(|(name, a)| of(a).into_iter().zip(of(&b[name])));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn what_was_computed_before_is_read_and_not_computed_again() {
    let folder = tempfile::tempdir().unwrap();
    let (trunk, _) = network().cut_at("fc2").unwrap();
    let view = rows(90, 0);
    let loader = BatchLoader::new(view.clone(), 20, &Normalization::unit(), &Device::flex());
    let loader = loader.unwrap();
    let into = |trunk: &Network| {
        Features::extract_into(folder.path(), trunk, &loader, &context()).unwrap()
    };
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path());
        files.filter(|file| file.is_file()).collect::<std::collections::BTreeSet<_>>()
    };
    // The first two of five batches.
    let few = view.range(0..40).unwrap();
    let few = BatchLoader::new(few, 20, &Normalization::unit(), &Device::flex()).unwrap();
    Features::extract_into(folder.path(), &trunk, &few, &context()).unwrap();
    let first = files();
    assert_eq!(first.len(), 2);
    // What is in them is taken as it is, so that they are not computed again.
    let expected = Features::extract_from(&trunk, &loader, &context()).unwrap();
    let marked = [7.0_f32; 20 * 16].iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let head = format!("{}\n", selvedge_files::sha256(&marked)).into_bytes();
    for file in &first {
        std::fs::write(file, [head.clone(), marked.clone()].concat()).unwrap();
    }
    let found = into(&trunk);
    assert!((0..40).all(|i| found.image(i) == [7.0; 16]));
    assert!((40..90).all(|i| found.image(i) == expected.image(i)));
    assert_eq!((found.labels(), files().len()), (expected.labels(), 5));
    // Damaged files, one of them cut off, are computed again.
    for (file, len) in first.iter().zip([30, 500]) {
        let mut content = std::fs::read(file).unwrap();
        content.truncate(len);
        std::fs::write(file, content).unwrap();
    }
    let found = into(&trunk);
    assert!((0..90).all(|i| found.image(i) == expected.image(i)));
    // Other weights have files of their own.
    let other = network().architecture().init(Initialization::PyTorch, 4, &Device::flex());
    into(&other.unwrap().cut_at("fc2").unwrap().0);
    assert_eq!(files().len(), 10);
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let (trunk, _) = network().cut_at("fc2").unwrap();
    let loader = BatchLoader::new(rows(9, 0), 3, &Normalization::unit(), &Device::flex()).unwrap();
    let found = Features::extract_into(file.path(), &trunk, &loader, &context()).unwrap_err();
    let message = found.to_string();
    let expected = format!("cannot keep features in {}: ", file.path().display());
    assert!(message.starts_with(&expected), "{message}");
}

#[test]
fn a_head_on_cached_features_learns_what_it_learns_within_the_whole_network() {
    for cut in ["fc1", "dropout1", "relu1", "fc2"] {
        // A dropout in the trunk does not act there.
        let network = match cut {
            "fc2" => {
                let net = network().architecture().clone();
                let layers = net.layers.into_iter().filter(|l| l.name != "dropout1").collect();
                let net = Architecture { layers, ..net };
                let without = net.init(Initialization::PyTorch, 3, &Device::flex()).unwrap();
                without.transfer_from(&network(), &Default::default()).unwrap().0
            }
            _ => network(),
        };
        let frozen = network.clone().freeze_before(cut).unwrap();
        let whole = fit(frozen, &data(), &config(), &context()).unwrap();

        let (trunk, head) = network.cut_at(cut).unwrap();
        let features = FeatureData::extract(&trunk, &data(), &context()).unwrap();
        let fitted = fit(head, &features, &config(), &context()).unwrap();
        let scores = |h: &crate::History| {
            h.epochs.iter().flat_map(|e| [e.train, *e.score()]).collect::<Vec<_>>()
        };
        for (a, b) in scores(&fitted.history).iter().zip(scores(&whole.history)) {
            assert!((a.loss - b.loss).abs() < 1e-5 && a.accuracy == b.accuracy, "{cut}: {a} {b}");
        }
        let joined = trunk.join(fitted.model).unwrap();
        let distance = distance(&state::read(&joined), &state::read(&whole.model));
        assert!(distance < 1e-5, "{cut}: {distance}");
    }
}

#[test]
fn a_joined_network_measures_what_its_head_measures_on_features() {
    let (trunk, head) = network().cut_at("fc1").unwrap();
    let data = data();
    let features = FeatureData::extract(&trunk, &data, &context()).unwrap();
    let head = fit(head, &features, &config(), &context()).unwrap().model;
    let loader = features.validation.as_ref().unwrap().loader(256, &Device::flex()).unwrap();
    let on_features = evaluate_on(&head, &loader).unwrap();
    let joined = trunk.join(head).unwrap();
    let on_images =
        evaluate(&joined, data.validation.as_ref().unwrap(), &data.normalization, &context())
            .unwrap();
    assert_eq!(on_images.confusion, on_features.confusion);
    // Features are computed by the network for inference, which rounds differently.
    let difference = on_images.metrics.loss - on_features.metrics.loss;
    assert!(difference.abs() < 1e-6, "{difference}");
    assert!(on_images.metrics.accuracy > 0.9, "{}", on_images.metrics);
}

#[test]
fn features_are_what_the_trunk_gives_in_inference() {
    let (trunk, _) = network().cut_at("relu1").unwrap();
    let view = rows(20, 0);
    let unit = Normalization::unit();
    let features = Features::extract(&trunk, &view, &unit, &context()).unwrap();
    assert_eq!((features.len(), features.shape()), (20, [6, 10, 10]));
    assert_eq!(features.labels(), view.labels());
    assert_eq!(features.classes(), view.classes());
    assert_eq!(Features::bytes(&trunk, 20).unwrap(), 20 * 600 * 4);
    let image =
        BatchLoader::new(view.clone(), 1, &unit, &Device::flex()).unwrap().gather(&[7]).unwrap();
    let alone: Vec<f32> = trunk.valid().forward(image.images).into_data().try_to_vec().unwrap();
    assert_eq!(features.image(7).len(), alone.len());
    // The network that trains rounds differently.
    for (among_others, alone) in features.image(7).iter().zip(alone) {
        assert!((among_others - alone).abs() < 1e-5, "{among_others} and {alone}");
    }
}

#[test]
fn batches_of_features_come_in_the_order_of_the_images() {
    let view = rows(50, 0);
    let unit = Normalization::unit();
    let (trunk, _) = network().cut_at("relu1").unwrap();
    let features = Features::extract(&trunk, &view, &unit, &context()).unwrap();
    let device = Device::flex();
    let images = BatchLoader::new(view.clone(), 16, &unit, &device).unwrap().with_shuffle(9);
    let features = features.loader(16, &device).unwrap().with_shuffle(9);
    assert_eq!(features.num_images(), 50);
    for epoch in [1, 2] {
        let of = |source: &dyn BatchSource| {
            source.batches(epoch).map(|batch| batch.unwrap().labels).collect::<Vec<_>>()
        };
        assert_eq!(of(&features), of(&images));
        assert_eq!(of(&features).last().unwrap().len(), 2);
    }
}

#[test]
fn features_beyond_all_memory_are_an_error_that_says_how_much_they_take() {
    /// More images than there is memory for; none is ever made.
    struct Endless;
    impl BatchSource for Endless {
        fn num_images(&self) -> usize {
            usize::MAX / 2
        }
        fn image_shape(&self) -> [usize; 3] {
            [1, 12, 12]
        }
        fn classes(&self) -> &[String] {
            &[]
        }
        fn batches(&self, _: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
            unreachable!("there is no room for a batch")
        }
    }
    let (trunk, _) = network().cut_at("relu1").unwrap();
    let error = Features::extract_from(&trunk, &Endless, &context()).unwrap_err();
    assert!(matches!(error, TrainError::Memory { bytes: u64::MAX, .. }), "{error}");
}

#[test]
fn a_stop_leaves_no_half_of_the_features() {
    let stop = Stop::default();
    stop.request();
    let net = TransferCnn::new(3).with_input([1, 12, 12]).architecture();
    let (trunk, _) =
        net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap().cut_at("fc3").unwrap();
    let result = FeatureData::extract(&trunk, &data(), &context().with_stop(stop));
    assert!(matches!(result, Err(TrainError::Stopped { .. })));
}

#[test]
fn a_trunk_for_other_images_is_refused() {
    let net = TransferCnn::new(3).architecture();
    let (trunk, _) =
        net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap().cut_at("fc3").unwrap();
    let error = FeatureData::extract(&trunk, &data(), &context()).unwrap_err();
    let expected =
        "`transfer_cnn[..fc3]` takes images of 1 × 28 × 28, but these are of 1 × 12 × 12";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn batches_of_nothing_are_refused() {
    let (trunk, _) = network().cut_at("fc1").unwrap();
    let unit = Normalization::unit();
    let features = Features::extract(&trunk, &rows(3, 0), &unit, &context()).unwrap();
    let error = features.loader(0, &Device::flex()).unwrap_err();
    assert_eq!(error.to_string(), "batch size: expected at least 1, found 0");
}
