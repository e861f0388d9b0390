//! The parameters `placed_from` and `placed_to`: instants, or days in a time zone.

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use problem::{Problem, timestamp};

use super::page_limit::invalid_parameter;

/// An instant as it is, and the beginning of a day.
pub(super) fn placed_from(text: &str, zone: Tz) -> Result<DateTime<Utc>, Problem> {
    parse(text, zone, Some).ok_or_else(|| invalid_time("placed_from"))
}

/// An instant as it is, and the end of a day: the whole day belongs to the span.
pub(super) fn placed_to(text: &str, zone: Tz) -> Result<DateTime<Utc>, Problem> {
    parse(text, zone, |day| day.succ_opt()).ok_or_else(|| invalid_time("placed_to"))
}

/// The zone that the parameter `time_zone` names, or the zone of the shop.
pub(super) fn time_zone(name: Option<&str>, shop: Tz) -> Result<Tz, Problem> {
    let Some(name) = name else { return Ok(shop) };
    name.parse().map_err(|_| {
        let message = "must be a name of the IANA database, such as Asia/Shanghai".to_owned();
        invalid_parameter("time_zone", message)
    })
}

fn parse(
    text: &str,
    zone: Tz,
    day: impl FnOnce(NaiveDate) -> Option<NaiveDate>,
) -> Option<DateTime<Utc>> {
    if let Ok(instant) = text.parse() {
        return Some(instant).filter(|instant| timestamp::is_storable(*instant));
    }
    // Years of four digits, also in every time zone: the arithmetic below cannot overflow.
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let date = Some(date).filter(|date| (2..=9_998).contains(&date.year()))?;
    beginning(day(date)?, zone)
}

/// The first instant of a day. Where the clock skips midnight, the day begins later.
fn beginning(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    let quarters = (0..=4 * 24).map(|quarter| midnight + TimeDelta::minutes(15 * quarter));
    let mut instants = quarters.filter_map(|local| zone.from_local_datetime(&local).earliest());
    Some(instants.next()?.to_utc())
}

fn invalid_time(parameter: &str) -> Problem {
    let message =
        "must be a day such as 2026-11-28, or an instant such as 2026-11-28T00:00:00+08:00";
    invalid_parameter(parameter, message.to_owned())
}

#[cfg(test)]
mod tests {
    use chrono_tz::{Africa, America, Asia, Tz, UTC};

    use super::{placed_from, placed_to, time_zone};

    fn span(from: &str, to: &str, zone: Tz) -> (String, String) {
        let text = |time: chrono::DateTime<chrono::Utc>| time.format("%FT%RZ").to_string();
        (text(placed_from(from, zone).unwrap()), text(placed_to(to, zone).unwrap()))
    }

    #[test]
    fn a_day_is_a_day_of_the_zone() {
        let day = "2026-11-30";
        let (from, to) = span(day, day, Asia::Shanghai);
        assert_eq!((&*from, &*to), ("2026-11-29T16:00Z", "2026-11-30T16:00Z"));
        let (from, to) = span(day, day, UTC);
        assert_eq!((&*from, &*to), ("2026-11-30T00:00Z", "2026-12-01T00:00Z"));
        // The day on which the clock is set back has 25 hours.
        let (from, to) = span("2026-11-01", "2026-11-01", America::New_York);
        assert_eq!((&*from, &*to), ("2026-11-01T04:00Z", "2026-11-02T05:00Z"));
        // In Cairo, the clock goes from 24:00 to 01:00: the day has no midnight.
        let (from, _) = span("2026-04-24", "2026-04-24", Africa::Cairo);
        assert_eq!(from, "2026-04-23T22:00Z");
    }

    #[test]
    fn an_instant_has_its_own_zone() {
        let (from, to) =
            span("2026-11-30T10:00:00+08:00", "2026-11-30T12:00:00Z", America::New_York);
        assert_eq!((&*from, &*to), ("2026-11-30T02:00Z", "2026-11-30T12:00Z"));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "yesterday", "2026-11", "2026-02-30", "30.11.2026", "+262142-12-31"] {
            assert!(placed_to(text, Asia::Shanghai).is_err(), "{text}");
        }
        assert!(time_zone(Some("Shanghai"), UTC).is_err());
        assert_eq!(time_zone(Some("Europe/Berlin"), UTC).unwrap().name(), "Europe/Berlin");
        assert_eq!(time_zone(None, Asia::Shanghai).unwrap(), Asia::Shanghai);
    }
}
