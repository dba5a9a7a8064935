//! Microseconds of the forward and backward pass of linear layers with ReLU, with the fused layer and
//! with Burn's own operations, alternating in one run. `GFLOP/s` counts the three products.
//!
//! ```sh
//! cargo bench -p selvedge-kernels --features flex --bench linear_speed
//! ```
//!
//! An argument, optional: the number of rounds, of which the fastest counts.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor, activation::relu, module::linear as plain};
use selvedge_kernels::linear;

/// Batch, inputs and outputs of layers of small networks.
const LAYERS: &[[usize; 3]] = &[
    [32, 784, 256],
    [32, 256, 128],
    [32, 128, 10],
    [100, 784, 512],
    [100, 128, 784],
    [128, 2000, 500],
    [128, 500, 100],
    [64, 512, 10],
    [8, 4096, 1000],
];

fn main() {
    // Cargo tells every benchmark that it is one.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let rounds = words.next().map_or(20, |rounds| rounds.parse().expect("a number"));
    let device = Device::flex().autodiff();
    println!("batch  inputs  outputs   fused µs  GFLOP/s   Burn µs   ratio");
    for &[batch, inputs, outputs] in LAYERS {
        let random = |shape| Tensor::<2>::random(shape, Distribution::Default, &device);
        let x = random([batch, inputs]).require_grad();
        let weight = (random([inputs, outputs]) - 0.5).require_grad();
        let bias = Tensor::<1>::zeros([outputs], &device).require_grad();
        let flop = 6.0 * (batch * inputs * outputs) as f64;
        let steps = (5e8 / flop).clamp(1.0, 200.0) as usize;
        let time = |fused: bool| {
            let start = Instant::now();
            for _ in 0..steps {
                let (x, weight, bias) = (x.clone(), weight.clone(), Some(bias.clone()));
                let y = match fused {
                    true => linear(x, weight, bias, true),
                    false => relu(plain(x, weight, bias)),
                };
                std::hint::black_box(y.sum().backward());
            }
            start.elapsed().as_secs_f64() / steps as f64
        };
        let mut best = [f64::INFINITY; 2];
        for _ in 0..rounds {
            best = [best[0].min(time(true)), best[1].min(time(false))];
        }
        println!(
            "{batch:5}  {inputs:6}  {outputs:7}   {:8.1}  {:7.1}  {:8.1}   {:5.2}",
            best[0] * 1e6,
            flop / best[0] / 1e9,
            best[1] * 1e6,
            best[1] / best[0]
        );
    }
}
