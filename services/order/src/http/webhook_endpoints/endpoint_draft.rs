//! What a client may say about an endpoint.

use std::collections::BTreeSet;

use problem::Fields;

use crate::domain::{
    one_line,
    webhooks::{AddressRule, EndpointUrl, WebhookEventType},
};

/// The maximum length of a description, in characters.
const MAX_DESCRIPTION: usize = 200;

/// The maximum number of event types, of which some may occur twice.
const MAX_EVENT_TYPES: usize = 100;

pub(super) fn parse_url(fields: &mut Fields, url: &str, rule: AddressRule) -> Option<EndpointUrl> {
    fields.check("url", EndpointUrl::parse(url.trim(), rule))
}

/// It may be empty.
pub(super) fn parse_description(fields: &mut Fields, text: &str) -> Option<String> {
    if text.trim().is_empty() {
        return Some(String::new());
    }
    fields.check("description", one_line(text, MAX_DESCRIPTION))
}

/// Each type once.
pub(super) fn parse_event_types(
    fields: &mut Fields,
    names: &[String],
) -> Option<Vec<WebhookEventType>> {
    if names.is_empty() {
        fields.refuse("event_types", "required", "must name at least one event type");
        return None;
    }
    if names.len() > MAX_EVENT_TYPES {
        let message = format!("must have at most {MAX_EVENT_TYPES} entries");
        fields.refuse("event_types", "too_many", message);
        return None;
    }
    let types = names.iter().enumerate().map(|(index, name)| {
        fields.check(format!("event_types[{index}]"), name.parse::<WebhookEventType>())
    });
    let types: Vec<Option<WebhookEventType>> = types.collect();
    let types: Option<BTreeSet<WebhookEventType>> = types.into_iter().collect();
    types.map(|types| types.into_iter().collect())
}
