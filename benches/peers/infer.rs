//! One program of the comparison in `benches/peers`: what a network of the catalog takes for a batch of images, as a line
//! of JSON; or the same network as an ONNX file, for the others.

#[path = "pixels.rs"]
mod pixels;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use selvedge::burn::tensor::TensorData;
use selvedge::cli;
use selvedge::models::onnx::OnnxExport;
use selvedge::models::{catalog, named};
use selvedge::prelude::*;

use pixels::pixels;

/// Times the inference of one network, from pixels in memory to its outputs in memory.
#[derive(Parser)]
struct Args {
    /// A network of the catalog; without one, all their names are printed
    #[arg(long)]
    network: Option<String>,
    /// Images at a time
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// Calls that are not timed
    #[arg(long, default_value_t = 3)]
    warmup: usize,
    /// Calls are timed for at least this long
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// At least so many, however long they take
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    calls: u64,
    /// Call a bundle, from bytes to classes and probabilities, as a program does that answers one request after the other
    #[arg(long)]
    bundle: bool,
    /// Write the network to this file instead
    #[arg(long, value_name = "FILE")]
    onnx: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run(|args: Args| run(&args))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let Some(name) = &args.network else {
        let names: Vec<_> = catalog().into_iter().map(|network| network.name).collect();
        return Ok(cli::print(&format!("{}\n", names.join("\n")))?);
    };
    let device = selvedge::device::open("flex")?;
    let architecture = named(name)?;
    let network = architecture.init(Initialization::PyTorch, 0, &device)?;
    if let Some(path) = &args.onnx {
        return Ok(OnnxExport::new(&network).save(path)?);
    }
    let [channels, height, width] = architecture.input;
    let shape = [args.batch, channels, height, width];
    let pixels = pixels(shape);
    if args.bundle {
        let classes = (0..architecture.output_shape()?.size()).map(|i| i.to_string()).collect();
        let bundle = Bundle::from_parts(network, classes, vec![0.0], vec![1.0]);
        let pixels: Vec<u8> = pixels.iter().map(|pixel| (256.0 * pixel) as u8).collect();
        bundle.check()?;
        return timed(args, || {
            let predictions = bundle.predict(&pixels).expect("the bundle has been checked");
            predictions.into_iter().flat_map(|prediction| prediction.probabilities).collect()
        });
    }
    let folded = network.for_inference();
    let call = || {
        let images = Tensor::from_data(TensorData::new(pixels.clone(), shape), &device);
        folded.forward(images).into_data().try_to_vec::<f32>().expect("outputs are f32")
    };
    timed(args, call)
}

/// Times calls that give all outputs, and prints a line of JSON.
fn timed(args: &Args, call: impl Fn() -> Vec<f32>) -> Result<(), Box<dyn Error>> {
    let first = call();
    (1..args.warmup).for_each(|_| _ = call());
    let (start, mut seconds) = (Instant::now(), Vec::new());
    while (seconds.len() as u64) < args.calls || start.elapsed().as_secs_f64() < args.seconds {
        let begun = Instant::now();
        call();
        seconds.push(begun.elapsed().as_secs_f64());
    }
    let rate = (seconds.len() * args.batch) as f64 / seconds.iter().sum::<f64>();
    seconds.sort_by(f64::total_cmp);
    let quantile = |q: f64| 1e3 * seconds[((seconds.len() - 1) as f64 * q).round() as usize];
    // Of the first image alone: a number that other programs can be held to.
    let outputs = &first[..first.len() / args.batch];
    let size =
        (outputs.iter().map(|y| f64::from(y * y)).sum::<f64>() / outputs.len() as f64).sqrt();
    Ok(cli::print(&format!(
        "{{\"size\": {size:e}, \"median_ms\": {:.4}, \"p99_ms\": {:.4}, \"images_per_second\": {rate:.2}}}\n",
        quantile(0.5),
        quantile(0.99),
    ))?)
}
