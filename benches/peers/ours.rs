//! One program of the comparison in `benches/peers`: trains a network of the catalog for a while and
//! prints its speed as a line of JSON, with this library's fused operations or with Burn's own.

#[path = "pixels.rs"]
mod pixels;

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::burn::nn::loss::CrossEntropyLossConfig;
use selvedge::burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use selvedge::burn::tensor::{Int, TensorData};
use selvedge::cli;
use selvedge::models::{Shape, named, state};
use selvedge::prelude::*;
use selvedge::train::{end_of_step, with_team};

use pixels::{pixels, uniform};

/// Times training steps of one network.
#[derive(Parser)]
struct Args {
    /// A network of the catalog, or vgg16_features: inference of VGG-16 up to its last pool
    #[arg(long, default_value = "cnn2_small")]
    network: String,
    /// Images a step
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Whether to use this library's fused operations, rather than Burn's own
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    fused: bool,
    /// adam or sgd
    #[arg(long, default_value = "adam")]
    optimizer: cli::Opt,
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    /// Of SGD alone
    #[arg(long, default_value_t = 0.0)]
    momentum: f64,
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f64,
    /// Steps that are not timed
    #[arg(long, default_value_t = 3)]
    warmup: usize,
    /// Steps are timed for at least this long
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// flex, ndarray, wgpu or cuda
    #[arg(long, default_value = "flex")]
    device: String,
    /// Steps between two that read their loss back
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    read_every: u64,
    /// Whether the threads stay awake between kernels
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    team: bool,
    /// Say `ready` after the warmup, and time steps for every line that is written to it
    #[arg(long)]
    wait: bool,
}

fn main() -> ExitCode {
    cli::run(|args: Args| run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let inference = args.network == "vgg16_features";
    let mut architecture = named(if inference { "vgg16" } else { &args.network })?;
    if inference {
        architecture.layers.retain(|layer| layer.name.starts_with("features."));
    }
    let plain = selvedge::device::open(&args.device)?;
    let device = if inference { plain } else { plain.autodiff() };
    let network = filled(architecture.init(Initialization::PyTorch, 0, &device)?);
    let is_trained = |name: &&String| !name.contains("running_");
    let tensors = state::read(&network);
    let trained = tensors.keys().filter(is_trained).map(|name| tensors[name].num_elements());
    let parameters: usize = trained.sum();

    let images = images(args.batch, architecture.input, &device);
    let mut step: Box<dyn FnMut() -> Tensor<1>> = if inference && args.fused {
        // As features of a trunk are computed.
        let network = network.for_inference();
        Box::new(move || network.forward(images.clone()).mean())
    } else if inference {
        let network = network.valid();
        Box::new(move || forward(&network, images.clone(), false).mean())
    } else {
        let autoencoder = args.network.contains("autoencoder");
        let classes = architecture.output_shape().map(Shape::size)?;
        let labels = (0..args.batch).map(|i| (i % classes) as i32).collect::<Vec<_>>();
        let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [args.batch]), &device);
        let targets = Targets::Hard(labels.clone());
        let mut optimizer = optimizer(args)?;
        let mut network = Some(network);
        Box::new(move || {
            let net = network.take().expect("put back below");
            let output = forward(&net, images.clone(), args.fused);
            let loss = match (autoencoder, args.fused) {
                (true, true) => {
                    let loss =
                        selvedge::train::mean_squared_error(output, images.clone().flatten(1, 3));
                    loss.expect("as many outputs as pixels")
                }
                (true, false) => (output - images.clone().flatten(1, 3)).square().mean(),
                (false, true) => {
                    selvedge::train::cross_entropy(output, &targets).expect("known classes")
                }
                (false, false) => {
                    let loss = CrossEntropyLossConfig::new().init(&output.device());
                    loss.forward(output, labels.clone())
                }
            };
            let gradients = GradientsParams::from_grads(loss.backward(), &net);
            network = Some(optimizer.step(args.learning_rate, net, gradients));
            end_of_step();
            loss.inner()
        })
    };

    // As in `fit`, whose steps all belong to one team; Burn's own operations take no notice of it.
    match args.team {
        true => with_team(|| timed(args, parameters, &mut *step)),
        false => timed(args, parameters, &mut *step),
    }
}

/// Times steps, and prints what there is to know of them.
fn timed(
    args: &Args,
    parameters: usize,
    step: &mut dyn FnMut() -> Tensor<1>,
) -> Result<(), Box<dyn Error>> {
    let [first, second] = [step(), step()].map(|loss| loss.into_scalar::<f32>());
    (2..args.warmup).for_each(|_| _ = step().into_scalar::<f32>());
    if !args.wait {
        return report(args, parameters, [first, second], step);
    }
    cli::print("ready\n")?;
    while std::io::stdin().read_line(&mut String::new())? > 0 {
        report(args, parameters, [first, second], step)?;
    }
    Ok(())
}

/// Times steps for a while, and prints a line of JSON.
fn report(
    args: &Args,
    parameters: usize,
    [first, second]: [f32; 2],
    step: &mut dyn FnMut() -> Tensor<1>,
) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let mut steps = 0;
    while steps == 0 || start.elapsed().as_secs_f64() < args.seconds {
        (1..args.read_every).for_each(|_| _ = step());
        // A GPU computes meanwhile; now it has come to the end of this step.
        step().into_scalar::<f32>();
        steps += args.read_every as usize;
    }
    let rate = (steps * args.batch) as f64 / start.elapsed().as_secs_f64();
    cli::print(&format!(
        "{{\"parameters\": {parameters}, \"first\": {first:e}, \"second\": {second:e}, \"steps\": {steps}, \"images_per_second\": {rate:.2}}}\n"
    ))?;
    Ok(())
}

/// The outputs, in fused operations or layer by layer in Burn's.
fn forward(network: &Network, images: Tensor<4>, fused: bool) -> Tensor<2> {
    match fused {
        true => network.forward(images),
        false => network.forward_hooked(images, |_, _| {}),
    }
}

fn optimizer(args: &Args) -> Result<ModuleOptimizer, Box<dyn Error>> {
    Ok(match (args.optimizer, args.fused) {
        (cli::Opt::Adam, false) => AdamConfig::new().with_epsilon(1e-8).init(),
        (other, _) => other.config(Some(args.momentum)).init(args.weight_decay)?,
    })
}

/// Pixels in [0, 1).
fn images(count: usize, [channels, height, width]: [usize; 3], device: &Device) -> Tensor<4> {
    let shape = [count, channels, height, width];
    Tensor::from_data(TensorData::new(pixels(shape), shape), device)
}

/// The network with the weights that every program of the comparison gives it (README.md).
fn filled(network: Network) -> Network {
    let mut tensors = state::read(&network);
    for (name, data) in tensors.iter_mut().filter(|(name, _)| !name.contains("running_")) {
        let seed = name
            .bytes()
            .zip(1u32..)
            .fold(0u32, |sum, (byte, i)| sum.wrapping_add(u32::from(byte).wrapping_mul(i)));
        let shape = data.shape().clone();
        let count = data.num_elements();
        let value = |j: usize, fan_in: usize| {
            let s = 2.0 * uniform(seed, j) - 1.0;
            let value = match (shape.len(), name.ends_with(".weight")) {
                (1, true) => 1.0 + 0.2 * s,
                (1, false) => 0.1 * s,
                _ => s * (6.0 / fan_in as f64).sqrt(),
            };
            value as f32
        };
        let values: Vec<f32> = (0..count).map(|j| value(j, count / shape[0])).collect();
        *data = TensorData::new(values, shape);
    }
    state::write(network, tensors)
}
