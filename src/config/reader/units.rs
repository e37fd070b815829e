//! Values with units: durations and sizes.

use std::time::Duration;

use toml::de::DeValue;

use super::problem::{Place, Report};
use super::values::{Field, Read, mismatch};
use crate::texts::{Text, text};

/// Longer waits are a typing error, and would overflow the clock's arithmetic.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

impl Read for Duration {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        let no_unit = |number: &str, report: &mut Report<'_>| {
            report.error(place, text!("has no unit, write \"{number}s\" for seconds", number));
            None
        };
        if let Some(number) = value.as_integer() {
            return no_unit(number.as_str(), report);
        }
        let Some(text) = value.as_str() else {
            mismatch(value, place, report, text!("a duration like \"500ms\", \"5s\" or \"2h\""));
            return None;
        };
        if !text.is_empty() && text != "0" && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return no_unit(text, report);
        }
        match humantime::parse_duration(text) {
            Ok(duration) if duration <= LONGEST => Some(duration),
            Ok(_) => {
                report.error(place, text!("is too long, expected at most \"24h\""));
                None
            }
            Err(_) => {
                report
                    .error(place, text!("is not a duration, expected one like \"500ms\", \"5s\" or \"2h\""));
                None
            }
        }
    }
}

impl Read for Size {
    fn read(value: &DeValue<'_>, place: &Place, report: &mut Report<'_>) -> Option<Self> {
        const EXAMPLES: Text<'_> =
            text!("a size like \"64KiB\", \"12MiB\" or \"1GiB\", or a number of bytes without quotes");
        if value.as_integer().is_some() {
            return u64::read(value, place, report).map(Self);
        }
        let Some(text) = value.as_str() else {
            mismatch(value, place, report, EXAMPLES);
            return None;
        };
        let size = parse_size(text);
        if size.is_none() {
            report.error(place, text!("is not a size, expected {examples}", examples = EXAMPLES));
        }
        size.map(Self)
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A number of bytes.
#[derive(Clone, Copy, Debug)]
pub(in crate::config) struct Size(pub u64);

/// The duration or its default; zero is reported, since it would time out everything.
pub(in crate::config) fn positive(
    field: &Field<Duration>,
    default: Duration,
    report: &mut Report<'_>,
) -> Duration {
    if let Some(item) = field.item()
        && item.value.is_zero()
    {
        let default = humantime::format_duration(default);
        report.error(&item.place, text!("is zero, expected a duration like \"{default}\"", default));
    }
    field.or(default)
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("64KiB"), Some(65_536));
        assert_eq!(parse_size("12 MiB"), Some(12 << 20));
        assert_eq!(parse_size("3B"), Some(3));
        for wrong in ["", "64", "64KB", "KiB", "-1KiB", "1.5MiB", "99999999999GiB"] {
            assert_eq!(parse_size(wrong), None, "{wrong}");
        }
    }
}
