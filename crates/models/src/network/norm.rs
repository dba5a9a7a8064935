//! Batch normalization as PyTorch does it.

use burn::module::{Devices, Module, ModuleMapper, ModuleVisitor, RunningState};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::{Device, Tensor};
use selvedge_kernels::{
    BatchNormOptions, BatchNormStatistics, FusedActivation, batch_norm, batch_norm_with,
};

use super::parameter::is_trainable;
use crate::Activation;

/// Burn's batch normalization, but for two things.
///
/// Its running statistics are its own: a clone of Burn's module shares them with the original, which
/// changes them with every step of training. And while training, the running variance moves towards
/// the batch's unbiased variance (÷ (n - 1)), as in PyTorch; Burn takes the biased one (÷ n).
#[derive(Debug)]
pub(crate) struct Norm(BatchNorm);

impl Norm {
    pub fn new(channels: usize, [epsilon, momentum]: [f64; 2], device: &Device) -> Self {
        let config = BatchNormConfig::new(channels).with_epsilon(epsilon).with_momentum(momentum);
        Self(config.init(device))
    }

    /// The output with what follows it, for images or features.
    pub fn run(&self, x: Activation, activation: FusedActivation) -> Activation {
        match x {
            Activation::Images(x) => Activation::Images(self.forward(x, activation)),
            Activation::Features(x) => {
                let [batch, features] = x.dims();
                let y = self.forward(x.reshape([batch, features, 1, 1]), activation);
                Activation::Features(y.reshape([batch, features]))
            }
        }
    }

    /// The parameters and the running statistics.
    pub fn inner(&self) -> &BatchNorm {
        &self.0
    }

    /// The output with what follows it; of a frozen one as in inference. So it is where a channel has a
    /// single value, as in a last batch of one image: a value has no variance. PyTorch refuses it.
    fn forward(&self, x: Tensor<4>, activation: FusedActivation) -> Tensor<4> {
        let norm = &self.0;
        let [batch, _, height, width] = x.dims();
        let n = (batch * height * width) as f64;
        let trains = x.device().is_autodiff() && norm.training.is_enabled();
        let options = BatchNormOptions { epsilon: norm.epsilon, activation };
        if !trains || n < 2.0 {
            let device = x.device();
            let [mean, variance] = [&norm.running_mean, &norm.running_var]
                .map(|running| running.value().to_device(&device));
            let (gamma, beta) = (norm.gamma.val(), norm.beta.val());
            return batch_norm_with(
                x,
                gamma,
                beta,
                BatchNormStatistics { mean, variance },
                options,
            );
        }
        let result = batch_norm(x, norm.gamma.val(), norm.beta.val(), options);
        let update = |running: &RunningState<Tensor<1>>, value: Tensor<1>| {
            let kept = running.value_sync() * (1.0 - norm.momentum);
            running.update((kept + value.detach() * norm.momentum).detach());
        };
        update(&norm.running_mean, result.mean);
        update(&norm.running_var, result.variance * (n / (n - 1.0)));
        result.output
    }

    /// Makes it train exactly if one of its parameters does.
    pub fn train_with_parameters(&mut self) {
        let trains = is_trainable(&self.0.gamma) || is_trainable(&self.0.beta);
        if !trains {
            self.settle();
        }
        self.0.training = self.0.training.clone().with_value(trains);
    }

    /// Takes over the last update of the statistics, which Burn keeps apart until they are asked for.
    /// Until then it would replace whatever is written to them.
    fn settle(&self) {
        for running in [&self.0.running_mean, &self.0.running_var] {
            // Of Burn's ways to ask, the one that waits for the updates of all threads.
            drop(running.valid());
        }
    }
}

impl Clone for Norm {
    fn clone(&self) -> Self {
        self.settle();
        // Under the id that it had: by ids an average finds what it is of.
        let own = |running: &RunningState<Tensor<1>>| {
            let plain = running.valid();
            if running.value().device().is_autodiff() { plain.train() } else { plain }
        };
        let BatchNorm { running_mean, running_var, .. } = &self.0;
        let (running_mean, running_var) = (own(running_mean), own(running_var));
        Self(BatchNorm { running_mean, running_var, ..self.0.clone() })
    }
}

impl Module for Norm {
    fn collect_devices(&self, devices: Devices) -> Devices {
        self.0.collect_devices(devices)
    }

