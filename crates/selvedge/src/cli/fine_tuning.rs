//! Fine-tuning as fastai's `fine_tune` does it: the head first, then all layers.

use std::path::PathBuf;

use burn::tensor::Device;
use selvedge_data::{Normalization, Source};
use selvedge_models::pretrained::{FoundWeights, Pretrained as Published};
use selvedge_models::state::parameters;
use selvedge_models::{Architecture, Bundle, Initialization, Network};
use selvedge_train::features::FeatureData;
use selvedge_train::{
    Context, FitConfig, FitData, Fitted, OneCycle, OptimizerConfig, ParamGroup, fit,
};

use super::{MemoryArgs, NetworkArgs, WeightArgs, interruptible};
use crate::Error;

/// Which network begins, and with which weights.
#[derive(Clone, Debug, clap::Args)]
pub struct PretrainedArgs {
    /// The network; left out it is the one that the weights say they are of.
    #[command(flatten)]
    pub network: NetworkArgs,
    /// File of weights that were trained elsewhere: .pt, .pth, safetensors, burnpack, or what `train` and
    /// `finetune` keep, which says its network [default: none; all layers are trained from the beginning]
    #[arg(long, value_name = "FILE", group = "trained")]
    pub weights: Option<PathBuf>,
    /// Published weights, of ImageNet: resnet18, resnet50, vgg16, mobilenet_v2 or efficientnet_lite0; looked
    /// for in $SELVEDGE_WEIGHTS, else in weights/ and in caches, and downloaded if there are none
    #[arg(long, value_name = "NAME", group = "trained", conflicts_with_all = ["model", "architecture"])]
    pub pretrained: Option<String>,
    /// How the weights are taken.
    #[command(flatten)]
    pub taken: WeightArgs,
}

/// What a run begins with, before the images are known.
pub struct Pretrained {
    /// The network, for the images and classes that it was made for.
    pub architecture: Architecture,
    /// How the images that it learned from were normalized, if that is known.
    pub normalization: Option<Normalization>,
    weights: Option<PathBuf>,
    /// Keeps published weights where they are.
    _found: Option<FoundWeights>,
    taken: WeightArgs,
}

impl PretrainedArgs {
    /// The network and what the file of weights says about it.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] for an unknown name, a file that does not say its network where no name is given, or
    /// published weights that are not found.
    pub fn open(&self, device: &Device) -> Result<Pretrained, Error> {
        if let Some(name) = &self.pretrained {
            return self.published(Published::named(name)?);
        }
        let weights = self.weights.clone();
        let bundle = weights.as_ref().map(|path| Bundle::load(path, device));
        let (architecture, normalization) = match (self.network.network()?, bundle) {
            (Some(network), Some(Ok(bundle))) => (network, Some(normalization(&bundle))),
            (Some(network), _) => (network, None),
            (None, Some(bundle)) => {
                let bundle = bundle?;
                (bundle.network().architecture().clone(), Some(normalization(&bundle)))
            }
            (None, None) => {
                let reason = "expected --model, --architecture, --weights or --pretrained, to know the network";
                return Err(Error::Terminal(reason.into()));
            }
        };
        let taken = self.taken.clone();
        Ok(Pretrained { architecture, normalization, weights, _found: None, taken })
    }

    fn published(&self, published: &Published) -> Result<Pretrained, Error> {
        let found = published.find(&interruptible(Source::default()))?;
        let (mean, std) = (published.preprocessing.mean, published.preprocessing.std);
        Ok(Pretrained {
            architecture: published.architecture()?,
            normalization: Some(Normalization { mean: mean.to_vec(), std: std.to_vec() }),
            weights: Some(found.path().to_owned()),
            _found: Some(found),
            taken: self.taken.clone(),
        })
    }
}

fn normalization(bundle: &Bundle) -> Normalization {
    Normalization { mean: bundle.mean().to_vec(), std: bundle.std().to_vec() }
}

impl Pretrained {
    /// Whether there are weights from elsewhere.
    pub fn has_weights(&self) -> bool {
        self.weights.is_some()
    }

    /// The network for images of `shape` and so many classes: under a fresh head if it has weights from
    /// elsewhere, even those for the same classes; else all drawn.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] if the network cannot take such images, or the weights are of another one.
    pub fn network(
        &self,
        shape: [usize; 3],
        classes: usize,
        seed: u64,
        device: &Device,
    ) -> Result<Network, Error> {
        let architecture = self.architecture.clone().with_input(shape)?.with_classes(classes)?;
        let Some(weights) = &self.weights else {
            return Ok(architecture.init(Initialization::PyTorch, seed, device)?);
        };
        let options = self.taken.load_options(seed);
        let (network, report) = architecture.from_pretrained_with(weights, &options, device)?;
        if self.taken.partial {
            eprintln!("{report}");
        }
        Ok(network.with_fresh_head(Initialization::PyTorch, seed)?)
    }
}

