use burn::tensor::Tensor;
use selvedge_models::explain::{
    IntegratedGradients, Occlusion, SmoothGrad, grad_cam, grad_cam_plus_plus, guided_backprop,
    input_x_gradient, integrated_gradients, largest_over_channels, occlusion, saliency,
    smooth_grad, upsample,
};
use selvedge_models::{ModelError, Network};

/// A way to say which pixels of an image matter for a class; see [`explain`](selvedge_models::explain).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The largest absolute gradient over the channels.
    Saliency,
    /// Gradient × input.
    InputXGradient,
    /// The largest absolute smoothed gradient over the channels.
    SmoothGrad,
    /// Integrated gradients.
    IntegratedGradients,
    /// Guided backpropagation.
    GuidedBackprop,
    /// Grad-CAM, in the size of the image.
    GradCam,
    /// Grad-CAM++, in the size of the image.
    GradCamPlusPlus,
    /// Occlusion, by windows of about a fifth of the image.
    Occlusion,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Saliency,
        Self::InputXGradient,
        Self::SmoothGrad,
        Self::IntegratedGradients,
        Self::GuidedBackprop,
        Self::GradCam,
        Self::GradCamPlusPlus,
        Self::Occlusion,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Saliency => "saliency",
            Self::InputXGradient => "gradient × input",
            Self::SmoothGrad => "SmoothGrad",
            Self::IntegratedGradients => "integrated gradients",
            Self::GuidedBackprop => "guided backprop",
            Self::GradCam => "Grad-CAM",
            Self::GradCamPlusPlus => "Grad-CAM++",
            Self::Occlusion => "occlusion",
        }
    }

    /// The maps of images, `[batch, channels, height, width]` to as many channels as the method has, in the size of the
    /// images. `layer` is that of Grad-CAM; `None` is the last one with maps.
    ///
    /// # Errors
    ///
    /// As the function of the same name.
    pub fn maps(
        self,
        network: &Network,
        images: Tensor<4>,
        classes: &[usize],
        layer: Option<&str>,
    ) -> Result<Tensor<4>, ModelError> {
        self.maps_and_error(network, images, classes, layer).map(|(maps, _)| maps)
    }

    /// The same with how far the sums of integrated gradients are off the differences of the logits, at most.
    pub(super) fn maps_and_error(
        self,
        network: &Network,
        images: Tensor<4>,
        classes: &[usize],
        layer: Option<&str>,
    ) -> Result<(Tensor<4>, Option<f64>), ModelError> {
        let [_, _, height, width] = images.dims();
        let maps = match self {
            Self::IntegratedGradients => {
                let settings = IntegratedGradients::default();
                let (maps, error) = integrated_gradients(network, images, classes, &settings)?;
                return Ok((maps, Some(error)));
            }
            Self::Saliency => saliency(network, images, classes).map(largest_over_channels),
            Self::InputXGradient => input_x_gradient(network, images, classes),
            Self::SmoothGrad => smooth_grad(network, images, classes, SmoothGrad::default())
                .map(largest_over_channels),
            Self::GuidedBackprop => guided_backprop(network, images, classes),
            Self::GradCam => upsample(grad_cam(network, images, classes, layer)?, [height, width]),
            Self::GradCamPlusPlus => {
                upsample(grad_cam_plus_plus(network, images, classes, layer)?, [height, width])
            }
            Self::Occlusion => {
                // Five pixels in steps of two of images of 28.
                let window = [height, width].map(|side| (5 * side).div_ceil(28));
                let stride = window.map(|side| side.div_ceil(2));
                let settings = Occlusion { window, stride, baseline: 0.0 };
                occlusion(network, images, classes, settings)
            }
        };
        maps.map(|maps| (maps, None))
    }

    /// Whether the error says that the method is not for this network, rather than that something is wrong. `by_name`: a
    /// layer for Grad-CAM was asked for.
    pub(super) fn may_not_fit(self, error: &ModelError, by_name: bool) -> bool {
        match (self, error) {
            (Self::GuidedBackprop, ModelError::Layer { .. }) => true,
            (Self::GradCam | Self::GradCamPlusPlus, ModelError::Outputs { reason, .. }) => {
                !by_name && reason.starts_with("it has no convolution")
            }
            _ => false,
        }
    }
}
