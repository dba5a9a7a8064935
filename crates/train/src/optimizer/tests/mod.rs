use super::*;
use crate::TrainError;
use burn::module::{Module, Param, ParamGroup};
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};

mod exact;

/// Every optimizer, with everything that changes its state.
fn all() -> Vec<OptimizerConfig> {
    vec![
        OptimizerConfig::adam(),
        OptimizerConfig::adamw(),
        OptimizerConfig::sgd(0.0),
        OptimizerConfig::sgd(0.9),
        OptimizerConfig::Sgd { momentum: 0.9, nesterov: true },
        OptimizerConfig::rms_prop(0.0),
        OptimizerConfig::rms_prop(0.9),
        OptimizerConfig::adagrad(),
        OptimizerConfig::adafactor(),
        OptimizerConfig::adan(),
        OptimizerConfig::lamb(),
        OptimizerConfig::lion(),
        OptimizerConfig::muon(),
    ]
}

#[derive(Module, Debug)]
struct Net {
    matrix: Param<Tensor<2>>,
    kernel: Param<Tensor<4>>,
    bias: Param<Tensor<1>>,
}

fn values<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let count = shape.iter().product::<usize>() as i64;
    let values = Tensor::<1, burn::tensor::Int>::arange(0..count, device).float();
    let leaf = values.mul_scalar(0.7).sin().reshape(shape);
    Param::from_tensor(leaf.detach().require_grad())
}

fn net() -> Net {
    let device = Device::flex().autodiff();
    Net {
        // Large enough for several threads.
        matrix: values([301, 300], &device),
        kernel: values([6, 5, 3, 3], &device),
        bias: values([6], &device),
    }
}

/// A gradient that depends on the parameter and on the step.
fn gradient<const D: usize>(param: &Param<Tensor<D>>, step: usize) -> Tensor<D> {
    param.val().inner().mul_scalar(3.0).add_scalar(step as f64).sin()
}

/// The net after these steps.
fn steps(net: Net, optimizer: &mut ModuleOptimizer, steps: impl IntoIterator<Item = usize>) -> Net {
    steps.into_iter().fold(net, |net, step| {
        let mut grads = GradientsParams::new();
        grads.register(net.matrix.id, gradient(&net.matrix, step));
        grads.register(net.kernel.id, gradient(&net.kernel, step));
        grads.register(net.bias.id, gradient(&net.bias, step));
        optimizer.step(0.01, net, grads)
    })
}

fn bits(net: &Net) -> Vec<u32> {
    let all = [
        net.matrix.val().flatten::<1>(0, 1).into_data(),
        net.kernel.val().flatten::<1>(0, 3).into_data(),
        net.bias.val().into_data(),
    ];
    let values = all.into_iter().flat_map(|data| data.try_to_vec::<f32>().unwrap());
    values.map(f32::to_bits).collect()
}

#[test]
fn every_optimizer_goes_on_from_its_bytes_to_the_bit() {
    let groups = [(ParamGroup::from_path("bias"), 0.0)];
    for config in all() {
        for lookahead in [None, Some(Lookahead { k: 2, alpha: 0.3 })] {
            let new = || config.init_with(0.1, &groups, lookahead).unwrap();
            let (start, mut optimizer) = (net(), new());
            let expected = steps(start.clone(), &mut optimizer, 0..6);
            let mut optimizer = new();
            let middle = steps(start.clone(), &mut optimizer, 0..3);
            let file = optimizer.into_bytes().unwrap();
            let mut resumed = new().from_bytes(file).unwrap();
            let end = steps(middle.clone(), &mut resumed, 3..6);
            assert!(bits(&end) == bits(&expected), "{config:?}, {lookahead:?}");
            // The state matters: without it the end is another one.
            let fresh = steps(middle, &mut new(), 3..6);
            let stateless = config == OptimizerConfig::sgd(0.0) && lookahead.is_none();
            assert_eq!(bits(&fresh) == bits(&expected), stateless, "{config:?}, {lookahead:?}");
        }
    }
}

