//! Images/s of one training step (forward and backward) through the convolutions of small networks,
//! with the fused block and with Burn's own operations, alternating in one run.
//!
//! ```sh
//! cargo run --release -p selvedge-kernels --features flex --example conv_speed
//! ```
//!
//! Arguments, all optional: the number of plain steps (5 fused ones each), the beginning of a
//! network's name, and `fused` to leave the plain steps out (for a profiler).

use std::time::Instant;

use burn::tensor::{
    Device, Distribution, Tensor,
    activation::relu,
    module::{conv2d, max_pool2d},
    ops::{ConvOptions, MaxPoolOptions},
};
use selvedge_kernels::{ConvBlockOptions, PoolOptions, conv_block};

/// One convolution: output channels, kernel, padding, whether a 2×2 pool follows.
struct Layer(usize, usize, usize, bool);

/// The convolutions of a network.
struct Network {
    name: &'static str,
    /// `[batch, channels, height, width]`
    input: [usize; 4],
    layers: &'static [Layer],
}

const NETWORKS: &[Network] = &[
    Network {
        name: "A1: 1-10-20, 3x3, pool",
        input: [128, 1, 28, 28],
        layers: &[Layer(10, 3, 1, true), Layer(20, 3, 1, true)],
    },
    Network {
        name: "A5: 1-28 5x5 pool, 28-20 3x3",
        input: [128, 1, 28, 28],
        layers: &[Layer(28, 5, 0, true), Layer(20, 3, 0, false)],
    },
    Network {
        name: "A2: 1-20-40-80, 3x3, pool",
        input: [128, 1, 28, 28],
        layers: &[
            Layer(20, 3, 1, true),
            Layer(40, 3, 1, true),
            Layer(80, 3, 1, true),
        ],
    },
    Network {
        name: "64-64 3x3 at 32x32",
        input: [32, 64, 32, 32],
        layers: &[Layer(64, 3, 1, false)],
    },
    Network {
        name: "256-256 3x3 at 8x8",
        input: [32, 256, 8, 8],
        layers: &[Layer(256, 3, 1, false)],
    },
];

impl Layer {
    fn options(&self) -> ConvBlockOptions {
        ConvBlockOptions {
            stride: [1, 1],
            padding: [self.2; 2],
            relu: true,
            pool: self.3.then_some(PoolOptions::tiles(2)),
        }
    }

    fn forward(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, fused: bool) -> Tensor<4> {
        if fused {
            return conv_block(x, weight, Some(bias), &self.options());
        }
        let y = relu(conv2d(
            x,
            weight,
            Some(bias),
            ConvOptions::new([1, 1], [self.2; 2], [1, 1], 1),
        ));
        match self.3 {
            true => max_pool2d(y, MaxPoolOptions::new([2, 2])),
            false => y,
        }
    }
}

impl Network {
    /// Seconds of one step.
    fn step(&self, x: &Tensor<4>, parameters: &[(Tensor<4>, Tensor<1>)], fused: bool) -> f64 {
        let start = Instant::now();
        let mut y = x.clone();
        for (layer, (weight, bias)) in self.layers.iter().zip(parameters) {
            y = layer.forward(y, weight.clone(), bias.clone(), fused);
        }
        let grads = y.sum().backward();
        for (weight, bias) in parameters {
            assert!(weight.grad(&grads).is_some() && bias.grad(&grads).is_some());
        }
        start.elapsed().as_secs_f64()
    }

    /// Seconds of one forward pass.
    fn infer(&self, x: &Tensor<4>, parameters: &[(Tensor<4>, Tensor<1>)]) -> f64 {
        let start = Instant::now();
        let mut y = x.clone().inner();
        for (layer, (weight, bias)) in self.layers.iter().zip(parameters) {
            y = layer.forward(y, weight.clone().inner(), bias.clone().inner(), true);
        }
        assert!(y.dims()[0] == self.input[0]);
        start.elapsed().as_secs_f64()
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    let runs: usize = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(5);
    let only = std::env::args().nth(2).unwrap_or_default();
    let compare = std::env::args().nth(3).is_none_or(|word| word != "fused");
    let device = Device::flex();
    device.seed(1);
    let device = device.autodiff();
    println!(
        "{:32} {:>10} {:>10} {:>7} {:>10}",
        "images/s", "fused", "plain", "ratio", "inference"
    );
    for network in NETWORKS.iter().filter(|n| n.name.starts_with(&only)) {
        let x = Tensor::random(network.input, Distribution::Normal(0.0, 1.0), &device);
        let mut channels = network.input[1];
        let mut parameters = Vec::new();
        for &Layer(out, kernel, _, _) in network.layers {
            let init = Distribution::Normal(0.0, 0.1);
            let weight = Tensor::random([out, channels, kernel, kernel], init, &device);
            let bias = Tensor::random([out], init, &device);
            parameters.push((weight.require_grad(), bias.require_grad()));
            channels = out;
        }
        let (mut fused, mut plain, mut infer) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..runs {
            if compare {
                plain.push(network.step(&x, &parameters, false));
            }
            for _ in 0..5 {
                fused.push(network.step(&x, &parameters, true));
                infer.push(network.infer(&x, &parameters));
            }
        }
        let speed = |seconds| network.input[0] as f64 / median(seconds);
        let (fused, plain, infer) = (speed(fused), speed(plain), speed(infer));
        println!(
            "{:32} {fused:10.0} {plain:10.0} {:7.1} {infer:10.0}",
            network.name,
            fused / plain
        );
    }
}
