//! Milliseconds of a max-pool and of its gradient: Burn's operation and this crate's, in turn.
//!
//! ```sh
//! cargo bench -p selvedge-kernels --features flex --bench pool_speed -- 20
//! ```

use std::time::Instant;

use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Distribution, Tensor, module::max_pool2d};
use selvedge_kernels::{PoolOptions, max_pool};

fn main() {
    // Cargo tells every benchmark that it is one.
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let steps: usize = words.next().and_then(|n| n.parse().ok()).unwrap_or(20);
    let device = Device::flex();
    device.seed(1);
    let device = device.autodiff();
    println!("{:34} {:>18} {:>18}", "", "forward (Burn's)", "backward (Burn's)");
    for (shape, kernel, stride, padding) in [
        ([64, 64, 32, 32], 2, 2, 0),
        ([64, 64, 8, 8], 2, 2, 0),
        ([64, 40, 26, 26], 3, 1, 0),
        ([16, 64, 112, 112], 3, 2, 1),
        ([64, 32, 56, 56], 5, 3, 2),
    ] {
        let pool = PoolOptions { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2] };
        let composed =
            MaxPoolOptions::new(pool.kernel).with_stride(pool.stride).with_padding(pool.padding);
        let x = Tensor::<4>::random(shape, Distribution::Normal(0.0, 1.0), &device).require_grad();
        let mut times: [Vec<f64>; 4] = Default::default();
        for _ in 0..steps {
            for fused in [true, false] {
                let start = Instant::now();
                let y = match fused {
                    true => max_pool(x.clone(), &pool),
                    false => max_pool2d(x.clone(), composed.clone()),
                };
                let forward = start.elapsed();
                let loss = y.sum();
                let start = Instant::now();
                drop(loss.backward());
                let kind = usize::from(!fused);
                times[kind].push(1e3 * forward.as_secs_f64());
                times[2 + kind].push(1e3 * start.elapsed().as_secs_f64());
            }
        }
        let [forward, forward_burn, backward, backward_burn] = times.map(|mut times| {
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        });
        let name = format!("{shape:?}, {kernel}×{kernel}, stride {stride}");
        println!(
            "{name:34} {forward:8.2} ({forward_burn:7.2}) {backward:8.2} ({backward_burn:7.2})"
        );
    }
}
