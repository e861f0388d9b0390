//! What is audited.

use std::{collections::BTreeMap, fmt, str::FromStr};

use rabbitmq_management::ManagementClient;
use tls::ClientTls;

/// The services, each with a database of its own, in the order of their ports.
pub const SERVICES: [&str; 5] =
    ["product-catalog", "order", "inventory", "search-sync", "behavior-analytics"];

/// The subject of an audit.
#[derive(Debug, Clone, Copy)]
pub struct Suite<'a> {
    pub databases: &'a Databases,
    /// Without it, queues and streams are not checked.
    pub broker: Option<Broker<'a>>,
    /// The URLs of all instances of search-sync; each has an index of its own.
    pub search: &'a [&'a str],
    /// Whom it trusts at `https` addresses of search-sync.
    pub tls: Option<&'a ClientTls>,
    /// A token with the scope `ops`.
    pub token: &'a str,
}

/// The broker of the suite.
#[derive(Clone, Copy)]
pub struct Broker<'a> {
    pub management: &'a ManagementClient,
    /// The name of the suite's vhost.
    pub vhost: &'a str,
    /// The URL of the vhost, `amqp://…`; for a cluster, those of its nodes, separated by commas.
    pub amqp_url: &'a str,
}

/// Without the URL, which may contain a password.
impl fmt::Debug for Broker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("vhost", &self.vhost).finish_non_exhaustive()
    }
}

/// The databases of the services.
#[derive(Clone)]
pub struct Databases(BTreeMap<&'static str, String>);

/// Without the URLs, which may contain passwords.
impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Why a text does not name the databases. It does not repeat a URL, which may contain a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabasesError {
    #[error("entry {0} is not like service=postgres://…")]
    Entry(usize),
    #[error("entry {0} names no service")]
    UnknownService(usize),
    #[error("{0} is named twice")]
    Repeated(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
}

impl Databases {
    /// From the URL of each service's database.
    pub fn new(urls: BTreeMap<&'static str, String>) -> Self {
        Self(urls)
    }

    /// The URL of a service's database; empty if there is none.
    pub fn url(&self, service: &str) -> &str {
        self.0.get(service).map(String::as_str).unwrap_or_default()
    }

    /// The text that [`FromStr`] reads. It contains the passwords.
    pub fn to_setting(&self) -> String {
        let entries = self.0.iter().map(|(service, url)| format!("{service}={url}"));
        entries.collect::<Vec<_>>().join(",")
    }
}

/// `order=postgres://…,inventory=postgres://…` and so on, with every service once. White space around entries is ignored.
impl FromStr for Databases {
    type Err = DatabasesError;

    fn from_str(text: &str) -> Result<Self, DatabasesError> {
        let mut urls = BTreeMap::new();
        for (number, entry) in (1..).zip(text.split(',')) {
            let (name, url) = entry.trim().split_once('=').ok_or(DatabasesError::Entry(number))?;
            if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
                return Err(DatabasesError::Entry(number));
            }
            let service = SERVICES.into_iter().find(|service| *service == name);
            let service = service.ok_or(DatabasesError::UnknownService(number))?;
            if urls.insert(service, url.to_owned()).is_some() {
                return Err(DatabasesError::Repeated(service));
            }
        }
        match SERVICES.into_iter().find(|service| !urls.contains_key(service)) {
            Some(service) => Err(DatabasesError::Missing(service)),
            None => Ok(Self(urls)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Databases, DatabasesError, SERVICES};

    fn all(server: &str) -> String {
        SERVICES.map(|service| format!("{service}={server}/{service}?a=b")).join(", ")
    }

    #[test]
    fn databases_are_read_from_a_setting() {
        let databases: Databases = all("postgres://me:secret@host").parse().unwrap();
        assert_eq!(databases.url("order"), "postgres://me:secret@host/order?a=b");
        let again: Databases = databases.to_setting().parse().unwrap();
        assert!(SERVICES.into_iter().all(|service| again.url(service) == databases.url(service)));
        assert!(!format!("{databases:?}").contains("secret"));
    }

    #[test]
    fn a_wrong_setting_is_explained_without_its_urls() {
        let of = |text: &str| text.parse::<Databases>().unwrap_err();
        assert_eq!(of(""), DatabasesError::Entry(1));
        assert_eq!(of("order=postgres://a,inventory"), DatabasesError::Entry(2));
        assert_eq!(of("order=mysql://a"), DatabasesError::Entry(1));
        assert_eq!(of("oder=postgres://a"), DatabasesError::UnknownService(1));
        assert_eq!(of("order=postgres://a,order=postgres://b"), DatabasesError::Repeated("order"));
        assert_eq!(of("order=postgres://secret"), DatabasesError::Missing("product-catalog"));
        assert!(!of("order=postgres://secret").to_string().contains("secret"));
    }
}
