//! Receipts of products: `product.applied.v1` and `product.failed.v1`, as every service that copies products emits them.

use std::collections::BTreeMap;

use ::messaging::{Error, Transaction};
use chrono::{DateTime, Utc};
use contracts::receipts::{ProductAppliedV1, ProductFailedV1, ProductVersion};
use envelope::{Envelope, Slot};
use vocabulary::{ProductId, Version};

use crate::{clock, service::Service};

/// How many keys the receipts of a service have. Subscribers see them, so the number never changes.
const RECEIPT_KEYS: u8 = 2;

/// The key of a product's receipts.
///
/// A product has one key, so its receipts keep the order of its events.
pub fn receipt_key(product: ProductId) -> String {
    (Slot::of(&product.to_string()).number() % RECEIPT_KEYS).to_string()
}

/// The receipts for `versions`, which have taken effect in `service`: one for each key.
///
/// Most sets of products have one key: with two slot groups or more, the products of a batch do.
pub fn products_applied(
    service: &Service,
    versions: impl IntoIterator<Item = (ProductId, Version)>,
    applied_at: DateTime<Utc>,
) -> Vec<ProductAppliedV1> {
    let mut by_key: BTreeMap<String, Vec<(ProductId, Version)>> = BTreeMap::new();
    for (product, version) in versions {
        by_key.entry(receipt_key(product)).or_default().push((product, version));
    }
    let receipt = |(key, versions)| product_applied(service, key, versions, applied_at);
    by_key.into_iter().filter_map(receipt).collect()
}

/// The receipt for `versions`, which have taken effect in `service`; `None` if there are none.
///
/// Of several versions of a product the newest is named: it settles all versions before it.
pub fn product_applied(
    service: &Service,
    receipt_key: String,
    versions: impl IntoIterator<Item = (ProductId, Version)>,
    applied_at: DateTime<Utc>,
) -> Option<ProductAppliedV1> {
    let mut newest: BTreeMap<ProductId, Version> = BTreeMap::new();
    for (product, version) in versions {
        newest.entry(product).and_modify(|known| *known = version.max(*known)).or_insert(version);
    }
    let applied: Vec<ProductVersion> = newest
        .into_iter()
        .map(|(product_id, version)| ProductVersion { product_id, version })
        .collect();
    (!applied.is_empty()).then(|| ProductAppliedV1 {
        service: service.name.to_owned(),
        receipt_key,
        applied,
        applied_at,
    })
}

/// The receipt for a product event that became a dead letter; `None` if its product or version cannot be read.
pub fn product_failed(
    service: &Service,
    receipt_key: impl FnOnce(ProductId) -> String,
    envelope: &Envelope,
    reason: &str,
    failed_at: DateTime<Utc>,
) -> Option<ProductFailedV1> {
    let failed = ProductVersion::of_malformed(envelope)?;
    Some(ProductFailedV1 {
        service: service.name.to_owned(),
        receipt_key: receipt_key(failed.product_id),
        failed,
        reason: format!("{} became a dead letter: {reason}.", envelope.kind),
        failed_at,
    })
}

/// Emits [`product_failed`] in the transaction that records the dead letter; for `Subscription::on_dead_letter`.
///
/// `receipt_key` is [`receipt_key`] unless the service orders its receipts by itself.
pub fn emit_product_failed(
    service: Service,
    receipt_key: impl Fn(ProductId) -> String + Send + Sync + 'static,
) -> impl Fn(&mut Transaction, &Envelope, &str) -> Result<(), Error> + Send + Sync + 'static {
    move |tx, envelope, reason| {
        if let Some(receipt) =
            product_failed(&service, &receipt_key, envelope, reason, clock::now())
        {
            tx.emit(&receipt)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use vocabulary::{ProductId, Version};

    use super::{product_applied, product_failed, products_applied, receipt_key};
    use crate::service::Service;

    const PRODUCT: &str = "01920000-0000-7000-8000-000000000001";
    const SERVICE: Service =
        Service { name: "copier", about: "Copies.", version: "1", http_addr: "127.0.0.1:1" };

    #[test]
    fn the_newest_version_settles_the_others() {
        let (product, other) = (ProductId::new(), ProductId::new());
        let version = |number: i64| Version::try_from(number).unwrap();
        let versions = [(product, version(2)), (other, version(1)), (product, version(1))];
        let key = receipt_key(product);
        let receipt = product_applied(&SERVICE, key, versions, DateTime::default()).unwrap();
        let applied: Vec<_> =
            receipt.applied.iter().map(|one| (one.product_id, one.version)).collect();
        assert_eq!(applied, [(product, version(2)), (other, version(1))]);
        assert!(product_applied(&SERVICE, String::new(), [], DateTime::default()).is_none());
    }

    /// A service with one slot group has products of both keys in a batch.
    #[test]
    fn the_receipts_of_a_product_have_one_key() {
        let versions: Vec<_> =
            (0..40).map(|_| (ProductId::new(), Version::try_from(1).unwrap())).collect();
        let receipts = products_applied(&SERVICE, versions, DateTime::default());
        assert_eq!(receipts.len(), 2);
        for receipt in receipts {
            let keys = receipt.applied.iter().map(|one| receipt_key(one.product_id));
            assert!(keys.into_iter().all(|key| key == receipt.receipt_key));
        }
    }

    #[test]
    fn a_failed_receipt_names_version_and_reason() {
        let envelope = serde_json::from_str(&format!(
            r#"{{"specversion":"1.0","id":"{PRODUCT}","source":"product-catalog","type":"product.changed.v1","subject":"{PRODUCT}","time":"2026-11-22T08:00:00Z","sequence":"0000000000000000001","aggregate":"product","data":{{"version":7,"variants":"none"}}}}"#
        ));
        let receipt = product_failed(
            &SERVICE,
            receipt_key,
            &envelope.unwrap(),
            "undecodable",
            DateTime::default(),
        )
        .unwrap();
        let failed = receipt.failed;
        assert_eq!((failed.product_id.to_string().as_str(), failed.version.get()), (PRODUCT, 7));
        assert_eq!(receipt.reason, "product.changed.v1 became a dead letter: undecodable.");
    }
}
