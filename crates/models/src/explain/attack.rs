//! Small changes of an image that change what is predicted.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng;

use super::range::PixelRange;
use super::subject::{Subject, picked, setting};
use crate::network::initialization::unit;
use crate::{ModelError, Network, Rng};

/// How far [`fgsm`] and [`pgd`] may go, and where to.
#[derive(Clone, Debug, PartialEq)]
pub struct Attack {
    /// How far each pixel may move (L∞), as a share of the range of its channel: 8/255 and so on, as papers give it.
    pub epsilon: f64,
    /// The values that pixels have in a valid image; what comes back lies within.
    pub range: PixelRange,
    /// `false`: away from the classes given, the true ones. `true`: towards the classes given, the wanted ones.
    pub targeted: bool,
}

impl Attack {
    /// Away from the true class.
    pub fn untargeted(epsilon: f64, range: PixelRange) -> Self {
        Self { epsilon, range, targeted: false }
    }

    /// Towards a wanted class.
    pub fn targeted(epsilon: f64, range: PixelRange) -> Self {
        Self { epsilon, range, targeted: true }
    }
}

/// The steps of [`pgd`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pgd {
    /// How many.
    pub steps: usize,
    /// How far each pixel moves in a step, as a share of the range of its channel. `None` is 2.5 ε / steps, as Madry et
    /// al. take it: the whole way can be gone twice.
    pub step_size: Option<f64>,
    /// Whether it begins at a random place within ε of the image, uniform in every pixel.
    pub random_start: bool,
    /// What that place is drawn from; the way to it is the same for every image.
    pub seed: u64,
}

impl Default for Pgd {
    /// 10 steps of 2.5 ε / 10 from a random start, seed 0.
    fn default() -> Self {
        Self { steps: 10, step_size: None, random_start: true, seed: 0 }
    }
}

/// The fast gradient sign method (Goodfellow et al., "Explaining and harnessing adversarial examples", 2015, arXiv
/// 1412.6572): x + ε sign(∂L / ∂x), with the cross-entropy L of the true class; towards a wanted class, minus instead of
/// plus. `[batch, channels, height, width]` to the same, within the valid range.
///
/// # Errors
///
/// As [`saliency`](super::saliency), and [`ModelError::Setting`] for an ε that is negative or not finite and a range that
/// is not of as many channels as the images or whose lower end is not below the upper one.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use selvedge_models::explain::{Attack, PixelRange, fgsm, predicted};
/// use selvedge_models::{Cnn, Initialization};
///
/// let network = Cnn::cnn2(5).architecture().init(Initialization::PyTorch, 0, &Device::flex())?;
/// let images = Tensor::full([1, 1, 28, 28], 0.2, &Device::flex());
/// let classes = predicted(&network, images.clone())?;
/// // Pixels were normalized by a mean of 0.3 and a standard deviation of 0.35.
/// let attack = Attack::untargeted(8.0 / 255.0, PixelRange::normalized(&[0.3], &[0.35]));
/// let changed = fgsm(&network, images.clone(), &classes, &attack)?;
/// let largest = (changed - images).abs().max().into_scalar::<f32>();
/// assert!(largest <= 8.0 / 255.0 / 0.35 + 1e-6);
/// # Ok::<(), selvedge_models::ModelError>(())
/// ```
pub fn fgsm(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    attack: &Attack,
) -> Result<Tensor<4>, ModelError> {
    let goal = Goal::new(network, images, classes, attack)?;
    let changed = goal.step(goal.subject.images.clone(), attack.epsilon)?;
    Ok(goal.valid(changed))
}

/// Projected gradient descent (Madry et al., "Towards deep learning models resistant to adversarial attacks", 2018, arXiv
/// 1706.06083): steps as [`fgsm`]'s, after each of which every pixel is brought back to within ε of the image and into
/// the valid range. `[batch, channels, height, width]` to the same.
///
/// # Errors
///
/// As [`fgsm`], and [`ModelError::Setting`] for no steps and a step size that is negative or not finite.
pub fn pgd(
    network: &Network,
    images: Tensor<4>,
    classes: &[usize],
    attack: &Attack,
    settings: Pgd,
) -> Result<Tensor<4>, ModelError> {
    let Pgd { steps, step_size, random_start, seed } = settings;
    if steps == 0 {
        return Err(setting("steps", 0, "at least 1"));
    }
    let step_size = step_size.unwrap_or(2.5 * attack.epsilon / steps as f64);
    check_distance("step_size", step_size)?;
    let goal = Goal::new(network, images, classes, attack)?;
    let mut changed = goal.subject.images.clone();
    if random_start {
        let way = goal.random(&mut Rng::seed_from_u64(seed)) * goal.widths.clone();
        changed = goal.valid(changed + way * attack.epsilon);
    }
    for _ in 0..steps {
        changed = goal.step(changed, step_size)?;
        changed = goal.valid(goal.near(changed, attack.epsilon));
    }
    Ok(changed)
}

