//! The rules as clients see them.

use chrono::{DateTime, Utc};
use problem::Fields;
use serde::{Deserialize, Serialize};

use crate::{domain::event_rules::EventRules, storage::event_rules::StoredRules};

/// The rules that decide which events count. A bound of 0 turns its rule off.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// `known_agent`: parts of user agents in lower case. An agent that contains one is a bot.
    known_agents: Vec<String>,
    /// `minute_rate`: events of one visitor within 60 seconds, up to 1,000.
    max_per_minute: u32,
    /// `day_rate`: events of one visitor on one day in UTC, up to 100,000.
    max_per_day: u32,
    /// `pauses`: how many of a visitor's latest events with a product show the pauses, 0 or 3 to 100.
    pause_events: u32,
    /// `pauses`: one of these pauses must be at least as long, in milliseconds.
    min_pause_ms: u32,
    /// `pauses`: the longest and the shortest of these pauses must differ by as much, in milliseconds.
    min_pause_spread_ms: u32,
    /// `address_visitors`: visitors of one address within ten minutes, up to 10,000.
    max_address_visitors: u32,
    /// `repeated`: events of one kind, visitor and product that count on one day in UTC, up to 1,000.
    max_per_visitor_product: u32,
    /// How much an event of a visitor without a signature counts, 0 to 1.
    unsigned_weight: f64,
}

/// The present rules.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct EventRulesResponse {
    /// Increases with every change.
    version: i32,
    changed_at: DateTime<Utc>,
    /// Whether all stored events have verdicts by these rules.
    recounted: bool,
    rules: Rules,
}

impl From<StoredRules> for EventRulesResponse {
    fn from(stored: StoredRules) -> Self {
        let StoredRules { version, recounted_version, changed_at, rules } = stored;
        Self { version, changed_at, recounted: version == recounted_version, rules: rules.into() }
    }
}

impl From<EventRules> for Rules {
    fn from(rules: EventRules) -> Self {
        Self {
            known_agents: rules.known_agents,
            max_per_minute: rules.max_per_minute,
            max_per_day: rules.max_per_day,
            pause_events: rules.pause_events,
            min_pause_ms: rules.min_pause_ms,
            min_pause_spread_ms: rules.min_pause_spread_ms,
            max_address_visitors: rules.max_address_visitors,
            max_per_visitor_product: rules.max_per_visitor_product,
            unsigned_weight: rules.unsigned_weight,
        }
    }
}

impl Rules {
    /// The rules, if all fields are within their bounds.
    pub(super) fn check(self) -> Result<EventRules, problem::Problem> {
        let rules = EventRules {
            known_agents: self.known_agents,
            max_per_minute: self.max_per_minute,
            max_per_day: self.max_per_day,
            pause_events: self.pause_events,
            min_pause_ms: self.min_pause_ms,
            min_pause_spread_ms: self.min_pause_spread_ms,
            max_address_visitors: self.max_address_visitors,
            max_per_visitor_product: self.max_per_visitor_product,
            unsigned_weight: self.unsigned_weight,
        };
        let mut fields = Fields::new();
        for error in rules.check() {
            fields.refuse(error.field, "out_of_range", error.message);
        }
        fields.finish()?;
        Ok(rules)
    }
}