#[test]
fn every_optimizer_gives_the_same_bits_on_any_number_of_threads() {
    for config in all() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let run = || bits(&steps(net(), &mut config.init(0.1).unwrap(), 0..3));
            assert!(pool.install(|| selvedge_kernels::with_team(run)) == pool.install(run));
            pool.install(run)
        };
        assert!(on(1) == on(3), "{config:?}");
    }
}

#[test]
fn the_last_group_of_a_parameter_decides_its_weight_decay() {
    let groups = [
        (ParamGroup::from_any_predicates(vec!["bias", "kernel"]), 0.5),
        (ParamGroup::from_path("bias"), 0.0),
    ];
    let mut optimizer = OptimizerConfig::adamw().init_with(0.2, &groups, None).unwrap();
    let start = net();
    let mut grads = GradientsParams::new();
    grads.register(start.matrix.id, start.matrix.val().inner().zeros_like());
    grads.register(start.kernel.id, start.kernel.val().inner().zeros_like());
    grads.register(start.bias.id, start.bias.val().inner().zeros_like());
    let end = optimizer.step(0.1, start.clone(), grads);
    let kept =
        |start: Tensor<1>, end: Tensor<1>| (end / start).narrow(0, 1, 1).into_scalar::<f32>();
    let matrix = kept(start.matrix.val().flatten(0, 1), end.matrix.val().flatten(0, 1));
    let kernel = kept(start.kernel.val().flatten(0, 3), end.kernel.val().flatten(0, 3));
    let bias = kept(start.bias.val(), end.bias.val());
    assert!((matrix - 0.98).abs() < 1e-6 && (kernel - 0.95).abs() < 1e-6, "{matrix} {kernel}");
    assert_eq!(bias, 1.0);
}

#[test]
fn lookahead_is_its_definition_over_gradient_descent() {
    let (k, alpha, lr) = (3, 0.4, 0.05);
    let mut fast: Vec<f64> = (0..6).map(|i| f64::sin(0.7 * f64::from(i))).collect();
    let mut slow = fast.clone();
    for step in 0..8 {
        fast.iter_mut().for_each(|p| *p -= lr * (3.0 * *p + f64::from(step)).sin());
        if (step + 1) % k == 0 {
            slow.iter_mut().zip(&fast).for_each(|(slow, fast)| *slow += alpha * (fast - *slow));
            fast.clone_from(&slow);
        }
    }
    let lookahead = Some(Lookahead { k: k as usize, alpha });
    let mut optimizer = OptimizerConfig::sgd(0.0).init_with(0.0, &[], lookahead).unwrap();
    let mut net = net();
    for step in 0..8 {
        let mut grads = GradientsParams::new();
        grads.register(net.bias.id, gradient(&net.bias, step));
        net = optimizer.step(lr, net, grads);
    }
    let found = net.bias.val().into_data().try_to_vec::<f32>().unwrap();
    let near = |(found, expected): (&f32, &f64)| (f64::from(*found) - expected).abs() < 1e-6;
    assert!(found.iter().zip(&fast).all(near), "{found:?} {fast:?}");
}

