use super::*;

#[test]
#[ignore]
fn speed() {
    use std::time::Instant;
    let isa = Isa::current();
    // rows, inner, columns, a transposed, b transposed
    let threads: usize = std::env::var("T").map_or(1, |t| t.parse().unwrap());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    for (m, k, n, ta, tb) in [
        (32, 784, 256, false, false), (784, 32, 256, true, false), (32, 256, 784, false, true),
        (32, 256, 128, false, false), (256, 32, 128, true, false), (32, 128, 256, false, true),
        (32, 128, 10, false, false), (128, 32, 10, true, false), (32, 10, 128, false, true),
        (100, 784, 512, false, false), (784, 100, 512, true, false), (100, 512, 784, false, true),
        (128, 2000, 500, false, false), (2000, 128, 500, true, false), (128, 500, 2000, false, true),
        (64, 512, 512, false, false), (512, 64, 512, true, false), (64, 512, 512, false, true),
        (512, 512, 256, false, false), (512, 256, 512, false, true), (512, 512, 512, true, false),
        (64, 64, 1024, false, false), (64, 1024, 64, false, true), (16, 16, 1024, false, false), (16, 1024, 16, false, true),
        (8, 4096, 4096, false, false), (1, 784, 256, false, false), (1, 4096, 4096, false, false), (2, 4096, 4096, false, true),
    ] {
        let a: Vec<f32> = (0..m * k).map(|i| (i % 17) as f32 - 8.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i % 13) as f32 - 6.0).collect();
        let view = |v, s: [usize; 2], t| if t { Matrix::new(v, [s[1], s[0]]).transposed() } else { Matrix::new(v, s) };
        let (a, b) = (view(&a, [m, k], ta), view(&b, [k, n], tb));
        let flop = 2.0 * (m * k * n) as f64;
        let steps = (2e8 / flop).max(1.0) as usize;
        let mut best = [f64::MAX; 3];
        pool.install(|| for _ in 0..20 {
            let start = Instant::now();
            for _ in 0..steps {
                let mut to = vec![0.0; m * n];
                crate::matrix::add_product(a, b, &mut to);
                std::hint::black_box(to);
            }
            best[0] = best[0].min(start.elapsed().as_secs_f64() / steps as f64);
            let start = Instant::now();
            for _ in 0..steps {
                std::hint::black_box(Product::new(a, b).compute(isa));
            }
            best[1] = best[1].min(start.elapsed().as_secs_f64() / steps as f64);
        });
        println!("{m:5}x{k:5}x{n:5} {ta:5} {tb:5}  gemm {:7.1}  ours {:7.1} GFLOP/s  {:8.1} us  x{:.2}", flop / best[0] / 1e9, flop / best[1] / 1e9, best[1]*1e6, best[0] / best[1]);
    }
}
