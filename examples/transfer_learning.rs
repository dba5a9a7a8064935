//! What is pre-training on some clothes (FM-2) worth for learning others (FM-1) from few labels?

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli::{self, Fraction, Normalization};
use selvedge::prelude::*;
use selvedge::study::transfer::{TransferConfig, TransferStudy};

/// With each seed, pre-trains a CNN on FM-2 (pullover, dress, shirt, sneaker, ankle boot), trains it on
/// fractions of FM-1 (T-shirt, trouser, coat, sandal, bag) from random and from FM-2's weights, and compares
#[derive(Parser)]
struct Args {
    /// 1 + 1 epochs, 2 fractions, 1 seed: a check that everything works, in under a minute
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The long protocol: 30 + 20 epochs, steps of 5 %, 1 seed, SGD at 0.001 with momentum 0.9 on raw
    /// pixels, dropout 0.3
    #[arg(long)]
    full: bool,
    /// Fractions of FM-1's training images, such as 0.05,0.5 or 5%,50% [default: 2, 5 and 10 %]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    fractions: Option<Vec<Fraction>>,
    /// Epochs on FM-2 [default: 1; 30 with --full]
    #[arg(long)]
    pretrain_epochs: Option<usize>,
    /// Probability of dropout [default: 0; 0.3 with --full]
    #[arg(long, allow_negative_numbers = true)]
    dropout: Option<f64>,
    /// How pixels are normalized [default: standardized; raw with --full]
    #[arg(long)]
    normalization: Option<Normalization>,
    #[command(flatten)]
    run: cli::RunFolderArgs,
    #[command(flatten)]
    training: cli::TrainingArgs,
    #[command(flatten)]
    study: cli::StudyArgs,
}

impl Args {
    /// The settings, and the folder of such a study.
    fn config(&self) -> Result<(TransferConfig, &'static str), Box<dyn Error>> {
        let (base, folder) = match (self.quick, self.full) {
            (true, _) => (TransferConfig::quick(), "runs/transfer_learning_quick"),
            (_, true) => (TransferConfig::full(), "runs/transfer_learning_full"),
            _ => (TransferConfig::default(), "runs/transfer_learning"),
        };
        let fractions = self.fractions.as_ref().map(|list| list.iter().map(|f| f.0).collect());
        let config = TransferConfig {
            fractions: fractions.unwrap_or(base.fractions),
            seeds: self.study.seeds(&base.seeds),
            pretrain_epochs: self.pretrain_epochs.unwrap_or(base.pretrain_epochs),
            fit: self.training.config(base.fit)?,
            dropout: self.dropout.unwrap_or(base.dropout),
            normalization: self.normalization.map_or(base.normalization, Into::into),
        };
        Ok((config, folder))
    }
}

fn main() -> ExitCode {
    cli::run(|args: Args| study(&args))
}

fn study(args: &Args) -> Result<(), Box<dyn Error>> {
    let (config, folder) = args.config()?;
    config.check()?;
    let (context, device_name) = args.study.context("transfer learning")?;
    let split = FASHION_MNIST.load(&args.study.common.source())?.split_official()?;
    let network = TransferCnn::new(5).with_dropout(config.dropout).architecture();
    let study = TransferStudy {
        source_name: "FM-2".into(),
        source: split.select(&ClassSubset::fm2())?,
        target_name: "FM-1".into(),
        target: split.select(&ClassSubset::fm1())?,
        source_network: network.clone(),
        target_network: network,
        config,
    };
    let folder = args.run.folder(folder);
    let outcome = study.run_in(&folder, device_name, &context)?;
    let (results, folder) = (outcome.results.clone(), folder.display());
    cli::print(&format!("{}{}\n", results.table(), results.answer()))?;
    outcome.finish()?;
    if !results.complete {
        let how = format!("{}; go on with --output-dir {folder} --resume", results.progress());
        return Err(cli::Stopped(how).into());
    }
    cli::print(&format!("results, pictures and models are in {folder}\n"))?;
    match results.diverged.len() {
        0 => Ok(()),
        runs => Err(cli::Failed(format!("{runs} runs diverged")).into()),
    }
}
