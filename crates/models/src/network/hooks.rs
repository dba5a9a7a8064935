//! Looking into a network while it computes.

use burn::tensor::Tensor;
use selvedge_kernels::FusedActivation;

use super::sequence::Sequence;
use super::step::{self, Node, Params};
use crate::{Activation, Network};

/// What a pass shows: the path of a layer within the network, and its output.
pub(super) type Hook<'a> = &'a mut dyn FnMut(&str, &Activation);

impl Network {
    /// As [`forward`](Self::forward), showing `hook` the path and the output of every layer in the
    /// order in which they are computed. Each is computed alone.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward).
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use selvedge_models::{Cnn, Initialization};
    ///
    /// let device = Device::flex();
    /// let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &device)?;
    /// let mut shapes = Vec::new();
    /// network.forward_hooked(Tensor::zeros([1, 1, 28, 28], &device), |layer, output| {
    ///     shapes.push((layer.to_string(), output.dims()));
    /// });
    /// assert_eq!(shapes[0], ("conv1".to_string(), vec![1, 20, 28, 28]));
    /// # Ok::<(), selvedge_models::ModelError>(())
    /// ```
    pub fn forward_hooked(
        &self,
        images: Tensor<4>,
        mut hook: impl FnMut(&str, &Activation),
    ) -> Tensor<2> {
        self.body.run_hooked(self.input(images), "", &mut hook).into_features()
    }
}

impl Sequence {
    /// The output without dropout, computed layer by layer and shown to `hook` under the names that
    /// begin with `prefix`.
    fn run_hooked(&self, x: Activation, prefix: &str, hook: Hook<'_>) -> Activation {
        self.nodes().fold(x, |x, node| {
            let name = format!("{prefix}{}", node.layer.name);
            let y = node.run_hooked(x, &name, hook);
            hook(&name, &y);
            y
        })
    }
}

impl Node<'_> {
    /// The output of the layer at `path` alone, without what steps compute with it.
    pub fn run_hooked(self, x: Activation, path: &str, hook: Hook<'_>) -> Activation {
        use Activation::{Features, Images};
        match self.params {
            Params::Conv2d(conv) => Images(conv.forward(x.into_images())),
            Params::ConvTranspose2d(conv) => Images(conv.forward(x.into_images())),
            Params::BatchNorm(norm) => norm.run(x, FusedActivation::None),
            Params::GroupNorm(norm) => step::group_norm(norm, x),
            Params::LayerNorm(norm) => step::layer_norm(norm, x),
            Params::Linear(linear) => Features(linear.forward(x.into_features())),
            Params::Paths(paths) => {
                let inner = format!("{path}.");
                paths.run(x, FusedActivation::None, |path, x| path.run_hooked(x, &inner, hook))
            }
            Params::None(plain) => plain.run_in_burn(x, &mut None),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{Architecture, Initialization};

    #[test]
    fn the_sum_of_a_residual_block_is_shown_as_it_is_before_its_activation() {
        let net = Architecture::new("a", [1, 2, 2]);
        let net = net.residual("sum", |main| main, |shortcut| shortcut).relu().flatten();
        let network = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let images = Tensor::<4>::from_data([[[[-1.0, 2.0], [3.0, -4.0]]]], &Device::flex());
        let mut shown = Vec::new();
        let output = network.forward_hooked(images.clone(), |path, output| {
            let values = output.clone().into_features().into_data().try_to_vec::<f32>().unwrap();
            shown.push((path.to_owned(), values));
        });
        let (sum, relu) = (vec![-2.0, 4.0, 6.0, -8.0], vec![0.0, 4.0, 6.0, 0.0]);
        let expected = [("sum", sum), ("relu1", relu.clone()), ("flatten1", relu.clone())];
        assert_eq!(shown, expected.map(|(path, values)| (path.to_owned(), values)));
        // In steps the output is the same.
        for output in [output, network.forward(images)] {
            assert_eq!(output.into_data().try_to_vec::<f32>().unwrap(), relu);
        }
    }
}
