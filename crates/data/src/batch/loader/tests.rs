use super::*;
use crate::batch::examples::PARALLEL_VALUES;
use crate::batch::{Targets, epoch_order};
use crate::test_data::synthetic;
use crate::transform::{RandomCrop, RandomHorizontalFlip};
use crate::{DataErrorKind, ImageDataset, SplitMix64, Transforms};

fn loader(batch_size: usize) -> BatchLoader {
    let view = synthetic(&[20, 30]).view();
    BatchLoader::new(view, batch_size, &Normalization::raw(), &Device::flex()).unwrap()
}

fn pixels(batch: &Batch) -> Vec<f32> {
    batch.images.clone().into_data().try_to_vec().unwrap()
}

/// The values of all batches of an epoch, one after the other.
fn epoch_values<E: Examples>(loader: &BatchLoader<E>, epoch: usize) -> Vec<f32> {
    loader.epoch(epoch).flat_map(|batch| pixels(&batch.unwrap())).collect()
}

#[test]
fn an_epoch_has_every_image_once_with_its_label() {
    let loader = loader(8).with_shuffle(1);
    assert_eq!(loader.num_batches(), 7);
    assert_eq!(loader.epoch(0).size_hint().1, Some(7));
    let view = loader.view().clone();
    let mut expected: Vec<(Vec<u8>, u16)> =
        (0..view.len()).map(|i| (view.image(i).to_vec(), view.label(i))).collect();
    let mut found = Vec::new();
    let mut sizes = Vec::new();
    for batch in loader.epoch(0) {
        let batch = batch.unwrap();
        sizes.push(batch.len());
        assert_eq!(batch.images.dims(), [batch.len(), 1, 2, 3]);
        let Targets::Hard(targets) = &batch.targets else { panic!("expected hard targets") };
        let targets: Vec<i64> = targets.clone().into_data().iter().collect();
        assert!(targets.iter().zip(&batch.labels).all(|(&t, &l)| t == i64::from(l)));
        for (image, &label) in pixels(&batch).chunks(6).zip(&batch.labels) {
            found.push((image.iter().map(|&p| p as u8).collect(), label));
        }
    }
    assert_eq!(sizes, [8, 8, 8, 8, 8, 8, 2]);
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn order_is_a_function_of_seed_and_epoch() {
    let values = |seed, epoch| epoch_values(&loader(50).with_shuffle(seed), epoch);
    assert_eq!(values(1, 0), values(1, 0));
    assert_ne!(values(1, 0), values(1, 1));
    assert_ne!(values(1, 0), values(2, 0));
}

// Expected: a Python program of the algorithm in `rng`.
#[test]
fn a_seed_shuffles_as_ever() {
    assert_eq!(epoch_order(10, 3, 2), [5, 7, 4, 0, 9, 1, 3, 6, 2, 8]);
}

#[test]
fn without_shuffle_the_order_is_the_views_in_every_epoch() {
    let loader = loader(7);
    let labels: Vec<u16> = loader.epoch(4).flat_map(|b| b.unwrap().labels).collect();
    assert_eq!(labels, loader.view().labels());
}

#[test]
fn channels_are_normalized_each_by_its_own_values() {
    let data =
        ImageDataset::new("t", vec![0, 255, 0, 255], [2, 1, 2], vec![0], vec!["c".into()]).unwrap();
    let normalization = Normalization { mean: vec![0.5, 0.0], std: vec![0.5, 0.25] };
    let loader = BatchLoader::new(data.view(), 1, &normalization, &Device::flex()).unwrap();
    let batch = loader.gather(&[0]).unwrap();
    assert_eq!(pixels(&batch), [-1.0, 1.0, 0.0, 4.0]);
}

/// So many random images of 3 × 16 × 16.
fn random_images(count: usize) -> View {
    let mut rng = SplitMix64::new(0);
    let bytes = (0..count * 768).map(|_| rng.below(256) as u8).collect();
    let labels = vec![0; count];
    let classes = vec!["c".into()];
    ImageDataset::new("t", bytes, [3, 16, 16], labels, classes).unwrap().view()
}

fn augmented(view: View, batch_size: usize) -> BatchLoader {
    let transforms =
        Transforms::new().with(RandomCrop::new([16, 16], 2)).with(RandomHorizontalFlip::default());
    let normalization = Normalization::standardized(&view);
    let examples = ImageExamples::transformed(view, &transforms, &normalization).unwrap();
    BatchLoader::of(examples, batch_size, &Device::flex()).unwrap().with_shuffle(9)
}

/// Examples that are written one by one, as a program's own are.
struct OneByOne(ImageExamples);

impl Examples for OneByOne {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }

    fn classes(&self) -> &[String] {
        self.0.classes()
    }

    fn label(&self, position: usize) -> u16 {
        self.0.label(position)
    }

    fn write(
        &self,
        position: usize,
        rng: &mut SplitMix64,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        self.0.write(position, rng, values)
    }
}

