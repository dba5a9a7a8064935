//! How a network is trained, by flags that bear the names of torchvision's reference scripts.

use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use selvedge_train::{
    Averaging, Classify, Clip, CrossEntropy, EarlyStopping, FitConfig, Metrics, OptimizerConfig,
    Schedule, Score,
};

use crate::Error;

/// How a network is trained: what is left out is the program's default.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct TrainingArgs {
    /// Passes over the training images
    #[arg(long)]
    pub epochs: Option<usize>,
    /// Images a batch [default: 128; 64 in the transfer study]
    #[arg(short, long)]
    pub batch_size: Option<usize>,
    /// The optimizer [default: adam]
    #[arg(long)]
    pub opt: Option<Opt>,
    /// Learning rate [default: 0.001]
    #[arg(long, allow_negative_numbers = true)]
    pub lr: Option<f64>,
    /// Momentum of sgd and muon [default: 0.9], and of rmsprop [default: 0]
    #[arg(long, allow_negative_numbers = true)]
    pub momentum: Option<f64>,
    /// Weight decay; decoupled of adamw and others that are made for it [default: 0]
    #[arg(long, allow_negative_numbers = true, visible_alias = "wd")]
    pub weight_decay: Option<f64>,
    /// Whether biases and normalizations decay, too
    #[arg(long, value_name = "BOOL", num_args = 1)]
    pub decay_biases_and_norms: Option<bool>,
    /// How the learning rate moves through the run [default: constant]
    #[arg(long)]
    pub lr_scheduler: Option<LrScheduler>,
    /// Epochs before steplr and plateau lower the learning rate [default: 30 and 10]
    #[arg(long, requires = "lr_scheduler")]
    pub lr_step_size: Option<usize>,
    /// What steplr, multisteplr, exponentiallr and plateau multiply the learning rate by [default: 0.1; of
    /// exponentiallr 0.95]
    #[arg(long, requires = "lr_scheduler", allow_negative_numbers = true)]
    pub lr_gamma: Option<f64>,
    /// The epochs at which multisteplr lowers the learning rate, such as 30,60
    #[arg(long, requires = "lr_scheduler", value_delimiter = ',', value_name = "LIST")]
    pub lr_milestones: Option<Vec<usize>>,
    /// Epochs in which the learning rate rises to its height [default: 0]
    #[arg(long)]
    pub lr_warmup_epochs: Option<usize>,
    /// Share of the learning rate at which the warm-up begins [default: 0.01]
    #[arg(long, requires = "lr_warmup_epochs", allow_negative_numbers = true)]
    pub lr_warmup_decay: Option<f64>,
    /// Scales gradients together so that their norm is at most this
    #[arg(long, allow_negative_numbers = true, value_name = "NORM")]
    pub clip_grad_norm: Option<f64>,
    /// Batches a step of the optimizer [default: 1]
    #[arg(long, value_name = "BATCHES")]
    pub accumulate: Option<usize>,
    /// Validates and keeps a moving average of the weights
    #[arg(long)]
    pub model_ema: bool,
    /// What the average keeps of itself in each update [default: 0.999]
    #[arg(long, allow_negative_numbers = true, requires = "model_ema", value_name = "DECAY")]
    pub model_ema_decay: Option<f64>,
    /// Steps from one update of the average to the next [default: 1]
    #[arg(long, requires = "model_ema", value_name = "STEPS")]
    pub model_ema_steps: Option<usize>,
    /// The validation value that decides which epoch is best: loss, accuracy or macro_f1 [default: loss]
    #[arg(long, value_name = "METRIC", value_parser = PossibleValuesParser::new(Metrics::COLUMNS))]
    pub monitor: Option<String>,
    /// Ends the run after so many epochs without improvement
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<usize>,
}

