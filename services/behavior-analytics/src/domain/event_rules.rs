//! The rules that decide which events count. An operator can change them.

/// The most parts of user agents.
const MAX_KNOWN_AGENTS: usize = 200;

/// The longest part of a user agent, in characters.
const MAX_AGENT_CHARS: usize = 64;

/// The rules. A bound of 0 turns its rule off.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EventRules {
    /// Parts of user agents in lower case. An agent that contains one is a bot.
    pub(crate) known_agents: Vec<String>,
    /// Events of one visitor within 60 seconds.
    pub(crate) max_per_minute: u32,
    /// Events of one visitor on one day, in UTC.
    pub(crate) max_per_day: u32,
    /// How many of a visitor's latest events with a product show the pauses.
    pub(crate) pause_events: u32,
    /// One of these pauses must be at least as long, in milliseconds.
    pub(crate) min_pause_ms: u32,
    /// The longest and the shortest of these pauses must differ by more, in milliseconds.
    pub(crate) min_pause_spread_ms: u32,
    /// Visitors of one address within ten minutes.
    pub(crate) max_address_visitors: u32,
    /// Events of one kind, visitor and product that count on one day, in UTC.
    pub(crate) max_per_visitor_product: u32,
    /// How much an event of a visitor without a signature counts, 0 to 1.
    pub(crate) unsigned_weight: f64,
}

/// A field of the rules is outside its bounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct InvalidRule {
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl EventRules {
    /// All fields that are outside their bounds.
    pub(crate) fn check(&self) -> Vec<InvalidRule> {
        let mut invalid = Vec::new();
        let mut refuse = |field, message: String| invalid.push(InvalidRule { field, message });
        let is_agent = |agent: &String| {
            (1..=MAX_AGENT_CHARS).contains(&agent.chars().count())
                && !agent.contains('\0')
                && agent.to_lowercase() == *agent
        };
        if self.known_agents.len() > MAX_KNOWN_AGENTS || !self.known_agents.iter().all(is_agent) {
            refuse(
                "known_agents",
                format!(
                    "must be at most {MAX_KNOWN_AGENTS} texts in lower case with 1 to {MAX_AGENT_CHARS} characters"
                ),
            );
        }
        for (field, value, most) in [
            ("max_per_minute", self.max_per_minute, 1_000),
            ("max_per_day", self.max_per_day, 100_000),
            ("pause_events", self.pause_events, 100),
            ("min_pause_ms", self.min_pause_ms, 60_000),
            ("min_pause_spread_ms", self.min_pause_spread_ms, 60_000),
            ("max_address_visitors", self.max_address_visitors, 10_000),
            ("max_per_visitor_product", self.max_per_visitor_product, 1_000),
        ] {
            if value > most {
                refuse(field, format!("must be at most {most}"));
            }
        }
        if (1..3).contains(&self.pause_events) {
            refuse("pause_events", "must be 0 or at least 3".to_owned());
        }
        if !(0.0..=1.0).contains(&self.unsigned_weight) {
            refuse("unsigned_weight", "must be 0 to 1".to_owned());
        }
        invalid
    }

    pub(crate) fn is_known_agent(&self, user_agent: &str) -> bool {
        let user_agent = user_agent.to_lowercase();
        self.known_agents.iter().any(|part| user_agent.contains(part))
    }

    /// How much an event that is not excluded counts.
    pub(crate) const fn weight(&self, signed: bool) -> f64 {
        if signed { 1.0 } else { self.unsigned_weight }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn rules() -> EventRules {
        EventRules {
            known_agents: vec!["bot/".to_owned(), "spider".to_owned()],
            max_per_minute: 60,
            max_per_day: 2_000,
            pause_events: 15,
            min_pause_ms: 300,
            min_pause_spread_ms: 20,
            max_address_visitors: 100,
            max_per_visitor_product: 1,
            unsigned_weight: 0.25,
        }
    }

    fn invalid(change: impl FnOnce(&mut EventRules)) -> Vec<&'static str> {
        let mut changed = rules();
        change(&mut changed);
        changed.check().into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn every_field_has_bounds() {
        assert_eq!(invalid(|_| {}), [""; 0]);
        assert_eq!(invalid(|rules| rules.pause_events = 0), [""; 0]);
        assert_eq!(invalid(|rules| rules.pause_events = 2), ["pause_events"]);
        assert_eq!(invalid(|rules| rules.max_per_minute = 1_001), ["max_per_minute"]);
        assert_eq!(invalid(|rules| rules.max_per_day = 100_001), ["max_per_day"]);
        assert_eq!(invalid(|rules| rules.max_address_visitors = 10_001), ["max_address_visitors"]);
        for weight in [-0.1, 1.1, f64::NAN] {
            assert_eq!(invalid(|rules| rules.unsigned_weight = weight), ["unsigned_weight"]);
        }
        for agent in ["", "Bot", "a\0", "x".repeat(65).as_str()] {
            let agents = vec![agent.to_owned()];
            assert_eq!(invalid(|rules| rules.known_agents = agents), ["known_agents"], "{agent}");
        }
        let many = vec!["bot".to_owned(); MAX_KNOWN_AGENTS + 1];
        assert_eq!(invalid(|rules| rules.known_agents = many), ["known_agents"]);
    }

    #[test]
    fn agents_are_known_by_a_part_in_any_case() {
        let rules = rules();
        let google = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        assert!(rules.is_known_agent(google));
        assert!(rules.is_known_agent("Baiduspider"));
        assert!(!rules.is_known_agent("Mozilla/5.0 (Linux; Android 10; CUBOT NOTE 20)"));
    }
}
