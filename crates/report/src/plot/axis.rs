//! From values to positions along an axis, and its ticks.

/// Values beyond this are drawn as if they were not numbers: their differences overflow.
const LARGEST: f64 = 1e100;

/// A mark at a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: String,
}

/// A linear or logarithmic axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The ends, as logarithms if the axis is logarithmic.
    ends: (f64, f64),
    logarithmic: bool,
    pub ticks: Vec<Tick>,
}

/// Whether a value can be drawn.
pub fn drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

impl Axis {
    /// An axis around values that lie within `limits` by their nature, such as 0 and 100 per cent.
    pub fn values(values: &[f64], limits: (f64, f64)) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let room = room(low, high, 0.06).max(0.01 * low.abs().max(high.abs()));
        let (mut ends_low, ends_high) = (low - room, high + room);
        // Heights can be compared by eye where the axis starts at zero.
        if low >= 0.0 && low < 0.35 * high {
            ends_low = 0.0;
        }
        let ends = (ends_low.max(limits.0.min(low)), ends_high.min(limits.1.max(high)));
        Self { ends, logarithmic: false, ticks: round_ticks(ends, 8.0, 0.0) }
    }

    /// An axis of epochs; its ticks are whole numbers.
    pub fn epochs(epochs: &[f64]) -> Self {
        let (low, high) = extent(epochs).unwrap_or((1.0, 1.0));
        let room = room(low, high, 0.03);
        let ends = (low - room, high + room);
        let mut ticks = round_ticks(ends, 12.0, 1.0);
        // The first epoch has no round number: it gets its tick where there is space for it.
        let step = ticks.windows(2).map(|t| t[1].value - t[0].value).next().unwrap_or(1.0);
        ticks.retain(|tick| tick.value >= low);
        if ticks.first().is_none_or(|tick| tick.value - low > 0.4 * step) {
            ticks.insert(0, Tick { value: low, label: number(low) });
        }
        Self { ends, logarithmic: false, ticks }
    }

    /// An axis of per cents with a tick at each of them, on whichever of the linear and the
    /// logarithmic scale lets the closest two lie further apart.
    pub fn percents(percents: &[f64]) -> Self {
        let mut marks: Vec<f64> = percents.iter().copied().filter(|p| drawable(*p)).collect();
        marks.sort_by(f64::total_cmp);
        marks.dedup();
        let logs: Vec<f64> = marks.iter().map(|p| p.ln()).collect();
        let logarithmic =
            marks.first().is_some_and(|p| *p > 0.0) && closest(&logs) > closest(&marks);
        let (low, high) = extent(if logarithmic { &logs } else { &marks }).unwrap_or((0.0, 100.0));
        let room = room(low, high, 0.025);
        let tick = |value: f64| Tick { value, label: number(value) };
        Self {
            ends: (low - room, high + room),
            logarithmic,
            ticks: marks.into_iter().map(tick).collect(),
        }
    }

    pub fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Where a value lies between the lower end (0) and the upper end (1).
    pub fn share(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.ln() } else { value };
        ((value - self.ends.0) / (self.ends.1 - self.ends.0)).clamp(0.0, 1.0)
    }
}

/// The least and the largest of the values that can be drawn.
fn extent(values: &[f64]) -> Option<(f64, f64)> {
    let values = values.iter().copied().filter(|value| drawable(*value));
    values.fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((value.min(low), value.max(high))),
    })
}

/// Space beyond the ends: a share of their distance, or half a unit around a single value, and never
/// so little that it is lost beside them.
fn room(low: f64, high: f64, share: f64) -> f64 {
    let space = if high > low { (high - low) * share } else { 0.5 };
    space.max(1e-6 * low.abs().max(high.abs()))
}

/// The least distance of neighbours, as a share of the whole; `values` in rising order.
fn closest(values: &[f64]) -> f64 {
    let whole = values.last().unwrap_or(&0.0) - values.first().unwrap_or(&0.0);
    let gaps = values.windows(2).map(|pair| (pair[1] - pair[0]) / whole);
    gaps.fold(f64::INFINITY, f64::min)
}