/// An attack on images whose gradients can be computed.
struct Goal {
    subject: Subject,
    targeted: bool,
    /// The ends of the valid range and their distance, `[1, channels, 1, 1]`.
    low: Tensor<4>,
    high: Tensor<4>,
    widths: Tensor<4>,
}

impl Goal {
    fn new(
        network: &Network,
        images: Tensor<4>,
        classes: &[usize],
        attack: &Attack,
    ) -> Result<Self, ModelError> {
        check_distance("epsilon", attack.epsilon)?;
        let subject = Subject::new(network, images, classes)?;
        let channels = subject.images.dims()[1];
        let [low, high] = attack.range.ends(channels, &subject.device())?;
        let widths = high.clone() - low.clone();
        Ok(Self { subject, targeted: attack.targeted, low, high, widths })
    }

    /// The images with every pixel moved by `size` where the gradient says to.
    fn step(&self, images: Tensor<4>, size: f64) -> Result<Tensor<4>, ModelError> {
        let gradient = self.subject.gradient_of(images.clone(), |logits, classes| {
            -picked(log_softmax(logits, 1), classes)
        });
        let sign = self.subject.finite(gradient)?.sign();
        let size = if self.targeted { -size } else { size };
        Ok(images + sign * self.widths.clone() * size)
    }

    /// The images with every pixel within `epsilon` of the original.
    fn near(&self, images: Tensor<4>, epsilon: f64) -> Tensor<4> {
        let original = self.subject.images.clone();
        let most = (self.widths.clone() * epsilon).expand(original.dims());
        let way = images - original.clone();
        original + way.min_pair(most.clone()).max_pair(-most)
    }

    fn valid(&self, images: Tensor<4>) -> Tensor<4> {
        let shape = images.dims();
        images.max_pair(self.low.clone().expand(shape)).min_pair(self.high.clone().expand(shape))
    }

    /// Uniform in -1..1, `[1, channels, height, width]`.
    fn random(&self, rng: &mut Rng) -> Tensor<4> {
        let [_, channels, height, width] = self.subject.images.dims();
        let values = (0..channels * height * width).map(|_| (2.0 * unit(rng) - 1.0) as f32);
        let values = TensorData::new(values.collect::<Vec<f32>>(), [1, channels, height, width]);
        Tensor::from_data(values, &self.subject.device())
    }
}

