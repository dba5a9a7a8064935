//! What is in a file of weights, and which network does it belong to?

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::models::weights::{self, Fit, FitKind, WeightFile};
use selvedge::models::{catalog, named};
use selvedge::prelude::*;

/// Prints what a file of weights holds (PyTorch's .pt and .pth, safetensors, burnpack) and which of
/// the known networks it fits; without a file, the known networks. Nothing in a file is executed.
#[derive(Parser)]
struct Args {
    /// The file
    file: Option<PathBuf>,
    /// Also list every tensor
    #[arg(long, requires = "file")]
    tensors: bool,
    /// The network, if it is not the best fit; a name of the list
    #[arg(long, value_name = "NAME", requires = "file")]
    network: Option<String>,
    /// Also write the weights to OUT, another file: as burnpack if it ends in .bpk, as safetensors
    /// that PyTorch's load_state_dict takes as they are if it ends in .safetensors
    #[arg(long, value_name = "OUT", requires = "file")]
    convert: Option<PathBuf>,
}

fn main() -> ExitCode {
    cli::run(|args: Args| match &args.file {
        None => list(),
        Some(path) => describe(&weights::inspect(path)?, &args),
    })
}

fn list() -> Result<(), Box<dyn Error>> {
    let mut text = String::new();
    for net in catalog() {
        let [channels, height, width] = net.input;
        let (parameters, size) = (net.summary()?.parameters(), format!("{height} × {width}"));
        text += &format!("{:26} {parameters:>11}  {channels} × {size}\n", net.name);
    }
    Ok(cli::print(&text)?)
}

fn describe(file: &WeightFile, args: &Args) -> Result<(), Box<dyn Error>> {
    let target = match args.convert.as_deref() {
        Some(out) => Some((out, target(file, out)?)),
        None => None,
    };
    let fits = match &args.network {
        Some(name) => vec![file.fits(&named(name)?)],
        None => file.best_fits(&catalog()),
    };
    let mut text = format!("{file}\n");
    for tensor in file.tensors.iter().filter(|_| args.tensors) {
        text += &format!("{tensor}\n");
    }
    for fit in &fits {
        text += &format!("{fit}\n");
    }
    let exact = |fit: &&Fit| fit.kind == FitKind::Exact;
    match fits.iter().find(exact) {
        Some(fit) => text += &format!("\n{}", fit.architecture.summary()?),
        None if fits.is_empty() => text += "no known network has any of these tensors\n",
        None => {}
    }
    cli::print(&text)?;
    let Some((out, target)) = target else { return Ok(()) };
    let Some(fit) = fits.first() else { return Err("no network to convert it with".into()) };
    let device = selvedge::device::open("auto")?;
    let network = file.load_into(fit.architecture.init(Initialization::PyTorch, 0, &device)?)?;
    match target {
        Target::Burnpack => network.save_burnpack(out)?,
        Target::Safetensors => network.save_safetensors(out)?,
    }
    Ok(cli::print(&format!("\nwritten to {}\n", out.display()))?)
}

/// What to convert to.
enum Target {
    Burnpack,
    Safetensors,
}

/// What the name of `out` asks for.
fn target(file: &WeightFile, out: &Path) -> Result<Target, String> {
    let path = out.display();
    if file.is_at(out) {
        return Err(format!("{path} is the file itself; convert it to another"));
    }
    let is = |extension| out.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
    match () {
        () if is("bpk") => Ok(Target::Burnpack),
        () if is("safetensors") => Ok(Target::Safetensors),
        () => Err(format!("{path}: the name must end in .safetensors or .bpk")),
    }
}
