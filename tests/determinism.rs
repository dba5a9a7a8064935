//! The same seed on the same device gives the same bits, whatever the number of threads.

use selvedge::models::state;
use selvedge::prelude::*;

/// Noise whose label is the quadrant in which one bright square lies.
fn squares(count: usize) -> View {
    let pixel = |i: usize, p: usize| {
        let (row, column, quadrant) = (p / 28, p % 28, i % 4);
        let inside = (row >= 14) == (quadrant >= 2) && (column >= 14) == (quadrant % 2 == 1);
        let noise = ((i * 784 + p) as f64 * 12.9898).sin().abs() * 100.0;
        noise as u8 + if inside && row % 14 > 3 && column % 14 > 3 { 120 } else { 0 }
    };
    let images = (0..count).flat_map(|i| (0..784).map(move |p| pixel(i, p))).collect();
    let labels = (0..count).map(|i| (i % 4) as u16).collect();
    let classes = (0..4).map(|i| format!("quadrant {i}")).collect();
    ImageDataset::new("squares", images, [1, 28, 28], labels, classes).unwrap().view()
}

fn train(threads: usize, seed: u64) -> (state::State, Vec<(f64, f64)>) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let device = selvedge::device::open("flex").unwrap();
        let view = squares(190);
        let data = FitData::from(view.split_stratified(0.8, 1).unwrap());
        let network = TransferCnn::new(4).with_dropout(0.3).architecture();
        let network = network.init(Initialization::PyTorch, seed, &device).unwrap();
        let config = FitConfig { epochs: 2, batch_size: 64, seed, ..FitConfig::default() };
        let fitted = fit(network, &data, &config, &Context::new(&device)).unwrap();
        let losses = fitted.history.epochs.iter().map(|e| (e.train.loss, e.score().loss));
        (state::read(&fitted.model), losses.collect())
    })
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    assert_eq!(train(2, 5), train(2, 5));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let one = train(1, 5);
    for threads in [2, 3] {
        assert_eq!(train(threads, 5), one, "{threads} threads");
    }
}

#[test]
fn another_seed_gives_another_run() {
    assert_ne!(train(2, 5).1, train(2, 6).1);
}
