//! Damaged JSON, from a seeded generator.

use rand::{Rng as _, rngs::SmallRng, seq::IndexedRandom as _};
use serde_json::{Map, Value};

/// A number, often one at a limit.
pub fn any_number(dice: &mut SmallRng) -> i64 {
    let limits = [i64::MIN, -1, 0, 1, 15, 16, 32_768, i64::from(u32::MAX), i64::MAX - 1, i64::MAX];
    if dice.random_bool(0.7) { limits.choose(dice).copied().unwrap_or(0) } else { dice.random() }
}

/// Damages the body of a batch of events: bits, cuts, the end of `other`, repeated pieces, numbers at limits, and fields that are
/// repeated, swapped, removed or of another kind. Sometimes nothing changes.
pub fn mutate_json(body: &mut Vec<u8>, other: &[u8], dice: &mut SmallRng) {
    if body.is_empty() {
        body.push(dice.random());
        return;
    }
    let at = dice.random_range(0..body.len());
    match dice.random_range(0..9_u8) {
        0 | 1 => body[at] ^= 1 << dice.random_range(0..8_u8),
        2 => body.truncate(at),
        3 => {
            body.remove(at);
        }
        4 => {
            let from = dice.random_range(0..=other.len());
            body.truncate(at);
            body.extend_from_slice(&other[from..]);
        }
        5 => {
            let end = body.len().min(at + dice.random_range(1..200_usize));
            let piece = body[at..end].to_vec();
            body.splice(at..at, piece);
        }
        6 => replace_number(body, at, dice),
        _ => change_field(body, dice),
    }
}

/// Replaces the next number of the text.
fn replace_number(body: &mut Vec<u8>, at: usize, dice: &mut SmallRng) {
    let Some(first) = body[at..].iter().position(u8::is_ascii_digit) else { return };
    let first = at + first;
    let length = body[first..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let extreme = ["0", "-1", "1e400", "9223372036854775807", "9223372036854775808", "1.5", "00"];
    let new = extreme.choose(dice).copied().unwrap_or("0");
    body.splice(first..first + length, new.bytes());
}

/// Changes a field of the first event, or of its data.
fn change_field(body: &mut Vec<u8>, dice: &mut SmallRng) {
    let Ok(mut batch) = serde_json::from_slice::<Vec<Map<String, Value>>>(body) else { return };
    let is_repeated = dice.random_bool(0.1);
    let Some(event) = batch.first_mut() else { return };
    let is_nested = dice.random_bool(0.6) && event.get("data").is_some_and(Value::is_object);
    let fields = match event.get_mut("data").and_then(Value::as_object_mut) {
        Some(data) if is_nested => data,
        _ => event,
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    let (Some(name), Some(other)) = (names.choose(dice), names.choose(dice)) else { return };
    if dice.random_bool(0.1) {
        fields.remove(name);
    } else {
        let value = any_value(fields, name, other, dice);
        fields.insert(name.clone(), value);
    }
    if is_repeated && let Some(first) = batch.first().cloned() {
        batch.push(first);
    }
    *body = serde_json::to_vec(&batch).unwrap_or_default();
}

/// What may take the place of the field `name`.
fn any_value(fields: &Map<String, Value>, name: &str, other: &str, dice: &mut SmallRng) -> Value {
    let texts = ["", "\0", "a\0b", "🙂", "-262143-01-01T00:00:00Z", "9999-12-31T23:59:60Z"];
    let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
    match dice.random_range(0..8_u8) {
        0 => field(other),
        1 => Value::Null,
        2 => any_number(dice).into(),
        3 => texts.choose(dice).copied().unwrap_or_default().into(),
        4 => "x".repeat(dice.random_range(500..5_000_usize)).into(),
        5 => vec![field(name); 3].into(),
        6 => (0..200).fold(Value::Null, |inner, _| vec![inner].into()),
        _ => Value::Object(fields.clone()),
    }
}
