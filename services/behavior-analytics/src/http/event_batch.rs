//! The body of `POST /v1/events`: a batch of events in one of three formats.

use serde_json::{Deserializer, Value};

use super::{event_sender::Reception, user_event::UserEvent};
use crate::{app::ingest_events::AcceptedEvent, domain::rejection::Rejection};

/// The most events of one request.
pub(super) const MAX_EVENTS: usize = 1_000;

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyFormat {
    /// One JSON object, or an array of them.
    Json,
    /// One JSON object per line.
    Lines,
    /// An array if the first byte is `[`, else JSON objects one after the other, each of one or more lines. Beacons
    /// send it, because they cannot set the content type.
    Unspecified,
}

impl BodyFormat {
    /// `None` if the content type is not supported.
    pub(super) fn from_content_type(content_type: Option<&str>) -> Option<Self> {
        let Some(content_type) = content_type else { return Some(Self::Unspecified) };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let is = |other: &&str| essence.eq_ignore_ascii_case(other);
        let lines = ["application/x-ndjson", "application/ndjson", "application/jsonl"];
        if lines.iter().any(is) {
            Some(Self::Lines)
        } else if is(&"application/json") {
            Some(Self::Json)
        } else if ["", "text/plain"].iter().any(is) {
            Some(Self::Unspecified)
        } else {
            None
        }
    }
}

/// The whole body is rejected.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnreadableBatch {
    #[error("the body is not JSON")]
    Malformed(#[source] serde_json::Error),
    #[error("a request has 1 to {MAX_EVENTS} events")]
    EventCount,
}

/// The accepted and rejected events of a body.
#[derive(Debug, Default)]
pub(super) struct ParsedBatch {
    /// In the order of the request.
    pub(super) accepted: Vec<AcceptedEvent>,
    /// With their position in the request, counted from 0.
    pub(super) rejected: Vec<(usize, Rejection)>,
}

/// Parses and checks each event of a body.
pub(super) fn parse_batch(
    format: BodyFormat,
    body: &[u8],
    reception: &Reception<'_>,
) -> Result<ParsedBatch, UnreadableBatch> {
    let parse = |raw: Value| UserEvent::parse(raw)?.accept(reception);
    let is_array = body.trim_ascii_start().starts_with(b"[");
    match format {
        BodyFormat::Json | BodyFormat::Unspecified if is_array => {
            let raw: Vec<Value> =
                serde_json::from_slice(body).map_err(UnreadableBatch::Malformed)?;
            collect(raw.into_iter().map(parse))
        }
        BodyFormat::Json => {
            let raw = serde_json::from_slice(body).map_err(UnreadableBatch::Malformed)?;
            collect(std::iter::once(parse(raw)))
        }
        BodyFormat::Lines | BodyFormat::Unspecified => {
            if format == BodyFormat::Unspecified
                && let Some(raw) = objects(body)
            {
                return collect(raw.into_iter().map(parse));
            }
            let lines = body.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
            let lines = lines.filter(|line| !line.is_empty());
            collect(lines.map(|line| match serde_json::from_slice(line) {
                Ok(raw) => parse(raw),
                Err(error) => Err(malformed_line(&error)),
            }))
        }
    }
}

/// The objects of a body that consists of nothing else. `None` if it does not, or holds too many: then each line
/// is read on its own.
fn objects(body: &[u8]) -> Option<Vec<Value>> {
    let objects = Deserializer::from_slice(body).into_iter::<Value>();
    let objects: Vec<Value> =
        objects.take(MAX_EVENTS + 1).collect::<Result<_, serde_json::Error>>().ok()?;
    (1..=MAX_EVENTS).contains(&objects.len()).then_some(objects)
}

fn collect(
    results: impl Iterator<Item = Result<AcceptedEvent, Rejection>>,
) -> Result<ParsedBatch, UnreadableBatch> {
    let mut batch = ParsedBatch::default();
    let mut count = 0;
    for (index, result) in results.enumerate() {
        count = index + 1;
        if count > MAX_EVENTS {
            return Err(UnreadableBatch::EventCount);
        }
        match result {
            Ok(event) => batch.accepted.push(event),
            Err(rejection) => batch.rejected.push((index, rejection)),
        }
    }
    if count == 0 { Err(UnreadableBatch::EventCount) } else { Ok(batch) }
}

