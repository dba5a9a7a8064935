use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use selvedge_data::{Batch, BatchLoader, ImageDataset, Normalization, Targets};
use selvedge_kernels::AdamOptions;
use selvedge_models::{Bundle, Initialization, Model, Network, Rng, named};
use serde::{Deserialize, Serialize};

use crate::PageError;

/// A mean loss from which on nothing is learned any more: chance among ten classes is 2.3.
const HOPELESS: f64 = 100.0;

/// How a network is trained.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Its name in the catalog.
    pub network: String,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Images a step.
    pub batch_size: usize,
    /// Decides the initial weights, the order of the images and the dropout.
    pub seed: u64,
}

/// A training that is done a few steps at a time, so that whoever shows it can show it, or stop it, in between.
///
/// The steps are those of `selvedge_train::fit` with Adam: the cross-entropy of shuffled batches, pixels with mean 0 and
/// standard deviation 1 over the training images. What is kept is the network after the last step; where the training
/// diverges, that after the last whole epoch.
pub struct Trainer {
    train: BatchLoader,
    test: BatchLoader,
    /// On the training device; `None` only within a step, while the optimizer holds it.
    network: Option<Network>,
    /// After the last whole epoch.
    kept: Option<Network>,
    optimizer: ModuleOptimizer,
    normalization: Normalization,
    settings: Settings,
    epoch: usize,
    batch: usize,
    step: usize,
}

/// What some steps have come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Progress {
    /// The steps since the beginning.
    pub step: usize,
    /// The epochs since the beginning, with the part of the one that is under way.
    pub epochs: f64,
    /// The mean cross-entropy of the images of these steps, before each step.
    pub loss: f64,
    /// The share of them whose class was right.
    pub accuracy: f64,
    /// What the test images said, if the last of these steps ended an epoch.
    pub epoch_end: Option<EpochEnd>,
}

/// What the test images say at the end of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct EpochEnd {
    /// The epoch, counted from 1.
    pub epoch: usize,
    /// The mean cross-entropy of the test images.
    pub loss: f64,
    /// The share of them whose class was right.
    pub accuracy: f64,
}

const WHOLE: &str = "the network is put back after every step";

impl Trainer {
    /// A network with fresh weights, before its first step.
    ///
    /// # Errors
    ///
    /// [`PageError::Setting`] for a learning rate or batch size out of range, [`PageError::Model`] for a network that
    /// is not known or does not take such images, [`PageError::Data`] for images that cannot be batched.
    pub fn new(
        train: &ImageDataset,
        test: &ImageDataset,
        settings: Settings,
    ) -> Result<Self, PageError> {
        let rate = settings.learning_rate;
        if !(rate > 0.0 && rate <= 10.0) {
            let (name, value) = ("the learning rate", rate.to_string());
            return Err(PageError::Setting { name, value, expected: "above 0 and at most 10" });
        }
        let images = settings.batch_size;
        if !(1..=1024).contains(&images) {
            let (name, value) = ("the batch size", images.to_string());
            return Err(PageError::Setting { name, value, expected: "1 to 1024" });
        }
        let device = Device::flex();
        let architecture = named(&settings.network)?;
        let architecture = architecture.with_input(train.shape())?;
        let architecture = architecture.with_classes(train.classes().len())?;
        let network = architecture.init(Initialization::PyTorch, settings.seed, &device)?;
        let view = train.view();
        let normalization = Normalization::standardized(&view);
        let loader = BatchLoader::new(view, images, &normalization, &device.clone().autodiff())?;
        let loader = loader.with_shuffle(settings.seed);
        let test =
            BatchLoader::new(test.view(), network.inference_batch(), &normalization, &device)?;
        let network = Some(network.train());
        Ok(Self {
            train: loader,
            test,
            network,
            kept: None,
            optimizer: AdamOptions::default().init(),
            normalization,
            settings,
            epoch: 0,
            batch: 0,
            step: 0,
        })
    }

    /// Trains for `count` steps, at least one, or up to the end of the epoch, whichever comes first; at the end of an
    /// epoch the test images are asked, too.
    ///
    /// # Errors
    ///
    /// [`PageError::Diverged`] if the loss is no number or far beyond chance: the network is that of the last whole epoch
    /// then, if there is one. [`PageError::Data`] as the loader.
    pub fn steps(&mut self, count: usize) -> Result<Progress, PageError> {
        let batches = self.train.num_batches();
        let mut tally = Tally::default();
        for _ in 0..count.max(1).min(batches - self.batch) {
            // The order of an epoch is drawn anew for every batch of it: a thousandth of the step.
            let batch = self.train.epoch_from(self.epoch + 1, self.batch).next();
            let batch = batch.expect("the epoch has more batches")?;
            let loss = self.step(&batch, &mut tally);
            (self.batch, self.step) = (self.batch + 1, self.step + 1);
            self.go_on_after(loss, self.epoch + 1)?;
        }
        let mut epoch_end = None;
        if self.batch == batches {
            (self.epoch, self.batch) = (self.epoch + 1, 0);
            let (loss, accuracy) = self.tested()?.means();
            // The loss of a step is that before it: only this one sees what the last step made of the network.
            self.go_on_after(loss, self.epoch)?;
            self.kept.clone_from(&self.network);
            epoch_end = Some(EpochEnd { epoch: self.epoch, loss, accuracy });
        }
        let epochs = self.epoch as f64 + self.batch as f64 / batches as f64;
        let (loss, accuracy) = tally.means();
        Ok(Progress { step: self.step, epochs, loss, accuracy, epoch_end })
    }

