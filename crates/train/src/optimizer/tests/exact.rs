//! Burn's optimizers against their definitions in `f64`, over 200 steps. Those of our kernels are held to
//! PyTorch's exactness in their own crate.

use super::*;
use burn::tensor::TensorData;

const LR: f64 = 1e-2;

#[derive(Module, Debug)]
struct One<const D: usize> {
    p: Param<Tensor<D>>,
}

// The values are exact in `f32`.
fn start(i: usize) -> f64 {
    (((37 * i) % 64) as f64 - 32.0) / 1024.0
}

fn gradient(t: usize, i: usize) -> f64 {
    let hash = (2654435761 * (64 * t + i + 1) as u64) % (1 << 32);
    (((hash >> 12) % 65536) as f64 / 32768.0 - 0.75) / f64::from(1 << (i % 8))
}

fn vector(value: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..64).map(value).collect()
}

fn trained<const D: usize>(config: OptimizerConfig, decay: f64, shape: [usize; D]) -> Vec<f64> {
    let device = Device::flex().autodiff();
    let tensor = |values: Vec<f64>| {
        let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
        Tensor::<D>::from_data(TensorData::new(values, shape), &device)
    };
    let mut one = One { p: Param::from_tensor(tensor(vector(start))) };
    let mut optimizer = config.init(decay).unwrap();
    for t in 0..200 {
        let mut grads = GradientsParams::new();
        grads.register(one.p.id, tensor(vector(|i| gradient(t, i))).inner());
        one = optimizer.step(LR, one, grads);
    }
    one.p.val().into_data().convert::<f64>().try_to_vec().unwrap()
}

/// The parameters after 200 steps of a definition that sees the whole vector: `(t, p, g)`.
fn defined(mut step: impl FnMut(i32, &mut [f64], &[f64])) -> Vec<f64> {
    let mut p = vector(start);
    for t in 0..200 {
        step(t as i32 + 1, &mut p, &vector(|i| gradient(t, i)));
    }
    p
}

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn adagrad(decay: f64) -> Vec<f64> {
    let mut sum = [0.0; 64];
    defined(|_, p, g| {
        for i in 0..64 {
            let g = g[i] + decay * p[i];
            sum[i] += g * g;
            p[i] -= LR * g / (f64::sqrt(sum[i]) + 1e-10);
        }
    })
}

fn lion(decay: f64) -> Vec<f64> {
    let mut m = [0.0; 64];
    defined(|_, p, g| {
        for i in 0..64 {
            let step = f64::signum(0.9 * m[i] + 0.1 * g[i]);
            p[i] -= LR * decay * p[i] + LR * step;
            m[i] = 0.99 * m[i] + 0.01 * g[i];
        }
    })
}

fn adan(decay: f64) -> Vec<f64> {
    let (mut m, mut d, mut v, mut last) = ([0.0; 64], [0.0; 64], [0.0; 64], None::<Vec<f64>>);
    defined(|t, p, g| {
        let root = (1.0 - 0.99_f64.powi(t)).sqrt();
        for i in 0..64 {
            let difference = last.as_ref().map_or(0.0, |last| g[i] - last[i]);
            m[i] = 0.98 * m[i] + 0.02 * g[i];
            d[i] = 0.92 * d[i] + 0.08 * difference;
            v[i] = 0.99 * v[i] + 0.01 * (g[i] + 0.92 * difference).powi(2);
            let mean = m[i] / (1.0 - 0.98_f64.powi(t)) + 0.92 * d[i] / (1.0 - 0.92_f64.powi(t));
            p[i] = (p[i] - LR * mean / (f64::sqrt(v[i]) / root + 1e-8)) / (1.0 + LR * decay);
        }
        last = Some(g.to_vec());
    })
}

fn lamb(decay: f64) -> Vec<f64> {
    let (mut m, mut v) = ([0.0; 64], [0.0; 64]);
    defined(|t, p, g| {
        let mut step = [0.0; 64];
        for i in 0..64 {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            let (mean, square) = (m[i] / (1.0 - 0.9_f64.powi(t)), v[i] / (1.0 - 0.999_f64.powi(t)));
            step[i] = mean / (f64::sqrt(square) + 1e-6) + decay * p[i];
        }
        let ratio = norm(p) / norm(&step);
        p.iter_mut().zip(step).for_each(|(p, step)| *p -= LR * ratio * step);
    })
}

