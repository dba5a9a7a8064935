//! Against bytes recorded from torchvision; `tests/python/make_transforms.py` makes the record.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::augment::{Look, OPS, RAND_AUGMENT, Space, TRIVIAL_AUGMENT_WIDE};
use super::{ImageRef, Interpolation, Transforms};
use crate::EpochSeed;

#[derive(Deserialize)]
struct Record {
    images: BTreeMap<String, Image>,
    cases: Vec<Case>,
    augment: Augment,
}

#[derive(Deserialize)]
struct Image {
    shape: [usize; 3],
    pixels: Vec<u8>,
}

#[derive(Deserialize)]
struct Case {
    image: String,
    transform: serde_json::Value,
    shape: [usize; 3],
    output: Vec<u8>,
}

#[derive(Deserialize)]
struct Augment {
    rand_augment: Vec<Magnitudes>,
    trivial_augment_wide: Vec<Magnitudes>,
    outputs: Vec<Augmented>,
}

#[derive(Deserialize)]
struct Magnitudes {
    op: String,
    signed: bool,
    magnitudes: Vec<f64>,
}

#[derive(Deserialize)]
struct Augmented {
    op: String,
    image: String,
    bin: usize,
    sign: f64,
    output: Vec<u8>,
}

fn record() -> Record {
    serde_json::from_str(include_str!("recorded.json")).unwrap()
}

impl Image {
    fn view(&self) -> ImageRef<'_> {
        ImageRef { pixels: &self.pixels, shape: self.shape }
    }
}

/// By how much values may differ: torchvision sums in another order, or with fused multiplications, in what
/// is computed in f32.
fn tolerance(transform: &serde_json::Value) -> u8 {
    let text = |key: &str| transform[key].as_str().unwrap_or_default();
    match (text("name"), text("op"), text("interpolation")) {
        (_, _, "nearest") => 0,
        ("color_op", "contrast" | "saturation" | "hue" | "sharpness", _) => 1,
        ("gaussian_blur" | "random_rotation" | "affine", ..) => 1,
        _ => 0,
    }
}

fn greatest_difference(found: &[u8], expected: &[u8]) -> u8 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn deterministic_transforms_give_the_bytes_of_torchvision() {
    let Record { images, cases, .. } = record();
    assert_eq!(cases.len(), 2 * 100);
    let draws = EpochSeed { seed: 1, epoch: 0 };
    let mut wrong = Vec::new();
    for case in cases {
        let transforms = Transforms::from_json(&format!("[{}]", case.transform)).unwrap();
        let (output, shape) = transforms.transformed(images[&case.image].view(), draws, 0).unwrap();
        assert_eq!(shape, case.shape, "{} {}", case.image, case.transform);
        let difference = greatest_difference(&output, &case.output);
        if difference > tolerance(&case.transform) {
            wrong.push(format!("{} {}: {difference}", case.image, case.transform));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn magnitudes_of_automatic_augmentations_are_those_of_torchvision() {
    let augment = record().augment;
    let check = |space: &Space, expected: &[Magnitudes]| {
        assert_eq!(expected.len(), OPS.len());
        for (op, expected) in OPS.into_iter().zip(expected) {
            assert_eq!(format!("{op:?}"), expected.op);
            for (bin, &value) in expected.magnitudes.iter().enumerate() {
                let (magnitude, signed) = space.magnitude(op, bin, 31, [224, 200]);
                assert_eq!(signed, expected.signed);
                assert!((magnitude - value).abs() < 1e-6 * value.abs().max(1.0), "{op:?} {bin}");
            }
        }
    };
    check(&RAND_AUGMENT, &augment.rand_augment);
    check(&TRIVIAL_AUGMENT_WIDE, &augment.trivial_augment_wide);
}

#[test]
fn operations_of_rand_augment_give_the_bytes_of_torchvision() {
    let Record { images, augment, .. } = record();
    let look = Look { interpolation: Interpolation::Nearest, fill: None };
    let mut wrong = Vec::new();
    for case in augment.outputs {
        let image = images[&case.image].view();
        let op = OPS.into_iter().find(|op| format!("{op:?}") == case.op).unwrap();
        let [_, height, width] = image.shape;
        let (magnitude, _) = RAND_AUGMENT.magnitude(op, case.bin, 31, [height, width]);
        let mut output = vec![0; image.pixels.len()];
        op.apply(image, case.sign * magnitude, look, &mut output);
        // As in `tolerance`.
        let allowed = u8::from(matches!(case.op.as_str(), "Color" | "Contrast" | "Sharpness"));
        let difference = greatest_difference(&output, &case.output);
        if difference > allowed {
            wrong.push(format!("{op:?} {} {} {}: {difference}", case.image, case.bin, case.sign));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
