//! What does a trained network see in files of images, or in images of a published data set?

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::prelude::*;

/// Names the classes of images with a network from one file, which `train`, `finetune` and
/// `transfer_learning` write: architecture, weights, classes, normalization and how images of any size are
/// made to fit are all in it.
///
/// Files may be of any size and colour. They are written in their order, a batch at a time; one that cannot be
/// read is told on standard error, and the exit status is 1 at the end.
#[derive(Parser)]
struct Args {
    /// The file of the network
    bundle: PathBuf,
    /// Files of images, folders of them, and - for a list of files on standard input; without any, test
    /// images of --dataset are shown
    #[arg(conflicts_with_all = ["dataset", "classes", "data_path", "count"])]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: cli::PredictionArgs,
    /// How many images of --dataset to show, from the first one on
    #[arg(long, default_value = "10", value_parser = cli::at_least_one)]
    count: NonZeroUsize,
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
    if !args.files.is_empty() {
        return cli::predict_files(&bundle, &args.files, &args.output, &context.stop);
    }
    test_images(args, &bundle)
}

/// Shows what the network makes of a published data set's test images, and how many of them are right.
fn test_images(args: &Args, bundle: &Bundle) -> Result<(), Box<dyn Error>> {
    let split = args.data.split(&args.common.source())?;
    let test = split.test()?;
    let takes = bundle.network().architecture().input;
    if test.shape() != takes {
        let reason = format!("it takes images of {takes:?}, these are of {:?}", test.shape());
        return Err(format!("{}: {reason}", args.bundle.display()).into());
    }
    let shown = args.count.get().min(test.len());
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
