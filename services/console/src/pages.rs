//! The pages and what belongs to them, out of the program itself: no folder to deploy, no build step.

use std::sync::Arc;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use utoipa_axum::router::OpenApiRouter;
use xxhash_rust::xxh3::xxh3_128;

/// Nothing but our own files, no script or style within the markup, and no markup made of text by scripts.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file with the route it is served at.
struct Page {
    route: &'static str,
    kind: &'static str,
    body: &'static [u8],
}

macro_rules! pages {
    ($($route:literal $kind:ident $file:literal)*) => {
        &[$(Page { route: $route, kind: $kind, body: include_bytes!(concat!("../web/", $file)) }),*]
    };
}

const PAGES: &[Page] = pages! {
    "/" HTML "index.html"
    "/ops" HTML "ops.html"
    "/assets/icon.svg" SVG "icon.svg"
    "/assets/base.css" CSS "base.css"
    "/assets/shop.css" CSS "shop.css"
    "/assets/ops.css" CSS "ops.css"
    "/assets/api.js" SCRIPT "api.js"
    "/assets/dom.js" SCRIPT "dom.js"
    "/assets/store.js" SCRIPT "store.js"
    "/assets/words.js" SCRIPT "words.js"
    "/assets/shop/main.js" SCRIPT "shop/main.js"
    "/assets/shop/searchbox.js" SCRIPT "shop/searchbox.js"
    "/assets/shop/list.js" SCRIPT "shop/list.js"
    "/assets/shop/product.js" SCRIPT "shop/product.js"
    "/assets/shop/checkout.js" SCRIPT "shop/checkout.js"
    "/assets/shop/orders.js" SCRIPT "shop/orders.js"
    "/assets/shop/catalog.js" SCRIPT "shop/catalog.js"
    "/assets/shop/cart.js" SCRIPT "shop/cart.js"
    "/assets/shop/shopper.js" SCRIPT "shop/shopper.js"
    "/assets/shop/visit.js" SCRIPT "shop/visit.js"
    "/assets/shop/picture.js" SCRIPT "shop/picture.js"
    "/assets/ops/main.js" SCRIPT "ops/main.js"
    "/assets/ops/services.js" SCRIPT "ops/services.js"
    "/assets/ops/rates.js" SCRIPT "ops/rates.js"
    "/assets/ops/map.js" SCRIPT "ops/map.js"
    "/assets/ops/letters.js" SCRIPT "ops/letters.js"
    "/assets/ops/letter.js" SCRIPT "ops/letter.js"
    "/assets/ops/log.js" SCRIPT "ops/log.js"
    "/assets/ops/queues.js" SCRIPT "ops/queues.js"
};

/// A route for every page and file.
pub fn router() -> OpenApiRouter {
    PAGES.iter().fold(OpenApiRouter::new(), |router, page| {
        let etag: Arc<str> = format!("\"{:032x}\"", xxh3_128(page.body)).into();
        router.route(
            page.route,
            get(move |asked: HeaderMap| async move { page.answer(&etag, &asked) }),
        )
    })
}

impl Page {
    /// The file, or 304 where the browser has it already. Browsers ask each time: a new version shows at once.
    fn answer(&self, etag: &str, asked: &HeaderMap) -> Response {
        let known = asked
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag);
        let mut response = if known {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(CONTENT_TYPE, HeaderValue::from_static(self.kind))], self.body).into_response()
        };
        let headers = response.headers_mut();
        if let Ok(etag) = HeaderValue::from_str(etag) {
            headers.insert(ETAG, etag);
        }
        for (name, value) in [
            (CACHE_CONTROL, "no-cache"),
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (REFERRER_POLICY, "same-origin"),
            (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
