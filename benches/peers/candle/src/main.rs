//! One program of the comparison in `benches/peers`: trains a network in candle for a while and
//! prints its speed as a line of JSON. `../README.md` says what the programs have in common.

use std::collections::HashMap;
use std::error::Error;
use std::time::Instant;

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// One step of a network; numbers are channels or features, kernels and paddings.
enum Layer {
    /// Output channels, kernel, padding.
    Conv(usize, usize, usize),
    Pool,
    Relu,
    Flatten,
    /// Output features.
    Linear(usize),
}
use Layer::{Conv, Flatten, Linear, Pool, Relu};

fn layers(network: &str) -> Result<Vec<Layer>> {
    Ok(match network {
        "cnn2_small" => vec![
            Conv(10, 3, 1),
            Relu,
            Pool,
            Conv(20, 3, 1),
            Relu,
            Pool,
            Flatten,
            Linear(50),
            Relu,
            Linear(5),
        ],
        "mnist_cnn" => vec![
            Conv(16, 5, 0),
            Relu,
            Pool,
            Conv(32, 3, 0),
            Relu,
            Pool,
            Flatten,
            Linear(128),
            Relu,
            Linear(10),
        ],
        "transfer_cnn" => vec![
            Conv(28, 5, 0),
            Pool,
            Relu,
            Conv(20, 3, 0),
            Relu,
            Flatten,
            Linear(500),
            Relu,
            Linear(100),
            Relu,
            Linear(5),
        ],
        "mlp_relu" => {
            vec![Flatten, Linear(256), Relu, Linear(128), Relu, Linear(64), Relu, Linear(10)]
        }
        _ => return Err(format!("`{network}` is not among candle's networks").into()),
    })
}

/// A layer with its weight and bias.
enum Ready {
    Conv(Var, Var, usize),
    Linear(Var, Var),
    Plain(Layer),
}

struct Network {
    layers: Vec<Ready>,
    vars: Vec<Var>,
}

impl Network {
    fn new(layers: Vec<Layer>) -> Result<Self> {
        let mut net = Network { layers: Vec::new(), vars: Vec::new() };
        let (mut channels, mut side, mut features) = (1, 28, 784);
        let (mut convs, mut linears) = (0, 0);
        for layer in layers {
            let ready = match layer {
                Conv(out, kernel, padding) => {
                    convs += 1;
                    let name = format!("conv{convs}");
                    let [w, b] = net.weights(&name, &[out, channels, kernel, kernel])?;
                    (channels, side) = (out, side + 2 * padding + 1 - kernel);
                    features = channels * side * side;
                    Ready::Conv(w, b, padding)
                }
                Linear(out) => {
                    linears += 1;
                    let [w, b] = net.weights(&format!("fc{linears}"), &[out, features])?;
                    features = out;
                    Ready::Linear(w, b)
                }
                Pool => {
                    side /= 2;
                    features = channels * side * side;
                    Ready::Plain(Pool)
                }
                plain => Ready::Plain(plain),
            };
            net.layers.push(ready);
        }
        Ok(net)
    }

    /// The weight and the bias of a layer, filled as in every program of the comparison.
    fn weights(&mut self, layer: &str, shape: &[usize]) -> Result<[Var; 2]> {
        let make = |name: String, shape: &[usize]| -> Result<Var> {
            let bytes = name.bytes().zip(1u32..);
            let seed = bytes.fold(0u32, |sum, (byte, i)| sum.wrapping_add(u32::from(byte) * i));
            let count: usize = shape.iter().product();
            let scale = match shape.len() {
                1 => 0.1,
                _ => (6.0 / (count / shape[0]) as f64).sqrt(),
            };
            let value = |j| ((2.0 * uniform(seed, j) - 1.0) * scale) as f32;
            let values: Vec<f32> = (0..count).map(value).collect();
            Ok(Var::from_vec(values, shape, &Device::Cpu)?)
        };
        let weight = make(format!("{layer}.weight"), shape)?;
        let bias = make(format!("{layer}.bias"), &shape[..1])?;
        self.vars.extend([weight.clone(), bias.clone()]);
        Ok([weight, bias])
    }

    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = images.clone();
        for layer in &self.layers {
            x = match layer {
                Ready::Conv(w, b, padding) => {
                    let bias = b.reshape((1, (), 1, 1))?;
                    x.conv2d(w, *padding, 1, 1, 1)?.broadcast_add(&bias)?
                }
                Ready::Linear(w, b) => x.matmul(&w.t()?)?.broadcast_add(b)?,
                Ready::Plain(Pool) => x.max_pool2d(2)?,
                Ready::Plain(Relu) => x.relu()?,
                Ready::Plain(_) => x.flatten_from(1)?,
            };
        }
        Ok(x)
    }
}