/// How long the head is trained alone, and how much slower the first layers learn.
///
/// The settings are those of fastai's `fine_tune(epochs, base_lr=2e-3, freeze_epochs=1, lr_mult=100,
/// pct_start=0.3, div=5)`: one cycle for the head alone, then one for all layers at half the rate, the
/// first half of the layers at a hundredth and the second half at a tenth of that of the head; AdamW
/// with betas 0.9 and 0.99, epsilon 1e-5 and a weight decay of 0.01, biases and norms without. What
/// differs: the momentum stays 0.9, where fastai moves it against the rate; the head is the network's own
/// last layer, where fastai puts two; and it learns from features that are computed once, so that batch
/// normalizations below it do not learn meanwhile, and images are not augmented.
///
/// A program that takes them takes [`TrainingArgs`](super::TrainingArgs) and
/// [`AugmentationArgs`](super::AugmentationArgs), too: what is for all layers is refused where the head is trained alone.
#[derive(Clone, Debug, clap::Args)]
pub struct FineTuneArgs {
    /// Epochs of the head alone, on weights from elsewhere; 0 for none
    #[arg(long, default_value_t = 1, value_name = "EPOCHS", requires = "trained")]
    pub freeze_epochs: usize,
    /// Trains the head alone, on weights from elsewhere, for --freeze-epochs: seconds, once the features are computed
    #[arg(
        long,
        requires = "trained",
        conflicts_with_all = ["epochs", "transforms", "mixup_alpha", "cutmix_alpha", "memory_limit"]
    )]
    pub head_only: bool,
    /// How many times slower than the head the first layers learn, on weights from elsewhere
    #[arg(
        long,
        default_value_t = 100.0,
        value_name = "FACTOR",
        requires = "trained",
        conflicts_with = "head_only"
    )]
    pub lr_mult: f64,
    /// Decides the split, the head's initial weights, the order of the images and the dropout
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// How much memory all layers may take to learn.
    #[command(flatten)]
    pub memory: MemoryArgs,
}

/// `OneCycleLR` as fastai's `fit_one_cycle` has it, with the lowest rate 1e5 times below the highest.
fn one_cycle(pct_start: f64, div_factor: f64) -> OneCycle {
    OneCycle { pct_start, div_factor, final_div_factor: 1e5 / div_factor, ..OneCycle::default() }
}

impl FineTuneArgs {
    /// The [defaults](Self::defaults), with the seed that was given.
    ///
    /// # Errors
    ///
    /// [`Error::Terminal`] for a factor that is not above 0 and finite, and if the head is to be trained alone in
    /// no epochs.
    pub fn base(&self) -> Result<FitConfig, Error> {
        let refused = |reason: String| Err(Error::Terminal(reason));
        if !(self.lr_mult > 0.0 && self.lr_mult.is_finite()) {
            let found = self.lr_mult;
            return refused(format!("--lr-mult: expected a number above 0, found {found}"));
        }
        if self.head_only && self.freeze_epochs == 0 {
            return refused("--head-only: expected --freeze-epochs of at least 1, found 0".into());
        }
        Ok(FitConfig { seed: self.seed, ..Self::defaults() })
    }

    /// Refuses images of `shape`, `[channels, height, width]`, that the network cannot take, or that take too much
    /// memory to train all its layers on, before any of them is read.
    ///
    /// # Errors
    ///
    /// As [`MemoryArgs::check`].
    pub fn check(
        &self,
        network: &Architecture,
        shape: [usize; 3],
        config: &FitConfig,
    ) -> Result<(), Error> {
        let network = network.clone().with_input(shape)?;
        match self.head_only {
            // The features are computed a few images at a time.
            true => Ok(()),
            false => self.memory.check(&network, config.batch_size),
        }
    }

    /// The settings of all layers, where nothing else is given: 5 epochs in batches of 64.
    pub fn defaults() -> FitConfig {
        FitConfig {
            epochs: 5,
            batch_size: 64,
            learning_rate: 2e-3,
            schedule: one_cycle(0.3, 5.0).into(),
            optimizer: OptimizerConfig::AdamW { betas: [0.9, 0.99], epsilon: 1e-5 },
            weight_decay: 0.01,
            decay_biases_and_norms: false,
            ..FitConfig::default()
        }
    }

    /// Trains the head alone, on features that are computed once: `config` with its own number of epochs, and
    /// with its own cycle where the schedule is the default.
    ///
    /// A network whose head is its only layer, or none, is returned as it is, and with no epochs, too.
    ///
    /// # Errors
    ///
    /// [`Error::Train`] if the features cannot be computed or the head not be trained.
    pub fn train_head(
        &self,
        network: Network,
        data: &FitData,
        config: &FitConfig,
        context: &Context,
    ) -> Result<(Network, Option<Fitted<Network>>), Error> {
        let architecture = network.architecture().clone();
        let head = architecture.head().unwrap_or_default();
        let trunk = architecture.layers.iter().position(|layer| layer.name == head);
        if self.freeze_epochs == 0 || trunk.is_none_or(|layers| layers == 0) {
            return Ok((network, None));
        }
        let usual = config.schedule == Self::defaults().schedule;
        let schedule = if usual { one_cycle(0.99, 25.0).into() } else { config.schedule.clone() };
        let config = FitConfig { epochs: self.freeze_epochs, schedule, ..config.clone() };
        let (trunk, fresh) = network.cut_at(head)?;
        let features = FeatureData::extract(&trunk, data, context)?;
        let fitted = fit(fresh, &features, &config, context)?;
        let network = trunk.join(fitted.model.clone())?;
        Ok((network, Some(fitted)))
    }

