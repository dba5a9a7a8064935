//! What is in a file of weights, and which network does it belong to?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli::{self, WeightFormat};
use selvedge::models::catalog;
use selvedge::models::weights::{Fit, FitKind, WeightFile, WeightType};

/// Prints what a file of weights holds (PyTorch's .pt and .pth, safetensors, burnpack) and which of
/// the known networks it fits; without a file, the known networks. Nothing in a file is executed.
#[derive(Parser)]
struct Args {
    /// The file
    #[arg(group = "trained")]
    file: Option<PathBuf>,
    /// Also list every tensor
    #[arg(long, requires = "file")]
    tensors: bool,
    #[command(flatten)]
    network: cli::NetworkArgs,
    #[command(flatten)]
    weights: cli::WeightArgs,
    /// Also write the weights to OUT, another file: as burnpack if it ends in .bpk, as safetensors
    /// that PyTorch's load_state_dict takes as they are if it ends in .safetensors. They are those of the
    /// network that was named or else fits; of a bundle, or if none fits, all tensors under their names
    #[arg(long, value_name = "OUT", requires = "file")]
    convert: Option<PathBuf>,
    /// The type of floats: f32, f16, bf16, or int8, which this library alone reads [default: that of the file]
    #[arg(long, value_name = "TYPE", requires = "convert")]
    dtype: Option<WeightType>,
}

fn main() -> ExitCode {
    cli::run(|args: Args| match &args.file {
        None => list(&args),
        Some(path) => describe(&args.weights.open(path)?, &args),
    })
}

fn list(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    for net in args.network.network()?.map_or_else(catalog, |net| vec![net]) {
        let [channels, height, width] = net.input;
        let (parameters, size) = (net.summary()?.parameters(), format!("{height} × {width}"));
        text += &format!("{:26} {parameters:>11}  {channels} × {size}\n", net.name);
    }
    Ok(cli::print(&text)?)
}

fn describe(file: &WeightFile, args: &Args) -> Result<(), Box<dyn Error>> {
    let target = match args.convert.as_deref() {
        Some(out) => Some((out, WeightFormat::of(out, file, args.dtype)?)),
        None => None,
    };
    let asked = args.network.network()?;
    let fits = match &asked {
        Some(network) => vec![file.fits(network)],
        None => file.best_fits(&catalog()),
    };
    let tensors = file.tensors.iter().filter(|_| args.tensors).map(|tensor| format!("{tensor}\n"));
    let lines = tensors.chain(fits.iter().map(|fit| format!("{fit}\n")));
    let wrong = cli::non_finite(file);
    let note = wrong.as_deref().unwrap_or_default();
    let mut text = format!("{file}\n{note}{}", lines.collect::<String>());
    let exact = |fit: &&Fit| fit.kind == FitKind::Exact;
    match fits.iter().find(exact) {
        Some(fit) => text += &format!("\n{}", fit.architecture.summary()?),
        None if fits.is_empty() => text += "no known network has any of these tensors\n",
        None => {}
    }
    cli::print(&text)?;
    // Values that cannot be read end it here, after what is known of them.
    wrong?;
    let Some((out, format)) = target else { return Ok(()) };
    let keep = file.is_bundle() && format == WeightFormat::Safetensors;
    let network = match (&asked, fits.first()) {
        // Images keep the channels that were asked for, if the weights are to be changed for them.
        (Some(network), Some(fit)) if args.weights.input_channels.is_some() => {
            Some(fit.architecture.clone().with_input(network.input)?)
        }
        (_, Some(fit)) if asked.is_some() || exact(&fit) && !keep => Some(fit.architecture.clone()),
        _ => None,
    };
    let report = match network {
        Some(network) => {
            let device = selvedge::device::open("auto")?;
            let (network, report) = file.network(&network, &args.weights.options(0), &device)?;
            format.save_network(&network, out, args.dtype.or(file.float_type().map(Into::into)))?;
            report.to_string()
        }
        None => {
            format.save_file(file, out, args.dtype)?;
            format!("taken {}: all tensors, under their names", file.tensors.len())
        }
    };
    Ok(cli::print(&format!("\n{report}\nwritten to {}\n", out.display()))?)
}
