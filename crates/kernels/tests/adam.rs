//! The fused optimizer against Burn's own.

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, decay::WeightDecayConfig};
use burn::tensor::{Device, Distribution, Tensor};
use selvedge_kernels::AdamOptions;

#[derive(Module, Debug)]
struct Net {
    matrix: Param<Tensor<2>>, // [300, 120]: more than one piece of work
    vector: Param<Tensor<1>>, // [3]
}

fn net(device: &Device) -> Net {
    let matrix = Tensor::random([300, 120], Distribution::Default, device);
    Net {
        matrix: Param::from_tensor(matrix),
        vector: Param::from_tensor(Tensor::from_floats([1.0, -2.0, 0.5], device)),
    }
}

/// Parameters after some steps on a loss whose gradient changes with the parameters.
fn train(mut net: Net, mut optimizer: ModuleOptimizer, steps: usize) -> (Net, ModuleOptimizer) {
    for _ in 0..steps {
        let matrix = net.matrix.val();
        let loss =
            (matrix.clone() * matrix.transpose().transpose()).sum() + net.vector.val().exp().sum();
        let grads = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.01, net, grads);
    }
    (net, optimizer)
}

fn assert_same_bits(a: &Net, b: &Net) {
    a.matrix.val().into_data().assert_eq(&b.matrix.val().into_data(), true);
    a.vector.val().into_data().assert_eq(&b.vector.val().into_data(), true);
}

#[test]
fn steps_give_the_bits_of_burns_adam() {
    let device = Device::flex();
    device.seed(5);
    let device = device.autodiff();
    for weight_decay in [None, Some(0.1)] {
        let start = net(&device);
        let burn = AdamConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(weight_decay.map(WeightDecayConfig::new));
        let fused = AdamOptions { weight_decay, ..Default::default() };
        let expected = train(start.clone(), burn.init(), 7).0;
        let actual = train(start.clone(), fused.init(), 7).0;
        assert_same_bits(&actual, &expected);
    }
}

#[test]
fn a_module_that_is_still_in_use_is_not_changed() {
    let device = Device::flex();
    device.seed(6);
    let start = net(&device.autodiff());
    let before = start.matrix.val().into_data();
    let kept = start.clone();
    let (after, _) = train(start, AdamOptions::default().init(), 2);
    kept.matrix.val().into_data().assert_eq(&before, true);
    assert_ne!(after.matrix.val().into_data(), before);
}

#[test]
fn burns_adam_goes_on_from_a_record() {
    let device = Device::flex();
    device.seed(7);
    let start = net(&device.autodiff());
    let burn = || AdamConfig::new().with_epsilon(1e-8).init();
    let (middle, fused) = train(start.clone(), AdamOptions::default().init(), 3);
    let resumed = burn().load_record(fused.to_record());
    let (a, _) = train(middle, resumed, 3);
    let (b, _) = train(start, burn(), 6);
    assert_same_bits(&a, &b);
}