    /// The settings for all layers of a network with a trained head: half the rate, and less for the layers
    /// before the head.
    ///
    /// # Errors
    ///
    /// [`Error::Model`] if names of layers cannot be told apart.
    pub fn all_layers(&self, network: &Network, config: &FitConfig) -> Result<FitConfig, Error> {
        let head = network.architecture().head().unwrap_or_default();
        // Layers in their order, a block of a residual network as one.
        let names = parameters(network);
        let layers = &network.architecture().layers;
        let has = |layer: &str| {
            names.iter().any(|p| p.name.strip_prefix(layer).is_some_and(|r| r.starts_with('.')))
        };
        let trunk: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        let trunk: Vec<&str> =
            trunk.into_iter().filter(|name| *name != head && has(name)).collect();
        let (first, second) = trunk.split_at(trunk.len() / 2);
        // Even steps, as fastai's `even_mults`: 1/100, 1/10 and 1 for the head.
        let groups = [(second, self.lr_mult.powf(-0.5)), (first, 1.0 / self.lr_mult)];
        let groups = groups.into_iter().filter(|(layers, _)| !layers.is_empty());
        let groups = groups.map(|(layers, factor)| ParamGroup::new(&layers.join(", "), factor));
        let mut param_groups = groups.collect::<Result<Vec<_>, _>>()?;
        param_groups.extend(config.param_groups.iter().cloned());
        let learning_rate = config.learning_rate / 2.0;
        Ok(FitConfig { learning_rate, param_groups, ..config.clone() })
    }
}

#[cfg(test)]
mod tests {
    use selvedge_models::named;
    use selvedge_train::{Position, Schedule};

    use super::*;

    const ARGS: FineTuneArgs = FineTuneArgs {
        freeze_epochs: 1,
        head_only: false,
        lr_mult: 100.0,
        seed: 0,
        memory: MemoryArgs { memory_limit: 16.0 },
    };

    #[test]
    fn settings_that_train_nothing_or_at_no_rate_are_refused_before_anything_is_read() {
        let message = |args: FineTuneArgs| args.base().unwrap_err().to_string();
        for lr_mult in [0.0, -3.0, f64::NAN, f64::INFINITY] {
            let found = message(FineTuneArgs { lr_mult, ..ARGS });
            assert_eq!(found, format!("--lr-mult: expected a number above 0, found {lr_mult}"));
        }
        let found = message(FineTuneArgs { head_only: true, freeze_epochs: 0, ..ARGS });
        assert_eq!(found, "--head-only: expected --freeze-epochs of at least 1, found 0");
        assert_eq!(FineTuneArgs { seed: 7, ..ARGS }.base().unwrap().seed, 7);
    }

    #[test]
    fn the_first_half_of_the_layers_learns_at_a_hundredth_and_the_second_at_a_tenth() {
        let network = named("resnet18_cifar").unwrap();
        let network = network.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let config = ARGS.all_layers(&network, &FineTuneArgs::defaults()).unwrap();
        assert_eq!(config.learning_rate, 1e-3);
        let factor = |name: &str| {
            let group = config.param_groups.iter().rfind(|group| group.parameters.matches(name));
            group.map_or(1.0, |group| group.factor)
        };
        for (name, expected) in [
            ("conv1.weight", 0.01),
            ("bn1.bias", 0.01),
            ("layer1.1.conv2.weight", 0.01),
            ("layer4.0.conv1.weight", 0.1),
            ("layer4.1.bn2.weight", 0.1),
            ("fc.weight", 1.0),
            ("linear.weight", 1.0),
        ] {
            assert!((factor(name) - expected).abs() < 1e-12, "{name}: {}", factor(name));
        }
        let groups = parameters(&network).into_iter().map(|p| factor(&p.name));
        assert_eq!(groups.filter(|&factor| factor == 1.0).count(), 2, "the head has two tensors");
    }

    // Expected: the ends of fastai's `combined_cos(pct_start, lr/div, lr, lr/div_final)`, with `div` 5 for all
    // layers and 25 for the head, and `div_final` 1e5.
    #[test]
    fn the_rates_of_a_cycle_begin_and_end_as_those_of_fastai() {
        let at = |schedule: &Schedule, step| {
            let position = Position { step, steps_per_epoch: 20, epochs: 5, monitored: &[] };
            schedule.factor(&position)
        };
        let all = FineTuneArgs::defaults().schedule;
        assert!((at(&all, 0) - 0.2).abs() < 1e-12);
        assert!((at(&all, 29) - 1.0).abs() < 1e-12);
        assert!((at(&all, 99) - 1e-5).abs() < 1e-12);
        let head: Schedule = one_cycle(0.99, 25.0).into();
        assert!((at(&head, 0) - 0.04).abs() < 1e-12);
        assert!((at(&head, 99) - 1e-5).abs() < 1e-12);
    }
}
