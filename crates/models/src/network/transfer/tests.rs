use super::*;
use crate::{Architecture, Cnn, CourseCnn, Mlp, ResNet, TransferCnn};
use burn::module::Module;
use burn::tensor::Device;

fn network(architecture: Architecture, seed: u64) -> Network {
    architecture.init(Initialization::PyTorch, seed, &Device::flex()).unwrap()
}

#[test]
fn everything_but_the_head_is_copied() {
    let source = network(TransferCnn::new(5).architecture(), 1);
    let before = network(TransferCnn::new(5).architecture(), 2);
    let (after, report) = before.clone().transfer_from(&source, &Keep::AllButHead).unwrap();
    let [source, before, after] = [&source, &before, &after].map(state::read);
    assert_eq!(report.copied.len(), 8);
    for (name, value) in &after {
        let expected = if name.starts_with("fc3.") { &before } else { &source };
        assert_eq!(value, &expected[name], "{name}");
    }
}

#[test]
fn parameters_of_other_shapes_are_reported_and_left_alone() {
    let source = network(Cnn::cnn2_small(5).architecture(), 1);
    let target = network(Cnn::cnn2(5).architecture(), 2);
    let before = state::read(&target);
    let (target, report) = target.transfer_from(&source, &Keep::AllButHead).unwrap();
    let unfit = ["conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight", "fc1.weight"];
    assert_eq!(report.unfit, unfit);
    assert_eq!(report.copied, ["fc1.bias"]);
    assert_eq!(state::read(&target)["conv1.weight"], before["conv1.weight"]);
}

#[test]
fn a_network_without_a_linear_layer_has_no_head_to_keep() {
    let headless = network(Architecture::new("headless", [1, 8, 8]).conv("conv1", 2, 3, 0), 0);
    let error = headless.clone().transfer_from(&headless, &Keep::AllButHead).unwrap_err();
    assert_eq!(error.to_string(), "`headless` has no linear layer that could serve as its head");
}

#[test]
fn a_fresh_head_changes_the_head_alone() {
    let before = network(TransferCnn::new(5).architecture(), 1);
    let after = before.clone().with_fresh_head(Initialization::PyTorch, 9).unwrap();
    let (before, after) = (state::read(&before), state::read(&after));
    for (name, value) in &after {
        assert_eq!(value == &before[name], !name.starts_with("fc3."), "{name}");
    }
}

#[test]
fn the_head_of_gain_one_is_he_normals_over_the_square_root_of_two_also_when_it_is_fresh() {
    let draw = |initialization| {
        let architecture = TransferCnn::new(5).architecture();
        architecture.init(initialization, 1, &Default::default()).unwrap()
    };
    let [usual, linear] = [Initialization::HeNormal, Initialization::HeNormalLinearHead].map(draw);
    let check = |usual: &Network, linear: &Network| {
        let (usual, linear) = (state::read(usual), state::read(linear));
        for (name, value) in &linear {
            if name == "fc3.weight" {
                let [usual, linear] = [&usual[name], value].map(|v| v.try_to_vec::<f32>().unwrap());
                let is_scaled = |(u, l): (&f32, &f32)| (u / l - 2f32.sqrt()).abs() < 1e-5;
                assert!(usual.iter().zip(&linear).all(is_scaled));
            } else {
                assert_eq!(value, &usual[name], "{name}");
            }
        }
    };
    check(&usual, &linear);
    let anew = |initialization| usual.clone().with_fresh_head(initialization, 2).unwrap();
    check(&anew(Initialization::HeNormal), &anew(Initialization::HeNormalLinearHead));
}

fn keep(pattern: &str) -> Keep {
    Keep::Matching(pattern.parse().unwrap())
}

#[test]
fn layers_and_patterns_choose_what_is_copied() {
    let source = network(TransferCnn::new(5).architecture(), 1);
    let before = network(TransferCnn::new(5).architecture(), 2);
    let layers = Keep::Layers(vec!["conv2".into(), "fc3".into()]);
    for (keep, chosen) in [
        (layers, &["conv2.bias", "conv2.weight", "fc3.bias", "fc3.weight"][..]),
        (keep("conv*, !*.bias"), &["conv1.weight", "conv2.weight"]),
    ] {
        let (after, report) = before.clone().transfer_from(&source, &keep).unwrap();
        assert_eq!(report.copied, chosen);
        assert_eq!(report.fresh.len(), 10 - chosen.len());
        let [source, before, after] = [&source, &before, &after].map(state::read);
        for (name, value) in &after {
            let copied = chosen.contains(&name.as_str());
            assert_eq!(value, &if copied { &source } else { &before }[name], "{name}");
        }
    }
}

#[test]
fn a_choice_of_nothing_is_refused() {
    let source = network(TransferCnn::new(5).architecture(), 1);
    let message =
        |keep: Keep| source.clone().transfer_from(&source, &keep).unwrap_err().to_string();
    let nothing = |choice| format!("no parameter of `transfer_cnn` is selected by `{choice}`");
    assert_eq!(message(keep("conf*")), nothing("conf*"));
    // The head is `fc3`: without the slip everything would be copied, the head, too.
    assert_eq!(message(keep("!fc")), nothing("!fc"));
    assert_eq!(message(keep("conv1, conf2")), nothing("conf2"));
    // The second layer is a slip: the first alone would ruin a study without a word.
    assert_eq!(message(Keep::Layers(vec!["conv1".into(), "conv".into()])), nothing("conv"));
    assert_eq!(message(Keep::Layers(Vec::new())), nothing(""));
}

#[test]
fn a_source_of_which_nothing_fits_is_refused() {
    let source = network(Mlp::new(5).architecture(), 1);
    let target = network(TransferCnn::new(5).architecture(), 2);
    let error = target.transfer_from(&source, &keep("conv*")).unwrap_err();
    let expected = "nothing of `mlp` fits `transfer_cnn`: 4 parameters are missing or of another \
                    shape";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn running_statistics_go_with_their_layer() {
    let resnet = || ResNet::resnet18_cifar(10).architecture().unwrap();
    let source = network(resnet(), 1);
    let mean = burn::tensor::TensorData::new(vec![2.5f32; 64], [64]);
    let source = state::write(source, [("bn1.running_mean".to_string(), mean.clone())].into());
    let (target, report) = network(resnet(), 2).transfer_from(&source, &keep("bn1")).unwrap();
    let expected = ["bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.weight"];
    assert_eq!(report.copied, expected);
    assert_eq!(state::read(&target)["bn1.running_mean"], mean);
}

#[test]
fn a_training_pass_before_the_transfer_does_not_replace_what_was_copied() {
    let net = || CourseCnn::new(10).bn_cnn(0.0);
    let source = network(net(), 1);
    let device = Device::flex().autodiff();
    let target = net().init(Initialization::PyTorch, 2, &device).unwrap().train();
    target.forward(burn::tensor::Tensor::ones([4, 1, 28, 28], &device));
    let (target, _) = target.transfer_from(&source, &Keep::AllButHead).unwrap();
    let expected = &state::read(&source)["bn1.running_mean"];
    assert_eq!(&state::read(&target)["bn1.running_mean"], expected);
}
