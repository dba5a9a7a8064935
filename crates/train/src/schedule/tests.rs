use super::*;

/// The factors of the first step of each epoch of eight, three steps an epoch.
fn by_epoch(schedule: &Schedule) -> Vec<f64> {
    schedule.check_steps(8, 3).unwrap();
    (0..8).map(|epoch| at(schedule, 3 * epoch, 3, 8)).collect()
}

fn by_step(schedule: &Schedule, steps: usize) -> Vec<f64> {
    (0..steps).map(|step| at(schedule, step, steps, 1)).collect()
}

fn at(schedule: &Schedule, step: usize, steps_per_epoch: usize, epochs: usize) -> f64 {
    schedule.factor(&Position { step, steps_per_epoch, epochs, monitored: &[] })
}

fn assert_close(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let close = found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-11);
    assert!(close, "{what}: {found:?}, not {expected:?}");
}

// Expected, by PyTorch 2.15 (S = torch.optim.lr_scheduler), the values before each of eight steps:
//
//   def values(make, steps=8):
//       o = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0); s = make(o); out = []
//       for _ in range(steps): out.append(o.param_groups[0]["lr"]); o.step(); s.step()
//       return out
//
// of StepLR(o, 3, 0.5), MultiStepLR(o, [2, 5], 0.1), ExponentialLR(o, 0.9),
// CosineAnnealingLR(o, 8, eta_min=0.1), CosineAnnealingWarmRestarts(o, 2, 2, eta_min=0.1),
// LinearLR(o, 1.0, 0.2, total_iters=8), PolynomialLR(o, 8, 0.9).
#[test]
fn factors_by_epoch_are_those_of_pytorch() {
    let restarts = Decay::CosineRestarts { t_0: 2, t_mult: 2, min_factor: 0.1 };
    for (schedule, expected) in [
        (Schedule::constant(), [1.0; 8]),
        (Schedule::step(3, 0.5), [1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25, 0.25]),
        (Schedule::multi_step([2, 5], 0.1), [1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01, 0.01]),
        (
            Schedule::exponential(0.9),
            [1.0, 0.9, 0.81, 0.729, 0.6561, 0.590_49, 0.531_441, 0.478_296_9],
        ),
        (
            Decay::Cosine { min_factor: 0.1 }.into(),
            [
                1.0,
                0.965_745_789_63,
                0.868_198_051_534,
                0.722_207_544_564,
                0.55,
                0.377_792_455_436,
                0.231_801_948_466,
                0.134_254_210_37,
            ],
        ),
        (
            restarts.into(),
            [1.0, 0.55, 1.0, 0.868_198_051_534, 0.55, 0.231_801_948_466, 1.0, 0.965_745_789_63],
        ),
        (Decay::Linear { end_factor: 0.2 }.into(), [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3]),
        (
            Schedule::polynomial(0.9),
            [
                1.0,
                0.886_762_354_257,
                0.771_889_506_724,
                0.655_076_493_418,
                0.535_886_731_268,
                0.413_645_344_658,
                0.287_174_588_749,
                0.153_893_051_668,
            ],
        ),
    ] {
        assert_close(&by_epoch(&schedule), &expected, &format!("{schedule:?}"));
    }
}

// Expected: as above, of S.SequentialLR(o, [S.LinearLR(o, start_factor=0.01, total_iters=n), main], [n])
// with n = 3 and CosineAnnealingLR(o, 5), n = 3 and StepLR(o, 2, 0.1), n = 2 and ExponentialLR(o, 0.5).
#[test]
fn what_follows_a_warm_up_begins_at_its_end_as_in_pytorch() {
    for (schedule, expected) in [
        (
            Schedule::cosine().with_warmup_epochs(3),
            [
                0.01,
                0.34,
                0.67,
                1.0,
                0.904_508_497_187,
                0.654_508_497_187,
                0.345_491_502_813,
                0.095_491_502_813,
            ],
        ),
        (
            Schedule::step(2, 0.1).with_warmup_epochs(3),
            [0.01, 0.34, 0.67, 1.0, 1.0, 0.1, 0.1, 0.01],
        ),
        (
            Schedule::exponential(0.5).with_warmup_epochs(2),
            [0.01, 0.505, 1.0, 0.5, 0.25, 0.125, 0.0625, 0.031_25],
        ),
    ] {
        assert_close(&by_epoch(&schedule), &expected, &format!("{schedule:?}"));
        // Steps are the unit if an epoch is one step.
        let steps =
            Schedule { warmup_steps: schedule.warmup_epochs, warmup_epochs: 0, ..schedule.clone() };
        let found: Vec<f64> = (0..8).map(|step| at(&steps, step, 1, 8)).collect();
        assert_close(&found, &expected, "in steps");
    }
}

