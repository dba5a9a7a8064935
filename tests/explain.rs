//! What in an image a network answers to, and what it takes to mislead it: against captum, and against drawing the weights anew.
//!
//! `tests/data/explain.json` holds what captum 0.9 computes in f64 for a network whose parameters and pixels follow
//! from the formula that `tests/python/make_parity_networks.py` describes; `tests/python/make_explain.py` made it.

use std::collections::BTreeMap;

use selvedge::burn::optim::{AdamConfig, GradientsParams};
use selvedge::burn::tensor::{Int, TensorData};
use selvedge::models::explain::{
    self, Attack, IntegratedGradients, Maximization, Occlusion, Pgd, PixelRange, Rule, SmoothGrad,
    Target,
};
use selvedge::models::{Op, state};
use selvedge::prelude::*;
use serde::Deserialize;

/// Relative to the largest entry of a map; f32 against f64.
const TOLERANCE: f64 = 1e-4;

#[derive(Deserialize)]
struct Record {
    state_dict: Vec<(String, Vec<usize>)>,
    logits: Recorded,
    maps: BTreeMap<String, Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// (31 j² + 7 j + 1009 t) mod 10007 / 10006
fn uniform(t: usize, j: usize) -> f64 {
    let (t, j) = (t as u64, j as u64);
    ((31 * j * j + 7 * j + 1009 * t) % 10_007) as f64 / 10_006.0
}

fn record() -> Record {
    serde_json::from_str(include_str!("data/explain.json")).unwrap()
}

/// The network of the record, and its two images with the classes that are asked about.
fn recorded(device: &Device) -> (Network, Tensor<4>, [usize; 2]) {
    let net = Architecture::new("recorded", [2, 12, 12]);
    let net = net.conv("conv1", 6, 3, 1).batch_norm("bn1").layer("relu1", Op::Relu).max_pool(2);
    let main =
        |main: Architecture| main.batch_norm("bn2").layer("relu2", Op::Relu).conv("conv2", 6, 3, 1);
    let net = net.residual("block", main, |same| same);
    let net = net.conv("conv3", 8, 3, 1).layer("relu3", Op::Relu).max_pool(2).flatten();
    let net = net.linear("fc1", 16).layer("relu4", Op::Relu).linear("fc2", 4);
    let network = net.init(Initialization::PyTorch, 0, device).unwrap();
    let tensor = |(t, (name, shape)): (usize, (String, Vec<usize>))| {
        let count: usize = shape.iter().product();
        let value = |j| {
            let s = 2.0 * uniform(t, j) - 1.0;
            let value = match (shape.len(), name.rsplit('.').next()) {
                (1, Some("running_var")) => 1.0 + 0.5 * s * s,
                (1, Some("weight")) => 1.0 + 0.2 * s,
                (1, _) => 0.1 * s,
                _ => s * (6.0 / (count / shape[0]) as f64).sqrt(),
            };
            value as f32
        };
        let values: Vec<f32> = (0..count).map(value).collect();
        (name.clone(), TensorData::new(values, shape.clone()))
    };
    let filled = record().state_dict.into_iter().enumerate().map(tensor).collect();
    let pixels: Vec<f32> = (0..2 * 2 * 144).map(|j| uniform(0, j) as f32).collect();
    let images = Tensor::from_data(TensorData::new(pixels, [2, 2, 12, 12]), device);
    (state::write(network, filled), images, [3, 1])
}

/// How far a map is off, relative to the largest entry of what is expected.
fn off(found: &Tensor<4>, expected: &Recorded) -> f64 {
    assert_eq!(found.dims()[..], expected.shape[..]);
    let found = found.to_data();
    let differences = found.iter::<f64>().zip(&expected.values).map(|(f, e)| (f - e).abs());
    // Written so that NaN is the largest.
    let worst = differences.fold(0.0, |worst: f64, d| if d <= worst { worst } else { d });
    worst / expected.values.iter().fold(0.0, |m: f64, v| v.abs().max(m))
}

#[test]
fn maps_are_those_of_captum() {
    let (network, images, classes) = recorded(&Device::flex());
    let Record { maps: expected, logits, .. } = record();
    let found = network.valid().forward(images.clone()).into_data();
    for (f, e) in found.iter::<f64>().zip(&logits.values) {
        assert!((f - e).abs() < 1e-5, "{f} {e}");
    }
    let mut found = BTreeMap::new();
    let x = || images.clone();
    found.insert("saliency".into(), explain::saliency(&network, x(), &classes).unwrap());
    let map = explain::input_x_gradient(&network, x(), &classes).unwrap();
    found.insert("input_x_gradient".into(), map);
    let settings = SmoothGrad { samples: 5, noise: 0.15, seed: 7 };
    let map = explain::smooth_grad(&network, x(), &classes, settings).unwrap();
    found.insert("smooth_grad".into(), map);
    let map = explain::guided_backprop(&network, x(), &classes).unwrap();
    found.insert("guided_backprop".into(), map);
    let settings = Occlusion { window: [5, 4], stride: [2, 3], baseline: 0.25 };
    let map = explain::occlusion(&network, x(), &classes, settings).unwrap();
    found.insert("occlusion".into(), map);
    for (name, rule) in [
        ("gausslegendre", Rule::GaussLegendre),
        ("riemann_left", Rule::RiemannLeft),
        ("riemann_right", Rule::RiemannRight),
        ("riemann_middle", Rule::RiemannMiddle),
        ("riemann_trapezoid", Rule::RiemannTrapezoid),
    ] {
        let baseline = Some(Tensor::full([1, 2, 12, 12], 0.25, &Device::flex()));
        let settings = IntegratedGradients { baseline, steps: 20, rule };
        let (map, _) = explain::integrated_gradients(&network, x(), &classes, &settings).unwrap();
        found.insert(name.into(), map);
    }
    for layer in ["conv3", "relu3", "block.conv2"] {
        let map = explain::grad_cam(&network, x(), &classes, Some(layer)).unwrap();
        found.insert(format!("grad_cam {layer}"), map);
    }
    // The ReLU behind the last convolution is what is taken when no layer is named.
    let last = explain::grad_cam(&network, x(), &classes, None).unwrap();
    assert_eq!(last.to_data(), found["grad_cam relu3"].to_data());
    found.insert("upsampled".into(), explain::upsample(last, [12, 12]).unwrap());
    let map = explain::grad_cam_plus_plus(&network, x(), &classes, None).unwrap();
    found.insert("grad_cam_plus_plus".into(), map);

    found.extend(attacked(&network, &images, classes));
    found.extend(maximized(&network, &images));

    assert!(found.keys().eq(expected.keys()));
    let errors: Vec<_> =
        found.iter().map(|(name, map)| (name, off(map, &expected[name]))).collect();
    println!("{errors:?}");
    assert!(errors.iter().all(|(_, error)| *error < TOLERANCE), "{errors:?}");
}

fn attacked(
    network: &Network,
    images: &Tensor<4>,
    classes: [usize; 2],
) -> Vec<(String, Tensor<4>)> {
    let wanted = classes.map(|class| (class + 1) % 4);
    let range = || PixelRange(vec![[0.0, 1.0], [-0.5, 1.5]]);
    let (away, towards) = (Attack::untargeted(0.03, range()), Attack::targeted(0.03, range()));
    let steps = |random_start| Pgd { steps: 7, step_size: Some(0.008), random_start, seed: 7 };
    let x = || images.clone();
    let all = [
        ("fgsm", explain::fgsm(network, x(), &classes, &away)),
        ("fgsm targeted", explain::fgsm(network, x(), &wanted, &towards)),
        ("pgd", explain::pgd(network, x(), &classes, &away, steps(false))),
        ("pgd targeted", explain::pgd(network, x(), &wanted, &towards, steps(true))),
    ];
    all.map(|(name, images)| (name.to_owned(), images.unwrap())).into()
}

fn maximized(network: &Network, images: &Tensor<4>) -> Vec<(String, Tensor<4>)> {
    let channel = |layer: &str, channel| Target::Channel { layer: layer.into(), channel };
    let settings = Maximization {
        steps: 9,
        learning_rate: 0.05,
        jitter: 2,
        decay: 0.02,
        blur: 0.6,
        blur_every: 3,
        range: Some(PixelRange(vec![[-1.0, 1.25]])),
        every: 4,
        seed: 7,
    };
    let all = [
        ("class", Target::Class(2)),
        ("conv3", channel("conv3", 5)),
        ("block.conv2", channel("block.conv2", 1)),
        ("fc1", channel("fc1", 4)),
    ];
    let last = |(name, target): (&str, Target)| {
        let start = Some(images.clone());
        let mut found = explain::maximize_activation(network, start, &target, &settings).unwrap();
        let steps: Vec<usize> = found.iter().map(|found| found.step).collect();
        assert_eq!(steps, [0, 4, 8, 9]);
        (format!("maximized {name}"), found.pop().unwrap().images)
    };
    all.map(last).into()
}

#[test]
fn what_integrated_gradients_add_up_to_nears_the_difference_of_the_logits() {
    let (network, images, classes) = recorded(&Device::flex());
    let error = |steps| {
        let settings = IntegratedGradients { steps, ..Default::default() };
        let (maps, error) =
            explain::integrated_gradients(&network, images.clone(), &classes, &settings).unwrap();
        let logits = |images| {
            let logits: Vec<f64> = network.valid().forward(images).into_data().iter().collect();
            [logits[classes[0]], logits[4 + classes[1]]]
        };
        let (whole, nothing) = (logits(images.clone()), logits(images.zeros_like()));
        let pixels: Vec<f64> = maps.into_data().iter().collect();
        let sums = pixels.chunks(2 * 144).map(|image| image.iter().sum::<f64>());
        let errors = sums.zip(whole.iter().zip(nothing)).map(|(sum, (a, b))| (sum - a + b).abs());
        let largest = errors.fold(0.0, f64::max);
        assert!((largest - error).abs() < 1e-5, "{largest} is told as {error}");
        error
    };
    let (few, many) = (error(2), error(300));
    println!("completeness: {few} with 2 steps, {many} with 300");
    assert!(many < 0.002 && many < 0.2 * few, "{few} and {many}");
}

/// Images of a bright bar that lies, one that stands or a square, at places that follow from `seed`, in noise.
fn shapes(count: usize, seed: usize) -> (Tensor<4>, Vec<usize>) {
    let mut pixels = Vec::new();
    let labels: Vec<usize> = (0..count).map(|n| n % 3).collect();
    for (n, label) in labels.iter().enumerate() {
        let [height, width] = [[2, 8], [8, 2], [4, 4]][*label];
        let place = |t, side: usize| (uniform(t, 2 * n + 17 * seed) * (17 - side) as f64) as usize;
        let [top, left] = [place(3, height), place(5, width)];
        for pixel in 0..256 {
            let (row, column) = (pixel / 16, pixel % 16);
            let bright =
                (top..top + height).contains(&row) && (left..left + width).contains(&column);
            let noise = uniform(11 + seed, 256 * n + pixel) as f32 - 0.5;
            pixels.push(if bright { 1.0 } else { 0.0 } + 0.6 * noise);
        }
    }
    (Tensor::from_data(TensorData::new(pixels, [count, 1, 16, 16]), &Device::flex()), labels)
}

/// A network that tells the shapes apart.
fn trained() -> Network {
    let net = Architecture::new("shapes", [1, 16, 16]).conv("conv1", 8, 3, 1).relu().max_pool(2);
    let net = net.conv("conv2", 16, 3, 1).relu().max_pool(2).flatten();
    let net = net.linear("fc1", 32).relu().linear("fc2", 3);
    let device = Device::flex().autodiff();
    let mut network = net.init(Initialization::HeNormal, 1, &device).unwrap();
    let mut optimizer = AdamConfig::new().init();
    for step in 0..60 {
        let (images, labels) = shapes(48, step);
        let labels: Vec<i32> = labels.into_iter().map(|label| label as i32).collect();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [48]), &device);
        let logits = network.forward(images.autodiff());
        let loss = selvedge::train::cross_entropy(logits, &Targets::Hard(labels)).unwrap();
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = optimizer.step(0.003, network, gradients);
    }
    network.valid()
}

