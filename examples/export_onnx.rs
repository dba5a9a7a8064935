//! Turns trained weights into an ONNX file that Python, C++, JavaScript and others can run.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::models::onnx::{INPUT, OnnxExport};

/// Writes a network with the weights of a file (PyTorch's .pt and .pth, safetensors, burnpack) as
/// ONNX, and says how to run it. Nothing in a file is executed.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    network: cli::NetworkArgs,
    /// The file of its weights, which tells the numbers of classes and of image channels
    #[arg(long, value_name = "FILE", group = "trained")]
    weights: PathBuf,
    #[command(flatten)]
    reading: cli::WeightArgs,
    /// The ONNX file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Names of the classes in the order of the outputs, stored in the file
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    classes: Option<Vec<String>>,
    /// Mean of the pixels of each channel, 0 to 1, stored in the file
    #[arg(long, value_delimiter = ',', value_name = "LIST", requires = "std")]
    mean: Option<Vec<f32>>,
    /// Standard deviation of the pixels of each channel, stored in the file
    #[arg(long, value_delimiter = ',', value_name = "LIST", requires = "mean")]
    std: Option<Vec<f32>>,
}

fn main() -> ExitCode {
    cli::run(|args: Args| export(&args))
}

fn export(args: &Args) -> Result<(), Box<dyn Error>> {
    let Some(asked) = args.network.network()? else {
        return Err("which network? --model NAME or --architecture NET.json".into());
    };
    let file = args.reading.open(&args.weights)?;
    if file.is_at(&args.out) {
        return Err(format!("{} holds the weights; write to another", args.out.display()).into());
    }
    // The network with as many classes and image channels as the file has.
    let mut architecture = file.fits(&asked).architecture;
    if args.reading.input_channels.is_some() {
        architecture = architecture.with_input(asked.input)?;
    }
    let device = selvedge::device::open("auto")?;
    let (network, _) = file.network(&architecture, &args.reading.options(0), &device)?;

    let mut export = OnnxExport::new(&network);
    if let Some(classes) = &args.classes {
        export = export.with_classes(classes);
    }
    if let (Some(mean), Some(std)) = (&args.mean, &args.std) {
        export = export.with_normalization(mean, std);
    }
    export.save(&args.out)?;

    let path = args.out.display();
    let bytes = std::fs::metadata(&args.out)?.len();
    let [channels, height, width] = architecture.input;
    let features = architecture.output_shape()?.size();
    let output = export.output_name();
    cli::print(&format!(
        "{path}: {} in {:.1} MB
input   {INPUT}: float32 [batch, {channels}, {height}, {width}]
output  {output}: float32 [batch, {features}]

In Python:
  session = onnxruntime.InferenceSession({:?})
  ({output},) = session.run([{output:?}], {{{INPUT:?}: pixels}})
",
        architecture.name,
        bytes as f64 / 1e6,
        path.to_string(),
    ))?;
    Ok(())
}