// Expected: as above, of OneCycleLR(o, 2.0, total_steps=8, pct_start=0.4) and OneCycleLR(o, 1.0,
// total_steps=8, pct_start=0.25, div_factor=10, final_div_factor=100, anneal_strategy="linear").
#[test]
fn a_cycle_moves_with_every_step_as_in_pytorch() {
    let cos = OneCycle { max_factor: 2.0, pct_start: 0.4, ..OneCycle::default() };
    let linear = OneCycle {
        pct_start: 0.25,
        div_factor: 10.0,
        final_div_factor: 100.0,
        anneal_strategy: Annealing::Linear,
        ..OneCycle::default()
    };
    let expected = [
        0.08,
        0.903_377_755_258,
        1.961_113_254_67,
        1.866_025_939_683,
        1.382_685_901_631,
        0.741_185_990_174,
        0.206_653_833_122,
        8e-6,
    ];
    assert_close(&by_step(&cos.into(), 8), &expected, "cos");
    let expected = [0.1, 1.0, 0.8335, 0.667, 0.5005, 0.334, 0.1675, 0.001];
    assert_close(&by_step(&linear.into(), 8), &expected, "linear");
    // The whole run is one cycle, however it is cut into epochs.
    let epochs: Vec<f64> = (0..8).map(|step| at(&linear.into(), step, 2, 4)).collect();
    assert_close(&epochs, &expected, "linear in epochs of two steps");
}

/// The factor of each epoch, where the values before it are known.
fn plateau(schedule: &Schedule, values: &[f64]) -> Vec<f64> {
    let factor = |epoch| {
        let monitored = &values[..epoch];
        schedule.factor(&Position {
            step: epoch,
            steps_per_epoch: 1,
            epochs: values.len(),
            monitored,
        })
    };
    (0..values.len()).map(factor).collect()
}

const LOSSES: [f64; 12] = [1.0, 0.9, 0.95, 0.91, 0.92, 0.80, 0.81, 0.79995, 0.82, 0.83, 0.84, 0.85];

// Expected: as above with s.step(value), of ReduceLROnPlateau(o, factor=0.5, patience=1, cooldown=1,
// threshold=1e-3, min_lr=0.2), and of ReduceLROnPlateau(o, mode="max", factor=0.1, patience=2).
#[test]
fn a_plateau_lowers_the_rate_as_in_pytorch() {
    let settings = Plateau {
        factor: 0.5,
        patience: 1,
        cooldown: 1,
        threshold: 1e-3,
        min_factor: 0.2,
        ..Plateau::default()
    };
    let expected = [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.2];
    assert_close(&plateau(&settings.into(), &LOSSES), &expected, "losses");

    let rising = Plateau { mode: PlateauMode::Max, patience: 2, ..Plateau::default() };
    let values = [0.5, 0.6, 0.6, 0.600_05, 0.59, 0.7, 0.7, 0.7];
    let expected = [1.0, 1.0, 1.0, 1.0, 1.0, 0.1, 0.1, 0.1];
    assert_close(&plateau(&rising.into(), &values), &expected, "accuracies");
}

#[test]
fn epochs_of_the_warm_up_do_not_count_for_a_plateau() {
    let settings = Plateau { factor: 0.5, patience: 1, ..Plateau::default() };
    let plain = plateau(&settings.into(), &LOSSES);
    let warm = Schedule::from(settings).with_warmup_epochs(2);
    // The best values come first, and would make a plateau of what follows.
    let values = [&[0.0, 0.0][..], &LOSSES].concat();
    assert_eq!(plateau(&warm, &values)[2..], plain);
}

