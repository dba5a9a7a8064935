//! Microseconds of the forward pass of convolutions of few images, with the fused block and with
//! Burn's own operations, alternating in one run.
//!
//! ```sh
//! cargo bench -p selvedge-kernels --features flex --bench few_speed
//! ```
//!
//! `SELVEDGE_CONV=direct` shows the same without the methods that are chosen by the sizes. An argument,
//! optional: the number of rounds, of which the fastest counts.

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{
    Device, Distribution, Tensor, activation::relu, module::conv2d, ops::ConvOptions,
};
use selvedge_kernels::{ConvBlockOptions, FusedActivation, conv_block};

/// Channels in and out, side of the image, kernel and stride of layers of the course's networks, of
/// ResNet-18 and of VGG-16.
const LAYERS: &[[usize; 5]] = &[
    [1, 10, 28, 3, 1],
    [1, 28, 28, 5, 1],
    [10, 20, 14, 3, 1],
    [28, 20, 12, 3, 1],
    [32, 64, 14, 5, 1],
    [64, 64, 32, 3, 1],
    [64, 128, 32, 3, 2],
    [64, 128, 32, 1, 2],
    [256, 256, 8, 3, 1],
    [512, 512, 4, 3, 1],
    [3, 64, 224, 3, 1],
    [64, 64, 112, 3, 1],
    [512, 512, 14, 3, 1],
];

fn main() {
    // Cargo tells every benchmark that it is one.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let rounds = words.next().map_or(10, |rounds| rounds.parse().expect("a number"));
    let device = Device::flex();
    println!("in→out, side, kernel/stride     batch: fused µs (Burn / fused)");
    for &[inputs, outputs, side, kernel, stride] in LAYERS {
        print!("{inputs:3}→{outputs:3} {side:4} {kernel}/{stride} ");
        for batch in [1, 2, 3, 4, 6, 8] {
            let random = |shape: [usize; 4]| {
                Tensor::<4>::random(shape, Distribution::Uniform(-1.0, 1.0), &device)
            };
            let x = random([batch, inputs, side, side]);
            let weight = random([outputs, inputs, kernel, kernel]);
            let (stride, padding) = ([stride; 2], [kernel / 2; 2]);
            let options = ConvBlockOptions {
                stride,
                padding,
                activation: FusedActivation::Relu,
                ..ConvBlockOptions::default()
            };
            let plain = ConvOptions::new(stride, padding, [1, 1], 1);
            let mut best = [f64::INFINITY; 2];
            for _ in 0..rounds {
                for (fused, best) in [true, false].into_iter().zip(&mut best) {
                    let (x, weight) = (x.clone(), weight.clone());
                    let start = Instant::now();
                    black_box(match fused {
                        true => conv_block(x, weight, None, &options),
                        false => relu(conv2d(x, weight, None, plain.clone())),
                    });
                    *best = best.min(start.elapsed().as_secs_f64());
                }
            }
            print!("  {batch}: {:8.1} ({:4.1})", best[0] * 1e6, best[1] / best[0]);
        }
        println!();
    }
}
