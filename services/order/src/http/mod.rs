//! The HTTP API; this file is its route table.

mod access;
mod authorise_payment;
mod await_status;
mod cancel_order;
mod cancel_order_line;
mod cost_rules;
mod costs_body;
mod create_quote;
mod customer_erasure_body;
mod erase_customer;
mod extend_hold;
mod fulfilment_body;
mod get_customer_erasure;
mod get_order;
mod get_order_money;
mod get_order_timeline;
mod json_bytes;
mod list_lost_orders;
mod list_mismatched_payments;
mod list_orders;
mod list_payment_requests;
mod number_parameter;
mod order_body;
mod order_csv;
mod page_cursor;
mod page_limit;
mod pay_order;
pub(crate) mod place_order;
mod placed_span;
mod priority_customers;
mod promotions;
mod repeat_customer_erasures;
mod replay_projection;
mod retry_payment_request;
mod returns;
mod shipping_rates;
mod status_body;
mod stream_order_events;
mod tax_rates;
mod webhook_endpoints;
mod webhooks;

use std::time::Duration;

use runtime::{http::within, operations, replay::REPLAY_TIMEOUT};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt as _},
    routes,
};

use self::{
    priority_customers::{
        add_priority_customer, list_priority_customers, remove_priority_customer,
    },
    promotions::{
        create_promotion, delete_promotion, get_promotion, list_promotions, replace_promotion,
    },
    returns::{
        get_return, list_all_returns, list_returns, receive_return, refuse_return, request_return,
    },
    shipping_rates::{
        create_shipping_rate, delete_shipping_rate, get_shipping_rate, list_shipping_rates,
        replace_shipping_rate,
    },
    tax_rates::{create_tax_rate, delete_tax_rate, get_tax_rate, list_tax_rates, replace_tax_rate},
    webhook_endpoints::{
        create_webhook_endpoint, delete_webhook_endpoint, get_webhook_endpoint,
        list_webhook_deliveries, list_webhook_endpoints, redeliver_webhook,
        resume_webhook_endpoint, rotate_webhook_secret, test_webhook_endpoint,
        update_webhook_endpoint,
    },
};
use crate::state::AppState;

/// The maximum of `wait_ms`.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// How long a watcher waits before it reads the database: another instance notifies no watcher of this one.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_orders::list_orders))
        .routes(routes!(place_order::place_order).layer(within(MAX_WAIT + Duration::from_secs(10))))
        .routes(routes!(get_order::get_order).layer(within(MAX_WAIT + Duration::from_secs(10))))
        .routes(routes!(cancel_order::cancel_order))
        .routes(routes!(cancel_order_line::cancel_order_line))
        .routes(routes!(extend_hold::extend_hold))
        .routes(routes!(pay_order::pay_order))
        .routes(routes!(authorise_payment::authorise_payment).layer(within(Duration::from_mins(1))))
        .routes(routes!(list_mismatched_payments::list_mismatched_payments))
        .routes(routes!(list_payment_requests::list_payment_requests))
        .routes(routes!(retry_payment_request::retry_payment_request))
        .routes(routes!(list_lost_orders::list_lost_orders))
        .routes(routes!(erase_customer::erase_customer))
        .routes(routes!(get_customer_erasure::get_customer_erasure))
        .routes(routes!(repeat_customer_erasures::repeat_customer_erasures))
        .routes(routes!(get_order_timeline::get_order_timeline))
        .routes(routes!(get_order_money::get_order_money))
        .routes(routes!(stream_order_events::stream_order_events))
        .routes(routes!(webhooks::receive_payment_webhook::receive_payment_webhook))
        .routes(routes!(webhooks::receive_shipment_webhook::receive_shipment_webhook))
        .routes(routes!(create_quote::create_quote))
        .routes(routes!(list_returns::list_returns, request_return::request_return))
        .routes(routes!(list_all_returns::list_all_returns))
        .routes(routes!(get_return::get_return))
        .routes(routes!(receive_return::receive_return))
        .routes(routes!(refuse_return::refuse_return))
        .routes(routes!(list_priority_customers::list_priority_customers))
        .routes(routes!(
            add_priority_customer::add_priority_customer,
            remove_priority_customer::remove_priority_customer
        ))
        .merge(cost_rule_routes())
        .merge(webhook_endpoint_routes())
        .routes(routes!(replay_projection::replay_projection).layer(within(REPLAY_TIMEOUT)))
        .merge(operations::routes())
}

/// The rules that decide what orders cost; all need `orders:admin`.
fn cost_rule_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list_promotions::list_promotions, create_promotion::create_promotion))
        .routes(routes!(
            get_promotion::get_promotion,
            replace_promotion::replace_promotion,
            delete_promotion::delete_promotion
        ))
        .routes(routes!(
            list_shipping_rates::list_shipping_rates,
            create_shipping_rate::create_shipping_rate
        ))
        .routes(routes!(
            get_shipping_rate::get_shipping_rate,
            replace_shipping_rate::replace_shipping_rate,
            delete_shipping_rate::delete_shipping_rate
        ))
        .routes(routes!(list_tax_rates::list_tax_rates, create_tax_rate::create_tax_rate))
        .routes(routes!(
            get_tax_rate::get_tax_rate,
            replace_tax_rate::replace_tax_rate,
            delete_tax_rate::delete_tax_rate
        ))
}

/// Endpoints that receive webhooks; all need `orders:admin`.
fn webhook_endpoint_routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(
            list_webhook_endpoints::list_webhook_endpoints,
            create_webhook_endpoint::create_webhook_endpoint
        ))
        .routes(routes!(
            get_webhook_endpoint::get_webhook_endpoint,
            update_webhook_endpoint::update_webhook_endpoint,
            delete_webhook_endpoint::delete_webhook_endpoint
        ))
        .routes(routes!(rotate_webhook_secret::rotate_webhook_secret))
        .routes(routes!(resume_webhook_endpoint::resume_webhook_endpoint))
        .routes(
            routes!(test_webhook_endpoint::test_webhook_endpoint)
                .layer(within(Duration::from_mins(1))),
        )
        .routes(routes!(list_webhook_deliveries::list_webhook_deliveries))
        .routes(routes!(redeliver_webhook::redeliver_webhook))
}