fn check_distance(name: &'static str, distance: f64) -> Result<(), ModelError> {
    match distance >= 0.0 && (distance as f32).is_finite() {
        true => Ok(()),
        false => Err(setting(name, distance, "0 or more, and finite")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{images, message, network, small, values};
    use super::super::{SmoothGrad, predicted, smooth_grad};
    use super::*;

    /// The range of the test images, which are sines.
    fn range() -> PixelRange {
        PixelRange(vec![[-1.0, 1.0]])
    }

    /// The mean over the images of the logit of `class` less the mean of all logits.
    fn lead(network: &Network, images: Tensor<4>, class: usize) -> f32 {
        let logits = network.forward(images);
        let lead = logits.clone().narrow(1, class, 1) - logits.mean_dim(1);
        lead.mean().into_scalar::<f32>()
    }

    #[test]
    fn an_attack_moves_the_logits_where_it_is_to_and_more_so_in_more_steps() {
        use burn::module::Module;
        let network = network(small()).valid();
        let attacked = |attack: Attack, steps| {
            let settings = Pgd { steps, step_size: Some(0.02), random_start: false, seed: 0 };
            lead(&network, pgd(&network, images(3), &[2; 3], &attack, settings).unwrap(), 2)
        };
        let before = lead(&network, images(3), 2);
        let [away, further] = [1, 5].map(|n| attacked(Attack::untargeted(0.1, range()), n));
        assert!(further < away && away < before, "{before} {away} {further}");
        let [towards, nearer] = [1, 5].map(|n| attacked(Attack::targeted(0.1, range()), n));
        assert!(nearer > towards && towards > before, "{before} {towards} {nearer}");
    }

    #[test]
    fn every_pixel_stays_within_epsilon_and_in_the_range_of_its_channel() {
        let network = network(small());
        let ranges = [[-1.0, 1.0], [-1.5, 2.5]];
        let attack = Attack::untargeted(0.05, PixelRange(ranges.to_vec()));
        // Steps that would lead out of both.
        let settings = Pgd { step_size: Some(0.04), ..Pgd::default() };
        let classes = predicted(&network, images(4)).unwrap();
        for changed in [
            fgsm(&network, images(4), &classes, &attack).unwrap(),
            pgd(&network, images(4), &classes, &attack, settings).unwrap(),
        ] {
            let mut moved = [false; 2];
            for (i, (new, old)) in values(changed).into_iter().zip(values(images(4))).enumerate() {
                let [low, high] = ranges[i / 36 % 2].map(|end| end as f32);
                let most = 0.05 * (high - low) + 1e-6;
                assert!((new - old).abs() <= most && (low..=high).contains(&new), "{old} {new}");
                moved[i / 36 % 2] |= (new - old).abs() > 0.9 * most;
            }
            assert_eq!(moved, [true; 2]);
        }
    }

    #[test]
    fn one_step_of_pgd_from_the_image_itself_is_fgsm() {
        let network = network(small());
        let attack = Attack::targeted(0.07, range());
        let settings = Pgd { steps: 1, step_size: Some(0.07), random_start: false, seed: 0 };
        let stepped = values(pgd(&network, images(2), &[1, 3], &attack, settings).unwrap());
        let signed = values(fgsm(&network, images(2), &[1, 3], &attack).unwrap());
        // The way is computed a second time when it is brought back to within ε.
        assert!(stepped.iter().zip(&signed).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn the_seed_decides_where_pgd_begins_and_other_images_of_the_batch_do_not() {
        let network = network(small());
        let attack = Attack::untargeted(0.1, range());
        let attacked = |batch, seed| {
            let settings = Pgd { steps: 1, step_size: Some(0.0), random_start: true, seed };
            let changed = pgd(&network, images(batch), &vec![0; batch], &attack, settings).unwrap();
            values(changed.narrow(0, 0, 1))
        };
        assert_eq!(attacked(1, 1), attacked(3, 1));
        assert_ne!(attacked(1, 1), attacked(1, 2));
    }

    #[test]
    fn distances_and_ranges_that_are_none_are_refused() {
        let network = network(small());
        let told = |attack: Attack| message(fgsm(&network, images(1), &[0], &attack));
        let expected = "epsilon is -0.1, but must be 0 or more, and finite";
        assert_eq!(told(Attack::untargeted(-0.1, range())), expected);
        assert!(told(Attack::untargeted(f64::NAN, range())).starts_with("epsilon is NaN"));
        let told = |pairs: Vec<[f64; 2]>| told(Attack::untargeted(0.1, PixelRange(pairs)));
        let expected = "the number of pixel ranges is 3, but must be 1, or 2, one for each channel";
        assert_eq!(told(vec![[0.0, 1.0]; 3]), expected);
        assert!(told(Vec::new()).starts_with("the number of pixel ranges is 0"));
        assert_eq!(
            told(vec![[0.0, 1.0], [1.0, 1.0]]),
            "pixel range is 1 to 1, but must be finite, with the lower end below the upper one"
        );
        assert!(told(vec![[0.0, f64::NAN]]).starts_with("pixel range is 0 to NaN"));
        let attack = Attack::untargeted(0.1, range());
        let told = |settings| message(pgd(&network, images(1), &[0], &attack, settings));
        assert_eq!(told(Pgd { steps: 0, ..Pgd::default() }), "steps is 0, but must be at least 1");
        let step = Pgd { step_size: Some(f64::INFINITY), ..Pgd::default() };
        assert!(told(step).starts_with("step_size is inf"));
        let class = message(fgsm(&network, images(1), &[4], &attack));
        assert_eq!(class, message(smooth_grad(&network, images(1), &[4], SmoothGrad::default())));
    }
}
