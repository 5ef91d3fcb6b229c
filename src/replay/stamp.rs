//! The time at the beginning of a line, as agents write it.

use crate::time::Timestamp;

/// From 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_EPOCH: u64 = 719_468;

/// Returns the time a text begins with, such as `2016-04-21T12:42:06.466+0000`, as microseconds
/// since 1970, and the text behind it.
pub(super) fn split(text: &str) -> Option<(Timestamp, &str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let (time, rest) = rest.strip_prefix('T')?.split_at_checked(8)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = fields(time, ':', [2, 2, 2])?;
    if !(1970..=9_999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (micros, rest) = fraction(rest)?;
    let (offset, rest) = offset(rest)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
    let seconds = seconds.checked_add_signed(-offset)?;
    Some((Timestamp::from_micros(seconds * 1_000_000 + micros), rest))
}

/// Reads numbers of so many digits.
fn fields(text: &str, between: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut fields = text.split(between);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let field = fields.next()?;
        if field.len() != width || !field.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        *number = field.parse().ok()?;
    }
    fields.next().is_none().then_some(numbers)
}

/// Reads a fraction of a second, if there is one.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(rest) = text.strip_prefix('.') else {
        return Some((0, text));
    };
    let end = rest.find(|it: char| !it.is_ascii_digit());
    let (digits, rest) = rest.split_at(end.unwrap_or(rest.len()));
    if digits.is_empty() {
        return None;
    }
    let digits: String = digits.chars().chain("000000".chars()).take(6).collect();
    Some((digits.parse().ok()?, rest))
}

/// Reads how many seconds a clock was ahead of UTC.
fn offset(text: &str) -> Option<(i64, &str)> {
    if let Some(rest) = text.strip_prefix('Z') {
        return Some((0, rest));
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, rest) = text.get(1..)?.split_at_checked(2)?;
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = rest.split_at_checked(2)?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some((sign * (hours * 3_600 + minutes * 60), rest))
}

/// Returns the days since 1970-01-01; the year is taken to begin in March.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_BEFORE_EPOCH
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    #[test]
    fn a_time_is_read_back_as_it_is_written() {
        for micros in [
            0,
            951_782_400_000_000,
            1_732_147_445_678_901,
            4_107_542_400_000_000,
        ] {
            let text = format!("{} INFO", WallTime::from_unix_micros(micros));
            assert_eq!(
                split(&text),
                Some((Timestamp::from_micros(micros), " INFO"))
            );
        }
    }

    #[test]
    fn offsets_count_and_nonsense_is_no_time() {
        let seconds = |text| split(text).map(|(at, _)| at.as_micros() / 1_000_000);
        assert_eq!(seconds("1970-01-02T01:00:00.5+0100 x"), Some(86_400));
        assert_eq!(seconds("1970-01-01T23:00:00-01:00"), Some(86_400));
        for text in [
            "",
            "Thu Apr 21 12:42:05 UTC 2016: x",
            "2016-04-21 12:42:06.466+0000",
            "2016-13-21T12:42:06.466+0000",
            "2016-04-21T12:42:06.466",
            "2016-04-21T12:42:06.+0000",
            "２016-04-21T12:42:06.466+0000",
        ] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
