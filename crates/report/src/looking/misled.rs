use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use selvedge_models::explain::{Attack, Pgd, PixelRange, fgsm, pgd};
use selvedge_models::{Bundle, ModelError, Network};

/// Images changed by as little as can hardly be seen, and what the network makes of them.
#[derive(Debug)]
pub(super) struct Misled {
    pub epsilon: f64,
    pub ways: [Way; 2],
}

/// One way to change them.
#[derive(Debug)]
pub(super) struct Way {
    pub name: &'static str,
    /// `[images, channels, height, width]`, without the normalization.
    pub pixels: Vec<u8>,
    /// The class that is predicted now, with its probability.
    pub predicted: Vec<(usize, f64)>,
}

impl Misled {
    /// Away from the classes that are predicted, by at most `epsilon` of the range of a pixel.
    pub fn compute(
        bundle: &Bundle,
        images: Tensor<4>,
        predicted: &[usize],
        epsilon: f64,
    ) -> Result<Self, ModelError> {
        let range = PixelRange::normalized(bundle.mean(), bundle.std());
        let attack = Attack::untargeted(epsilon, range);
        let network = bundle.network();
        let signed = fgsm(network, images.clone(), predicted, &attack)?;
        let stepped = pgd(network, images, predicted, &attack, Pgd::default())?;
        let way = |name, images: Tensor<4>| {
            let predicted = most_probable(network, images.clone())?;
            Ok::<Way, ModelError>(Way { name, pixels: pixels(bundle, images), predicted })
        };
        Ok(Self { epsilon, ways: [way("FGSM", signed)?, way("PGD", stepped)?] })
    }
}

/// Normalized images as the bytes of pixels.
pub(super) fn pixels(bundle: &Bundle, images: Tensor<4>) -> Vec<u8> {
    let [channels, height, width] = bundle.network().architecture().input;
    let of = |values: &[f32], channel: usize| values[channel.min(values.len() - 1)];
    let values: Vec<f32> = images.into_data().iter().collect();
    let planes = values.chunks(height * width).enumerate();
    let unit = planes.flat_map(|(plane, values)| {
        let channel = plane % channels;
        let (mean, std) = (of(bundle.mean(), channel), of(bundle.std(), channel));
        values.iter().map(move |value| value * std + mean)
    });
    unit.map(|value| (255.0 * value.clamp(0.0, 1.0)).round() as u8).collect()
}

/// The most probable class of each image, with its probability.
fn most_probable(network: &Network, images: Tensor<4>) -> Result<Vec<(usize, f64)>, ModelError> {
    use burn::module::Module;

    // Of a large network not all images fit into memory at once.
    let parts = images.split(network.architecture().inference_batch()?, 0).into_iter();
    let network = network.valid();
    let parts = parts.map(|images| softmax(network.forward(images), 1));
    let probabilities: Tensor<2> = Tensor::cat(parts.collect(), 0);
    let classes = probabilities.dims()[1];
    let values: Vec<f64> = probabilities.into_data().iter().collect();
    let rows = values.chunks(classes).map(|row| {
        let pairs = row.iter().copied().enumerate();
        pairs.fold((0, 0.0), |best, pair| if pair.1 > best.1 { pair } else { best })
    });
    Ok(rows.collect())
}
