//! The door: what a client sent becomes events, or verdicts that say why not.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::domain::event::{Event, Rejection, RejectionCode};

/// The most events of one request.
pub const MAX_EVENTS: usize = 1_000;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object, or an array of them.
    Json,
    /// One JSON object on each line.
    Lines,
    /// Whatever its first byte says: an array, or lines. So do beacons send it, which cannot set the type.
    Unsaid,
}

impl Form {
    /// The form that a content type stands for; `None` if it is none that is taken.
    pub fn of(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(Self::Unsaid) };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |other: &&str| essence.eq_ignore_ascii_case(other);
        let lines = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
        if lines.iter().any(is) {
            Some(Self::Lines)
        } else if is(&"application/json") {
            Some(Self::Json)
        } else if ["", "text/plain"].iter().any(is) {
            Some(Self::Unsaid)
        } else {
            None
        }
    }
}

/// Why there are no verdicts.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The body as a whole is no JSON.
    #[error("the body is not JSON")]
    Malformed(#[source] serde_json::Error),
    /// No events, or too many.
    #[error("a request has 1 to {MAX_EVENTS} events")]
    Number,
}

/// The verdict on each event of a request.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// Those that are taken, in their order.
    pub accepted: Vec<Event>,
    /// The place of each that is not taken, counted from 0, and why.
    pub rejected: Vec<(usize, Rejection)>,
}

/// Judges each event of `body`, which arrived at `now`.
pub fn judge(form: Form, body: &[u8], now: DateTime<Utc>) -> Result<Verdicts, Unreadable> {
    let is_array = body.trim_ascii_start().starts_with(b"[");
    match form {
        Form::Json | Form::Unsaid if is_array => {
            let raw: Vec<Value> = serde_json::from_slice(body).map_err(Unreadable::Malformed)?;
            judge_each(raw.into_iter().map(|raw| Event::parse(raw, now)))
        }
        Form::Json => {
            let raw = serde_json::from_slice(body).map_err(Unreadable::Malformed)?;
            judge_each(std::iter::once(Event::parse(raw, now)))
        }
        Form::Lines | Form::Unsaid => {
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| !line.is_empty());
            judge_each(lines.map(|line| match serde_json::from_slice(line) {
                Ok(raw) => Event::parse(raw, now),
                Err(error) => Err(no_json(&error)),
            }))
        }
    }
}

fn judge_each(
    verdicts: impl Iterator<Item = Result<Event, Rejection>>,
) -> Result<Verdicts, Unreadable> {
    let mut judged = Verdicts::default();
    let mut count = 0;
    for (index, verdict) in verdicts.enumerate() {
        count = index + 1;
        if count > MAX_EVENTS {
            return Err(Unreadable::Number);
        }
        match verdict {
            Ok(event) => judged.accepted.push(event),
            Err(rejection) => judged.rejected.push((index, rejection)),
        }
    }
    if count == 0 { Err(Unreadable::Number) } else { Ok(judged) }
}

fn no_json(error: &serde_json::Error) -> Rejection {
    let reason = format!("the line is not JSON: error at column {}", error.column());
    Rejection { code: RejectionCode::Malformed, reason }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Form, MAX_EVENTS, Unreadable, Verdicts, judge};

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn event() -> Value {
        json!({
            "event_id": "0197a1b2-0000-7000-8000-0000000000ff", "type": "searched", "visitor_id": "v", "session_id": "s",
            "occurred_at": NOW,
        })
    }

    fn judged(form: Form, body: &str) -> Result<Verdicts, Unreadable> {
        judge(form, body.as_bytes(), NOW.parse().unwrap())
    }

    /// How many are accepted, and the places of the others.
    fn counts(form: Form, body: &str) -> (usize, Vec<usize>) {
        let verdicts = judged(form, body).unwrap();
        (verdicts.accepted.len(), verdicts.rejected.iter().map(|(index, _)| *index).collect())
    }

    #[test]
    fn the_content_type_says_the_form() {
        assert_eq!(Form::of(None), Some(Form::Unsaid));
        assert_eq!(Form::of(Some("text/plain;charset=UTF-8")), Some(Form::Unsaid));
        assert_eq!(Form::of(Some("Application/JSON; charset=utf-8")), Some(Form::Json));
        assert_eq!(Form::of(Some("application/x-ndjson")), Some(Form::Lines));
        assert_eq!(Form::of(Some("image/png")), None);
    }

    #[test]
    fn one_event_an_array_and_lines_are_read() {
        let one = event().to_string();
        let pretty = serde_json::to_string_pretty(&event()).unwrap();
        assert_eq!(counts(Form::Json, &one), (1, vec![]));
        assert_eq!(counts(Form::Json, &pretty), (1, vec![]));
        assert_eq!(counts(Form::Unsaid, &one), (1, vec![]));
        let array = format!(" [{one},7,{one}]");
        assert_eq!(counts(Form::Json, &array), (2, vec![1]));
        assert_eq!(counts(Form::Unsaid, &array), (2, vec![1]));
        let lines = format!("{one}\r\n\n{{\"event_id\":\n[]\n{one}");
        assert_eq!(counts(Form::Lines, &lines), (2, vec![1, 2]));
        assert_eq!(counts(Form::Unsaid, &lines), (2, vec![1, 2]));
    }

    #[test]
    fn what_is_no_request_is_refused_whole() {
        for body in ["", "[", "{\"a\":1", "nonsense"] {
            assert!(matches!(judged(Form::Json, body), Err(Unreadable::Malformed(_))), "{body}");
        }
        let many = format!("[{}]", vec!["{}"; MAX_EVENTS + 1].join(","));
        for (form, body) in [(Form::Json, "[]"), (Form::Lines, " \n\n"), (Form::Json, &many)] {
            assert!(matches!(judged(form, body), Err(Unreadable::Number)), "{body}");
        }
        assert_eq!(counts(Form::Lines, &vec!["{}"; MAX_EVENTS].join("\n")).1.len(), MAX_EVENTS);
    }
}
