//! Speed of the data path: reading IDX files, and assembling batches.
//!
//! Uses the Fashion-MNIST of `datasets/`. Run with
//! `cargo bench --package selvedge-benches --profile dev --bench data`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use selvedge::data::published::FASHION_MNIST;
use selvedge::data::transform::{RandomCrop, RandomHorizontalFlip};
use selvedge::data::{
    BatchLoader, BatchSource, IdxReader, ImageExamples, Normalization, Source, SplitMix64,
    Transforms, View,
};

/// The test images: 10,000 images of 28 × 28 pixels.
const IMAGES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/fashion-mnist/t10k-images-idx3-ubyte.gz");

fn train_images() -> View {
    let source = Source::default().without_download();
    let data = FASHION_MNIST.load(&source).expect("Fashion-MNIST in `datasets/`");
    data.train.view()
}

fn parse(c: &mut Criterion) {
    let file = std::fs::read(IMAGES).expect("Fashion-MNIST in `datasets/`");
    let reader = IdxReader::new();
    let mut raw = Vec::new();
    let array = reader.read(file.as_slice()).expect("a sound file");
    array.write(&mut raw).expect("enough memory");

    let mut group = c.benchmark_group("read 10,000 images");
    group.throughput(Throughput::Elements(10_000));
    group.bench_function("raw", |b| b.iter(|| reader.read(black_box(raw.as_slice()))));
    group.bench_function("gzip", |b| b.iter(|| reader.read(black_box(file.as_slice()))));
    group.finish();
}

/// One epoch over 60,000 shuffled images, on one core and on all.
fn batches(c: &mut Criterion) {
    let view = train_images();
    let normalization = Normalization::standardized(&view);
    let images = view.len() as u64;
    let device = selvedge::device::open("auto").expect("a device is compiled in");
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");

    let mut group = c.benchmark_group("an epoch of 60,000 images");
    group.throughput(Throughput::Elements(images)).sample_size(20);
    for batch_size in [32, 128, 1024, 8192] {
        let loader = BatchLoader::new(view.clone(), batch_size, &normalization, &device)
            .expect("a sound loader")
            .with_shuffle(1);
        let epoch = || count(&loader);
        group.bench_function(format!("batches of {batch_size}, one core"), |b| {
            b.iter(|| one_core.install(epoch));
        });
        if batch_size > 1024 {
            group.bench_function(format!("batches of {batch_size}, all cores"), |b| {
                b.iter(epoch);
            });
        }
    }
    let transforms =
        Transforms::new().with(RandomCrop::new([28, 28], 2)).with(RandomHorizontalFlip::default());
    let examples =
        ImageExamples::transformed(view, &transforms, &normalization).expect("transforms that fit");
    let loader = BatchLoader::of(examples, 128, &device).expect("a sound loader").with_shuffle(1);
    group.bench_function("batches of 128, cropped and flipped, one core", |b| {
        b.iter(|| one_core.install(|| count(&loader)));
    });
    group.finish();
}

/// The images of one epoch.
fn count(source: &dyn BatchSource) -> usize {
    source.batches(0).map(|batch| batch.expect("a sound batch").len()).sum()
}

fn subsets(c: &mut Criterion) {
    let view = train_images();
    let mut group = c.benchmark_group("60,000 images");
    group.bench_function("5 % stratified", |b| {
        b.iter(|| view.stratified_fraction(0.05, 1));
    });
    group.bench_function("mean and standard deviation", |b| b.iter(|| view.mean_std()));
    group.bench_function("shuffle", |b| {
        b.iter_batched(
            || (0..60_000).collect::<Vec<u32>>(),
            |mut order| SplitMix64::new(1).shuffle(&mut order),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(data, parse, batches, subsets);
criterion_main!(data);
