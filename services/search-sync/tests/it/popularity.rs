//! Popular products rank higher.

use serde_json::json;
use service_testkit::LONGEST_WAIT;
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    events::{keyboard, next_version, popularity_changed},
    suite::{Suite, ids},
};

#[tokio::test(flavor = "multi_thread")]
async fn small_popularity_changes_are_not_indexed() {
    let suite = Suite::start().await;
    let (first, second, late) = (ProductId::new(), ProductId::new(), ProductId::new());
    suite.catalogue.publish_all(&[keyboard(first, 1), keyboard(second, 1)]).await;
    suite.wait_applied(second, 1).await;
    suite.analytics.publish(&popularity_changed(first, 1, 10.0)).await;
    suite.analytics.publish(&popularity_changed(late, 4, 90.0)).await;
    let order = async |expected: &[ProductId]| {
        wait_for("the hits are in this order", LONGEST_WAIT, async || {
            let found = ids(&suite.search(&[("sort", "popularity")]).await);
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
        .unwrap();
    };
    order(&[first, second]).await;
    // A score may arrive before its product.
    suite.catalogue.publish(&keyboard(late, 1)).await;
    order(&[late, first, second]).await;
    suite.analytics.publish(&popularity_changed(second, 1, 99.0)).await;
    order(&[second, late, first]).await;

    suite.settle().await;
    let before = suite.index().await["change"].clone();
    suite.analytics.publish(&popularity_changed(first, 2, 10.5)).await;
    suite.analytics.publish(&popularity_changed(second, 1, 0.0)).await;
    suite.wait_count("select count(*) from product_popularity where version = 2", 1).await;
    suite.settle().await;
    assert_eq!(suite.index().await["change"], before);
    order(&[second, late, first]).await;
    // The next version of the product also indexes a small change.
    suite.catalogue.publish(&next_version(&keyboard(first, 1))).await;
    suite.wait_applied(first, 2).await;
    let scored = "select count(*) from document where popularity = 10.5";
    assert_eq!(json!(suite.count(scored).await), json!(1));
    suite.finish(0).await;
}