fn malformed_line(error: &serde_json::Error) -> Rejection {
    Rejection::malformed(format!("the line is not JSON: error at column {}", error.column()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::event_sender::tests::browser, *};

    const NOW: &str = "2026-11-22T12:00:00Z";

    fn event() -> Value {
        json!({
            "event_id": "0197a1b2-0000-7000-8000-0000000000ff", "type": "searched", "visitor_id": "v", "session_id": "s",
            "occurred_at": NOW,
        })
    }

    fn parsed(format: BodyFormat, body: &str) -> Result<ParsedBatch, UnreadableBatch> {
        let (senders, sender) = browser();
        let reception = Reception::new(&senders, &sender, NOW.parse().unwrap());
        parse_batch(format, body.as_bytes(), &reception)
    }

    /// The number of accepted events, and the positions of the rejected ones.
    fn counts(format: BodyFormat, body: &str) -> (usize, Vec<usize>) {
        let batch = parsed(format, body).unwrap();
        (batch.accepted.len(), batch.rejected.iter().map(|(index, _)| *index).collect())
    }

    #[test]
    fn the_content_type_determines_the_format() {
        let format = BodyFormat::from_content_type;
        assert_eq!(format(None), Some(BodyFormat::Unspecified));
        assert_eq!(format(Some("text/plain;charset=UTF-8")), Some(BodyFormat::Unspecified));
        assert_eq!(format(Some("Application/JSON; charset=utf-8")), Some(BodyFormat::Json));
        assert_eq!(format(Some("application/x-ndjson")), Some(BodyFormat::Lines));
        assert_eq!(format(Some("image/png")), None);
    }

    #[test]
    fn an_event_an_array_and_lines_are_parsed() {
        let one = event().to_string();
        let pretty = serde_json::to_string_pretty(&event()).unwrap();
        assert_eq!(counts(BodyFormat::Json, &one), (1, vec![]));
        assert_eq!(counts(BodyFormat::Json, &pretty), (1, vec![]));
        assert_eq!(counts(BodyFormat::Unspecified, &one), (1, vec![]));
        assert_eq!(counts(BodyFormat::Unspecified, &pretty), (1, vec![]));
        assert_eq!(
            counts(BodyFormat::Unspecified, &format!("{pretty}\n{one}\n{pretty}")),
            (3, vec![])
        );
        let array = format!(" [{one},7,{one}]");
        assert_eq!(counts(BodyFormat::Json, &array), (2, vec![1]));
        assert_eq!(counts(BodyFormat::Unspecified, &array), (2, vec![1]));
        let lines = format!("{one}\r\n\n{{\"event_id\":\n[]\n{one}");
        assert_eq!(counts(BodyFormat::Lines, &lines), (2, vec![1, 2]));
        assert_eq!(counts(BodyFormat::Unspecified, &lines), (2, vec![1, 2]));
    }

    #[test]
    fn a_malformed_or_oversized_batch_is_rejected() {
        let bomb = "[".repeat(100_000);
        for body in ["", "[", "{\"a\":1", "nonsense", &bomb] {
            let error = parsed(BodyFormat::Json, body).unwrap_err();
            assert!(matches!(error, UnreadableBatch::Malformed(_)), "{body}");
        }
        let many = format!("[{}]", vec!["{}"; MAX_EVENTS + 1].join(","));
        for (format, body) in
            [(BodyFormat::Json, "[]"), (BodyFormat::Lines, " \n\n"), (BodyFormat::Json, &many)]
        {
            let error = parsed(format, body).unwrap_err();
            assert!(matches!(error, UnreadableBatch::EventCount), "{body}");
        }
        let most = vec!["{}"; MAX_EVENTS].join("\n");
        assert_eq!(counts(BodyFormat::Lines, &most).1.len(), MAX_EVENTS);
    }
}
