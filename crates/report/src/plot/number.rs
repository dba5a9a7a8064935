/// A number with three digits that count.
pub(crate) fn number(value: f32) -> String {
    let value = f64::from(value);
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs().log10().floor();
    match size {
        -3.0..=4.0 => {
            let text = format!("{value:.*}", (2.0 - size).max(0.0) as usize);
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').into(),
                false => text,
            }
        }
        _ => format!("{value:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_of_a_number_count() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.012_345, "0.0123"),
            (-2.5, "-2.5"),
            (12.345, "12.3"),
            (1234.5, "1234"),
            (100.0, "100"),
            (3e9, "3.0e9"),
            (2e-5, "2.0e-5"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
