//! The keys of an issuer over HTTP, found by OIDC Discovery 1.0.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use serde::Deserialize;
use tls::{
    ClientFiles, ClientTls,
    http::{HttpClient, HttpError, Timeouts},
};
use url::{Host, Url};

use super::{key_error::OidcError, key_set::KeySet, settings::Oidc};

/// The time for both documents together: a request with a token waits for them.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// The largest document in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(2),
    read: Some(Duration::from_secs(3)),
    idle: Duration::from_secs(5),
};

/// The keys that an issuer publishes.
pub(super) struct IssuerKeys {
    client: HttpClient,
    issuer: String,
    /// The address of the key set; `None` if the issuer names it.
    jwks_url: Option<Url>,
}

/// The keys cannot be fetched.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("no answer within {FETCH_TIMEOUT:?}")]
    TimedOut,
    #[error("the request to {0} failed")]
    Http(String, #[source] HttpError),
    #[error("the answer of {0} broke off, or is too large")]
    Body(String, #[source] axum::Error),
    #[error("the answer of {0} is not what it should be")]
    Content(String),
    #[error("the issuer names itself `{0}`")]
    OtherIssuer(String),
    #[error("the issuer names an address for its keys that is not encrypted")]
    NotEncrypted,
}

/// What is used of the issuer's description of itself.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

impl IssuerKeys {
    /// The keys of the issuer in `settings`, from its own address or from `jwks_url`.
    pub(super) fn new(
        issuer: &str,
        jwks_url: Option<&str>,
        settings: &Oidc,
    ) -> Result<IssuerKeys, OidcError> {
        let tls = match &settings.ca_file {
            Some(file) => {
                ClientTls::open(&ClientFiles { authorities: file.clone(), identity: None })?
            }
            None => ClientTls::public()?,
        };
        let encrypted = |text: &str| {
            let url = Url::parse(text).ok().filter(is_safe);
            url.ok_or_else(|| OidcError::NotEncrypted(text.to_owned()))
        };
        encrypted(issuer)?;
        let jwks_url = jwks_url.map(encrypted).transpose()?;
        let client = HttpClient::new(Some(tls), TIMEOUTS);
        Ok(IssuerKeys { client, issuer: issuer.to_owned(), jwks_url })
    }

    /// Fetches the keys.
    pub(super) async fn fetch(&self) -> Result<KeySet, FetchError> {
        let fetched = async {
            let url = match &self.jwks_url {
                Some(url) => url.clone(),
                None => self.discover().await?,
            };
            let document = self.get(url.as_str()).await?;
            KeySet::parse(&document).ok_or_else(|| FetchError::Content(url.into()))
        };
        tokio::time::timeout(FETCH_TIMEOUT, fetched).await.unwrap_or(Err(FetchError::TimedOut))
    }

    /// The address of the key set, as the issuer names it.
    async fn discover(&self) -> Result<Url, FetchError> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = self.get(&url).await?;
        let description: Description =
            serde_json::from_slice(&document).map_err(|_| FetchError::Content(url))?;
        if description.issuer != self.issuer {
            return Err(FetchError::OtherIssuer(description.issuer));
        }
        let url = Url::parse(&description.jwks_uri).ok().filter(is_safe);
        url.ok_or(FetchError::NotEncrypted)
    }

    async fn get(&self, url: &str) -> Result<axum::body::Bytes, FetchError> {
        let failed = |error| FetchError::Http(url.to_owned(), error);
        let answer = self.client.get(url).await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(failed(HttpError::Status(answer.status())));
        }
        let body = to_bytes(Body::new(answer.into_body()), MAX_DOCUMENT).await;
        body.map_err(|error| FetchError::Body(url.to_owned(), error))
    }
}

/// Whether keys from this address can be believed: encrypted, or on this machine.
fn is_safe(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::is_safe;

    #[test]
    fn keys_are_believed_if_nothing_can_change_them_on_the_way() {
        let safe = |url: &str| is_safe(&Url::parse(url).unwrap());
        for url in
            ["https://id.example/", "http://127.0.0.1:3000", "http://[::1]/", "http://localhost"]
        {
            assert!(safe(url), "{url}");
        }
        for url in ["http://id.example", "http://127.0.0.1.example", "ftp://127.0.0.1"] {
            assert!(!safe(url), "{url}");
        }
    }
}
