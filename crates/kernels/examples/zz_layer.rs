//! Scratch.
use burn::tensor::{Device, Distribution, Tensor};
use selvedge_kernels::{ConvBlockOptions, conv_block};
use std::time::Instant;
fn main() {
    let device = Device::flex();
    let auto = device.clone().autodiff();
    for spec in std::env::args().skip(1) {
        let v: Vec<usize> = spec.split(',').map(|v| v.parse().unwrap()).collect();
        let [i, o, k, pad, size, batch] = v[..] else { panic!() };
        let options = ConvBlockOptions { padding: [pad; 2], relu: true, ..Default::default() };
        let d = Distribution::Uniform(-1.0, 1.0);
        let x = Tensor::<4>::random([batch, i, size, size], d, &auto);
        let w = Tensor::<4>::random([o, i, k, k], d, &auto).require_grad();
        let out = size + 2 * pad + 1 - k;
        let flops = (2 * batch * i * o * k * k * out * out) as f64;
        let mut best = [f64::MAX; 3];
        let begin = Instant::now();
        let mut n = 0;
        while n < 5 || begin.elapsed().as_secs_f64() < 1.2 {
            n += 1;
            let t = Instant::now();
            let y = conv_block(x.clone(), w.clone(), None, &options);
            best[0] = best[0].min(t.elapsed().as_secs_f64());
            if std::env::var("FWD").is_ok() {
                continue;
            }
            let s = y.sum();
            let t = Instant::now();
            s.backward();
            best[1] = best[1].min(t.elapsed().as_secs_f64());
            let y = conv_block(x.clone().detach().require_grad(), w.clone(), None, &options).sum();
            let t = Instant::now();
            y.backward();
            best[2] = best[2].min(t.elapsed().as_secs_f64());
        }
        best[2] -= best[1];
        print!("{spec}:");
        for b in best {
            print!(" {:6.1}", flops / b / 1e9);
        }
        println!("  ms {:.2} {:.2} {:.2}", best[0] * 1e3, best[1] * 1e3, best[2] * 1e3);
    }
}
