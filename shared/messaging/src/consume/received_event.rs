//! An event on its way to its handler.

use envelope::Envelope;

/// An event on its way to its handler.
#[derive(Debug, Clone)]
pub(crate) struct ReceivedEvent {
    pub(crate) envelope: Envelope,
    /// The number of failed attempts.
    pub(crate) attempts: u32,
    /// The errors of all attempts.
    pub(crate) causes: Vec<String>,
    /// Exchange and routing key of the message.
    pub(crate) route: (String, String),
}

impl ReceivedEvent {
    pub(crate) fn key(&self) -> Key {
        (self.envelope.source.clone(), self.envelope.subject.clone())
    }
}

/// Source and key: the scope of a sequence, within the aggregate of the subscription.
pub(crate) type Key = (String, String);

#[cfg(test)]
pub(crate) mod tests {
    use super::ReceivedEvent;

    /// Event number `sequence` of the order `key`.
    pub(crate) fn event(key: &str, sequence: i64, kind: &str) -> ReceivedEvent {
        let json = format!(
            r#"{{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001","source":"order","type":"{kind}","subject":"{key}","time":"2026-11-22T08:00:00Z","sequence":"{sequence}","aggregate":"order","data":{{}}}}"#
        );
        ReceivedEvent {
            envelope: serde_json::from_str(&json).unwrap(),
            attempts: 0,
            causes: Vec::new(),
            route: (String::new(), String::new()),
        }
    }
}
