//! The fused optimizers against Burn's own.

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, RmsPropConfig, SgdConfig};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::optim::{decay::WeightDecayConfig, momentum::MomentumConfig};
use burn::tensor::{DType, Device, Distribution, Tensor};
use selvedge_kernels::{AdamOptions, MomentumOptions, RmsPropOptions, SgdOptions};

#[derive(Module, Debug)]
struct Net {
    matrix: Param<Tensor<2>>, // [700, 301]: several pieces of work, the last no whole cache line
    vector: Param<Tensor<1>>, // [4]
    none: Param<Tensor<1>>,   // [0]
}

fn net(device: &Device) -> Net {
    let matrix = Tensor::random([700, 301], Distribution::Default, device);
    Net {
        matrix: Param::from_tensor(matrix),
        vector: Param::from_tensor(Tensor::from_floats([1.0, -2.0, 0.0, -0.0], device)),
        none: Param::from_tensor(Tensor::zeros([0], device)),
    }
}

fn seeded_net(seed: u64) -> Net {
    let device = Device::flex();
    device.seed(seed);
    net(&device.autodiff())
}

/// Parameters after some steps on a loss whose gradient changes with the parameters.
fn train(mut net: Net, mut optimizer: ModuleOptimizer, steps: usize) -> (Net, ModuleOptimizer) {
    for _ in 0..steps {
        let matrix = net.matrix.val();
        let vector = net.vector.val();
        let loss = (matrix.clone() * matrix.transpose().transpose()).sum()
            + (vector.clone() * vector).sum()
            + net.none.val().sum();
        let grads = GradientsParams::from_grads(loss.backward(), &net);
        net = optimizer.step(0.01, net, grads);
    }
    (net, optimizer)
}

/// Bits of all parameters: −0 is not 0.
fn bits(net: &Net) -> Vec<u32> {
    let parameters = [
        net.matrix.val().flatten::<1>(0, 1).into_data(),
        net.vector.val().into_data(),
        net.none.val().into_data(),
    ];
    let values = parameters.into_iter().flat_map(|data| data.try_to_vec::<f32>().unwrap());
    values.map(f32::to_bits).collect()
}

/// A fused optimizer, and Burn's of the same constants.
struct Pair {
    name: String,
    fused: Box<dyn Fn() -> ModuleOptimizer>,
    burn: Box<dyn Fn() -> ModuleOptimizer>,
}

/// Every optimizer with everything it can be asked for.
fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for weight_decay in [None, Some(0.1)] {
        let decay = weight_decay.map(WeightDecayConfig::new);
        let with_decay = decay.clone();
        pairs.push(Pair {
            name: format!("Adam, decay {weight_decay:?}"),
            fused: Box::new(move || AdamOptions { weight_decay, ..Default::default() }.init()),
            burn: Box::new(move || {
                let config = AdamConfig::new().with_epsilon(1e-8);
                config.with_weight_decay(with_decay.clone()).init()
            }),
        });
        let momenta =
            [None, Some((0.9, 0.0, false)), Some((0.7, 0.3, false)), Some((0.9, 0.1, true))];
        for momentum in momenta {
            let options = momentum.map(|(momentum, dampening, nesterov)| MomentumOptions {
                momentum,
                dampening,
                nesterov,
            });
            let config = momentum.map(|(momentum, dampening, nesterov)| MomentumConfig {
                momentum,
                dampening,
                nesterov,
            });
            let with_decay = decay.clone();
            pairs.push(Pair {
                name: format!("SGD, {momentum:?}, decay {weight_decay:?}"),
                fused: Box::new(move || SgdOptions { momentum: options, weight_decay }.init()),
                burn: Box::new(move || {
                    let config = SgdConfig::new().with_momentum(config.clone());
                    config.with_weight_decay(with_decay.clone()).init()
                }),
            });
        }
        for momentum in [0.0, 0.9] {
            let with_decay = decay.clone();
            let options = RmsPropOptions { momentum, weight_decay, ..Default::default() };
            pairs.push(Pair {
                name: format!("RMSprop, momentum {momentum}, decay {weight_decay:?}"),
                fused: Box::new(move || options.init()),
                burn: Box::new(move || {
                    let config = RmsPropConfig::new().with_epsilon(1e-8).with_momentum(momentum);
                    config.with_weight_decay(with_decay.clone()).init()
                }),
            });
        }
    }
    pairs
}

#[test]
fn steps_give_the_bits_of_burns_optimizers() {
    let start = seeded_net(5);
    for pair in pairs() {
        let expected = train(start.clone(), (pair.burn)(), 7).0;
        let actual = train(start.clone(), (pair.fused)(), 7).0;
        assert_ne!(bits(&actual), bits(&start), "{}", pair.name);
        assert!(bits(&actual) == bits(&expected), "{}", pair.name);
    }
}

#[test]
fn a_module_that_is_still_in_use_is_not_changed() {
    let start = seeded_net(6);
    for pair in pairs() {
        let before = bits(&start);
        let kept = start.clone();
        let (after, _) = train(start.clone(), (pair.fused)(), 2);
        assert!(bits(&kept) == before, "{}", pair.name);
        assert!(bits(&after) != before, "{}", pair.name);
    }
}

#[test]
fn burns_optimizer_goes_on_from_a_record_and_the_other_way_round() {
    let start = seeded_net(7);
    for pair in pairs() {
        let expected = train(start.clone(), (pair.burn)(), 6).0;
        let there = (&pair.fused, &pair.burn);
        let back = (&pair.burn, &pair.fused);
        for (first, second) in [there, back] {
            let (middle, optimizer) = train(start.clone(), first(), 3);
            let resumed = second().load_record(optimizer.to_record());
            let (end, _) = train(middle, resumed, 3);
            assert!(bits(&end) == bits(&expected), "{}", pair.name);
        }
    }
}

#[test]
fn other_types_than_f32_are_stepped_by_burns_operations() {
    let device = Device::flex().autodiff();
    for pair in pairs() {
        let ends = [&pair.fused, &pair.burn].map(|optimizer| {
            let values = Tensor::<1>::from_floats([1.0, -2.0, 0.5], &device).cast(DType::F64);
            let mut parameter = Param::from_tensor(values.detach().require_grad());
            let mut optimizer = optimizer();
            for _ in 0..4 {
                let loss = (parameter.val() * parameter.val()).sum();
                let grads = GradientsParams::from_grads(loss.backward(), &parameter);
                parameter = optimizer.step(0.01, parameter, grads);
            }
            parameter.val().into_data().try_to_vec::<f64>().unwrap()
        });
        assert_eq!(ends[0], ends[1], "{}", pair.name);
        assert!(ends[0][0] < 1.0, "{}: {:?}", pair.name, ends[0]);
    }
}