/// candle's SGD has neither momentum nor weight decay.
struct Sgd {
    vars: Vec<(Var, Option<Tensor>)>,
    rate: f64,
    momentum: f64,
    decay: f64,
}

impl Sgd {
    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        for (var, velocity) in &mut self.vars {
            let Some(gradient) = gradients.get(var) else { continue };
            let mut step = gradient.clone();
            if self.decay != 0.0 {
                step = (step + (var.as_tensor() * self.decay)?)?;
            }
            if self.momentum != 0.0 {
                if let Some(velocity) = velocity {
                    step = ((&*velocity * self.momentum)? + step)?;
                }
                *velocity = Some(step.detach());
            }
            var.set(&(var.as_tensor() - (step * self.rate)?)?)?;
        }
        Ok(())
    }
}

enum Optimizer {
    Adam(AdamW),
    Sgd(Sgd),
}

/// Number `j` of the sequence `seed`: a hash (MurmurHash3's finalizer) scaled to [0, 1).
fn uniform(seed: u32, j: usize) -> f64 {
    let mut h = (j as u32).wrapping_add(seed.wrapping_mul(0x9e37_79b9));
    h = (h ^ (h >> 16)).wrapping_mul(0x85eb_ca6b);
    h = (h ^ (h >> 13)).wrapping_mul(0xc2b2_ae35);
    f64::from(h ^ (h >> 16)) / 4_294_967_296.0
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let pairs = arguments.chunks(2).map(|pair| (pair[0].as_str(), pair.get(1)));
    let arguments: HashMap<&str, _> = pairs.collect();
    let text = |name: &str, default: &str| match arguments.get(name) {
        Some(Some(value)) => value.to_string(),
        _ => default.to_string(),
    };
    let number = |name: &str, default: &str| text(name, default).parse::<f64>();
    let batch = number("--batch", "128")? as usize;
    let (rate, decay) = (number("--learning-rate", "1e-3")?, number("--weight-decay", "0")?);

    let network = Network::new(layers(&text("--network", "cnn2_small"))?)?;
    let parameters: usize = network.vars.iter().map(|var| var.elem_count()).sum();
    let pixels: Vec<f32> = (0..batch * 784).map(|j| uniform(0, j) as f32).collect();
    let images = Tensor::from_vec(pixels, (batch, 1, 28, 28), &Device::Cpu)?;
    let classes = network.forward(&images.narrow(0, 0, 1)?)?.dim(1)?;
    let labels: Vec<u32> = (0..batch).map(|i| (i % classes) as u32).collect();
    let labels = Tensor::from_vec(labels, batch, &Device::Cpu)?;
    let vars = network.vars.clone();
    let mut optimizer = match text("--optimizer", "adam").as_str() {
        "adam" => {
            let params = ParamsAdamW { lr: rate, weight_decay: decay, ..ParamsAdamW::default() };
            Optimizer::Adam(AdamW::new(vars, params)?)
        }
        _ => Optimizer::Sgd(Sgd {
            vars: vars.into_iter().map(|var| (var, None)).collect(),
            momentum: number("--momentum", "0")?,
            rate,
            decay,
        }),
    };

    let mut step = || -> Result<f32> {
        let loss = candle_nn::loss::cross_entropy(&network.forward(&images)?, &labels)?;
        let gradients = loss.backward()?;
        match &mut optimizer {
            Optimizer::Adam(adam) => adam.step(&gradients)?,
            Optimizer::Sgd(sgd) => sgd.step(&gradients)?,
        }
        Ok(loss.to_scalar()?)
    };
    let (first, second) = (step()?, step()?);
    for _ in 2..number("--warmup", "3")? as usize {
        step()?;
    }
    let seconds = number("--seconds", "1")?;
    let start = Instant::now();
    let mut steps = 0;
    while steps == 0 || start.elapsed().as_secs_f64() < seconds {
        step()?;
        steps += 1;
    }
    let rate = (steps * batch) as f64 / start.elapsed().as_secs_f64();
    println!(
        "{{\"parameters\": {parameters}, \"first\": {first:e}, \"second\": {second:e}, \"steps\": {steps}, \"images_per_second\": {rate:.2}}}"
    );
    Ok(())
}