    /// Goes back to the last whole epoch, and says so, where a loss means that the network learns nothing any more.
    fn go_on_after(&mut self, loss: f64, epoch: usize) -> Result<(), PageError> {
        if loss < HOPELESS {
            return Ok(());
        }
        self.network = self.kept.clone().or(self.network.take());
        Err(PageError::Diverged { loss, epoch, step: self.step })
    }

    /// One step of the optimizer; gives the loss before it.
    fn step(&mut self, batch: &Batch, tally: &mut Tally) -> f64 {
        let network = self.network.take().expect(WHOLE);
        let mut rng = self.rng();
        let logits = network.forward_train(batch.images.clone(), &mut rng);
        let loss = cross_entropy(logits.clone(), &batch.targets);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        let loss = f64::from(loss.inner().into_scalar::<f32>());
        tally.add(loss, logits.inner(), &batch.labels);
        let rate = self.settings.learning_rate;
        self.network = Some(self.optimizer.step(rate, network, gradients));
        loss
    }

    /// What dropout is drawn from in the next step.
    fn rng(&self) -> Rng {
        let seed =
            selvedge_data::SplitMix64::stream(self.settings.seed, self.step as u64).next_u64();
        rand::SeedableRng::seed_from_u64(seed)
    }

    fn tested(&self) -> Result<Tally, PageError> {
        let network = self.network.as_ref().expect(WHOLE).valid();
        let mut tally = Tally::default();
        for batch in self.test.epoch(0) {
            let batch = batch?;
            let logits = network.forward(batch.images.clone());
            let loss = cross_entropy(logits.clone(), &batch.targets);
            tally.add(f64::from(loss.into_scalar::<f32>()), logits, &batch.labels);
        }
        Ok(tally)
    }

    /// The network as it is now, as the bytes of a bundle.
    ///
    /// # Errors
    ///
    /// As [`Bundle::to_bytes`].
    pub fn bundle(&self) -> Result<Vec<u8>, PageError> {
        let network = self.network.as_ref().expect(WHOLE).valid();
        let classes = self.train.view().classes().to_vec();
        let Normalization { mean, std } = self.normalization.clone();
        Ok(Bundle::from_parts(network, classes, mean, std).to_bytes()?)
    }
}

/// The mean of -ln p of the right classes.
fn cross_entropy(logits: Tensor<2>, targets: &Targets) -> Tensor<1> {
    let log_probabilities = log_softmax(logits, 1);
    match targets {
        Targets::Hard(classes) => {
            log_probabilities.gather(1, classes.clone().unsqueeze_dim(1)).mean().neg()
        }
        Targets::Soft(shares) => (log_probabilities * shares.clone()).sum_dim(1).mean().neg(),
    }
}

/// Sums over images.
#[derive(Default)]
struct Tally {
    images: usize,
    right: usize,
    loss: f64,
}

impl Tally {
    /// Adds a batch, by its mean loss and its logits.
    fn add(&mut self, loss: f64, logits: Tensor<2>, labels: &[u16]) {
        let predicted = logits.argmax(1).into_data();
        let right = predicted.iter::<i64>().zip(labels).filter(|(a, b)| *a == i64::from(**b));
        self.right += right.count();
        self.images += labels.len();
        self.loss += loss * labels.len() as f64;
    }

    /// The mean loss, and the share of the images that is right.
    fn means(&self) -> (f64, f64) {
        let images = self.images.max(1) as f64;
        (self.loss / images, self.right as f64 / images)
    }
}

#[cfg(test)]
mod tests {
    use selvedge_models::state;
    use selvedge_train::{Context, FitConfig, FitData, fit};

    use super::*;

    /// Images of 8 × 8 with a bright row that tells the class, and much else.
    fn stripes(count: usize, offset: usize) -> ImageDataset {
        let labels: Vec<u16> = (0..count).map(|i| (i % 4) as u16).collect();
        let pixel = |i: usize, at: usize| match at / 16 == i % 4 {
            true => 255 - ((i + offset) * 7 % 120) as u8,
            false => ((at * 37 + (i + offset) * 11) % 90) as u8,
        };
        let pixels = (0..count).flat_map(|i| (0..64).map(move |at| pixel(i, at))).collect();
        let classes = ["a", "b", "c", "d"].map(String::from).to_vec();
        ImageDataset::new("stripes", pixels, [1, 8, 8], labels, classes).unwrap()
    }

    fn settings() -> Settings {
        let network = "cnn2_small".to_string();
        Settings { network, learning_rate: 0.01, batch_size: 16, seed: 3 }
    }