#[test]
fn a_big_batch_has_the_same_bits_for_any_number_of_threads() {
    // 1,400 images of 3 × 16 × 16 are above the threshold for several threads.
    let count = 1400;
    assert!(count * 768 >= PARALLEL_VALUES);
    let view = random_images(count);
    let normalization = Normalization::standardized(&view);
    let plain = ImageExamples::new(view.clone(), &normalization).unwrap();
    let plain = BatchLoader::of(plain, count, &Device::flex()).unwrap().with_shuffle(9);
    let augmented = augmented(view, count);
    for loader in [plain, augmented] {
        let own = OneByOne(loader.examples.clone());
        let own = BatchLoader::of(own, count, &Device::flex()).unwrap().with_shuffle(9);
        let bits = |threads, own_gather: bool| -> Vec<u32> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let values = pool.install(|| match own_gather {
                true => epoch_values(&loader, 0),
                false => epoch_values(&own, 0),
            });
            values.into_iter().map(f32::to_bits).collect()
        };
        let one = bits(1, true);
        for (threads, own_gather) in [(2, true), (5, true), (1, false), (3, false)] {
            assert_eq!(one, bits(threads, own_gather));
        }
    }
}

#[test]
fn what_is_drawn_for_an_image_depends_on_seed_epoch_and_position_alone() {
    let view = random_images(40);
    let by_position = |loader: &BatchLoader, epoch: usize| -> Vec<Vec<f32>> {
        let values = epoch_values(loader, epoch);
        let order = epoch_order(40, 9, epoch);
        let mut images = vec![Vec::new(); 40];
        for (image, &position) in values.chunks(768).zip(&order) {
            images[position] = image.to_vec();
        }
        images
    };
    let first = by_position(&augmented(view.clone(), 7), 0);
    assert_eq!(first, by_position(&augmented(view.clone(), 40), 0), "another batch size");
    let second = by_position(&augmented(view.clone(), 7), 1);
    let changed = first.iter().zip(&second).filter(|(a, b)| a != b).count();
    // One image in fifty (25 places, flipped or not) comes as before.
    assert!(changed > 30, "{changed}");
    let unshuffled = BatchLoader { order: Order::Own, ..augmented(view, 7) };
    assert_eq!(first.concat(), epoch_values(&unshuffled, 0), "another order");
    assert_ne!(first.concat(), epoch_values(&unshuffled.with_seed(10), 0), "another seed");
}

#[test]
fn transformed_images_have_the_shape_that_the_transforms_give() {
    let view = synthetic(&[3]).view();
    let transforms = Transforms::new().with(RandomCrop::new([5, 4], 2));
    let examples = ImageExamples::transformed(view, &transforms, &Normalization::raw()).unwrap();
    let loader = BatchLoader::of(examples, 3, &Device::flex()).unwrap();
    assert_eq!(loader.image_shape(), [1, 5, 4]);
    assert_eq!(loader.view().shape(), [1, 2, 3]);
    let batch = loader.gather(&[2, 0]).unwrap();
    assert_eq!(batch.images.dims(), [2, 1, 5, 4]);
}

/// Each example is `share` of itself and the rest of another, drawn at random; and as its target.
struct Mixed {
    images: ImageExamples,
    share: f32,
}

impl Mixed {
    fn other(&self, rng: &mut SplitMix64) -> usize {
        rng.below(self.images.len() as u64) as usize
    }
}

impl Examples for Mixed {
    fn len(&self) -> usize {
        self.images.len()
    }

    fn shape(&self) -> [usize; 3] {
        self.images.shape()
    }

    fn classes(&self) -> &[String] {
        self.images.classes()
    }

    fn label(&self, position: usize) -> u16 {
        self.images.label(position)
    }

    fn has_soft_targets(&self) -> bool {
        true
    }

    fn write(
        &self,
        position: usize,
        rng: &mut SplitMix64,
        values: &mut [f32],
    ) -> Result<(), DataError> {
        let other = self.other(rng);
        let mut mixed_in = vec![0.0; values.len()];
        self.images.write(position, rng, values)?;
        self.images.write(other, rng, &mut mixed_in)?;
        for (value, other) in values.iter_mut().zip(mixed_in) {
            *value = self.share * *value + (1.0 - self.share) * other;
        }
        Ok(())
    }

