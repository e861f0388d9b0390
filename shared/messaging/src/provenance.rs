//! Who has published a message. The exchange tells: it belongs to one publisher, and the broker lets only that one write to it.
//!
//! A message without an exchange of a publisher, such as an answer to a request, names its publisher in `app-id`. Everything else in the
//! message that names a publisher must agree.

use lapin::{message::Delivery, types::ShortString};

/// The reason of a dead letter whose message does not belong to the owner of its exchange.
pub(crate) const FOREIGN_PUBLISHER: &str = "foreign_publisher";

/// The reason of a dead letter whose message has an event of another source than its publisher.
pub(crate) const FOREIGN_SOURCE: &str = "foreign_source";

/// The exchange through which a message came first, as the broker records it when it dead-letters the message.
const FIRST_EXCHANGE: &str = "x-first-death-exchange";

/// How a message came to its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Path {
    /// From the exchange of its publisher, or to the queue by its name.
    Published,
    /// To the queue by its name, or through an exchange that belongs to its reader: only the message itself tells its publisher.
    Direct,
    /// From another queue: the broker has dead-lettered it.
    DeadLettered,
}

/// Why nothing in a message is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The reason of its dead letter.
    pub(crate) reason: &'static str,
    /// An explanation for people.
    pub(crate) cause: String,
}

impl Refusal {
    pub(crate) fn new(reason: &'static str, cause: impl Into<String>) -> Self {
        Self { reason, cause: cause.into() }
    }
}

/// The names in a message that tell its publisher.
#[derive(Debug, Default, Clone, Copy)]
struct Names<'a> {
    /// The exchange through which it came first; empty if it was sent to a queue by its name.
    exchange: &'a str,
    app_id: Option<&'a str>,
    /// The user of the broker: the broker refuses a message that names another one.
    user_id: Option<&'a str>,
}

/// The publisher of a delivery.
pub(crate) fn publisher(delivery: &Delivery, path: Path) -> Result<&str, Refusal> {
    let properties = &delivery.properties;
    let first_exchange = || {
        let headers = properties.headers().as_ref()?.inner();
        std::str::from_utf8(headers.get(FIRST_EXCHANGE)?.as_long_string()?.as_bytes()).ok()
    };
    publisher_of(Names {
        exchange: match path {
            Path::Published => delivery.exchange.as_str(),
            Path::Direct => "",
            Path::DeadLettered => first_exchange().unwrap_or_default(),
        },
        app_id: properties.app_id().as_ref().map(ShortString::as_str),
        user_id: properties.user_id().as_ref().map(ShortString::as_str),
    })
}

fn publisher_of(names: Names<'_>) -> Result<&str, Refusal> {
    let Names { exchange, app_id, user_id } = names;
    let owner = Some(exchange).filter(|exchange| !exchange.is_empty());
    let Some(publisher) = owner.or(app_id) else {
        return Err(Refusal::new(FOREIGN_PUBLISHER, "the message names no publisher"));
    };
    for (property, name) in [("app-id", app_id), ("user-id", user_id)] {
        if let Some(name) = name.filter(|name| *name != publisher) {
            let cause =
                format!("the message has the {property} {name}, but belongs to {publisher}");
            return Err(Refusal::new(FOREIGN_PUBLISHER, cause));
        }
    }
    Ok(publisher)
}

#[cfg(test)]
mod tests {
    use super::{FOREIGN_PUBLISHER, Names, publisher_of};

    #[test]
    fn the_exchange_tells_the_publisher() {
        let of_exchange = Names { exchange: "order", ..Names::default() };
        assert_eq!(publisher_of(of_exchange), Ok("order"));
        let agreeing = Names { app_id: Some("order"), user_id: Some("order"), ..of_exchange };
        assert_eq!(publisher_of(agreeing), Ok("order"));
        let by_name = Names { app_id: Some("order"), ..Names::default() };
        assert_eq!(publisher_of(by_name), Ok("order"));
    }

    #[test]
    fn a_message_that_names_another_publisher_is_refused() {
        let refused = [
            Names::default(),
            Names { exchange: "order", app_id: Some("evil"), user_id: None },
            Names { exchange: "order", app_id: Some("order"), user_id: Some("evil") },
            Names { exchange: "", app_id: Some("order"), user_id: Some("evil") },
            Names { exchange: "", app_id: None, user_id: Some("order") },
        ];
        for names in refused {
            let refusal = publisher_of(names).unwrap_err();
            assert_eq!(refusal.reason, FOREIGN_PUBLISHER, "{names:?}");
        }
    }
}
