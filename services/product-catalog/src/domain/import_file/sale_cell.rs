//! The times of a sale, as programs write them: `2026-12-01`, `2026-12-01T10:00+0800`, `2026/12/1 10:00`.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::header_name::half_width;

/// Hours east of Greenwich of times without an offset: the zone of the shop.
const DEFAULT_OFFSET_HOURS: i32 = 8;

/// Which end of a sale a time is. A day is part of the sale, as its first day and as its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SaleBound {
    Start,
    End,
}

/// Times with a date, a time and perhaps an offset.
const TIMES: [&str; 4] =
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];

const NO_TIME: &str = "must be a time such as 2026-12-01T10:00+08:00, or a day such as 2026-12-01";

/// The moment at which a sale starts or ends. Times without an offset are in the zone `offset`.
pub(super) fn sale_time(
    cell: &str,
    bound: SaleBound,
    offset: Option<FixedOffset>,
) -> Result<DateTime<Utc>, &'static str> {
    let text: String = cell.chars().map(half_width).collect();
    let text = normalised(text.trim());
    let with_offset = TIMES
        .iter()
        .find_map(|format| DateTime::parse_from_str(&text, &format!("{format}%z")).ok());
    if let Some(time) = with_offset {
        return Ok(time.to_utc());
    }
    let local = TIMES.iter().find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let local = local.map_or_else(|| day_bound(&text, bound), Ok)?;
    let offset =
        offset.or_else(|| FixedOffset::east_opt(DEFAULT_OFFSET_HOURS * 3_600)).ok_or(NO_TIME)?;
    local.and_local_timezone(offset).single().map(|time| time.to_utc()).ok_or(NO_TIME)
}

/// The first moment of a day, or the first one after it.
fn day_bound(text: &str, bound: SaleBound) -> Result<NaiveDateTime, &'static str> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| NO_TIME)?;
    let day = match bound {
        SaleBound::Start => day,
        SaleBound::End => day.checked_add_days(Days::new(1)).ok_or(NO_TIME)?,
    };
    Ok(day.and_time(NaiveTime::MIN))
}

/// Start and end of an interval such as `2026-12-01T00:00+0800/2026-12-24T23:59+0800`.
pub(super) fn sale_interval(
    cell: &str,
    offset: Option<FixedOffset>,
) -> Result<(DateTime<Utc>, DateTime<Utc>), &'static str> {
    let (start, end) = cell.split_once('/').ok_or("must be two times with a slash between")?;
    Ok((sale_time(start, SaleBound::Start, offset)?, sale_time(end, SaleBound::End, offset)?))
}

/// One way of writing: hyphens within a date, a numeric offset.
fn normalised(text: &str) -> String {
    let text = match text.strip_suffix(['Z', 'z']) {
        Some(rest) => format!("{}+0000", rest.trim_end()),
        None => text.to_owned(),
    };
    let (date, time) = text.split_at(text.find(['T', ' ']).unwrap_or(text.len()));
    let date = date.replace(['/', '.', '年', '月'], "-").replace('日', "");
    // A blank before the offset.
    format!("{date}{}", time.replace(" +", "+").replace(" -", "-"))
}

#[cfg(test)]
mod tests {
    use chrono::{FixedOffset, SecondsFormat};

    use super::{SaleBound, sale_interval, sale_time};

    fn read(cell: &str, bound: SaleBound, offset: Option<FixedOffset>) -> Option<String> {
        let time = sale_time(cell, bound, offset).ok()?;
        Some(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }

    #[test]
    fn times_are_read_as_programs_write_them() {
        for (cell, time) in [
            ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
            ("2026-12-01T10:00+0800", "2026-12-01T02:00:00Z"),
            ("2026-12-01T10:00:30-05:00", "2026-12-01T15:00:30Z"),
            ("2026-12-01 10:00:00 +0000", "2026-12-01T10:00:00Z"),
            ("2026-12-01T10:00:00", "2026-12-01T02:00:00Z"),
            ("2026/12/1 10:00", "2026-12-01T02:00:00Z"),
            ("2026年12月1日", "2026-11-30T16:00:00Z"),
        ] {
            assert_eq!(read(cell, SaleBound::Start, None).as_deref(), Some(time), "{cell}");
        }
        for cell in ["soon", "01.12.2026", "2026-13-01", "2026-12-01T25:00", "46000", ""] {
            assert_eq!(read(cell, SaleBound::Start, None), None, "{cell}");
        }
    }

    #[test]
    fn last_day_belongs_to_the_sale() {
        let berlin = FixedOffset::east_opt(3_600);
        let day = |bound| read("2026-12-24", bound, berlin).unwrap();
        assert_eq!(day(SaleBound::Start), "2026-12-23T23:00:00Z");
        assert_eq!(day(SaleBound::End), "2026-12-24T23:00:00Z");
        let (start, end) = sale_interval("2026-12-01T00:00+0800/2026-12-24", berlin).unwrap();
        assert_eq!(start.to_rfc3339(), "2026-11-30T16:00:00+00:00");
        assert_eq!(end.to_rfc3339(), "2026-12-24T23:00:00+00:00");
        assert!(sale_interval("2026-12-01", None).is_err());
    }
}
