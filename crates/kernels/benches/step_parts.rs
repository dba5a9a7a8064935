//! Milliseconds of the parts of a whole training step of experiment A5's network (batch 128, Adam):
//! forward pass with loss, backward pass, optimizer. With the word `plain`, the linear layers are Burn's.
//!
//! ```sh
//! cargo bench -p selvedge-kernels --features flex --bench step_parts -- 20 plain
//! ```

use std::time::Instant;

use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig, loss::CrossEntropyLossConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Distribution, Int, Tensor, activation::relu};
use selvedge_kernels::{
    AdamOptions, ConvBlockOptions, FusedActivation, PoolOptions, conv_block, linear,
};

const BATCH: usize = 128;

#[derive(Module, Debug)]
struct Net {
    conv1: Param<Tensor<4>>, // [28, 1, 5, 5]
    bias1: Param<Tensor<1>>,
    conv2: Param<Tensor<4>>, // [20, 28, 3, 3]
    bias2: Param<Tensor<1>>,
    fc1: Linear,
    fc2: Linear,
    fc3: Linear,
}

impl Net {
    fn new(device: &Device) -> Self {
        let init = Distribution::Normal(0.0, 0.05);
        Net {
            conv1: Param::from_tensor(Tensor::random([28, 1, 5, 5], init, device)),
            bias1: Param::from_tensor(Tensor::random([28], init, device)),
            conv2: Param::from_tensor(Tensor::random([20, 28, 3, 3], init, device)),
            bias2: Param::from_tensor(Tensor::random([20], init, device)),
            fc1: LinearConfig::new(2000, 500).init(device),
            fc2: LinearConfig::new(500, 100).init(device),
            fc3: LinearConfig::new(100, 5).init(device),
        }
    }

    /// Convolutions: `[BATCH, 1, 28, 28]` to `[BATCH, 20, 10, 10]`.
    fn features(&self, x: Tensor<4>) -> Tensor<4> {
        let relu = ConvBlockOptions { activation: FusedActivation::Relu, ..Default::default() };
        let pool = ConvBlockOptions { pool: Some(PoolOptions::tiles(2)), ..relu };
        let x = conv_block(x, self.conv1.val(), Some(self.bias1.val()), &pool);
        conv_block(x, self.conv2.val(), Some(self.bias2.val()), &relu)
    }

    /// Fully connected layers: to `[BATCH, 5]`.
    fn classify(&self, x: Tensor<4>, fused: bool) -> Tensor<2> {
        let x = x.flatten(1, 3);
        if fused {
            let layer = |layer: &Linear, x, relu| {
                linear(x, layer.weight.val(), layer.bias.as_ref().map(|b| b.val()), relu)
            };
            let x = layer(&self.fc2, layer(&self.fc1, x, true), true);
            layer(&self.fc3, x, false)
        } else {
            let x = relu(self.fc2.forward(relu(self.fc1.forward(x))));
            self.fc3.forward(x)
        }
    }
}

fn main() {
    // Cargo tells every benchmark that it is one.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let steps: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(20);
    let fused = words.next().is_none_or(|word| word != "plain");
    let device = Device::flex();
    device.seed(1);
    let device = device.autodiff();
    let mut net = Net::new(&device);
    let mut optimizer = AdamOptions::default().init();
    let loss = CrossEntropyLossConfig::new().init(&device);
    let x = Tensor::<4>::random([BATCH, 1, 28, 28], Distribution::Default, &device);
    let labels = Tensor::<1, Int>::zeros([BATCH], &device);
    let mut parts: [Vec<f64>; 5] = Default::default();
    for _ in 0..steps {
        let start = Instant::now();
        let y = net.features(x.clone());
        let features = start.elapsed().as_secs_f64();
        let loss = loss.forward(net.classify(y, fused), labels.clone());
        let forward = start.elapsed().as_secs_f64();
        let grads = loss.backward();
        let backward = start.elapsed().as_secs_f64();
        let grads = GradientsParams::from_grads(grads, &net);
        net = optimizer.step(1e-3, net, grads);
        let all = start.elapsed().as_secs_f64();
        let times = [features, forward - features, backward - forward, all - backward, all];
        for (part, seconds) in parts.iter_mut().zip(times) {
            part.push(seconds);
        }
    }
    let names = ["convolutions", "linear + loss", "backward", "optimizer", "all"];
    for (name, part) in names.iter().zip(&mut parts) {
        part.sort_by(f64::total_cmp);
        println!("{name:14} {:7.2} ms", 1e3 * part[part.len() / 2]);
    }
    println!("{:14} {:7.0}", "images/s", BATCH as f64 / parts[4][parts[4].len() / 2]);
}
