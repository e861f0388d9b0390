#![doc = include_str!("../README.md")]

mod ids;
mod localized;
mod money;
mod quantity;
mod sku;

pub use ids::{
    ChangeId, CustomerId, ImportId, OrderId, ParcelId, PaymentId, ProductId, PromotionId, RefundId,
    ReturnId, RuleId, ShipmentId, ShippingRateId, TaxRateId, WarehouseId, WebhookEndpointId,
    WebhookMessageId,
};
pub use localized::Localized;
pub use money::{Currency, InvalidMoney, Money, UnknownCurrency};
pub use quantity::{InvalidQuantity, InvalidVersion, Quantity, Version};
pub use sku::{InvalidSku, Sku};