#[test]
fn a_value_that_is_not_a_number_is_no_improvement() {
    let settings = Plateau { patience: 1, ..Plateau::default() };
    let values = [f64::NAN, 1.0, f64::NAN, f64::NAN, f64::INFINITY];
    assert_close(&plateau(&settings.into(), &values), &[1.0, 1.0, 1.0, 1.0, 0.1], "NaN");
}

#[test]
fn the_factor_stays_within_an_epoch_unless_it_moves_with_the_step() {
    let cosine = Schedule::cosine().with_warmup_epochs(1);
    let factors: Vec<f64> = (0..8).map(|step| at(&cosine, step, 2, 4)).collect();
    assert!(factors.chunks(2).all(|epoch| epoch[0] == epoch[1]), "{factors:?}");
    let cosine = cosine.with_interval(Interval::Step);
    let factors: Vec<f64> = (0..8).map(|step| at(&cosine, step, 2, 4)).collect();
    // 0.01 + 0.99/2, and (1 + cos(π/6 · t))/2 for the t-th of six steps, by Python.
    let expected = [0.01, 0.505, 1.0, 0.933_012_701_892, 0.75, 0.5, 0.25, 0.066_987_298_108];
    assert_close(&factors, &expected, "by step");
}

/// One schedule of each kind, for a run of at least ten epochs.
fn all() -> Vec<Schedule> {
    vec![
        Schedule::constant(),
        Schedule::step(2, 0.1),
        Schedule::multi_step([1, 4], 0.5),
        Schedule::exponential(0.3),
        Schedule::cosine(),
        Schedule::cosine_restarts(1, 1),
        Schedule::cosine_restarts(2, 3),
        Schedule::linear(),
        Schedule::polynomial(2.0),
        Schedule::one_cycle(),
        Plateau { patience: 1, ..Plateau::default() }.into(),
    ]
}

