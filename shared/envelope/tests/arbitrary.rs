//! Decoders of the wire format, with arbitrary and with damaged input: no panic, a stated error, and what is read is written back.

// Helpers outside of `#[test]` functions are test code too.
#![cfg(test)]

use envelope::{
    DecodeError, Envelope, EventId, decode_batch, decode_parts, encode_batch, trace::TraceContext,
};
use proptest::{collection::vec, prelude::*, sample::Index};

const ONE: &str = r#"{"specversion":"1.0","id":"01920000-0000-7000-8000-000000000001","source":"order","type":"order.cancelled.v1","subject":"k","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000007","aggregate":"order","priority":"bulk","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","data":{"a":[1,null,"\u00e9"]}}"#;

/// A byte of a batch, replaced, removed or repeated.
#[derive(Debug, Clone)]
enum Damage {
    Replace(Index, u8),
    Remove(Index),
    Repeat(Index, usize),
    Cut(Index),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let damage = prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Replace(at, byte)),
        any::<Index>().prop_map(Damage::Remove),
        (any::<Index>(), 1_usize..20).prop_map(|(at, count)| Damage::Repeat(at, count)),
        any::<Index>().prop_map(Damage::Cut),
    ];
    vec(damage, 1..4)
}

fn damaged(damages: Vec<Damage>) -> Vec<u8> {
    let mut body = format!("[{ONE},{ONE}]").into_bytes();
    for damage in damages {
        if body.is_empty() {
            break;
        }
        match damage {
            Damage::Replace(at, byte) => {
                let at = at.index(body.len());
                body[at] = byte;
            }
            Damage::Remove(at) => {
                body.remove(at.index(body.len()));
            }
            Damage::Repeat(at, count) => {
                let at = at.index(body.len());
                let end = body.len().min(at + count);
                let piece = body[at..end].to_vec();
                body.splice(at..at, piece);
            }
            Damage::Cut(at) => body.truncate(at.index(body.len())),
        }
    }
    body
}

fn check(body: &[u8]) -> Result<(), TestCaseError> {
    let parts = decode_parts(body);
    for part in &parts {
        match part {
            Ok(envelope) => {
                let again = encode_batch(&[envelope]).unwrap();
                let again: Envelope = decode_batch(&again).unwrap().remove(0);
                prop_assert_eq!(again.data.get(), envelope.data.get());
                prop_assert_eq!((again.id, again.sequence), (envelope.id, envelope.sequence));
                prop_assert_eq!(again.time, envelope.time);
                prop_assert!(envelope.sequence >= 1);
            }
            // A dead letter keeps what it could not read.
            Err((DecodeError::Batch(_) | DecodeError::Attribute(_), bytes)) => {
                prop_assert!(
                    bytes.is_empty() || body.windows(bytes.len()).any(|part| part == bytes)
                );
            }
            Err((error, _)) => prop_assert!(false, "{}", error),
        }
    }
    // Both ways of reading agree; only the one for consumers checks the attributes.
    if let Ok(all) = decode_batch(body) {
        prop_assert_eq!(all.len(), parts.len());
    } else {
        prop_assert!(parts.iter().any(Result::is_err));
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_no_message(body in vec(any::<u8>(), 0..200)) {
        check(&body)?;
    }

    #[test]
    fn arbitrary_damage_is_found_or_harmless(damages in damages()) {
        check(&damaged(damages))?;
    }

    #[test]
    fn arbitrary_texts_are_no_trace_context(text in "\\PC{0,60}") {
        if let Some(context) = TraceContext::parse(&text) {
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        }
    }

    #[test]
    fn arbitrary_trace_contexts_are_read_back(
        version in "[0-9a-f]{2}", trace in "[0-9a-f]{32}", span in "[0-9a-f]{16}", rest in "(-[0-9a-f]{2}){1,3}",
    ) {
        let text = format!("{version}-{trace}-{span}{rest}");
        if let Some(context) = TraceContext::parse(&text) {
            prop_assert_eq!(context.trace_id(), trace);
            prop_assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        }
    }

    #[test]
    fn arbitrary_event_ids_are_read_back(text in "\\PC{0,40}|[0-9a-fA-F-]{32,38}") {
        if let Ok(id) = text.parse::<EventId>() {
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
        }
    }
}
