//! How much does pre-training on five kinds of clothing (FM-2) help to learn five others (FM-1) when
//! labels are few?

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use selvedge::cli::{self, Fraction, Normalization};
use selvedge::files::Output;
use selvedge::prelude::*;
use selvedge::study::transfer::{TransferConfig, TransferStudy};

/// Pre-trains a CNN on FM-2 (pullover, dress, shirt, sneaker, ankle boot), then trains it on growing
/// fractions of FM-1 (T-shirt, trouser, coat, sandal, bag), from random weights and from FM-2's, and
/// compares the test accuracies.
#[derive(Parser)]
struct Args {
    /// 1 + 1 epochs, 2 fractions, 1 seed: a check that everything works, in under a minute
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// The long protocol: 30 + 20 epochs, steps of 5 %, 1 seed, SGD at 0.001 with momentum 0.9 on raw
    /// pixels, dropout 0.3
    #[arg(long)]
    full: bool,
    /// Fractions of FM-1's training images, such as 0.05,0.5 or 5%,50% [default: 2, 5, 10 and
    /// 25 %]
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    fractions: Option<Vec<Fraction>>,
    /// Epochs on FM-2 [default: 3; 1 with --quick, 30 with --full]
    #[arg(long)]
    pretrain_epochs: Option<usize>,
    /// Number of seeds: pairs of runs at each fraction [default: 3; 1 with --quick and --full]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: Option<u64>,
    /// Probability of dropout [default: 0; 0.3 with --full]
    #[arg(long, allow_negative_numbers = true)]
    dropout: Option<f64>,
    /// How pixels are normalized [default: standardized; raw with --full]
    #[arg(long)]
    normalization: Option<Normalization>,
    /// Folder for results, pictures and models
    #[arg(long, default_value = "runs/transfer_learning", value_name = "FOLDER")]
    out: PathBuf,
    #[command(flatten)]
    training: cli::TrainingArgs,
    #[command(flatten)]
    study: cli::StudyArgs,
}

impl Args {
    fn config(&self) -> TransferConfig {
        let base = match (self.quick, self.full) {
            (true, _) => TransferConfig::quick(),
            (_, true) => TransferConfig::full(),
            _ => TransferConfig::default(),
        };
        let fractions = self.fractions.as_ref().map(|list| list.iter().map(|f| f.0).collect());
        TransferConfig {
            fractions: fractions.unwrap_or(base.fractions),
            seeds: self.seeds.map_or(base.seeds, |n| (1..=n).collect()),
            pretrain_epochs: self.pretrain_epochs.unwrap_or(base.pretrain_epochs),
            fit: self.training.config(base.fit),
            dropout: self.dropout.unwrap_or(base.dropout),
            normalization: self.normalization.map_or(base.normalization, Into::into),
        }
    }
}

fn main() -> ExitCode {
    cli::run(|args: Args| study(&args))
}

fn study(args: &Args) -> Result<(), Box<dyn Error>> {
    let config = args.config();
    config.check()?;
    let (context, device_name) = args.study.context("transfer learning")?;
    let split = FASHION_MNIST.load(&args.study.common.source())?.split_official()?;
    let output = Output::new(&args.out)?;
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
    let outcome = study.run(device_name, &context)?;
    outcome.write(&output)?;
    let results = &outcome.results;
    let folder = args.out.display();
    cli::print(&format!("{}{}\n", results.table(), results.answer()))?;
    cli::print(&format!("results, pictures and models are in {folder}\n"))?;
    match results.stopped {
        true => Err(cli::Stopped(results.progress()).into()),
        false => Ok(()),
    }
}
