use super::{RandomHorizontalFlip, Transforms, UniformNoise, Visit, require};
use crate::{DataError, EpochSeed, ImageDataset, View};

/// A data set of all images of a view, once with each of some transforms: first all images with the first of
/// them, then all with the second. Labels and classes are the view's.
///
/// Unlike transforms in training, which show another version in every epoch, these images stay as they are
/// drawn. They take `variants.len()` times the memory of the view's.
///
/// ```
/// use selvedge_data::ImageDataset;
/// use selvedge_data::transform::{augmented_set, flip_and_noise};
///
/// let data = ImageDataset::new("t", vec![0, 255], [1, 1, 2], vec![0], vec!["c".into()])?;
/// let larger = augmented_set(&data.view(), &flip_and_noise(0.1), 1)?;
/// assert_eq!(larger.len(), 4);
/// assert_eq!((larger.image(0), larger.image(1)), (&[0, 255][..], &[255, 0][..]));
/// # Ok::<(), selvedge_data::DataError>(())
/// ```
///
/// # Errors
///
/// If there is no variant, they give images of different shapes, or one does not fit the images or has a
/// setting that is out of range; if there are too many images.
pub fn augmented_set(
    view: &View,
    variants: &[Transforms],
    seed: u64,
) -> Result<ImageDataset, DataError> {
    require(!variants.is_empty(), "variants of an augmented set", "at least 1", 0)?;
    let prepared = variants
        .iter()
        .map(|variant| variant.prepare(view.shape()))
        .collect::<Result<Vec<_>, _>>()?;
    let shape = prepared[0].output_shape();
    for variant in &prepared {
        let found = variant.output_shape();
        let expected = format!("images of the first one's shape, {shape:?}");
        let what = "variants of an augmented set";
        require(found == shape, what, &expected, format_args!("{found:?}"))?;
    }
    let count = view.len().saturating_mul(variants.len());
    let fits = u32::try_from(count).is_ok();
    require(fits, "images of an augmented set", "at most 4294967295", count)?;

    let mut pixels = Vec::new();
    let bytes = shape.iter().product::<usize>().saturating_mul(count);
    let reserved = pixels.try_reserve_exact(bytes).is_ok();
    require(reserved, "memory of an augmented set", "there", format_args!("{bytes} bytes"))?;
    let mut labels = Vec::with_capacity(count);
    let mut buffers = super::Buffers::default();
    let draws = EpochSeed { seed, epoch: 0 };
    for variant in &prepared {
        for position in 0..view.len() {
            let visit = Visit { draws, position: labels.len() };
            let image =
                variant.apply(view.image(position), Some(visit), &mut visit.rng(), &mut buffers);
            pixels.extend_from_slice(image);
            labels.push(view.label(position));
        }
    }
    let name = format!("{}, {} variants", view.dataset().name(), variants.len());
    ImageDataset::new(&name, pixels, shape, labels, view.classes().to_vec())
}

/// Four variants of an image for [`augmented_set`]: as it is, mirrored left and right, with uniform noise of
/// at most `noise` either way (a pixel of 255 is 1), and mirrored with noise.
pub fn flip_and_noise(noise: f64) -> Vec<Transforms> {
    let flipped = Transforms::new().with(RandomHorizontalFlip { p: 1.0 });
    let noise = UniformNoise::new(noise);
    vec![Transforms::new(), flipped.clone(), Transforms::new().with(noise), flipped.with(noise)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data::synthetic;
    use crate::transform::{CenterCrop, RandomCrop};

    #[test]
    fn the_set_of_four_has_each_image_as_it_is_mirrored_and_with_noise() {
        let view = synthetic(&[20, 30]).view();
        let set = augmented_set(&view, &flip_and_noise(0.1), 3).unwrap();
        assert_eq!(set.len(), 200);
        assert_eq!(set.view().class_counts(), [80, 120]);
        let mut noisy = 0;
        for i in 0..50 {
            let [same, mirrored, noise, both] = [0, 50, 100, 150].map(|from| set.image(from + i));
            assert_eq!(same, view.image(i));
            for (row, reversed) in same.chunks(3).zip(mirrored.chunks(3)) {
                assert!(row.iter().eq(reversed.iter().rev()));
            }
            for (clean, noise) in same.iter().zip(noise).chain(mirrored.iter().zip(both)) {
                assert!(clean.abs_diff(*noise) <= 26);
                noisy += usize::from(clean != noise);
            }
            assert!([50, 100, 150].iter().all(|from| set.label(from + i) == view.label(i)));
        }
        // 600 values; one in 51 gets no noise, and some lie at 0 or 255 already.
        assert!(noisy > 520, "{noisy}");
        let again = augmented_set(&view, &flip_and_noise(0.1), 3).unwrap();
        assert!((0..200).all(|i| set.image(i) == again.image(i)));
    }

    #[test]
    fn variants_that_do_not_go_together_are_refused() {
        let view = synthetic(&[2]).view();
        let message =
            |variants: &[Transforms]| augmented_set(&view, variants, 0).unwrap_err().to_string();
        assert_eq!(message(&[]), "variants of an augmented set: expected at least 1, found 0");
        let crop = Transforms::new().with(CenterCrop::new([1, 1]));
        assert!(message(&[Transforms::new(), crop]).contains("[1, 1, 1]"));
        message(&[Transforms::new().with(RandomCrop::new([9, 9], 0))]);
    }
}
