//! What clients send about themselves, with arbitrary values: tokens, addresses behind proxies, and headers.

use std::{net::IpAddr, sync::LazyLock, time::Duration};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Request},
};
use proptest::{collection::vec, prelude::*, sample::Index};
use runtime::{
    Lifecycle,
    auth::{Scope, SigningKey, Verifier, mint},
    clients::{ClientLimits, TrustedProxies},
    config,
    health::Health,
    http,
};
use tokio::runtime::Runtime;
use utoipa_axum::router::OpenApiRouter;

use crate::{SERVICE, send};

/// A token, and who verifies it.
static TOKEN: LazyLock<(String, Verifier)> = LazyLock::new(|| {
    let key = SigningKey::generate().unwrap();
    let token = mint(&key, "c1", &[Scope::OrdersRead], Duration::from_hours(1)).unwrap();
    (token, key.verifier())
});

fn router() -> Router {
    let lifecycle = Lifecycle::new(Duration::from_secs(1));
    let config = config::Http::at(([127, 0, 0, 1], 0).into());
    let health = Health::new(&lifecycle);
    let routes = OpenApiRouter::new();
    http::router(&SERVICE, routes, &health, &lifecycle, &config, Some(&TOKEN.1))
}

proptest! {
    #[test]
    fn arbitrary_texts_are_no_token(text in "\\PC{0,80}|([A-Za-z0-9_-]{0,60}\\.){0,3}[A-Za-z0-9_-]{0,90}") {
        prop_assert!(TOKEN.1.verify(&text).is_err());
    }

    #[test]
    fn arbitrary_changes_of_a_token_are_found(at in any::<Index>(), letter in "[A-Za-z0-9_.=-]") {
        let (token, verifier) = &*TOKEN;
        let at = at.index(token.len());
        let changed = format!("{}{letter}{}", &token[..at], &token[at + 1..]);
        prop_assert!(changed == *token || verifier.verify(&changed).is_err(), "{}", changed);
    }

    #[test]
    fn arbitrary_proxies_name_a_client(
        networks in "([0-9]{1,3}\\.[0-9]{1,3}\\.0\\.0/[0-9]{1,3},?){0,3}|\\PC{0,20}",
        forwarded in vec("for=\"?\\[?[0-9a-f:.]{0,20}\\]?(:[0-9]{1,6})?\"?(;by=x)?|[ -~]{0,30}", 0..3),
        legacy in vec("[0-9a-f.:, ]{0,40}|[ -~]{0,20}", 0..3),
        peer in any::<IpAddr>(),
    ) {
        let networks = networks.parse::<TrustedProxies>().unwrap_or_default();
        let mut headers = HeaderMap::new();
        for (name, values) in [("forwarded", forwarded), ("x-forwarded-for", legacy)] {
            for value in values {
                if let Ok(value) = HeaderValue::from_str(&value) {
                    headers.append(HeaderName::from_static(name), value);
                }
            }
        }
        let client = networks.client(peer, &headers);
        // A stranger decides nothing.
        prop_assert!(networks.contains(peer) || client == peer.to_canonical());
    }

    #[test]
    fn arbitrary_texts_as_limits(text in "\\PC{0,30}|([a-z]{3,10}=[0-9a-z]{0,11},?){0,4}") {
        let _: Result<ClientLimits, _> = text.parse();
    }

    #[test]
    fn arbitrary_headers_are_answered(
        name in "authorization|host|accept-language|content-length|content-encoding|traceparent|range|expect|x-forwarded-for|[a-z-]{1,12}",
        value in vec(any::<u8>(), 0..120), path in "/(health/live|metrics|openapi.json|problems/[a-z_%0-9]{0,20}|docs/[a-z./%]{0,20}|[!-~]{0,20})",
    ) {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) else {
            return Ok(());
        };
        let Ok(uri) = path.parse::<axum::http::Uri>() else { return Ok(()) };
        let request = Request::get(uri).header("host", "shop").header(name, value).body(Body::empty()).unwrap();
        let answer = Runtime::new().unwrap().block_on(send(&router(), request));
        prop_assert!(!answer.status.is_server_error(), "{} {}", answer.status, answer.text);
        if answer.status.is_client_error() {
            prop_assert_eq!(answer.header("content-type"), "application/problem+json");
        }
    }
}