impl TrainingArgs {
    /// `base` with the settings that were given.
    ///
    /// # Errors
    ///
    /// [`Error::Terminal`] for a momentum of an optimizer that has none, and for a setting of another schedule.
    pub fn config(&self, base: FitConfig) -> Result<FitConfig, Error> {
        self.check_schedule()?;
        let average = Averaging::Exponential {
            decay: self.model_ema_decay.unwrap_or(0.999),
            every: self.model_ema_steps.unwrap_or(1),
        };
        let optimizer = match (self.opt, self.momentum) {
            (Some(opt), momentum) => opt.config(momentum),
            (None, Some(momentum)) => with_momentum(base.optimizer, momentum),
            (None, None) => base.optimizer,
        };
        if self.momentum.is_some() && !has_momentum(&optimizer) {
            let expected = "--opt sgd, sgd_nesterov, rmsprop or muon";
            let found = self.opt.map_or("the default".into(), name);
            let reason = format!("--momentum: expected {expected}, found {found}");
            return Err(Error::Terminal(reason));
        }
        Ok(FitConfig {
            epochs: self.epochs.unwrap_or(base.epochs),
            batch_size: self.batch_size.unwrap_or(base.batch_size),
            accumulate: self.accumulate.unwrap_or(base.accumulate),
            learning_rate: self.lr.unwrap_or(base.learning_rate),
            schedule: self.schedule(base.schedule),
            optimizer,
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
            decay_biases_and_norms: self
                .decay_biases_and_norms
                .unwrap_or(base.decay_biases_and_norms),
            clip: self.clip_grad_norm.map(Clip::Norm).or(base.clip),
            averaging: self.model_ema.then_some(average).or(base.averaging),
            monitor: self.monitor.clone().unwrap_or(base.monitor),
            early_stopping: self.patience.map(EarlyStopping::patience).or(base.early_stopping),
            ..base
        })
    }

    /// Refuses what the schedule that was asked for does not use.
    fn check_schedule(&self) -> Result<(), Error> {
        use LrScheduler::{ExponentialLr, MultiStepLr, Plateau, StepLr};
        let Some(found) = self.lr_scheduler else { return Ok(()) };
        for (flag, is_given, users) in [
            ("--lr-step-size", self.lr_step_size.is_some(), &[StepLr, Plateau][..]),
            ("--lr-gamma", self.lr_gamma.is_some(), &[StepLr, MultiStepLr, ExponentialLr, Plateau]),
            ("--lr-milestones", self.lr_milestones.is_some(), &[MultiStepLr]),
        ] {
            if is_given && !users.contains(&found) {
                let users: Vec<String> = users.iter().map(|user| name(*user)).collect();
                let (users, found) = (users.join(" or "), name(found));
                let reason = format!("{flag}: expected --lr-scheduler {users}, found {found}");
                return Err(Error::Terminal(reason));
            }
        }
        Ok(())
    }

    fn schedule(&self, base: Schedule) -> Schedule {
        let gamma = self.lr_gamma.unwrap_or(0.1);
        let schedule = match self.lr_scheduler {
            None => base,
            Some(LrScheduler::Constant) => Schedule::constant(),
            Some(LrScheduler::StepLr) => Schedule::step(self.lr_step_size.unwrap_or(30), gamma),
            Some(LrScheduler::MultiStepLr) => {
                Schedule::multi_step(self.lr_milestones.clone().unwrap_or_default(), gamma)
            }
            Some(LrScheduler::ExponentialLr) => {
                Schedule::exponential(self.lr_gamma.unwrap_or(0.95))
            }
            Some(LrScheduler::CosineAnnealingLr) => Schedule::cosine(),
            Some(LrScheduler::LinearLr) => Schedule::linear(),
            Some(LrScheduler::PolynomialLr) => Schedule::polynomial(1.0),
            Some(LrScheduler::OneCycleLr) => Schedule::one_cycle(),
            Some(LrScheduler::Plateau) => selvedge_train::Plateau {
                factor: gamma,
                patience: self.lr_step_size.unwrap_or(10),
                mode: match self.monitor.as_deref() {
                    None | Some("loss") => selvedge_train::PlateauMode::Min,
                    Some(_) => selvedge_train::PlateauMode::Max,
                },
                ..Default::default()
            }
            .into(),
        };
        let warmup_factor = self.lr_warmup_decay.unwrap_or(schedule.warmup_factor);
        match self.lr_warmup_epochs {
            Some(epochs) => Schedule { warmup_factor, ..schedule.with_warmup_epochs(epochs) },
            None => Schedule { warmup_factor, ..schedule },
        }
    }
}

