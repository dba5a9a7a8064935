//! What noise, blur and the like do to the accuracy.

use selvedge_data::transform::{Corruption, augmented_set};
use selvedge_data::{Normalization, View};
use selvedge_models::Model;

use crate::{Context, TrainError, evaluate};

/// The accuracy on images with one corruption.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RobustnessRow {
    /// Which one.
    pub corruption: Corruption,
    /// Which of its five strengths, from 1, the weakest.
    pub severity: usize,
    /// The strength in the unit of the corruption.
    pub strength: f64,
    /// The share of images that are classified rightly.
    pub accuracy: f64,
}

/// The accuracy of a classifier on images as they are and on corrupted ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Robustness {
    /// On the images as they are.
    pub clean: f64,
    /// On the others: corruption after corruption, the weakest strength first.
    pub rows: Vec<RobustnessRow>,
}

impl Robustness {
    /// The mean of the accuracy over the five strengths of each corruption, in the order of the rows.
    pub fn means(&self) -> Vec<(Corruption, f64)> {
        let rows = self.rows.chunk_by(|a, b| a.corruption == b.corruption);
        rows.map(|rows| {
            let sum: f64 = rows.iter().map(|row| row.accuracy).sum();
            (rows[0].corruption, sum / rows.len() as f64)
        })
        .collect()
    }
}

/// Measures a classifier on `view` as it is, and with each of `corruptions` at its five strengths. What is drawn follows
/// from `seed` and the place of an image in the view, and is the same for every strength and network.
///
/// [`Corruption`] says which strengths these are, and where they come from. The corrupted images are in memory once at a
/// time, beside those of the view.
///
/// # Errors
///
/// As [`evaluate`]; [`TrainError::Data`] for images that a corruption does not take, such as a JPEG of two channels;
/// [`TrainError::Stopped`] if the stop of `context` was raised.
///
/// ```
/// use burn::tensor::Device;
/// use selvedge_data::transform::Corruption;
/// use selvedge_data::{ImageDataset, Normalization};
/// use selvedge_models::{Architecture, Initialization};
/// use selvedge_train::{Context, robustness};
///
/// let classes = ["dark", "bright"].map(String::from).to_vec();
/// let images = ImageDataset::new("t", vec![20, 30, 210, 220], [1, 1, 2], vec![0, 1], classes)?.view();
/// let net = Architecture::new("net", [1, 1, 2]).flatten().linear("fc", 2);
/// let network = net.init(Initialization::PyTorch, 0, &Device::flex())?;
/// let context = Context::new(&Device::flex());
/// let table = robustness(&network, &images, &Normalization::unit(), (&[Corruption::Noise], 7), &context)?;
/// assert_eq!(table.rows.len(), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn robustness<M: Model>(
    model: &M,
    view: &View,
    normalization: &Normalization,
    (corruptions, seed): (&[Corruption], u64),
    context: &Context,
) -> Result<Robustness, TrainError> {
    let accuracy = |view: &View| {
        let measured = evaluate(model, view, normalization, context)?;
        Ok::<f64, TrainError>(measured.metrics.accuracy)
    };
    let clean = accuracy(view)?;
    let mut rows = Vec::new();
    for &corruption in corruptions {
        for (i, strength) in corruption.strengths(view.shape()).into_iter().enumerate() {
            if context.stop.is_requested() {
                return Err(TrainError::Stopped { what: "robustness".into() });
            }
            let transforms = corruption.transforms(strength, view.shape());
            let corrupted = augmented_set(view, &[transforms], seed)?.view();
            let accuracy = accuracy(&corrupted)?;
            rows.push(RobustnessRow { corruption, severity: i + 1, strength, accuracy });
        }
    }
    Ok(Robustness { clean, rows })
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Device, TensorData};
    use selvedge_data::ImageDataset;
    use selvedge_models::{Architecture, Initialization, Network, state};

    use super::*;
    use crate::Stop;

    /// Takes an image whose right half is brighter for the second class.
    fn by_halves() -> Network {
        let net = Architecture::new("halves", [1, 8, 8]).flatten().linear("fc", 2);
        let network = net.init(Initialization::PyTorch, 0, &Device::flex()).unwrap();
        let right = (0..64).map(|i| if i % 8 < 4 { -1.0 } else { 1.0 });
        let weight: Vec<f32> = right.clone().map(|w: f32| -w).chain(right).collect();
        let weight = TensorData::new(weight, [2, 64]);
        state::write(network, [("fc.weight".to_string(), weight)].into())
    }

    fn images() -> View {
        // The halves differ by 2 to 9 of 255.
        let pixel = |i: usize| {
            let (image, column) = (i / 64, i % 8);
            let bright = (column >= 4) == (image % 2 == 1);
            100 + if bright { 2 + (image % 8) as u8 } else { 0 }
        };
        let labels = (0..80).map(|i| i % 2).collect();
        let classes = ["left", "right"].map(String::from).to_vec();
        let pixels = (0..80 * 64).map(pixel).collect();
        ImageDataset::new("halves", pixels, [1, 8, 8], labels, classes).unwrap().view()
    }

    #[test]
    fn the_table_has_five_strengths_of_each_corruption_and_what_breaks_the_signal_shows() {
        let context = Context::new(&Device::flex());
        let corruptions = [Corruption::Noise, Corruption::Blur];
        let of = |seed| {
            let which = (&corruptions[..], seed);
            robustness(&by_halves(), &images(), &Normalization::unit(), which, &context).unwrap()
        };
        let table = of(1);
        assert_eq!((table.clean, table.rows.len()), (1.0, 10));
        let severities: Vec<usize> = table.rows.iter().map(|row| row.severity).collect();
        assert_eq!(severities, [1, 2, 3, 4, 5, 1, 2, 3, 4, 5]);
        assert_eq!(table.rows[4].strength, 0.1);
        // Noise of a tenth of the range on 64 pixels hides a difference of 2 of 255; blur keeps which half is brighter.
        let [(_, noise), (_, blur)] = table.means()[..] else { panic!("two corruptions") };
        assert!((0.5..0.99).contains(&noise) && blur == 1.0, "{noise} and {blur}");
        assert_eq!(of(1), table);
        assert_ne!(of(2).rows[..5], table.rows[..5]);
    }

    #[test]
    fn a_requested_stop_ends_it_on_one_line() {
        let stop = Stop::default();
        stop.request();
        let context = Context::new(&Device::flex()).with_stop(stop);
        let which = (Corruption::ALL, 1);
        let told = robustness(&by_halves(), &images(), &Normalization::unit(), which, &context);
        assert!(matches!(told, Err(TrainError::Stopped { .. })));
    }
}
