//! Do layers made of basic tensor operations compute what the framework's layers compute, and what
//! does it cost?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::burn::nn::conv::Conv2dConfig;
use selvedge::burn::nn::pool::MaxPool2dConfig;
use selvedge::burn::nn::{BatchNormConfig, PaddingConfig2d};
use selvedge::burn::tensor::{Distribution, TensorData, activation};
use selvedge::cli;
use selvedge::models::basics::{self, Running, Window};
use selvedge::models::{named, state};
use selvedge::prelude::*;

/// Compares layers of `selvedge::models::basics` with Burn's own, or where it says so with this library's
/// fused ones: the largest difference of their outputs and of the gradients of the images, relative to
/// the largest value, and the time of a forward and a backward pass.
#[derive(Parser)]
struct Args {
    /// Images in the batch
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1024))]
    batch: u32,
    /// Passes of each; the fastest counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Where to compute: flex, ndarray, wgpu, cuda or auto
    #[arg(long, default_value = "auto")]
    device: String,
}

fn main() -> ExitCode {
    cli::run(|args: Args| compare(&args))
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let plain = selvedge::device::open(&args.device)?;
    let device = plain.clone().autodiff();
    device.seed(0);
    let n = args.batch as usize;
    let images = Tensor::<4>::random([n, 16, 28, 28], Distribution::Default, &plain);

    let same = PaddingConfig2d::Explicit(1, 1, 1, 1);
    let conv = Conv2dConfig::new([16, 32], [3, 3]).with_padding(same).init(&device);
    let pool = MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init();
    let norm = BatchNormConfig::new(16).init(&device);

    let bias = || conv.bias.as_ref().map(|bias| bias.val());
    let own_conv = |x| basics::conv2d(x, conv.weight.val(), bias(), 1, 1);
    let own_pool = |x| basics::max_pool2d(x, Window::new(2).with_stride(2));
    let own_norm = |x| {
        let [mean, variance] = [&norm.running_mean, &norm.running_var].map(|s| s.value());
        let running = Running { mean, variance };
        basics::batch_norm2d_train(x, norm.gamma.val(), norm.beta.val(), running).0
    };
    type Layer<'a> = Box<dyn Fn(Tensor<4>) -> Tensor<4> + 'a>;
    let layers: [(&str, Layer<'_>, Layer<'_>); 4] = [
        ("conv2d 3×3, 16→32", Box::new(own_conv), Box::new(|x| conv.forward(x))),
        ("max_pool2d 2", Box::new(own_pool), Box::new(|x| pool.forward(x))),
        ("batch_norm2d, training", Box::new(own_norm), Box::new(|x| norm.forward(x))),
        ("relu", Box::new(basics::relu), Box::new(activation::relu)),
    ];

    cli::print("layer                       output  gradient     basics  framework\n")?;
    let row = |name: &str, y: &str, dx: &str, [own, framework]: [f64; 2]| {
        cli::print(&format!("{name:<25}  {y:>7}  {dx:>8}  {own:>6.1} ms  {framework:>6.1} ms\n"))
    };
    for (name, own, framework) in &layers {
        let own = cli::fastest(args.repeat, || pass(own, &images));
        let framework = cli::fastest(args.repeat, || pass(framework, &images));
        let [y, dx] = [0, 1]
            .map(|i| format!("{:.1e}", basics::relative_difference(&own.0[i], &framework.0[i])));
        row(name, &y, &dx, [own.1, framework.1])?;
    }

    // A whole network, after training; its own side is `basics::forward`, a single loop.
    let architecture = named("resnet18_cifar")?;
    let network = architecture.init(Initialization::PyTorch, 0, &plain)?.valid();
    let weights = state::read(&network);
    let images = Tensor::<4>::random([n, 3, 32, 32], Distribution::Default, &plain);
    let own = cli::fastest(args.repeat, || {
        basics::forward(&architecture, &weights, images.clone()).into_data()
    });
    let framework = cli::fastest(args.repeat, || network.forward(images.clone()).into_data());
    let y = format!("{:.1e}", basics::relative_difference(&own.0, &framework.0));
    row("ResNet-18, fused", &y, "–", [own.1, framework.1])?;
    Ok(())
}

/// The output y of a layer, and the gradient of the mean of y³ with respect to the images. (The mean of
/// y² would not do: batch normalization makes it 1, whatever the images.)
fn pass(layer: &dyn Fn(Tensor<4>) -> Tensor<4>, images: &Tensor<4>) -> [TensorData; 2] {
    let x = images.clone().autodiff().require_grad();
    let y = layer(x.clone());
    let loss = y.clone().powi_scalar(3).mean();
    let gradient = x.grad(&loss.backward()).expect("the images reach the loss");
    [y.into_data(), gradient.into_data()]
}