/// The loss of a classifier, by flags.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct LossArgs {
    /// Share of the targets that is spread over all classes [default: 0]
    #[arg(long, allow_negative_numbers = true, value_name = "SHARE", value_parser = smoothing)]
    pub label_smoothing: Option<f64>,
}

/// A share that leaves something of the target.
fn smoothing(text: &str) -> Result<f64, &'static str> {
    let share = text.parse().ok().filter(|share| (0.0..1.0).contains(share));
    share.ok_or("expected a number of at least 0 and below 1")
}

impl LossArgs {
    /// Cross-entropy with what was given.
    pub fn task(&self) -> Classify<CrossEntropy> {
        let label_smoothing = self.label_smoothing.unwrap_or(0.0);
        Classify { loss: CrossEntropy { label_smoothing, ..CrossEntropy::default() } }
    }
}

/// The optimizers by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub enum Opt {
    /// Adam
    Adam,
    /// Adam with decoupled weight decay
    AdamW,
    /// Stochastic gradient descent with momentum
    Sgd,
    /// The same with Nesterov's momentum
    #[value(name = "sgd_nesterov")]
    SgdNesterov,
    /// RMSprop
    RmsProp,
    /// AdaGrad
    AdaGrad,
    /// Adafactor
    AdaFactor,
    /// Adan
    Adan,
    /// LAMB
    Lamb,
    /// Lion
    Lion,
    /// Muon, with AdamW for what is no matrix
    Muon,
}

impl Opt {
    /// The optimizer, with this momentum if it has one.
    pub fn config(self, momentum: Option<f64>) -> OptimizerConfig {
        let config = match self {
            Self::Adam => OptimizerConfig::adam(),
            Self::AdamW => OptimizerConfig::adamw(),
            Self::Sgd => OptimizerConfig::sgd(0.9),
            Self::SgdNesterov => OptimizerConfig::Sgd { momentum: 0.9, nesterov: true },
            Self::RmsProp => OptimizerConfig::rms_prop(0.0),
            Self::AdaGrad => OptimizerConfig::adagrad(),
            Self::AdaFactor => OptimizerConfig::adafactor(),
            Self::Adan => OptimizerConfig::adan(),
            Self::Lamb => OptimizerConfig::lamb(),
            Self::Lion => OptimizerConfig::lion(),
            Self::Muon => OptimizerConfig::muon(),
        };
        momentum.map_or(config, |momentum| with_momentum(config, momentum))
    }
}

/// What a value is called among arguments.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().into())
}

fn has_momentum(config: &OptimizerConfig) -> bool {
    use OptimizerConfig::{Muon, RmsProp, Sgd};
    matches!(config, Sgd { .. } | RmsProp { .. } | Muon { .. })
}

/// The optimizer with this momentum, if it has one.
fn with_momentum(mut config: OptimizerConfig, given: f64) -> OptimizerConfig {
    if let OptimizerConfig::Sgd { momentum, .. }
    | OptimizerConfig::RmsProp { momentum, .. }
    | OptimizerConfig::Muon { momentum, .. } = &mut config
    {
        *momentum = given;
    }
    config
}

