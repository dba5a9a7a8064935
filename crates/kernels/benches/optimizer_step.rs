//! Microseconds of an optimizer's step over an MLP 784-256-128-10: Burn's own optimizers and the fused
//! ones, in turn.
//!
//! ```sh
//! cargo bench -p selvedge-kernels --features flex --bench optimizer_step -- 200
//! ```

use std::time::Instant;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer, RmsPropConfig, SgdConfig};
use burn::tensor::{Device, Distribution, Tensor, activation::relu};
use selvedge_kernels::{AdamOptions, MomentumOptions, RmsPropOptions, SgdOptions};

const BATCH: usize = 32;

#[derive(Module, Debug)]
struct Net {
    layers: Vec<Linear>,
}

impl Net {
    fn new(device: &Device) -> Self {
        let sizes = [784, 256, 128, 10];
        let layers = sizes.windows(2).map(|s| LinearConfig::new(s[0], s[1]).init(device));
        Net { layers: layers.collect() }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.layers.iter().fold(x, |x, layer| relu(layer.forward(x)))
    }
}

/// The time of every step, in microseconds.
struct Run {
    name: &'static str,
    optimizer: ModuleOptimizer,
    net: Option<Net>,
    times: Vec<f64>,
}

fn main() {
    // Cargo tells every benchmark that it is one.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let steps: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(200);
    let device = Device::flex();
    device.seed(1);
    let device = device.autodiff();
    let net = Net::new(&device);
    let x = Tensor::<2>::random([BATCH, 784], Distribution::Default, &device);
    let momentum = MomentumConfig::new().with_dampening(0.0);
    let optimizers = [
        ("Adam, Burn", AdamConfig::new().init()),
        ("Adam, fused", AdamOptions::default().init()),
        ("SGD, Burn", SgdConfig::new().with_momentum(Some(momentum)).init()),
        (
            "SGD, fused",
            SgdOptions { momentum: Some(MomentumOptions::default()), weight_decay: None }.init(),
        ),
        ("RMSprop, Burn", RmsPropConfig::new().init()),
        ("RMSprop, fused", RmsPropOptions { momentum: 0.9, ..Default::default() }.init()),
    ];
    let mut runs = optimizers.map(|(name, optimizer)| Run {
        name,
        optimizer,
        net: Some(net.clone()),
        times: Vec::new(),
    });
    drop(net);
    for _ in 0..steps {
        for run in &mut runs {
            let net = run.net.take().expect("put back after every step");
            let grads = net.forward(x.clone()).sum().backward();
            let grads = GradientsParams::from_grads(grads, &net);
            let start = Instant::now();
            run.net = Some(run.optimizer.step(1e-3, net, grads));
            run.times.push(1e6 * start.elapsed().as_secs_f64());
        }
    }
    for run in &mut runs {
        run.times.sort_by(f64::total_cmp);
        println!("{:15} {:8.1} µs", run.name, run.times[run.times.len() / 2]);
    }
}