/// The network with the weights of `layers` drawn anew.
fn redrawn(network: &Network, layers: &[&str]) -> Network {
    let net = network.architecture();
    let fresh = net.init(Initialization::HeNormal, 77, &Device::flex()).unwrap();
    let mut fresh = state::read(&fresh);
    fresh.retain(|name, _| layers.iter().any(|layer| name.starts_with(&format!("{layer}."))));
    assert_eq!(fresh.len(), 2 * layers.len());
    state::write(network.clone(), fresh)
}

/// Spearman's rank correlation.
fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let ranks = |values: &[f64]| {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|i, j| values[*i].total_cmp(&values[*j]));
        let mut ranks = vec![0.0; values.len()];
        for same in order.chunk_by(|i, j| values[*i] == values[*j]) {
            // Equal values share the mean of their ranks.
            let first = ranks.iter().filter(|rank| **rank != 0.0).count() as f64;
            let mean = first + (same.len() as f64 + 1.0) / 2.0;
            same.iter().for_each(|i| ranks[*i] = mean);
        }
        let middle = (values.len() as f64 + 1.0) / 2.0;
        ranks.into_iter().map(|rank| rank - middle).collect::<Vec<_>>()
    };
    let (a, b) = (ranks(a), ranks(b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    // A map that is the same everywhere has no ranks that could agree: all of a Grad-CAM's may be cut at 0.
    let lengths = (dot(&a, &a) * dot(&b, &b)).sqrt();
    if lengths > 0.0 { dot(&a, &b) / lengths } else { 0.0 }
}

/// How alike maps are after the weights of the last layer, and of all four layers, were drawn anew, as Adebayo et al.
/// (2018) do: the mean over images of the rank correlation of absolute values with those of the trained network.
fn after_redrawing(
    network: &Network,
    map: impl Fn(&Network, Tensor<4>, &[usize]) -> Tensor<4>,
) -> [f64; 2] {
    let (images, labels) = shapes(24, 1000);
    let values = |network: &Network| -> Vec<f64> {
        map(network, images.clone(), &labels).abs().into_data().iter().collect()
    };
    let before = values(network);
    assert_eq!(values(network), before);
    let size = before.len() / 24;
    [&["fc2"][..], &["fc2", "fc1", "conv2", "conv1"]].map(|layers| {
        let after = values(&redrawn(network, layers));
        let pairs = before.chunks(size).zip(after.chunks(size));
        pairs.map(|(a, b)| rank_correlation(a, b)).sum::<f64>() / 24.0
    })
}

#[test]
fn ranks_of_equal_values_are_shared() {
    // scipy.stats.spearmanr([1, 2, 2, 3, 5], [2, 1, 4, 4, 9]).statistic
    let found = rank_correlation(&[1.0, 2.0, 2.0, 3.0, 5.0], &[2.0, 1.0, 4.0, 4.0, 9.0]);
    assert!((found - 0.763_157_894_736_842_1).abs() < 1e-12, "{found}");
}

#[test]
fn maps_change_when_weights_are_drawn_anew() {
    let network = trained();
    let (images, labels) = shapes(24, 1000);
    assert_eq!(explain::predicted(&network, images).unwrap(), labels);
    let after =
        |map: &dyn Fn(&Network, Tensor<4>, &[usize]) -> Tensor<4>| after_redrawing(&network, map);
    let smooth = SmoothGrad { samples: 10, ..Default::default() };
    let integrated = IntegratedGradients { steps: 10, ..Default::default() };
    let saliency = after(&|n, x, c| explain::saliency(n, x, c).unwrap());
    let guided = after(&|n, x, c| explain::guided_backprop(n, x, c).unwrap());
    let all = [
        ("saliency", saliency),
        ("guided_backprop", guided),
        ("smooth_grad", after(&|n, x, c| explain::smooth_grad(n, x, c, smooth).unwrap())),
        ("input_x_gradient", after(&|n, x, c| explain::input_x_gradient(n, x, c).unwrap())),
        (
            "integrated_gradients",
            after(&|n, x, c| explain::integrated_gradients(n, x, c, &integrated).unwrap().0),
        ),
        ("grad_cam", after(&|n, x, c| explain::grad_cam(n, x, c, None).unwrap())),
        ("occlusion", after(&|n, x, c| explain::occlusion(n, x, c, Occlusion::default()).unwrap())),
    ];
    let plus_plus = after(&|n, x, c| explain::grad_cam_plus_plus(n, x, c, None).unwrap());
    println!("{all:.2?}, grad_cam_plus_plus {plus_plus:.2?}");
    for (name, [last, every]) in all {
        assert!(last < 0.75 && every < 0.6 && every < last, "{name}: {last} and {every}");
    }
    // The paper's finding: the gradient depends on the last layer, guided backpropagation hardly does; and what is
    // multiplied by the image stays like the image.
    assert!(saliency[0] < 0.4 && guided[0] > saliency[0] + 0.2, "{saliency:?} {guided:?}");
    // The weights of Grad-CAM++ are never negative, so that behind a ReLU it is a sum of all maps, of which the last
    // layer can change the shares alone: it sees the layers below.
    assert!(plus_plus[0] > 0.9 && plus_plus[1] < 0.75, "{plus_plus:?}");
}
