//! The cookie with the renewal token of staff.

use axum::http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, HOST, SET_COOKIE},
};
use chrono::{DateTime, Utc};
use problem::Problem;

/// The cookie is sent to the routes of staff accounts alone.
const PATH: &str = "/v1/staff";

const NAME: &str = "staff_renewal";

/// A page of another origin cannot set this header without asking first, and is refused then.
const REQUEST_HEADER: HeaderName = HeaderName::from_static("staff-session");

/// The renewal token of a request that a page of the console has made; `None` without a cookie.
pub(super) fn renewal_of(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    if !headers.contains_key(REQUEST_HEADER) {
        return Err(Problem::bad_request("staff_session_required", "The request is not complete")
            .detail("Send the header `Staff-Session: 1`."));
    }
    let cookies = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    Ok(pairs.find(|(name, _)| name.trim() == NAME).map(|(_, value)| value.trim()))
}

/// Keeps the renewal token in the browser.
pub(super) fn keep(
    request: &HeaderMap,
    token: &str,
    expires_at: DateTime<Utc>,
    now: DateTime<Utc>,
) -> (HeaderName, HeaderValue) {
    let seconds = (expires_at - now).num_seconds().max(0);
    (SET_COOKIE, cookie(request, token, seconds))
}

/// Forgets the renewal token.
pub(super) fn forget(request: &HeaderMap) -> (HeaderName, HeaderValue) {
    (SET_COOKIE, cookie(request, "", 0))
}

fn cookie(request: &HeaderMap, value: &str, seconds: i64) -> HeaderValue {
    // Browsers refuse it over plain HTTP, except on this machine, where there may be no certificate.
    let secure = if is_local(request) { "" } else { "; Secure" };
    let text = format!(
        "{NAME}={value}; Path={PATH}; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}"
    );
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether the browser has reached the console under a name of this machine.
fn is_local(request: &HeaderMap) -> bool {
    let host = request.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let address = name.parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header::HOST};

    use super::is_local;

    #[test]
    fn a_cookie_is_secure_except_on_this_machine() {
        let local = |host: &'static str| {
            is_local(&HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]))
        };
        for host in ["localhost:8080", "127.0.0.1:8080", "127.0.0.1", "[::1]:8443", "[::1]"] {
            assert!(local(host), "{host}");
        }
        for host in ["shop.example", "shop.example:8080", "localhost.example", "10.0.0.1:80", ""] {
            assert!(!local(host), "{host}");
        }
    }
}
