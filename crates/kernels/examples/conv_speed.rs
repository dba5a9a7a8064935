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
    module::{conv_transpose2d, conv2d, interpolate, max_pool2d},
    ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions},
};
use selvedge_kernels::{
    ConvBlockOptions, ConvTransposeBlockOptions, PoolOptions, conv_block, conv_transpose_block,
};

/// One layer with ReLU: output channels and kernel size.
enum Layer {
    /// Convolution with this padding.
    Conv(usize, usize, usize),
    /// Convolution with this padding, and a 2×2 pool.
    Pooled(usize, usize, usize),
    /// ×2 upsampling and a transposed convolution without padding.
    Decoder(usize, usize),
}
use Layer::{Conv, Decoder, Pooled};

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
        layers: &[Pooled(10, 3, 1), Pooled(20, 3, 1)],
    },
    Network {
        name: "A5: 1-28 5x5 pool, 28-20 3x3",
        input: [128, 1, 28, 28],
        layers: &[Pooled(28, 5, 0), Conv(20, 3, 0)],
    },
    Network {
        name: "A4: 1-10-20, 5x5, pool, decoder",
        input: [128, 1, 28, 28],
        layers: &[Pooled(10, 5, 0), Pooled(20, 5, 0), Decoder(10, 5), Decoder(1, 5)],
    },
    Network {
        name: "A2: 1-20-40-80, 3x3, pool",
        input: [128, 1, 28, 28],
        layers: &[Pooled(20, 3, 1), Pooled(40, 3, 1), Pooled(80, 3, 1)],
    },
    Network { name: "64-64 3x3 at 32x32", input: [32, 64, 32, 32], layers: &[Conv(64, 3, 1)] },
    Network { name: "256-256 3x3 at 8x8", input: [32, 256, 8, 8], layers: &[Conv(256, 3, 1)] },
    Network { name: "512-512 3x3 at 4x4", input: [64, 512, 4, 4], layers: &[Conv(512, 3, 1)] },
    Network {
        name: "64-64 3x3 at 56x56, batch 8",
        input: [8, 64, 56, 56],
        layers: &[Conv(64, 3, 1)],
    },
    Network {
        name: "256-256 3x3 at 8x8, batch 8",
        input: [8, 256, 8, 8],
        layers: &[Conv(256, 3, 1)],
    },
];

impl Layer {
    /// Output channels and kernel size.
    fn size(&self) -> (usize, usize) {
        match *self {
            Conv(out, kernel, _) | Pooled(out, kernel, _) | Decoder(out, kernel) => (out, kernel),
        }
    }

    fn fused(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
        let block = |padding, pool| {
            let padding = [padding; 2];
            ConvBlockOptions { padding, relu: true, pool, ..Default::default() }
        };
        match *self {
            Conv(_, _, padding) => conv_block(x, weight, Some(bias), &block(padding, None)),
            Pooled(_, _, padding) => {
                let pool = Some(PoolOptions::tiles(2));
                conv_block(x, weight, Some(bias), &block(padding, pool))
            }
            Decoder(..) => {
                let upsample = [2, 2];
                let options =
                    ConvTransposeBlockOptions { upsample, relu: true, ..Default::default() };
                conv_transpose_block(x, weight, Some(bias), &options)
            }
        }
    }

    fn plain(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
        let conv = |padding| ConvOptions::new([1, 1], [padding; 2], [1, 1], 1);
        match *self {
            Conv(_, _, padding) => relu(conv2d(x, weight, Some(bias), conv(padding))),
            Pooled(_, _, padding) => {
                let y = relu(conv2d(x, weight, Some(bias), conv(padding)));
                max_pool2d(y, MaxPoolOptions::new([2, 2]))
            }
            Decoder(..) => {
                let twice = InterpolateOptions::new(InterpolateMode::Nearest);
                let x = interpolate(x, twice.with_scale_factor([2.0, 2.0]));
                let settings = ConvTransposeOptions::new([1, 1], [0, 0], [0, 0], [1, 1], 1);
                relu(conv_transpose2d(x, weight, Some(bias), settings))
            }
        }
    }

    fn forward(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, fused: bool) -> Tensor<4> {
        if fused { self.fused(x, weight, bias) } else { self.plain(x, weight, bias) }
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
    let runs: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(5);
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
        for layer in network.layers {
            let (out, kernel) = layer.size();
            let init = Distribution::Normal(0.0, 0.1);
            let shape = match layer {
                Decoder(..) => [channels, out, kernel, kernel],
                _ => [out, channels, kernel, kernel],
            };
            let weight = Tensor::random(shape, init, &device);
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