/// The schedules of the learning rate by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub enum LrScheduler {
    /// The same throughout
    Constant,
    /// Lower after every so many epochs
    StepLr,
    /// Lower at the epochs that are given
    MultiStepLr,
    /// Lower after every epoch
    ExponentialLr,
    /// Half a cosine, to 0
    CosineAnnealingLr,
    /// A straight line to 0
    LinearLr,
    /// The same as linearlr
    PolynomialLr,
    /// Up and down once
    OneCycleLr,
    /// Lower when validation no longer improves
    Plateau,
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(flatten)]
        training: TrainingArgs,
    }

    fn config(flags: &str) -> FitConfig {
        let args = Args::try_parse_from(std::iter::once("x").chain(flags.split_whitespace()));
        args.unwrap().training.config(FitConfig::default()).unwrap()
    }

    #[test]
    fn without_flags_the_settings_are_those_of_the_program() {
        assert_eq!(config(""), FitConfig::default());
    }

    #[test]
    fn flags_of_torchvisions_reference_script_are_understood() {
        // The flags of the recipe for ResNet-50 in torchvision's references/classification/README.md that
        // are about training.
        let config = config(
            "--batch-size 128 --lr 0.5 --lr-scheduler cosineannealinglr --lr-warmup-epochs 5 \
             --epochs 600 --opt sgd --momentum 0.8 --weight-decay 2e-05 --model-ema \
             --lr-warmup-decay 0.02 --clip-grad-norm 1",
        );
        config.check().unwrap();
        assert_eq!(config.optimizer, OptimizerConfig::sgd(0.8));
        let schedule = Schedule { warmup_factor: 0.02, ..Schedule::cosine().with_warmup_epochs(5) };
        assert_eq!(config.schedule, schedule);
        assert_eq!(config.averaging, Some(Averaging::exponential(0.999)));
        assert_eq!(config.clip, Some(Clip::Norm(1.0)));
        assert_eq!((config.epochs, config.learning_rate, config.weight_decay), (600, 0.5, 2e-5));
    }

    #[test]
    fn a_negative_number_is_refused_by_the_setting_that_it_is_for() {
        for flags in [
            "--lr-scheduler steplr --lr-step-size 1 --lr-gamma -1",
            "--lr-warmup-epochs 1 --lr-warmup-decay -0.5",
            "--clip-grad-norm -1",
            "--model-ema --model-ema-decay -0.1",
        ] {
            let error = config(flags).check().unwrap_err().to_string();
            let value = flags.split_whitespace().last().unwrap();
            assert!(error.contains(&format!("is {value}, but must be")), "{flags}: {error}");
        }
    }

    #[test]
    fn a_momentum_alone_goes_to_the_programs_optimizer() {
        let args = TrainingArgs { momentum: Some(0.5), ..TrainingArgs::default() };
        let base = FitConfig { optimizer: OptimizerConfig::sgd(0.9), ..FitConfig::default() };
        assert_eq!(args.config(base).unwrap().optimizer, OptimizerConfig::sgd(0.5));
    }

    #[test]
    fn settings_without_effect_are_refused() {
        let refused = |flags: &str| {
            let args = Args::try_parse_from(std::iter::once("x").chain(flags.split_whitespace()));
            args.unwrap().training.config(FitConfig::default()).unwrap_err().to_string()
        };
        let expected = "--momentum: expected --opt sgd, sgd_nesterov, rmsprop or muon, found ";
        assert_eq!(refused("--momentum 0.5"), format!("{expected}the default"));
        assert_eq!(refused("--momentum 0.5 --opt adamw"), format!("{expected}adamw"));
        assert_eq!(
            refused("--lr-scheduler multisteplr --lr-step-size 3"),
            "--lr-step-size: expected --lr-scheduler steplr or plateau, found multisteplr"
        );
        assert_eq!(
            refused("--lr-scheduler cosineannealinglr --lr-gamma 0.5"),
            "--lr-gamma: expected --lr-scheduler steplr or multisteplr or exponentiallr or plateau, found \
             cosineannealinglr"
        );
        assert_eq!(
            refused("--lr-scheduler steplr --lr-milestones 3,6"),
            "--lr-milestones: expected --lr-scheduler multisteplr, found steplr"
        );
        for used in [
            "--momentum 0.5 --opt muon",
            "--momentum 0.5 --opt rmsprop",
            "--momentum 0.5 --opt sgd_nesterov",
            "--lr-scheduler plateau --lr-step-size 3 --lr-gamma 0.5",
            "--lr-scheduler multisteplr --lr-milestones 3 --lr-gamma 0.5",
            "--lr-scheduler exponentiallr --lr-gamma 0.5",
        ] {
            config(used).check().unwrap();
        }
    }
}
