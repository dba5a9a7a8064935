//! Arguments of programs that fit networks in one way, whose settings are the program's unless others are given.

use selvedge_data::Split;
use selvedge_train::{Context, FitConfig};

use super::{Common, QuickArgs, TrainingArgs};
use crate::Error;

/// Arguments of programs that fit networks: the seed, a short look instead of the whole, how they are trained, and
/// where.
///
/// ```no_run
/// use clap::Parser;
/// use selvedge::cli;
/// use selvedge::prelude::*;
///
/// #[derive(Parser)]
/// struct Args {
///     #[command(flatten)]
///     fit: cli::FitArgs,
/// }
///
/// fn main() -> std::process::ExitCode {
///     cli::run(|Args { fit }: Args| {
///         // 30 epochs, unless --epochs says otherwise or --quick makes it one.
///         let config = fit.config(FitConfig { epochs: 30, ..FitConfig::default() })?;
///         let context = fit.context("training")?;
///         let split = fit.split(FASHION_MNIST.load(&fit.common.source())?.split_official()?)?;
///         let network = named("cnn2")?.init(Initialization::PyTorch, fit.seed, &context.device)?;
///         cli::ended(&selvedge::train::fit(network, &FitData::from(&split), &config, &context)?)
///     })
/// }
/// ```
#[derive(Clone, Debug, clap::Args)]
pub struct FitArgs {
    /// Decides the initial weights and the order of the images, and dropout and noise where there are any
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Whether it is a short look.
    #[command(flatten)]
    pub quick: QuickArgs,
    /// How it is trained, where that is not as the program says.
    #[command(flatten)]
    pub training: TrainingArgs,
    /// Where it runs, and on what.
    #[command(flatten)]
    pub common: Common,
}

impl FitArgs {
    /// The program's usual settings with the seed and whatever else was given; `--quick` makes the usual epochs one.
    ///
    /// # Errors
    ///
    /// As [`TrainingArgs::config`], and [`Error::Train`] for a setting outside its range.
    pub fn config(&self, usual: FitConfig) -> Result<FitConfig, Error> {
        let epochs = self.quick.epochs(usual.epochs);
        let config = self.training.config(FitConfig { epochs, seed: self.seed, ..usual })?;
        config.check()?;
        Ok(config)
    }

    /// As [`QuickArgs::split`].
    ///
    /// # Errors
    ///
    /// As [`QuickArgs::split`].
    pub fn split(&self, split: Split) -> Result<Split, Error> {
        self.quick.split(split)
    }

    /// As [`Common::context`], without the name of the device.
    ///
    /// # Errors
    ///
    /// As [`Common::context`].
    pub fn context(&self, label: &str) -> Result<Context, Error> {
        Ok(self.common.context(label)?.0)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        fit: FitArgs,
    }

    fn config(flags: &str) -> Result<FitConfig, Error> {
        let flags = std::iter::once("x").chain(flags.split_whitespace());
        let usual = FitConfig { epochs: 30, batch_size: 100, ..FitConfig::default() };
        Args::try_parse_from(flags).unwrap().fit.config(usual)
    }

    #[test]
    fn settings_are_the_programs_but_for_those_that_were_given_and_are_checked() {
        let usual = FitConfig { epochs: 30, batch_size: 100, ..FitConfig::default() };
        assert_eq!(config("").unwrap(), FitConfig { seed: 0, ..usual.clone() });
        assert_eq!(config("--quick").unwrap(), FitConfig { seed: 0, epochs: 1, ..usual.clone() });
        let given = config("--quick --epochs 3 --seed 7 --batch-size 5").unwrap();
        assert_eq!(given, FitConfig { seed: 7, epochs: 3, batch_size: 5, ..usual });
        let error = config("--epochs 0").unwrap_err().to_string();
        assert!(error.contains("epochs is 0"), "{error}");
    }
}
