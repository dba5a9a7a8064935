use super::*;
use crate::{Architecture, CourseCnn, Initialization, ResNet, Rng, TransferCnn};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{GradientsParams, ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use rand::SeedableRng;
use selvedge_kernels::AdamOptions;

fn network(architecture: Architecture) -> Network {
    architecture.init(Initialization::PyTorch, 1, &Device::flex()).unwrap()
}

fn images(input: [usize; 3], device: &Device) -> Tensor<4> {
    let [channels, height, width] = input;
    let values: Vec<f32> =
        (0..4 * channels * height * width).map(|i| (i as f32 * 0.7).sin()).collect();
    Tensor::from_data(TensorData::new(values, [4, channels, height, width]), device)
}

fn pattern(text: &str) -> NamePattern {
    text.parse().unwrap()
}

/// The network after some steps down the sum of its squared outputs, and its last gradients.
fn trained(network: Network, mut optimizer: ModuleOptimizer) -> (Network, state::State) {
    let device = Device::flex().autodiff();
    let mut network = network.fork(&Device::flex()).train();
    let mut rng = Rng::seed_from_u64(0);
    let mut gradients = state::State::new();
    for _ in 0..3 {
        let x = images(network.architecture().input, &device);
        let loss = network.forward_train(x, &mut rng).powi_scalar(2).mean();
        let grads = GradientsParams::from_grads(loss.backward(), &network);
        gradients = state::gradients(&network, &grads);
        network = optimizer.step(0.01, network, grads);
    }
    (network.valid(), gradients)
}

fn adam(decay: f64) -> ModuleOptimizer {
    AdamOptions { weight_decay: Some(decay), ..AdamOptions::default() }.init()
}

#[test]
fn frozen_parameters_have_no_gradient_and_no_optimizer_changes_them() {
    let decay = || Some(WeightDecayConfig::new(0.1));
    let momentum = Some(MomentumConfig::new());
    let optimizers = [
        adam(0.1),
        SgdConfig::new().with_weight_decay(decay()).with_momentum(momentum).init(),
        RmsPropConfig::new().with_weight_decay(decay()).init(),
    ];
    let before = network(TransferCnn::new(5).architecture());
    let before = before.freeze(&pattern("conv1, fc2.weight, fc3.bias")).unwrap();
    let frozen = ["conv1.weight", "conv1.bias", "fc2.weight", "fc3.bias"];
    assert_eq!(before.frozen(), frozen);
    for optimizer in optimizers {
        let (after, gradients) = trained(before.clone(), optimizer);
        assert_eq!(gradients.len(), 10 - frozen.len());
        let [before, after] = [&before, &after].map(state::read);
        for (name, value) in &after {
            let is_frozen = frozen.contains(&name.as_str());
            assert_eq!(value == &before[name], is_frozen, "{name}");
            assert_eq!(!gradients.contains_key(name), is_frozen, "{name}");
        }
    }
}

#[test]
fn freezing_survives_everything_that_happens_to_a_network() {
    let frozen = network(ResNet::resnet18_cifar(10).architecture().unwrap());
    let frozen = frozen.freeze(&pattern("!fc, !layer4")).unwrap();
    let names = frozen.frozen();
    assert_eq!(names.len(), 45);
    let device = Device::flex();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("net.safetensors");
    frozen.save_safetensors(&path).unwrap();
    let state = state::read(&frozen);
    for (what, network) in [
        ("clone", frozen.clone()),
        ("train", frozen.clone().train()),
        ("valid", frozen.clone().train().valid()),
        ("fork", frozen.clone().fork(&device)),
        ("fork in training", frozen.clone().train().fork(&device)),
        ("to_device", frozen.clone().to_device(&device)),
        ("load", frozen.clone().load_safetensors(&path).unwrap()),
        ("write", state::write(frozen.clone(), state)),
        ("transfer", frozen.clone().transfer_from(&frozen, &Default::default()).unwrap().0),
        ("step", trained(frozen.clone(), adam(0.1)).0),
    ] {
        assert_eq!(network.frozen(), names, "{what}");
        assert_eq!(network.train().frozen(), names, "{what}, then train");
    }
}

#[test]
fn freezing_a_clone_leaves_the_original_free() {
    let original = network(CourseCnn::new(10).bn_cnn(0.0));
    let all = original.trainable_params();
    let clone = original.clone().freeze(&pattern("*")).unwrap();
    assert_eq!((original.trainable_params(), clone.trainable_params()), (all, 0));
    assert!(original.train().frozen().is_empty());
}

#[test]
fn what_is_unfrozen_learns_again() {
    let before = network(TransferCnn::new(5).architecture());
    let before = before.freeze(&pattern("*")).unwrap().unfreeze(&pattern("fc*")).unwrap();
    assert_eq!(before.frozen().len(), 4);
    let (after, _) = trained(before.clone(), adam(0.0));
    let after = after.unfreeze(&pattern("conv2")).unwrap();
    assert_eq!(after.frozen(), ["conv1.weight", "conv1.bias"]);
    let [before, after] = [&before, &trained(after, adam(0.0)).0].map(state::read);
    for (name, value) in &after {
        assert_eq!(value == &before[name], name.starts_with("conv1"), "{name}");
    }
}

#[test]
fn everything_before_a_layer_is_frozen_and_the_rest_learns() {
    let network = network(TransferCnn::new(5).architecture());
    let network = network.freeze(&pattern("fc3")).unwrap();
    let network = network.freeze_before("fc2").unwrap();
    let expected = ["conv1", "conv2", "fc1"].map(|l| [format!("{l}.weight"), format!("{l}.bias")]);
    assert_eq!(network.frozen(), expected.concat());
    let error = network.clone().freeze_before("conv1").unwrap_err().to_string();
    let selection = "everything before conv1";
    assert_eq!(error, format!("no parameter of `transfer_cnn` is selected by `{selection}`"));
    assert!(matches!(network.freeze_before("fc"), Err(ModelError::UnknownLayer { .. })));
}

#[test]
fn a_pattern_that_chooses_nothing_is_refused() {
    let network = network(TransferCnn::new(5).architecture());
    let error = network.freeze(&pattern("layer1")).unwrap_err().to_string();
    assert_eq!(error, "no parameter of `transfer_cnn` is selected by `layer1`");
}

/// A network with one normalization whose statistics are not the initial ones.
fn normalised() -> Network {
    let net = Architecture::new("bn", [2, 4, 4]).batch_norm("bn1").flatten().linear("fc1", 3);
    let values = |values: [f32; 2]| TensorData::new(values.to_vec(), [2]);
    let statistics = [("mean", [0.5, -0.25]), ("var", [4.0, 0.5])];
    let statistics = statistics.map(|(name, v)| (format!("bn1.running_{name}"), values(v)));
    state::write(network(net), statistics.into())
}

#[test]
fn a_frozen_normalization_uses_its_running_statistics_and_leaves_them() {
    let free = normalised();
    let frozen = free.clone().freeze(&pattern("bn1")).unwrap();
    let outputs = |network: Network, device: &Device| -> Vec<f32> {
        network.forward(images([2, 4, 4], device)).into_data().try_to_vec().unwrap()
    };
    let inference = outputs(free.valid(), &Device::flex());
    let training = Device::flex().autodiff();
    assert_eq!(outputs(frozen.clone().train(), &training), inference);
    assert_ne!(outputs(free.clone().train(), &training), inference);

    let of = |network: &Network| {
        let state = state::read(network);
        ["bn1.running_mean", "bn1.running_var"].map(|name| state[name].clone())
    };
    assert_eq!(of(&trained(frozen.clone(), adam(0.0)).0), of(&free));
    assert_ne!(of(&trained(free.clone(), adam(0.0)).0), of(&free));
    let thawed = frozen.unfreeze(&pattern("bn1")).unwrap();
    assert_ne!(of(&trained(thawed, adam(0.0)).0), of(&free));
}

#[test]
fn a_normalization_trains_while_one_of_its_parameters_does() {
    let half = normalised().freeze(&pattern("bn1.weight")).unwrap();
    let outputs = |network: &Network| -> Vec<f32> {
        let x = images([2, 4, 4], &Device::flex().autodiff());
        network.clone().train().forward(x).into_data().try_to_vec().unwrap()
    };
    assert_eq!(outputs(&half), outputs(&normalised()));
    let whole = half.freeze(&pattern("bn1.bias")).unwrap();
    assert_ne!(outputs(&whole), outputs(&normalised()));
}

#[test]
fn a_normalization_frozen_between_steps_keeps_the_last_update() {
    let device = Device::flex().autodiff();
    let network = normalised().fork(&Device::flex()).train();
    network.forward(images([2, 4, 4], &device));
    let after_one_step = state::read(&network)["bn1.running_mean"].clone();
    let network = network.freeze(&pattern("bn1")).unwrap();
    let outputs: Vec<f32> =
        network.forward(images([2, 4, 4], &device)).into_data().try_to_vec().unwrap();
    assert_eq!(state::read(&network)["bn1.running_mean"], after_one_step);
    let inference = network.valid().forward(images([2, 4, 4], &Device::flex()));
    assert_eq!(outputs, inference.into_data().try_to_vec::<f32>().unwrap());
}

#[test]
fn a_slip_in_what_is_left_out_does_not_freeze_everything() {
    // The head of a residual network is `fc`.
    let net = network(ResNet::resnet18_cifar(10).architecture().unwrap());
    for (text, slip) in [("!fc3", "!fc3"), ("x*, fc", "x*")] {
        let frozen = net.clone().freeze(&pattern(text)).map(drop).unwrap_err().to_string();
        let free = net.clone().unfreeze(&pattern(text)).map(drop).unwrap_err().to_string();
        let expected = format!("no parameter of `resnet18_cifar` is selected by `{slip}`");
        assert_eq!((frozen, free), (expected.clone(), expected));
    }
    let frozen = net.freeze(&pattern("!fc")).unwrap();
    assert_eq!(frozen.frozen().len(), 60);
}
