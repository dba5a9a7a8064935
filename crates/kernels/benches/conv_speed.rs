//! Images/s of one training step (forward and backward) through the convolutions of small networks,
//! with the fused block and with Burn's own operations, alternating in one run; and the fused block's
//! GFLOP/s, with their share of what the same threads reach where all operands stay in registers.
//!
//! ```sh
//! cargo bench -p selvedge-kernels --features flex --bench conv_speed
//! ```
//!
//! Arguments, all optional: the number of plain steps (5 fused ones each), the beginning of a
//! network's name, and `fused` to leave the plain steps out (for a profiler).

// The crate's own vectors, which are not public: the peak is that of the instructions that the kernels
// have chosen.
#[allow(dead_code, unused_imports, clippy::needless_range_loop)]
#[path = "../src/cpu/simd/mod.rs"]
mod simd;

use std::hint::black_box;
use std::time::Instant;

use burn::tensor::{
    Device, Distribution, Tensor,
    activation::relu,
    module::{conv_transpose2d, conv2d, interpolate, max_pool2d},
    ops::{ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions, MaxPoolOptions},
};
use selvedge_kernels::{
    ConvBlockOptions, ConvTransposeBlockOptions, FusedActivation, PoolOptions, conv_block,
    conv_transpose_block,
};

/// Multiplications and additions of registers alone, of as many as the kernels use at once.
struct MultiplyAdd {
    rounds: usize,
}

impl simd::Task for MultiplyAdd {
    /// Operations a second.
    type Output = f64;

    #[inline(always)]
    unsafe fn run<S: simd::Simd>(self) -> f64 {
        let chains = S::BLOCK_C * S::BLOCK_X;
        // SAFETY: no memory is touched but the array; the processor is the caller's promise.
        unsafe {
            let half = S::splat(black_box(0.5));
            let mut sums = [half; 24];
            for (i, sum) in sums.iter_mut().enumerate() {
                // Different values, or the compiler would compute them once for all.
                *sum = S::splat(i as f32);
            }
            let start = Instant::now();
            for _ in 0..self.rounds {
                for sum in &mut sums[..chains] {
                    *sum = S::fma(*sum, half, half);
                }
            }
            let seconds = start.elapsed().as_secs_f64();
            black_box(sums);
            (self.rounds * chains * S::LANES * 2) as f64 / seconds
        }
    }
}

/// Operations a second of all threads together: the best of several trials.
fn peak() -> f64 {
    let all = || -> f64 {
        let each = |_: rayon::BroadcastContext| {
            simd::Isa::current().run(MultiplyAdd { rounds: 2_000_000 })
        };
        rayon::broadcast(each).iter().sum()
    };
    (0..20).map(|_| all()).fold(0.0, f64::max)
}

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

    /// Multiplications and additions of a forward pass of one image, and the size of the output.
    fn operations(&self, channels: usize, [height, width]: [usize; 2]) -> (f64, [usize; 2]) {
        let (out, kernel) = self.size();
        let (pixels, size) = match *self {
            Conv(_, _, padding) | Pooled(_, _, padding) => {
                let size = [height, width].map(|n| n + 2 * padding + 1 - kernel);
                let pool = if matches!(self, Pooled(..)) { 2 } else { 1 };
                (size, size.map(|n| n / pool))
            }
            // A transposed convolution multiplies every pixel of its input with the whole kernel.
            Decoder(..) => ([2 * height, 2 * width], [height, width].map(|n| 2 * n + kernel - 1)),
        };
        let products = channels * out * kernel * kernel * pixels[0] * pixels[1];
        (2.0 * products as f64, size)
    }

    fn fused(&self, x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
        let block = |padding, pool| {
            let padding = [padding; 2];
            ConvBlockOptions {
                padding,
                activation: FusedActivation::Relu,
                pool,
                ..Default::default()
            }
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
    /// Operations of one image, in a forward pass and in a step: each gradient costs as much as the
    /// forward pass, and the input of the first layer needs none.
    fn operations(&self) -> [f64; 2] {
        let [_, mut channels, height, width] = self.input;
        let (mut size, mut forward, mut step) = ([height, width], 0.0, 0.0);
        for (index, layer) in self.layers.iter().enumerate() {
            let (operations, output) = layer.operations(channels, size);
            forward += operations;
            step += operations * if index == 0 { 2.0 } else { 3.0 };
            (channels, size) = (layer.size().0, output);
        }
        [forward, step]
    }

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
    // Cargo tells every benchmark that it is one.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let runs: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(5);
    let only = words.next().unwrap_or_default();
    let compare = words.next().is_none_or(|word| word != "fused");
    let device = Device::flex();
    device.seed(1);
    let device = device.autodiff();
    let peak = peak();
    println!(
        "{} threads, {}: {:.0} GFLOP/s in registers\n",
        rayon::current_num_threads(),
        simd::Isa::current().name(),
        peak / 1e9
    );
    println!(
        "{:32} {:>10} {:>10} {:>7} {:>8} {:>6} {:>10} {:>8} {:>6}",
        "images/s", "plain", "fused", "ratio", "GFLOP/s", "share", "inference", "GFLOP/s", "share"
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
        let [forward, step] = network.operations();
        let share = |rate: f64| format!("{:8.0} {:5.0}%", rate / 1e9, 100.0 * rate / peak);
        println!(
            "{:32} {plain:10.0} {fused:10.0} {:7.1} {} {infer:10.0} {}",
            network.name,
            fused / plain,
            share(fused * step),
            share(infer * forward)
        );
    }
}
