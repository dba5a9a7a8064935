use super::*;
use crate::{ImageDataset, SplitMix64};

const SHAPE: [usize; 3] = [3, 11, 13];
const SIZE: usize = 3 * 11 * 13;

fn view(images: Vec<Vec<u8>>) -> View {
    let labels = (0..images.len()).map(|i| (i % 2) as u16).collect();
    let classes = vec!["a".to_owned(), "b".to_owned()];
    ImageDataset::new("t", images.concat(), SHAPE, labels, classes).unwrap().view()
}

/// A smooth image with a little noise, of one of a few patterns, so that many pairs are similar.
fn image(rng: &mut SplitMix64) -> Vec<u8> {
    let pattern = rng.below(12) as f64;
    let noise = 5.0 + 60.0 * rng.unit();
    let pixel = |i: usize, rng: &mut SplitMix64| {
        let at = i as f64;
        let smooth = 128.0 + 80.0 * (at * (0.01 + 0.02 * pattern)).sin();
        (smooth + noise * (rng.unit() - 0.5)).clamp(0.0, 255.0) as u8
    };
    (0..SIZE).map(|i| pixel(i, rng)).collect()
}

fn images(count: usize, seed: u64) -> Vec<Vec<u8>> {
    let mut rng = SplitMix64::new(seed);
    (0..count).map(|_| image(&mut rng)).collect()
}

/// Pearson's correlation as it is written in books.
fn pearson(a: &[u8], b: &[u8]) -> f64 {
    let mean = |v: &[u8]| v.iter().map(|&p| f64::from(p)).sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| f(f64::from(a) - ma, f64::from(b) - mb)).sum()
    };
    sum(&|a, b| a * b) / (sum(&|a, _| a * a) * sum(&|_, b| b * b)).sqrt()
}

#[test]
fn no_pair_is_missed_and_none_is_found_that_is_not_similar() {
    let (train, test) = (view(images(101, 1)), view(images(70, 2)));
    for threshold in [0.3, 0.9, 0.97, 0.99] {
        let found = near_duplicates(&train, &test, threshold).unwrap();
        let mut expected = Vec::new();
        for t in 0..test.len() {
            let all: Vec<f64> =
                (0..train.len()).map(|i| pearson(train.image(i), test.image(t))).collect();
            let matches = all.iter().filter(|similarity| **similarity >= threshold).count();
            let best = all.iter().copied().fold(f64::MIN, f64::max);
            if matches > 0 {
                expected.push((t, matches, best));
            }
        }
        assert_eq!(found.pairs.len(), expected.len(), "{threshold}");
        for (pair, (test, matches, best)) in found.pairs.iter().zip(expected) {
            assert_eq!((pair.test, pair.matches), (test, matches));
            assert!((pair.similarity - best).abs() < 1e-12);
        }
    }
    // The patterns make pairs at every threshold but the last two at least.
    assert!(!near_duplicates(&train, &test, 0.97).unwrap().pairs.is_empty());
}

#[test]
fn copies_are_found_at_a_threshold_of_one_changed_ones_below_it() {
    let train = images(40, 3);
    let mut copies = images(9, 4);
    copies[2] = train[30].clone();
    copies[7] = train[39].iter().map(|&p| p / 2 + 40).collect();
    let (train, test) = (view(train), view(copies));
    let exact = near_duplicates(&train, &test, 1.0).unwrap();
    let pair = DuplicatePair { test: 2, train: 30, similarity: 1.0, matches: 1 };
    assert_eq!(exact.pairs, [pair]);
    let near = near_duplicates(&train, &test, 0.9995).unwrap();
    assert_eq!(near.positions(), [2, 7]);
    assert_eq!(near.of_different_classes(&train, &test), []);
    assert_eq!(near.pairs[1].train, 39);
    let (without, only) = (near.without(&test).unwrap(), near.only(&test).unwrap());
    assert_eq!(without.indices(), [0, 1, 3, 4, 5, 6, 8]);
    assert_eq!(only.indices(), [2, 7]);
    assert_eq!(
        near.to_string(),
        "2 of 9 test images (22.22 %) have a training image with a correlation of at least 0.9995"
    );
}

#[test]
fn images_of_one_even_value_are_similar_to_copies_alone() {
    let even = |value: u8| vec![value; SIZE];
    let mut train = images(3, 5);
    train.extend([even(7), even(9), even(7)]);
    let test = view(vec![even(7), even(8)]);
    let found = near_duplicates(&view(train), &test, 0.5).unwrap();
    let pair = DuplicatePair { test: 0, train: 3, similarity: 1.0, matches: 2 };
    assert_eq!(found.pairs, [pair]);
}

#[test]
fn threads_change_nothing() {
    let (train, test) = (view(images(90, 6)), view(images(150, 7)));
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let found = |threads| pool(threads).install(|| near_duplicates(&train, &test, 0.9).unwrap());
    assert_eq!(found(1), found(3));
}

#[test]
fn thresholds_and_images_that_cannot_be_compared_are_refused() {
    let images = view(images(2, 8));
    for threshold in [0.0, 1.1, f64::NAN] {
        let message = near_duplicates(&images, &images, threshold).unwrap_err().to_string();
        let expected = "threshold of near-duplicates: expected a correlation above 0 and at most 1";
        assert!(message.starts_with(expected), "{message}");
    }
    let other = ImageDataset::new("o", vec![1], [1, 1, 1], vec![0], vec!["c".into()]).unwrap();
    let error = near_duplicates(&images, &other.view(), 0.9).unwrap_err().to_string();
    assert!(error.ends_with("found [3, 11, 13] and [1, 1, 1]"), "{error}");
    let found = near_duplicates(&images, &images, 0.9).unwrap();
    assert!(found.without(&images.range(0..1).unwrap()).is_err());
}