#[test]
fn every_factor_is_finite_and_at_least_zero_and_a_warm_up_rises() {
    for plain in all() {
        for warmup in [0, 1, 3, 40] {
            for interval in [Interval::Epoch, Interval::Step] {
                let steps = plain.clone().with_warmup_steps(warmup).with_interval(interval);
                let epochs =
                    plain.clone().with_warmup_epochs(warmup.min(5)).with_interval(interval);
                for schedule in [steps, epochs] {
                    schedule.check_steps(10, 7).unwrap();
                    // Also beyond the end of the run.
                    let factors: Vec<f64> =
                        (0..90).map(|step| at(&schedule, step, 7, 10)).collect();
                    let usual = factors.iter().all(|f| (0.0..=1.0 + 1e-12).contains(f));
                    assert!(usual, "{schedule:?}: {factors:?}");
                    let warm = schedule.warmup_steps.max(7 * schedule.warmup_epochs);
                    let rises = factors[..warm].windows(2).all(|pair| pair[0] <= pair[1]);
                    assert!(
                        rises && (warm == 0 || factors[0] == 0.01),
                        "{schedule:?}: {factors:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn runs_of_one_step_have_a_factor() {
    for schedule in all() {
        let factor = at(&schedule, 0, 1, 1);
        assert!((0.0..=1.0).contains(&factor), "{schedule:?}: {factor}");
    }
}

#[test]
fn schedules_longer_than_the_run_and_impossible_settings_are_refused() {
    let warm = |n| Schedule::cosine().with_warmup_epochs(n);
    let cycle = OneCycle::default();
    let plateau = Plateau::default();
    let both = Schedule { warmup_steps: 1, ..warm(1) };
    for (schedule, names) in [
        (warm(10), "warm-up epochs is 10"),
        (both, "warm-up steps is 1"),
        (Schedule { warmup_factor: 0.0, ..warm(1) }, "warm-up factor is 0"),
        (Schedule { warmup_factor: f64::NAN, ..warm(1) }, "warm-up factor is NaN"),
        (Schedule::step(0, 0.1), "step size is 0"),
        (Schedule::step(10, 0.1), "step size is 10"),
        (Schedule::step(8, 0.1).with_warmup_epochs(2), "step size is 8"),
        (Schedule::step(2, 0.0), "gamma is 0"),
        (Schedule::step(2, 1.5), "gamma is 1.5"),
        (Schedule::multi_step([], 0.1), "milestones is empty"),
        (Schedule::multi_step([3, 10], 0.1), "milestone is 10"),
        (Schedule::multi_step([0, 3], 0.1), "milestone is 0"),
        (Schedule::multi_step([5, 3], 0.1), "milestone is 3"),
        (Schedule::exponential(f64::NAN), "gamma is NaN"),
        (Decay::Cosine { min_factor: -0.1 }.into(), "least factor is -0.1"),
        (Schedule::cosine_restarts(0, 1), "T_0 is 0"),
        (Schedule::cosine_restarts(11, 1), "T_0 is 11"),
        (Schedule::cosine_restarts(2, 0), "T_mult is 0"),
        (Decay::Linear { end_factor: 2.0 }.into(), "end factor is 2"),
        (Schedule::polynomial(0.0), "power is 0"),
        (OneCycle { max_factor: 0.0, ..cycle }.into(), "max factor is 0"),
        (OneCycle { pct_start: 1.0, ..cycle }.into(), "pct_start is 1"),
        (OneCycle { div_factor: 0.5, ..cycle }.into(), "div_factor is 0.5"),
        (OneCycle { final_div_factor: f64::INFINITY, ..cycle }.into(), "final_div_factor is inf"),
        (plateau.into(), "patience is 10"),
        (Plateau { patience: 7, factor: 1.0, ..plateau }.into(), "factor is 1"),
        (Plateau { patience: 7, threshold: -1.0, ..plateau }.into(), "threshold is -1"),
        (Plateau { patience: 7, min_factor: f64::NAN, ..plateau }.into(), "least factor is NaN"),
    ] {
        let error = schedule.check(10).unwrap_err().to_string();
        assert!(error.contains(names) && !error.contains('\n'), "{schedule:?}: {error}");
    }
    assert!(Schedule::from(Plateau { patience: 7, ..plateau }).check(10).is_ok());
    let steps = Schedule::step(2, 0.1).with_warmup_steps(30);
    assert!(steps.check_steps(5, 10).is_err() && steps.check_steps(6, 10).is_ok());
    let error = steps.check_steps(3, 10).unwrap_err().to_string();
    assert!(error.contains("warm-up steps is 30"), "{error}");
}

#[test]
fn the_last_setting_that_is_accepted_acts_within_the_run() {
    // A step size or patience at the limit of the check changes the last epoch's factor.
    let step = Schedule::step(9, 0.1);
    step.check(10).unwrap();
    assert_close(&[at(&step, 9, 1, 10)], &[0.1], "step");
    let flat = Schedule::from(Plateau { patience: 7, ..Plateau::default() });
    flat.check(10).unwrap();
    assert_close(&plateau(&flat, &[1.0; 10])[8..], &[1.0, 0.1], "plateau");
}

#[test]
fn settings_are_read_as_they_are_written_and_unknown_ones_are_refused() {
    for schedule in all() {
        let schedule = schedule.with_warmup_steps(7).with_interval(Interval::Step);
        let text = serde_json::to_string(&schedule).unwrap();
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule, "{text}");
    }
    let read = serde_json::from_str::<Schedule>;
    let text = serde_json::to_string(&Schedule::constant()).unwrap();
    assert_eq!(text, r#"{"name":"constant"}"#);
    for (text, expected) in [
        (r#"{"name": "cosine"}"#, Schedule::cosine()),
        (r#"{"name": "step", "step_size": 3}"#, Schedule::step(3, 0.1)),
        (
            r#"{"name": "one_cycle", "warmup_epochs": 1}"#,
            Schedule::one_cycle().with_warmup_epochs(1),
        ),
        (r#"{"name": "plateau"}"#, Schedule::plateau()),
        (r#"{"name": "polynomial"}"#, Schedule::polynomial(1.0)),
    ] {
        assert_eq!(read(text).unwrap(), expected, "{text}");
    }
    for text in [
        r#"{"name": "constant", "gamma": 0.1}"#,
        r#"{"name": "cosine", "gamma": 0.1}"#,
        r#"{"name": "one_cycle", "pct_strat": 0.1}"#,
        r#"{"name": "plateau", "warm_up": 3}"#,
    ] {
        assert!(read(text).unwrap_err().to_string().contains("unknown field"), "{text}");
    }
    assert!(read(r#"{"name": "stair"}"#).unwrap_err().to_string().contains("unknown variant"));
}
