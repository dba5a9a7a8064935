//! Which examples an epoch has: dropped, drawn with replacement, or from a batch on.

use burn::tensor::Device;

use super::*;
use crate::batch::{BatchSource, Sampling};
use crate::test_data::synthetic;
use crate::transform::RandomCrop;
use crate::{DataErrorKind, ImageDataset, Normalization, Transforms};

fn loader(counts: &[usize], batch_size: usize) -> BatchLoader {
    let view = synthetic(counts).view();
    BatchLoader::new(view, batch_size, &Normalization::raw(), &Device::flex()).unwrap()
}

/// Values and labels of each batch.
fn contents<'a>(
    batches: impl Iterator<Item = Result<Batch, DataError>> + 'a,
) -> Vec<(Vec<f32>, Vec<u16>)> {
    let content = |batch: Batch| (batch.images.into_data().try_to_vec().unwrap(), batch.labels);
    batches.map(|batch| content(batch.unwrap())).collect()
}

#[test]
fn a_smaller_last_batch_is_dropped_if_asked() {
    for (batch_size, batches) in [(8, 6), (10, 5), (50, 1), (49, 1), (1, 50)] {
        let whole = loader(&[20, 30], batch_size).with_shuffle(1);
        let dropping = whole.clone().with_drop_last(true).unwrap();
        assert_eq!(dropping.num_batches(), batches);
        assert_eq!(dropping.num_images(), batches * batch_size);
        assert_eq!(dropping.epoch(3).size_hint().1, Some(batches));
        let expected = contents(whole.epoch(3).take(batches));
        assert_eq!(contents(dropping.epoch(3)), expected);
        assert!(expected.iter().all(|(_, labels)| labels.len() == batch_size));
    }
    let error = loader(&[20, 30], 51).with_drop_last(true).unwrap_err();
    assert_eq!(error.kind(), DataErrorKind::InvalidInput);
    assert!(error.to_string().starts_with("batch size: expected at most 50"), "{error}");
    assert!(loader(&[20, 30], 51).with_drop_last(false).is_ok());
}

#[test]
fn an_epoch_goes_on_from_a_batch_as_if_it_had_begun_at_the_first() {
    let plain = loader(&[20, 30], 8).with_shuffle(1);
    let sampled = loader(&[20, 30], 8).with_sampling(&Sampling::Balanced {}, 1).unwrap();
    for loader in [plain.clone().with_drop_last(true).unwrap(), plain, sampled] {
        let whole = contents(loader.epoch(2));
        for first in 0..=8 {
            let expected = whole.get(first..).unwrap_or(&[]);
            assert_eq!(contents(loader.batches_from(2, first)), expected, "from {first}");
            // Without an own definition.
            assert_eq!(contents(Forgetful(&loader).batches_from(2, first)), expected);
        }
        assert_eq!(loader.epoch_from(2, usize::MAX).count(), 0);
    }
}

/// A source that defines no more than it must.
struct Forgetful<'a>(&'a BatchLoader);

impl BatchSource for Forgetful<'_> {
    fn num_images(&self) -> usize {
        self.0.num_images()
    }

    fn image_shape(&self) -> [usize; 3] {
        self.0.image_shape()
    }

    fn classes(&self) -> &[String] {
        BatchSource::classes(self.0)
    }

    fn batches(&self, epoch: usize) -> Box<dyn Iterator<Item = Result<Batch, DataError>> + '_> {
        let batches = self.0.batches(epoch).enumerate();
        // A failure in the fourth epoch.
        Box::new(batches.map(move |(i, batch)| match (epoch, i) {
            (3, 1) => Err(DataError::other("the light is out")),
            _ => batch,
        }))
    }
}

#[test]
fn a_batch_that_fails_among_those_left_out_is_not_passed_over() {
    let loader = loader(&[20, 30], 8);
    let first = Forgetful(&loader).batches_from(3, 4).next().unwrap().unwrap_err();
    assert_eq!(first.to_string(), "the light is out");
}

