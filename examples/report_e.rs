//! Which activation is best for a multilayer perceptron?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli;
use selvedge::files::Output;
use selvedge::models::HiddenActivation::{self, Identity, Relu, Sigmoid, Tanh};
use selvedge::models::Mlp;
use selvedge::prelude::*;
use selvedge::report::plot;
use selvedge::train::{History, TrainError};

/// The activations with what the report found on its test images after 50 and after 100 epochs, in per cent.
const ACTIVATIONS: [(&str, HiddenActivation, &str); 4] = [
    ("ReLU", Relu, "89.7 / 89.5"),
    ("sigmoid", Sigmoid, "88.5 / 88.8"),
    ("tanh", Tanh, "89.3 / 88.5"),
    ("identity", Identity, "diverged in epoch 27"),
];

/// Trains a perceptron of 784-256-128-64-10 features with four activations by SGD at 0.1, on eight tenths of
/// Fashion-MNIST's training images; a tenth validates, a tenth tests. Draws the curves of all four, and says
/// which of them diverged.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    fit: cli::FitArgs,
    #[command(flatten)]
    run: cli::RunFolderArgs,
}

fn main() -> ExitCode {
    cli::run(|args: Args| compare(&args))
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.fit.config(FitConfig {
        epochs: 50,
        batch_size: 32,
        learning_rate: 0.1,
        optimizer: OptimizerConfig::sgd(0.0),
        ..FitConfig::default()
    })?;
    let context = args.fit.context("perceptron")?;
    let images = FASHION_MNIST.load(&args.fit.common.source())?.train.view();
    let split = args.fit.split(images.split_stratified_three([0.8, 0.1, 0.1], 0)?)?;
    let data = FitData::from(&split);
    let output = Output::new(args.run.folder("runs/report_e"))?;

    let mut histories: Vec<(&str, History)> = Vec::new();
    let mut answers = Vec::new();
    cli::print("activation  test accuracy         the report, 50 / 100 epochs\n")?;
    for (name, activation, reported) in ACTIVATIONS {
        let network = Mlp::new(10).with_activation(activation).architecture();
        let network = network.init(Initialization::PyTorch, args.fit.seed, &context.device)?;
        let run = context.clone().with_progress(context.progress.relabel(name));
        let run = run.with_run_folder(output.path(&name.to_lowercase()));
        let (history, diverged, accuracy) = match fit(network, &data, &config, &run) {
            // Before the first epoch was complete: there is no model to measure.
            Err(TrainError::Diverged { epoch, .. }) => (History::default(), Some(epoch), 0.0),
            Err(error) => return Err(error.into()),
            Ok(fitted) => {
                let diverged = fitted.diverged.map(|at| at.epoch);
                if diverged.is_none() {
                    cli::ended(&fitted)?;
                }
                let test = evaluate(&fitted.model, split.test()?, &data.normalization, &context)?;
                (fitted.history, diverged, 100.0 * test.metrics.accuracy)
            }
        };
        let answer = match diverged {
            Some(epoch) => format!("diverged in epoch {epoch}"),
            None => format!("{accuracy:.2} %"),
        };
        cli::print(&format!("{name:10}  {answer:20}  {reported}\n"))?;
        answers.push(format!("{name} {answer}"));
        histories.push((name, history));
    }
    let title = format!("Which activation is best? Right test images: {}", answers.join(", "));
    let curves: Vec<_> = histories.iter().map(|(name, history)| (*name, history)).collect();
    plot::history(&title, &curves).save_as(output.folder(), "activations")?;
    cli::print(&format!("models and curves are in {}\n", output.folder().display()))?;
    Ok(())
}
