//! What does a trained network see in images that it was never shown?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::prelude::*;

/// Names the classes of test images with a network from one file, which `train`, `finetune` and
/// `transfer_learning` write: architecture, weights, classes and normalization are all in it.
#[derive(Parser)]
struct Args {
    /// The file
    bundle: PathBuf,
    /// How many images to show, from the first one on
    #[arg(long, default_value_t = 10)]
    count: usize,
    #[command(flatten)]
    data: cli::DataArgs,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| predict(&args))
}

fn predict(args: &Args) -> Result<(), Box<dyn Error>> {
    let (context, _) = args.common.context("predicting")?;
    let bundle = Bundle::load(&args.bundle, &context.device)?;
    let split = args.data.split(&args.common.source())?;
    let test = split.test()?;
    let takes = bundle.network().architecture().input;
    if test.shape() != takes {
        let reason = format!("it takes images of {takes:?}, these are of {:?}", test.shape());
        return Err(format!("{}: {reason}", args.bundle.display()).into());
    }
    let shown = args.count.min(test.len());
    let pixels: Vec<u8> = (0..shown).flat_map(|i| test.image(i)).copied().collect();

    let name = &bundle.network().architecture().name;
    cli::print(&format!("{name} knows {}\n\n", bundle.classes().join(", ")))?;
    cli::print("image  truth         prediction    probability\n")?;
    let mut right = 0;
    for (i, prediction) in bundle.predict(&pixels)?.iter().enumerate() {
        let truth = &test.classes()[usize::from(test.label(i))];
        right += usize::from(*truth == prediction.name);
        let percent = 100.0 * prediction.probabilities[prediction.class];
        let name = &prediction.name;
        cli::print(&format!("{i:>5}  {truth:<12}  {name:<12}  {percent:>9.2} %\n"))?;
    }
    cli::print(&format!("\n{right} of {shown} are right\n"))?;
    Ok(())
}