#[test]
fn classes_are_drawn_as_often_as_asked_whatever_number_of_examples_they_have() {
    let labels = |sampling: &Sampling, epoch| -> Vec<u16> {
        let loader = loader(&[1960, 40, 0], 100).with_sampling(sampling, 7).unwrap();
        assert_eq!((loader.num_batches(), loader.num_images()), (20, 2000));
        loader.epoch(epoch).flat_map(|batch| batch.unwrap().labels).collect()
    };
    let rare = |sampling: &Sampling| {
        let labels = labels(sampling, 0);
        assert_eq!(labels.len(), 2000);
        labels.into_iter().filter(|&label| label == 1).count()
    };
    // 1000 and 500 on average; the standard deviations are 22 and 19, the bounds six of them.
    assert!((866..=1134).contains(&rare(&Sampling::Balanced {})));
    let classes = Sampling::Classes { weights: vec![3.0, 1.0, 9.0] };
    assert!((384..=616).contains(&rare(&classes)));
    assert_eq!(rare(&Sampling::Classes { weights: vec![1.0, 0.0, 0.0] }), 0);
    assert_eq!(labels(&classes, 1), labels(&classes, 1));
    assert_ne!(labels(&classes, 1), labels(&classes, 2));
    // Without weights it is a shuffle.
    let shuffled = loader(&[5, 9], 4).with_sampling(&Sampling::default(), 3).unwrap();
    assert_eq!(contents(shuffled.epoch(1)), contents(loader(&[5, 9], 4).with_shuffle(3).epoch(1)));
}

#[test]
fn an_image_that_comes_again_in_an_epoch_is_transformed_anew() {
    let pixels = (0..256u32).map(|i| i as u8).collect();
    let classes = vec!["c".into()];
    let view = ImageDataset::new("t", pixels, [1, 16, 16], vec![0], classes).unwrap().view();
    // The same image, 200 times; a crop of 2 × 2 has 225 places.
    let view = view.take(&[0; 200]).unwrap();
    let transforms = Transforms::new().with(RandomCrop::new([2, 2], 0));
    let examples = ImageExamples::transformed(view, &transforms, &Normalization::raw()).unwrap();
    // Almost only the first position is drawn.
    let mut weights = vec![1e-9; 200];
    weights[0] = 1.0;
    let sampling = Sampling::Weighted { weights };
    let images = |batch_size| -> Vec<Vec<f32>> {
        let loader = BatchLoader::of(examples.clone(), batch_size, &Device::flex()).unwrap();
        let loader = loader.with_sampling(&sampling, 1).unwrap();
        let values = contents(loader.epoch(0)).into_iter().flat_map(|(values, _)| values);
        values.collect::<Vec<_>>().chunks(4).map(<[f32]>::to_vec).collect()
    };
    let all = images(200);
    assert_eq!(images(7), all, "another batch size");
    let mut different = all.clone();
    different.sort_by(|a, b| a.partial_cmp(b).unwrap());
    different.dedup();
    // Of 200 draws from 225 places, 225 · (1 − (224/225)^200) = 133 are different on average.
    assert!((110..=155).contains(&different.len()), "{}", different.len());
}

#[test]
fn weights_that_fit_nothing_are_refused() {
    let message = |sampling: &Sampling| {
        loader(&[2, 3], 2).with_sampling(sampling, 0).map(drop).unwrap_err().to_string()
    };
    let classes = |weights: &[f64]| message(&Sampling::Classes { weights: weights.into() });
    let weighted = |weights: &[f64]| message(&Sampling::Weighted { weights: weights.into() });
    assert_eq!(classes(&[1.0]), "sampling: expected 2 weights, one a class, found 1");
    assert_eq!(weighted(&[1.0]), "sampling: expected 5 weights, one an image, found 1");
    assert_eq!(weighted(&[0.0; 5]), "sampling: expected weights with a sum above 0, found 0");
    let tiny = weighted(&[5e-324, 0.0, 0.0, 0.0, 0.0]);
    let expected = "sampling: expected weights with a sum of at least 1e-300, found 5e-324";
    assert_eq!(tiny, expected);
    assert_eq!(classes(&[0.0, 0.0]), "sampling: expected weights with a sum above 0, found 0");
    for wrong in [-1.0, f64::NAN, f64::INFINITY] {
        let found = weighted(&[1.0, 1.0, wrong, 1.0, 1.0]);
        assert_eq!(found, format!("sampling: expected weights of at least 0, found {wrong}"));
        assert!(classes(&[1.0, wrong]).contains("weights of at least 0"));
    }
}