    fn fork(self, device: &Device) -> Self {
        self.settle();
        Self(self.0.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        self.settle();
        Self(self.0.to_device(device))
    }

    fn train(self) -> Self {
        Self(self.0.train())
    }

    fn valid(&self) -> Self {
        Self(self.0.valid())
    }

    fn materialize(self) -> Self {
        Self(self.0.materialize())
    }

    fn visit<V: ModuleVisitor>(&self, visitor: &mut V) {
        self.0.visit(visitor);
    }

    fn map<M: ModuleMapper>(self, mapper: &mut M) -> Self {
        self.settle();
        Self(self.0.map(mapper))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Architecture, CourseCnn, Initialization, Model, Network, ResNet, Rng, state};
    use rand::SeedableRng;

    /// A network in training, and images for it.
    fn training(net: Architecture) -> (Network, Tensor<4>) {
        let device = Device::flex().autodiff();
        let [channels, height, width] = net.input;
        let images = Tensor::ones([4, channels, height, width], &device);
        (net.init(Initialization::PyTorch, 0, &device).unwrap(), images)
    }

    /// All that a network keeps, its statistics up to date.
    fn kept(network: &Network) -> state::State {
        state::read(network)
    }

    #[test]
    fn a_clone_of_a_training_network_stays_as_it_was() {
        let small = CourseCnn::new(10).bn_cnn(0.0);
        for net in [small, ResNet::resnet18_cifar(10).architecture().unwrap()] {
            let (network, images) = training(net);
            network.forward(images.clone());
            let copies = [network.clone(), network.valid(), network.clone().clone()];
            let before = kept(&network);
            // Both ways of training, and one on another thread.
            network.forward(images.clone());
            network.forward_train(images.clone(), &mut Rng::seed_from_u64(0));
            std::thread::scope(|s| s.spawn(|| drop(network.forward(images.clone()))).join())
                .unwrap();
            assert_ne!(kept(&network)["bn1.running_mean"], before["bn1.running_mean"]);
            for copy in &copies {
                assert_eq!(kept(copy), before, "{}", Model::name(&network));
            }
            // Nor does the original change with its clone.
            let (after, clone) = (kept(&network), network.clone());
            clone.forward(images);
            assert_ne!(kept(&clone), after);
            assert_eq!(kept(&network), after);
        }
    }

    #[test]
    fn a_single_value_of_a_channel_leaves_the_statistics_as_they_are_and_still_teaches() {
        let device = Device::flex().autodiff();
        let net = Architecture::new("one", [2, 1, 1]).batch_norm("bn1").flatten().linear("fc1", 2);
        let network = net.init(Initialization::PyTorch, 0, &device).unwrap();
        network.forward(Tensor::<4>::random(
            [8, 2, 1, 1],
            burn::tensor::Distribution::Default,
            &device,
        ));
        let before = kept(&network);
        let images = Tensor::<4>::from_data([[[[5.0]], [[-3.0]]]], &device);
        let outputs = network.forward(images);
        let gradients = outputs.clone().powi_scalar(2).sum().backward();
        assert!(outputs.into_data().iter::<f32>().all(f32::is_finite));
        assert_eq!(kept(&network), before);
        let gradients = burn::optim::GradientsParams::from_grads(gradients, &network);
        let gradients = state::gradients(&network, &gradients);
        assert!(gradients["bn1.weight"].iter::<f32>().all(|g| g.is_finite() && g != 0.0));
    }

    #[test]
    fn a_clone_has_the_last_update_even_of_another_thread() {
        let (network, images) = training(CourseCnn::new(10).bn_cnn(0.0));
        std::thread::scope(|s| s.spawn(|| drop(network.forward(images.clone()))).join()).unwrap();
        let clone = network.clone();
        assert_eq!(kept(&clone), kept(&network));
        let (fresh, _) = training(CourseCnn::new(10).bn_cnn(0.0));
        assert_ne!(kept(&clone), kept(&fresh));
    }

    #[test]
    fn a_clone_on_another_device_leaves_the_original_where_it_is() {
        let (network, images) = training(CourseCnn::new(10).bn_cnn(0.0));
        let before = kept(&network);
        let moved = network.clone().fork(&Device::flex()).train();
        moved.forward(images);
        assert_eq!(kept(&network), before);
    }

    #[test]
    fn a_file_read_after_a_training_pass_is_not_replaced_by_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (network, images) = training(CourseCnn::new(10).bn_cnn(0.0));
        network.save_safetensors(file.path()).unwrap();
        let expected = kept(&network);
        network.forward(images);
        let network = network.load_safetensors(file.path()).unwrap();
        assert_eq!(kept(&network), expected);
    }
}
