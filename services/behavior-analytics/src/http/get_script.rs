//! `GET /v1/script.js`

use std::sync::LazyLock;

use axum::{
    http::{
        HeaderName,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::IntoResponse,
};

/// The script without comments and indentation.
static SCRIPT: LazyLock<String> = LazyLock::new(|| {
    let lines = include_str!("script.js").lines().map(str::trim);
    let code: Vec<&str> = lines.filter(|line| !line.starts_with("//")).collect();
    code.join("\n")
});

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// Get the script that sends events
///
/// Any page can embed it. It sends events in batches, with a signed visitor id, and keeps them while the network is away.
/// With `data-consent="false"` it stores nothing in the browser.
#[utoipa::path(
    get, path = "/v1/script.js", tag = "events",
    responses((status = 200, body = String, content_type = "text/javascript"))
)]
pub(super) async fn get_script() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (CACHE_CONTROL, "public, max-age=3600"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    ];
    (headers, SCRIPT.as_str())
}

#[cfg(test)]
mod tests {
    use super::SCRIPT;

    #[test]
    fn the_script_is_small() {
        assert!(SCRIPT.len() < 3_000, "{}", SCRIPT.len());
    }
}