    fn soft_target(&self, position: usize, rng: &mut SplitMix64, probabilities: &mut [f32]) {
        let other = self.other(rng);
        probabilities[usize::from(self.label(position))] += self.share;
        probabilities[usize::from(self.label(other))] += 1.0 - self.share;
    }
}

#[test]
fn images_and_soft_targets_are_drawn_alike() {
    // Every image of class c has all pixels c, so that a mean pixel is the mean class.
    let labels: Vec<u16> = (0..40).map(|i| i % 4).collect();
    let bytes = labels.iter().flat_map(|&label| [label as u8; 6]).collect();
    let classes = ["a", "b", "c", "d"].map(String::from).to_vec();
    let view = ImageDataset::new("t", bytes, [1, 2, 3], labels, classes).unwrap().view();
    let images = ImageExamples::new(view, &Normalization::raw()).unwrap();
    let mixed = Mixed { images, share: 0.75 };
    let loader = BatchLoader::of(mixed, 16, &Device::flex()).unwrap().with_shuffle(1);
    let mut pure = 0;
    for batch in loader.epoch(0) {
        let batch = batch.unwrap();
        let Targets::Soft(targets) = &batch.targets else { panic!("expected soft targets") };
        assert_eq!(targets.dims(), [batch.len(), 4]);
        let rows: Vec<f32> = targets.clone().into_data().try_to_vec().unwrap();
        for ((image, row), &label) in
            pixels(&batch).chunks(6).zip(rows.chunks(4)).zip(&batch.labels)
        {
            let mean = row[1] + 2.0 * row[2] + 3.0 * row[3];
            assert!((image[0] - mean).abs() < 1e-6, "{image:?} {row:?}");
            assert!(row[usize::from(label)] >= 0.75);
            pure += usize::from(row.contains(&1.0));
        }
    }
    // A quarter is mixed with its own class: 10 of 40 on average, give or take 3.
    assert!((1..20).contains(&pure), "{pure}");
}

/// Examples of which one cannot be had, and one has no class.
struct Damaged;

impl Examples for Damaged {
    fn len(&self) -> usize {
        10
    }

    fn shape(&self) -> [usize; 3] {
        [1, 1, 1]
    }

    fn classes(&self) -> &[String] {
        const { &[const { String::new() }] }
    }

    fn label(&self, position: usize) -> u16 {
        u16::from(position == 9)
    }

    fn write(&self, at: usize, _: &mut SplitMix64, _: &mut [f32]) -> Result<(), DataError> {
        match at {
            5 | 7 => Err(DataError::in_file(format!("{at}.png"), "expected a picture")),
            _ => Ok(()),
        }
    }
}

#[test]
fn an_example_that_cannot_be_had_ends_the_epoch_with_its_error() {
    let loader = BatchLoader::of(Damaged, 4, &Device::flex()).unwrap();
    let mut batches = loader.batches(0);
    assert_eq!(batches.next().unwrap().unwrap().len(), 4);
    let error = batches.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "5.png: expected a picture");
    assert_eq!(error.kind(), DataErrorKind::Format);
    assert_eq!(error.path().unwrap().to_str(), Some("5.png"));
    assert!(batches.next().is_none());
}

#[test]
fn a_label_without_a_class_is_refused_by_its_position() {
    let loader = BatchLoader::of(Damaged, 4, &Device::flex()).unwrap();
    let error = loader.gather(&[8, 9]).unwrap_err().to_string();
    assert_eq!(error, "examples: label of image 9: expected less than 1, found 1");
}

#[test]
fn impossible_batches_are_refused() {
    let view = synthetic(&[3]).view();
    let device = Device::flex();
    let message = |view: View, size, n: &Normalization| {
        BatchLoader::new(view, size, n, &device).unwrap_err().to_string()
    };
    let raw = Normalization::raw();
    assert_eq!(message(view.clone(), 0, &raw), "batch size: expected at least 1, found 0");
    assert_eq!(
        message(view.range(0..0).unwrap(), 1, &raw),
        "batches: expected at least 1 image, found none"
    );
    let three = Normalization { mean: vec![0.0; 3], std: vec![1.0; 3] };
    assert_eq!(
        message(view.clone(), 1, &three),
        "normalization: expected 1 or 1 values each, found 3 means and 3 standard deviations"
    );
    let loader = BatchLoader::new(view, usize::MAX, &raw, &device).unwrap();
    assert_eq!(loader.epoch(0).next().unwrap().unwrap().len(), 3);
    let message = |positions: &[usize]| loader.gather(positions).unwrap_err().to_string();
    assert_eq!(message(&[]), "batch: expected at least 1 image, found none");
    assert_eq!(message(&[3]), "image position: expected less than 3, found 3");
}