/// About `count` ticks at multiples of 1, 2 or 5 times a power of ten, `least` or more apart.
fn round_ticks((low, high): (f64, f64), count: f64, least: f64) -> Vec<Tick> {
    let rough = (high - low) / count;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power).max(least);
    let decimals = (-step.log10().floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
    let mut ticks = Vec::new();
    // Never endless, even where a step is lost beside a huge value.
    for i in 0..50 {
        let multiple = first + f64::from(i);
        if multiple > last {
            break;
        }
        // + 0.0: no "-0".
        let value = multiple * step + 0.0;
        let label = if (1e-4..1e6).contains(&step) {
            format!("{value:.decimals$}")
        } else {
            format!("{value:.2e}")
        };
        ticks.push(Tick { value, label });
    }
    ticks
}

/// A number with up to four significant digits and no trailing zeros.
pub fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..9.0).contains(&magnitude) {
        return format!("{value:.2e}");
    }
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn losses_get_round_ticks_from_zero() {
        let axis = Axis::values(&[0.05, 2.3], (0.0, f64::INFINITY));
        assert_eq!(labels(&axis), ["0.0", "0.5", "1.0", "1.5", "2.0"]);
        assert_eq!(axis.share(0.0), 0.0);
    }

    #[test]
    fn accuracies_do_not_go_beyond_a_hundred() {
        let axis = Axis::values(&[88.0, 99.9], (0.0, 100.0));
        assert_eq!(labels(&axis), ["88", "90", "92", "94", "96", "98", "100"]);
        assert_eq!(axis.share(100.0), 1.0);
    }

    #[test]
    fn epochs_get_whole_ticks_and_the_first_one_too() {
        let run = |last: usize| Axis::epochs(&(1..=last).map(|e| e as f64).collect::<Vec<_>>());
        assert_eq!(labels(&run(1)), ["1"]);
        assert_eq!(labels(&run(3)), ["1", "2", "3"]);
        assert_eq!(labels(&run(30)), ["1", "5", "10", "15", "20", "25", "30"]);
        assert_eq!(run(1).share(1.0), 0.5);
    }

    #[test]
    fn fractions_that_double_get_a_logarithmic_axis_and_even_ones_a_linear() {
        let doubling = Axis::percents(&[5.0, 10.0, 25.0, 50.0, 100.0]);
        assert!(doubling.is_logarithmic());
        assert_eq!(labels(&doubling), ["5", "10", "25", "50", "100"]);
        // Equal ratios are equally far apart.
        let gap = |a, b| doubling.share(b) - doubling.share(a);
        assert!((gap(5.0, 10.0) - gap(50.0, 100.0)).abs() < 1e-12);

        let even: Vec<f64> = (1..=20).map(|i| f64::from(i) * 5.0).collect();
        assert!(!Axis::percents(&even).is_logarithmic());
        assert!(!Axis::percents(&[0.0, 1.0, 100.0]).is_logarithmic());
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.05 * 100.0, 0.3 * 100.0, 12.5, 0.001, 100.0, 1e-9].map(number);
        assert_eq!(shown, ["5", "30", "12.5", "0.001", "100", "1.00e-9"]);
    }

    #[test]
    fn any_values_have_an_axis_with_finite_positions() {
        let odd = [0.0, -0.0, 1.0, -3.0, 1e-320, 1e99, -1e99, 1e300, f64::NAN, f64::INFINITY];
        for (a, b) in odd.iter().flat_map(|a| odd.map(|b| (*a, b))) {
            for axis in [
                Axis::values(&[a, b], (0.0, 100.0)),
                Axis::epochs(&[a, b]),
                Axis::percents(&[a, b]),
            ] {
                assert!(axis.ticks.len() <= 51);
                for value in [a, b].into_iter().filter(|value| drawable(*value)) {
                    assert!((0.0..=1.0).contains(&axis.share(value)), "{a} {b}: {axis:?}");
                }
            }
        }
    }
}