fn adafactor(decay: f64) -> Vec<f64> {
    let mut v = [0.0; 64];
    defined(|t, p, g| {
        let share = f64::from(t).powf(-0.8);
        let mut step = [0.0; 64];
        for i in 0..64 {
            v[i] += share * (g[i] * g[i] - v[i]);
            step[i] = g[i] / f64::sqrt(v[i]);
        }
        let clip = f64::max(1.0, norm(&step) / 8.0);
        let rate = f64::max(1e-3, norm(p) / 8.0) * LR.min(1.0 / f64::from(t).sqrt());
        p.iter_mut().zip(step).for_each(|(p, step)| *p -= LR * decay * *p + rate * step / clip);
    })
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn two_hundred_steps_of_burns_optimizers_follow_their_definitions() {
    // The bounds without and with decay: a little above what was measured with AVX-512. PyTorch's `f32` is off
    // by 7.8e-8 and 5.8e-8 for AdaGrad, and by 2.6e-8 and 1.2e-7 for Adafactor. Adan divides parameters
    // by 1.001, which `f32` rounds, in each of the 200 steps; Lion's go as far as 2.
    type Definition = fn(f64) -> Vec<f64>;
    for (config, definition, bounds) in [
        (OptimizerConfig::adagrad(), adagrad as Definition, [1.0e-7, 1.0e-7]),
        (OptimizerConfig::adafactor(), adafactor, [5e-8, 2e-7]),
        (OptimizerConfig::adan(), adan, [5e-7, 4e-6]),
        (OptimizerConfig::lamb(), lamb, [1e-7, 1e-7]),
        (OptimizerConfig::lion(), lion, [3e-6, 3e-6]),
    ] {
        for (decay, bound) in [0.0, 0.1].into_iter().zip(bounds) {
            let error = largest_difference(&trained(config, decay, [64]), &definition(decay));
            assert!(error < bound, "{config:?}, decay {decay}: {error:.1e}");
        }
    }
}

#[test]
fn definitions_are_those_of_pytorch() {
    // The first parameter after 200 steps of `torch.optim.Adagrad` and `Adafactor` in `float64`, decay 0.1,
    // PyTorch 2.15.
    for (found, expected) in
        [(adagrad(0.1)[0], -0.137669166414010), (adafactor(0.1)[0], -0.038136446643135)]
    {
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }
}

#[test]
fn muon_orthogonalizes_matrices_wide_tall_and_of_kernels() {
    // ```python
    // import torch
    // def muon(rows, cols, lr=1e-2, wd=0.1):
    //     n = rows * cols
    //     p = torch.tensor([start(i) for i in range(n)], dtype=torch.float64).reshape(rows, cols)
    //     v = torch.zeros_like(p)
    //     for t in range(200):
    //         g = torch.tensor([gradient(t, i) for i in range(n)], dtype=p.dtype).reshape(rows, cols)
    //         v = 0.95 * v + g
    //         x = g + 0.95 * v
    //         x = x / x.norm()
    //         x = x.T if rows > cols else x
    //         for _ in range(5):
    //             a = x @ x.T
    //             x = 3.4445 * x + (-4.775 * a + 2.0315 * a @ a) @ x
    //         x = x.T if rows > cols else x
    //         p = p * (1 - lr * wd) - lr * 0.2 * max(rows, cols) ** 0.5 * x
    //     print(p.flatten()[:4])
    // ```
    let square = [-0.226405460343, -0.252070114119, 0.128528788286, -0.034704854741];
    let wide = [-0.386648194162, -0.421958822069, 0.131406374112, -0.042201668484];
    let tall = [-0.308285223576, -0.372835521014, 0.203087212514, -0.104208364636];
    let muon = OptimizerConfig::muon();
    for (what, found, expected) in [
        ("8 × 8", trained(muon, 0.1, [8, 8]), square),
        ("4 × 16", trained(muon, 0.1, [4, 16]), wide),
        ("16 × 4", trained(muon, 0.1, [16, 4]), tall),
        ("a kernel", trained(muon, 0.1, [4, 4, 2, 2]), wide),
    ] {
        let error = largest_difference(&found[..4], &expected);
        assert!(error < 2e-6, "{what}: {:?}, expected {expected:?}", &found[..4]);
    }
    // Vectors are AdamW's.
    let vector = trained(muon, 0.1, [64]);
    let adamw = OptimizerConfig::AdamW { betas: [0.9, 0.95], epsilon: 1e-10 };
    assert_eq!(vector, trained(adamw, 0.1, [64]));
}
