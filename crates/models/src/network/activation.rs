use burn::tensor::Tensor;

/// What flows between two layers: images up to the flattening, features after it.
#[derive(Clone, Debug)]
pub enum Activation {
    /// `[batch, channels, height, width]`
    Images(Tensor<4>),
    /// `[batch, features]`
    Features(Tensor<2>),
}

impl Activation {
    /// The dimensions, the batch first.
    pub fn dims(&self) -> Vec<usize> {
        match self {
            Self::Images(x) => x.dims().to_vec(),
            Self::Features(x) => x.dims().to_vec(),
        }
    }

    /// The images.
    ///
    /// # Panics
    ///
    /// Panics on features: the architecture was checked when the network was built, so that this is
    /// a caller's mistake.
    pub fn into_images(self) -> Tensor<4> {
        match self {
            Self::Images(x) => x,
            Self::Features(x) => panic!("expected images, got features of shape {:?}", x.dims()),
        }
    }

    /// The features, `[batch, features]`; images are flattened.
    pub fn into_features(self) -> Tensor<2> {
        match self {
            Self::Images(x) => x.flatten(1, 3),
            Self::Features(x) => x,
        }
    }
}
