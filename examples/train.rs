//! How well does a network tell the classes of a data set apart?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::files::Output;
use selvedge::prelude::*;
use selvedge::report::{history_csv, plot};

/// Trains a network of the catalog on a published data set, measures it on the test images, and keeps
/// it with its classes and normalization in one file, which the example `predict` takes.
#[derive(Parser)]
struct Args {
    /// The network: cnn2_small, cnn5, mlp_relu, resnet18_cifar, …; `inspect_weights` lists all
    #[arg(long, default_value = "cnn2_small", value_name = "NAME")]
    model: String,
    #[command(flatten)]
    data: cli::DataArgs,
    #[command(flatten)]
    training: cli::TrainingArgs,
    /// Decides the initial weights, the order of the images and the dropout
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for the model, its history and pictures
    #[arg(long, default_value = "runs/train", value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    common: cli::Common,
}

fn main() -> ExitCode {
    cli::run(|args: Args| train(&args))
}

fn train(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.training.config(FitConfig { seed: args.seed, ..FitConfig::default() });
    config.check()?;
    let (context, device) = args.common.context(&args.model)?;
    let split = args.data.split(&args.common.source())?;
    let (data, test) = (FitData::from(&split), split.test()?);
    let architecture = named(&args.model)?;
    let architecture =
        architecture.with_input(split.shape())?.with_classes(split.classes().len())?;
    let network = architecture.init(Initialization::PyTorch, args.seed, &context.device)?;
    let output = Output::new(&args.out)?;

    let fitted = fit(network, &data, &config, &context)?;
    let test = evaluate(&fitted.model, test, &data.normalization, &context)?;

    let best = &fitted.best;
    cli::print(&format!(
        "epoch {} of {} on {device}: train {}; validation {}; test {}\n",
        best.epoch,
        fitted.history.epochs.len(),
        best.train,
        best.validation,
        test.metrics
    ))?;
    let accuracy = 100.0 * test.metrics.accuracy;
    let history = plot::history(
        &format!(
            "How does {} learn? Best in epoch {}: {}",
            args.model, best.epoch, best.validation
        ),
        &[(&args.model, &fitted.history)],
    );
    let title = format!("Which classes are taken for one another? {accuracy:.2} % are right");
    let confusion = plot::confusion(&title, &test.confusion)?;
    let model = Bundle::new(fitted.model, &data);
    // All together, so that nothing of another run is beside them.
    let files = ["history.csv", "history.svg", "confusion.svg", "model.safetensors"];
    output.replace(&files, |new| -> Result<(), selvedge::Error> {
        new.write(files[0], &history_csv(&fitted.history))?;
        history.save(new.path(files[1]))?;
        confusion.save(new.path(files[2]))?;
        Ok(model.save(new.path(files[3]))?)
    })?;
    cli::print(&format!("model, history and pictures are in {}\n", args.out.display()))?;
    match fitted.stopped {
        true => Err(cli::Stopped("not all epochs are complete".into()).into()),
        false => Ok(()),
    }
}
