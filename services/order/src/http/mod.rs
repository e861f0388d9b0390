//! The HTTP face of the service; this is its route table.

mod access;
mod body;
mod cancel;
mod events;
mod list;
mod order_body;
mod pay;
pub(crate) mod place;
mod read;
mod replay;
mod timeline;
pub(crate) mod webhooks;

use std::time::Duration;

use runtime::http::within;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use crate::app::State;

/// The longest that a read may wait for an order to change.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// All routes of orders, payments and shipments.
pub(crate) fn routes() -> OpenApiRouter<State> {
    OpenApiRouter::new()
        .routes(routes!(place::place, list::list))
        .routes(routes!(read::read).layer(within(LONGEST_WAIT + Duration::from_secs(10))))
        .routes(routes!(replay::replay).layer(within(runtime::replay::LIMIT)))
        .routes(routes!(cancel::cancel))
        .routes(routes!(pay::pay))
        .routes(routes!(timeline::timeline))
        .routes(routes!(events::events))
        .routes(routes!(webhooks::payments::payment_told))
        .routes(routes!(webhooks::shipments::shipment_told))
}
