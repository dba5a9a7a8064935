//! Speed of the transforms of images, on one core: grey images of 28 × 28 and colour images of 224 × 224.
//!
//! `cargo bench --package selvedge-benches --profile dev --bench transforms`; `benches/peers/compare_transforms`
//! has the same beside torchvision.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use selvedge::data::SplitMix64;
use selvedge::data::transform::{
    AlternatingFlip, ColorJitter, GaussianBlur, GaussianNoise, ImageRef, Interpolation,
    RandAugment, RandomAffine, RandomCrop, RandomErasing, RandomHorizontalFlip, RandomResizedCrop,
    RandomRotation, Resize, Transform, TrivialAugmentWide,
};

fn cases([channels, side, _]: [usize; 3]) -> Vec<(&'static str, Box<dyn Transform>)> {
    let (saturation, hue) = if channels == 3 { (0.4, 0.1) } else { (0.0, 0.0) };
    let affine = RandomAffine {
        translate: [0.1, 0.1],
        scale: [0.9, 1.1],
        interpolation: Interpolation::Bilinear,
        ..RandomAffine::new(10.0)
    };
    let half = Resize::exactly([side / 2; 2]);
    vec![
        ("horizontal flip", Box::new(RandomHorizontalFlip { p: 1.0 })),
        ("alternating flip", Box::new(AlternatingFlip {})),
        ("crop, reflected", Box::new(RandomCrop::new([side; 2], 4).reflected())),
        ("rotation, nearest", Box::new(RandomRotation::new(15.0))),
        ("rotation, bilinear", Box::new(RandomRotation::new(15.0).bilinear())),
        ("affine, bilinear", Box::new(affine)),
        ("resized crop", Box::new(RandomResizedCrop::new([side; 2]))),
        ("resize to half, bilinear", Box::new(half)),
        ("resize to half, bicubic", Box::new(half.bicubic())),
        ("color jitter", Box::new(ColorJitter::new(0.4, 0.4, saturation, hue))),
        ("blur, 5 x 5", Box::new(GaussianBlur::new(5))),
        ("gaussian noise", Box::new(GaussianNoise::default())),
        ("random erasing", Box::new(RandomErasing { p: 1.0, ..RandomErasing::default() })),
        ("RandAugment", Box::new(RandAugment::default())),
        ("TrivialAugmentWide", Box::new(TrivialAugmentWide::default())),
    ]
}

/// A batch of images that is transformed again and again; images a second.
fn transforms(c: &mut Criterion) {
    for (shape, images) in [([1, 28, 28], 128), ([3, 224, 224], 8)] {
        let size: usize = shape.iter().product();
        let mut rng = SplitMix64::new(1);
        let pixels: Vec<u8> = (0..images * size).map(|_| rng.below(256) as u8).collect();
        let [channels, side, _] = shape;
        let mut group = c.benchmark_group(format!("{channels} x {side} x {side}"));
        group.throughput(Throughput::Elements(images as u64)).sample_size(20);
        for (name, transform) in cases(shape) {
            let output = transform.output_shape(shape).expect("a transform that fits");
            let out_size: usize = output.iter().product();
            let mut output = vec![0; images * out_size];
            group.bench_function(name, |b| {
                b.iter(|| {
                    let outputs = output.chunks_exact_mut(out_size);
                    for (pixels, output) in pixels.chunks_exact(size).zip(outputs) {
                        transform.apply(ImageRef { pixels, shape }, &mut rng, output);
                    }
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, transforms);
criterion_main!(benches);
