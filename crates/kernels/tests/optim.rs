//! The fused optimizers against Burn's own; `optim_exact.rs` has them against `f64`.

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, AdamWConfig, RmsPropConfig, SgdConfig};
use burn::optim::{GradientsParams, ModuleOptimizer, Optimizer};
use burn::optim::{decay::WeightDecayConfig, momentum::MomentumConfig};
use burn::tensor::{Device, Distribution, Tensor};
use selvedge_kernels::{AdamOptions, MomentumOptions, RmsPropOptions, SgdOptions};
use selvedge_kernels::{FusedAdam, FusedRmsProp, FusedSgd};

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
    /// Whether both round in the same places; else ours rounds the constants less.
    same_bits: bool,
    fused: Box<dyn Fn() -> ModuleOptimizer>,
    burn: Box<dyn Fn() -> ModuleOptimizer>,
}

/// Every optimizer with everything it can be asked for.
fn pairs() -> Vec<Pair> {
    let mut pairs = Vec::new();
    for weight_decay in [None, Some(0.1)] {
        let decay = weight_decay.map(|decay: f64| WeightDecayConfig::new(decay as f32));
        let with_decay = decay.clone();
        pairs.push(Pair {
            name: format!("Adam, decay {weight_decay:?}"),
            // Burn computes 1 − βᵗ in `f32`, which cancels.
            same_bits: false,
            fused: Box::new(move || AdamOptions { weight_decay, ..Default::default() }.init()),
            burn: Box::new(move || {
                let config = AdamConfig::new().with_epsilon(1e-8);
                config.with_weight_decay(with_decay.clone()).init()
            }),
        });
        let decoupled = weight_decay.unwrap_or(0.0);
        pairs.push(Pair {
            name: format!("AdamW, decay {decoupled}"),
            same_bits: false,
            fused: Box::new(move || AdamOptions::adamw(decoupled).init()),
            burn: Box::new(move || {
                let config = AdamWConfig::new().with_epsilon(1e-8);
                config.with_weight_decay(decoupled as f32).init()
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
                same_bits: true,
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
                same_bits: false,
                fused: Box::new(move || options.init()),
                burn: Box::new(move || {
                    let config = RmsPropConfig::new().with_epsilon(1e-8);
                    let config = config.with_momentum(momentum as f32);
                    config.with_weight_decay(with_decay.clone()).init()
                }),
            });
        }
    }
    pairs
}

/// Whether two nets are the same to the bit, or within what Burn's constants are wrong by.
fn agree(pair: &Pair, actual: &Net, expected: &Net) -> bool {
    let (actual, expected) = (bits(actual), bits(expected));
    if pair.same_bits {
        return actual == expected;
    }
    let mut both =
        actual.into_iter().map(f32::from_bits).zip(expected.into_iter().map(f32::from_bits));
    both.all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn steps_are_those_of_burns_optimizers() {
    let start = seeded_net(5);
    for pair in pairs() {
        let expected = train(start.clone(), (pair.burn)(), 7).0;
        let actual = train(start.clone(), (pair.fused)(), 7).0;
        assert_ne!(bits(&actual), bits(&start), "{}", pair.name);
        assert!(agree(&pair, &actual, &expected), "{}", pair.name);
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
            assert!(agree(&pair, &end, &expected), "{}", pair.name);
        }
    }
}

#[test]
fn three_steps_a_file_and_three_more_are_six_steps_to_the_bit() {
    let start = seeded_net(8);
    for pair in pairs() {
        let expected = train(start.clone(), (pair.fused)(), 6).0;
        let (middle, optimizer) = train(start.clone(), (pair.fused)(), 3);
        let file = optimizer.into_bytes().unwrap();
        let (end, _) = train(middle, (pair.fused)().from_bytes(file).unwrap(), 3);
        assert!(bits(&end) == bits(&expected), "{}", pair.name);
    }
}

#[test]
fn a_gradient_whose_square_overflows_ends_in_nan() {
    let device = Device::flex();
    let adam = FusedAdam::new(AdamOptions::default());
    let tensor = |value: f32| Tensor::<1>::from_floats([value], &device);
    let (parameter, state) = adam.step(0.1, tensor(1.0), tensor(1e20), None);
    let (parameter, _) = adam.step(0.1, parameter, tensor(1.0), state);
    assert!(parameter.into_scalar::<f32>().is_nan());
}

/// Bits of a parameter after three steps on this device.
fn stepped(optimizer: &impl Optimizer, device: &Device) -> Vec<u32> {
    let values = |seed: f32| {
        let values = (0..1003).map(|i| (seed * i as f32).sin()).collect::<Vec<f32>>();
        Tensor::<1>::from_floats(values.as_slice(), device)
    };
    let (mut parameter, mut state) = (values(0.7), None);
    for t in 0..3 {
        let grad = values(0.3 + t as f32);
        (parameter, state) = optimizer.step(0.01, parameter, grad, state);
    }
    let values = parameter.into_data().try_to_vec::<f32>().unwrap();
    values.into_iter().map(f32::to_bits).collect()
}

#[test]
fn tensor_operations_give_the_bits_of_the_pass() {
    // A tensor of a graph is stepped by tensor operations.
    let (plain, graph) = (Device::flex(), Device::flex().autodiff());
    for weight_decay in [None, Some(0.1)] {
        for decoupled in [false, true] {
            let options = AdamOptions { weight_decay, decoupled, ..Default::default() };
            let adam = FusedAdam::new(options);
            assert_eq!(stepped(&adam, &plain), stepped(&adam, &graph), "{options:?}");
        }
        for momentum in [0.0, 0.9] {
            let options = RmsPropOptions { momentum, weight_decay, ..Default::default() };
            let rms_prop = FusedRmsProp::new(options);
            assert_eq!(stepped(&rms_prop, &plain), stepped(&rms_prop, &graph), "{options:?}");
        }
        for momentum in [None, Some(false), Some(true)] {
            let momentum =
                momentum.map(|nesterov| MomentumOptions { nesterov, ..Default::default() });
            let options = SgdOptions { momentum, weight_decay };
            let sgd = FusedSgd::new(options);
            assert_eq!(stepped(&sgd, &plain), stepped(&sgd, &graph), "{options:?}");
        }
    }
}

/// What is left of the state of a parameter of `[64]` after one gradient of 1e-3 and `steps` of 0, and the parameter.
fn after_zero_gradients<O: Optimizer>(
    optimizer: &O,
    steps: usize,
    states: impl Fn(O::State<1>) -> Vec<Tensor<1>>,
) -> (Vec<f32>, Vec<f32>) {
    let device = Device::flex();
    let (mut parameter, mut state) = (Tensor::<1>::full([64], 0.5, &device), None);
    for step in 0..steps {
        let grad = Tensor::full([64], if step == 0 { 1e-3 } else { 0.0 }, &device);
        (parameter, state) = optimizer.step(0.01, parameter, grad, state);
    }
    let state =
        states(state.unwrap()).into_iter().flat_map(|t| t.into_data().try_to_vec().unwrap());
    (parameter.into_data().try_to_vec().unwrap(), state.collect())
}

#[test]
fn a_state_without_gradients_ends_at_zero_and_never_stays_denormal() {
    // A velocity of 0.9 of its last value is denormal after 770 steps, and would be four times the smallest number
    // for ever from the thousandth on.
    let options = MomentumOptions { momentum: 0.9, dampening: 0.0, nesterov: false };
    let sgd = FusedSgd::new(SgdOptions { momentum: Some(options), weight_decay: None });
    let velocity = |state: <FusedSgd as Optimizer>::State<1>| vec![state.velocity.unwrap()];
    let (late, state) = after_zero_gradients(&sgd, 1500, velocity);
    assert_eq!(state, vec![0.0; 64]);
    // And no parameter is another than where the velocity was still a normal number.
    let (early, state) = after_zero_gradients(&sgd, 700, velocity);
    assert!(state.iter().all(|v| v.is_normal()), "{state:?}");
    assert_eq!(late, early);

    let adam = FusedAdam::new(AdamOptions::default());
    let moments = |state: <FusedAdam as Optimizer>::State<1>| {
        vec![state.momentum.moment_1, state.momentum.moment_2]
    };
    let (_, state) = after_zero_gradients(&adam, 1500, moments);
    assert_eq!(state[..64], [0.0; 64]);
    assert!(state[64..].iter().all(|v| v.is_normal()), "{state:?}");
}

#[test]
fn without_epsilon_a_mean_of_squares_stays_as_small_as_it_is() {
    // Its root divides: with 0 in its place the step would be infinite.
    let adam = FusedAdam::new(AdamOptions { epsilon: 0.0, ..AdamOptions::default() });
    let device = Device::flex();
    let (mut parameter, mut state) = (Tensor::<1>::full([4], 0.5, &device), None);
    for _ in 0..3 {
        let grad = Tensor::full([4], 1e-18, &device);
        (parameter, state) = adam.step(0.01, parameter, grad, state);
    }
    // Adam's steps are as long as the learning rate, whatever the gradient; the square has few digits.
    let moved: Vec<f32> = (parameter - 0.5).into_data().try_to_vec().unwrap();
    assert!(moved.iter().all(|moved| (moved + 0.03).abs() < 1e-3), "{moved:?}");
}
