//! Speed of the data path: reading IDX files, and assembling batches.
//!
//! Uses the Fashion-MNIST of `datasets/`. Run with
//! `cargo bench --package selvedge-benches --profile dev --bench data`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use selvedge::data::{
    BatchLoader, FashionMnist, IdxReader, Normalization, Source, SplitMix64, View,
};

/// The test images: 10,000 images of 28 × 28 pixels.
const IMAGES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../datasets/fashion-mnist/t10k-images-idx3-ubyte.gz"
);

fn train_images() -> View {
    let source = Source::default().without_download();
    let data = FashionMnist::load(&source).expect("Fashion-MNIST in `datasets/`");
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
    let scaling = Normalization::standardized(&view);
    let images = view.len() as u64;
    let device = selvedge::device::open("auto").expect("a device is compiled in");
    let one_core = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");

    let mut group = c.benchmark_group("an epoch of 60,000 images");
    group.throughput(Throughput::Elements(images)).sample_size(20);
    for batch_size in [32, 128, 1024, 8192] {
        let loader = BatchLoader::new(view.clone(), batch_size, &scaling, &device)
            .expect("a sound loader")
            .with_shuffle(1);
        let epoch = || loader.epoch(0).map(|batch| batch.len()).sum::<usize>();
        group.bench_function(format!("batches of {batch_size}, one core"), |b| {
            b.iter(|| one_core.install(epoch));
        });
        if batch_size > 1024 {
            group.bench_function(format!("batches of {batch_size}, all cores"), |b| {
                b.iter(epoch);
            });
        }
    }
    group.finish();
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
