//! The pages and their assets, compiled into the program.

use std::sync::Arc;

use axum::{
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
            REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa_axum::router::OpenApiRouter;
use xxhash_rust::xxh3::xxh3_128;

/// Allows our own files only: no inline scripts or styles, and no markup built from strings.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file and its route.
struct Page {
    route: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

macro_rules! pages {
    ($($route:literal $content_type:ident $file:literal)*) => {
        &[$(Page { route: $route, content_type: $content_type, body: include_bytes!(concat!("../../web/", $file)) }),*]
    };
}

const PAGES: &[Page] = pages! {
    "/" HTML "index.html"
    "/ops" HTML "ops.html"
    "/merchant" HTML "merchant.html"
    "/assets/icon.svg" SVG "icon.svg"
    "/assets/base.css" CSS "base.css"
    "/assets/pictures.css" CSS "pictures.css"
    "/assets/shop.css" CSS "shop.css"
    "/assets/merchant.css" CSS "merchant.css"
    "/assets/ops.css" CSS "ops.css"
    "/assets/api.js" SCRIPT "api.js"
    "/assets/dom.js" SCRIPT "dom.js"
    "/assets/json.js" SCRIPT "json.js"
    "/assets/sign-in.js" SCRIPT "sign-in.js"
    "/assets/storage.js" SCRIPT "storage.js"
    "/assets/i18n.js" SCRIPT "i18n.js"
    "/assets/shop/main.js" SCRIPT "shop/main.js"
    "/assets/shop/search-box.js" SCRIPT "shop/search-box.js"
    "/assets/shop/list.js" SCRIPT "shop/list.js"
    "/assets/shop/product.js" SCRIPT "shop/product.js"
    "/assets/shop/checkout.js" SCRIPT "shop/checkout.js"
    "/assets/shop/costs.js" SCRIPT "shop/costs.js"
    "/assets/shop/orders.js" SCRIPT "shop/orders.js"
    "/assets/shop/returns.js" SCRIPT "shop/returns.js"
    "/assets/shop/places.js" SCRIPT "shop/places.js"
    "/assets/shop/catalog.js" SCRIPT "shop/catalog.js"
    "/assets/shop/cart.js" SCRIPT "shop/cart.js"
    "/assets/shop/shopper.js" SCRIPT "shop/shopper.js"
    "/assets/shop/tracking.js" SCRIPT "shop/tracking.js"
    "/assets/shop/filters.js" SCRIPT "shop/filters.js"
    "/assets/shop/saved.js" SCRIPT "shop/saved.js"
    "/assets/shop/saved-pages.js" SCRIPT "shop/saved-pages.js"
    "/assets/shop/rankings.js" SCRIPT "shop/rankings.js"
    "/assets/shop/picture.js" SCRIPT "shop/picture.js"
    "/assets/merchant/main.js" SCRIPT "merchant/main.js"
    "/assets/merchant/texts.js" SCRIPT "merchant/texts.js"
    "/assets/merchant/staff.js" SCRIPT "merchant/staff.js"
    "/assets/merchant/table.js" SCRIPT "merchant/table.js"
    "/assets/merchant/ribbon.js" SCRIPT "merchant/ribbon.js"
    "/assets/merchant/products.js" SCRIPT "merchant/products.js"
    "/assets/merchant/product-editor.js" SCRIPT "merchant/product-editor.js"
    "/assets/merchant/imports.js" SCRIPT "merchant/imports.js"
    "/assets/merchant/orders.js" SCRIPT "merchant/orders.js"
    "/assets/ops/main.js" SCRIPT "ops/main.js"
    "/assets/ops/services.js" SCRIPT "ops/services.js"
    "/assets/ops/rates.js" SCRIPT "ops/rates.js"
    "/assets/ops/map.js" SCRIPT "ops/map.js"
    "/assets/ops/dead-letters.js" SCRIPT "ops/dead-letters.js"
    "/assets/ops/dead-letter.js" SCRIPT "ops/dead-letter.js"
    "/assets/ops/audit.js" SCRIPT "ops/audit.js"
    "/assets/ops/log.js" SCRIPT "ops/log.js"
    "/assets/ops/queues.js" SCRIPT "ops/queues.js"
};

pub(crate) fn routes<S: Clone + Send + Sync + 'static>() -> OpenApiRouter<S> {
    PAGES.iter().fold(OpenApiRouter::new(), |router, page| {
        let etag: Arc<str> = format!("\"{:032x}\"", xxh3_128(page.body)).into();
        router.route(
            page.route,
            get(move |headers: HeaderMap| async move { page.respond(&etag, &headers) }),
        )
    })
}

impl Page {
    /// The file, or 304 if the browser has it. Browsers revalidate every time, so that a new version shows at once.
    fn respond(&self, etag: &str, request: &HeaderMap) -> Response {
        let cached = request
            .get_all(IF_NONE_MATCH)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag);
        let mut response = if cached {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(CONTENT_TYPE, HeaderValue::from_static(self.content_type))], self.body)
                .into_response()
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