    #[test]
    fn the_steps_are_those_of_fit() {
        let (train, test) = (stripes(100, 0), stripes(40, 5));
        let mut trainer = Trainer::new(&train, &test, settings()).unwrap();
        let mut ends = Vec::new();
        while ends.len() < 2 {
            ends.extend(trainer.steps(3).unwrap().epoch_end);
        }

        let device = Device::flex();
        let normalization = Normalization::standardized(&train.view());
        let data = FitData::new(train.view(), test.view(), normalization);
        let config = FitConfig {
            epochs: 2,
            batch_size: 16,
            learning_rate: 0.01,
            seed: 3,
            ..FitConfig::default()
        };
        let network = named("cnn2_small").unwrap().with_input([1, 8, 8]).unwrap();
        let network = network.with_classes(4).unwrap();
        let network = network.init(Initialization::PyTorch, 3, &device).unwrap();
        let fitted = fit(network, &data, &config, &Context::new(&device)).unwrap();
        for (ours, theirs) in ends.iter().zip(&fitted.history.epochs) {
            let theirs = theirs.validation.as_ref().unwrap();
            assert!((ours.loss - theirs.loss).abs() < 1e-6, "{ours:?} {theirs:?}");
            assert_eq!(ours.accuracy, theirs.accuracy);
        }
        // The second epoch is the better one, so it is what `fit` gives.
        assert_eq!(fitted.best.epoch, 2);
        let bundle = Bundle::from_bytes(&trainer.bundle().unwrap(), &device).unwrap();
        assert_eq!(state::read(bundle.network()), state::read(&fitted.model));
    }

    #[test]
    fn steps_end_with_their_epoch_and_the_loss_falls() {
        let mut trainer = Trainer::new(&stripes(100, 0), &stripes(40, 5), settings()).unwrap();
        // 100 images in batches of 16 are 7 steps.
        let first = trainer.steps(4).unwrap();
        assert_eq!((first.step, first.epochs, &first.epoch_end), (4, 4.0 / 7.0, &None));
        let second = trainer.steps(100).unwrap();
        assert_eq!((second.step, second.epochs), (7, 1.0));
        assert_eq!(second.epoch_end.unwrap().epoch, 1);
        let mut last = second;
        while last.epochs < 6.0 {
            last = trainer.steps(100).unwrap();
        }
        assert!(last.loss < 0.5 * first.loss && last.accuracy > 0.9, "{first:?} {last:?}");
        assert!(last.epoch_end.unwrap().accuracy > 0.9, "{last:?}");
    }

    #[test]
    fn a_training_that_diverges_goes_back_to_its_last_whole_epoch() {
        let mut trainer = Trainer::new(&stripes(100, 0), &stripes(40, 5), settings()).unwrap();
        while trainer.steps(100).unwrap().epoch_end.is_none() {}
        let kept = trainer.bundle().unwrap();
        trainer.settings.learning_rate = 1e6;
        let error = (0..50).find_map(|_| trainer.steps(1).err()).expect("it diverges");
        assert!(matches!(error, PageError::Diverged { .. }), "{error}");
        assert_eq!(trainer.bundle().unwrap(), kept);
    }

    #[test]
    fn a_last_step_that_ruins_the_network_is_seen_by_the_test_images() {
        let mut trainer = Trainer::new(&stripes(100, 0), &stripes(40, 5), settings()).unwrap();
        while trainer.steps(100).unwrap().epoch_end.is_none() {}
        let kept = trainer.bundle().unwrap();
        // Six of the seven steps of the second epoch are as before.
        trainer.steps(6).unwrap();
        trainer.settings.learning_rate = 1e6;
        let error = trainer.steps(1).unwrap_err();
        assert!(matches!(error, PageError::Diverged { epoch: 2, step: 14, .. }), "{error}");
        assert_eq!(trainer.bundle().unwrap(), kept);
    }

    #[test]
    fn settings_out_of_range_and_a_loss_beyond_hope_are_told_in_one_line() {
        let (train, test) = (stripes(32, 0), stripes(16, 5));
        let refused =
            |settings| Trainer::new(&train, &test, settings).err().expect("refused").to_string();
        let rate = |learning_rate| Settings { learning_rate, ..settings() };
        let told = "the learning rate is 0, but must be above 0 and at most 10";
        assert_eq!(refused(rate(0.0)), told);
        assert!(refused(rate(f64::NAN)).starts_with("the learning rate is NaN"));
        let told = "the batch size is 0, but must be 1 to 1024";
        assert_eq!(refused(Settings { batch_size: 0, ..settings() }), told);
        let network = "resnet9000\u{1b}".to_string();
        let told = refused(Settings { network, ..settings() });
        assert!(told.starts_with("network is ") && !told.contains('\n'), "{told}");

        let mut trainer = Trainer::new(&train, &test, rate(10.0)).unwrap();
        let told = (0..50).find_map(|_| trainer.steps(2).err()).expect("it diverges").to_string();
        assert!(told.ends_with(": try a lower learning rate"), "{told}");
    }
}