#[test]
fn impossible_settings_are_refused() {
    let sgd = |momentum, nesterov| OptimizerConfig::Sgd { momentum, nesterov };
    let adam = |betas, epsilon| OptimizerConfig::Adam { betas, epsilon };
    for (config, decay) in [
        (sgd(1.0, false), 0.0),
        (sgd(-0.1, false), 0.0),
        (sgd(0.0, true), 0.0),
        (sgd(f64::NAN, false), 0.0),
        (OptimizerConfig::rms_prop(1.5), 0.0),
        (OptimizerConfig::RmsProp { alpha: 1.0, momentum: 0.0, epsilon: 1e-8 }, 0.0),
        (adam([1.0, 0.999], 1e-8), 0.0),
        (adam([0.9, f64::NAN], 1e-8), 0.0),
        (adam([0.9, 1.0 - 1e-12], 1e-8), 0.0),
        (adam([0.9, 0.999], 0.0), 0.0),
        (adam([0.9, 0.999], 1e-60), 0.0),
        (OptimizerConfig::AdamW { betas: [0.9, 1.0], epsilon: 1e-8 }, 0.0),
        (OptimizerConfig::AdaGrad { lr_decay: -1.0, epsilon: 1e-8 }, 0.0),
        (OptimizerConfig::AdaFactor { beta2_decay: 0.0, clip_threshold: 1.0 }, 0.0),
        (OptimizerConfig::AdaFactor { beta2_decay: -0.8, clip_threshold: 0.0 }, 0.0),
        (OptimizerConfig::Adan { betas: [0.98, 0.92, 1.0], epsilon: 1e-8 }, 0.0),
        (OptimizerConfig::Lamb { betas: [0.9, 0.999], epsilon: -1.0 }, 0.0),
        (OptimizerConfig::Lion { betas: [0.9, 1.0] }, 0.0),
        (OptimizerConfig::Muon { momentum: 1.0, nesterov: true }, 0.0),
        (OptimizerConfig::adam(), -1.0),
        (OptimizerConfig::adam(), f64::INFINITY),
        (OptimizerConfig::adafactor(), 1e300),
    ] {
        let refused = config.init(decay);
        assert!(matches!(refused, Err(TrainError::Setting { .. })), "{config:?}, decay {decay}");
    }
    assert!(sgd(0.9, true).init(1e-4).is_ok());
    let adam = OptimizerConfig::adam();
    for (k, alpha) in [(0, 0.5), (5, 0.0), (5, 1.5), (5, f64::NAN)] {
        assert!(adam.init_with(0.0, &[], Some(Lookahead { k, alpha })).is_err(), "{k}, {alpha}");
    }
    assert!(adam.init_with(0.0, &[(ParamGroup::all(), -1.0)], None).is_err());
}

#[test]
fn settings_that_are_left_out_have_their_defaults_and_unknown_ones_are_refused() {
    let read = |text: &str| serde_json::from_str::<OptimizerConfig>(text);
    for (text, expected) in [
        (r#"{"name": "adam"}"#, OptimizerConfig::adam()),
        (r#"{"name": "adamw"}"#, OptimizerConfig::adamw()),
        (r#"{"name": "sgd", "momentum": 0.9}"#, OptimizerConfig::sgd(0.9)),
        (r#"{"name": "rmsprop"}"#, OptimizerConfig::rms_prop(0.0)),
        (r#"{"name": "rms_prop"}"#, OptimizerConfig::rms_prop(0.0)),
        (r#"{"name": "adagrad"}"#, OptimizerConfig::adagrad()),
        (r#"{"name": "adafactor"}"#, OptimizerConfig::adafactor()),
        (r#"{"name": "adan"}"#, OptimizerConfig::adan()),
        (r#"{"name": "lamb"}"#, OptimizerConfig::lamb()),
        (r#"{"name": "lion"}"#, OptimizerConfig::lion()),
        (r#"{"name": "muon"}"#, OptimizerConfig::muon()),
    ] {
        assert_eq!(read(text).unwrap(), expected);
        let written = serde_json::to_string(&expected).unwrap();
        assert_eq!(read(&written).unwrap(), expected, "{written}");
    }
    for text in [r#"{"name": "adam", "momentum": 0.9}"#, r#"{"name": "sgd", "betas": [0, 0]}"#] {
        assert!(read(text).unwrap_err().to_string().contains("unknown field"), "{text}");
    }
    let lookahead: Lookahead = serde_json::from_str(r#"{"k": 10}"#).unwrap();
    assert_eq!(lookahead, Lookahead { k: 10, alpha: 0.5 });
}
