//! What is sought after comes first.

use serde_json::json;
use testkit::wait_for;
use vocabulary::ProductId;

use crate::{
    shop::{again, keyboard, popularity},
    suite::{PATIENCE, Suite, ids},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_popular_come_first_and_small_changes_do_not_touch_the_index() {
    let suite = Suite::start().await;
    let (first, second, late) = (ProductId::new(), ProductId::new(), ProductId::new());
    suite.catalogue.say_all(&[keyboard(first, 1), keyboard(second, 1)]).await;
    suite.wait_applied(second, 1).await;
    suite.analytics.say(&popularity(first, 1, 10.0)).await;
    suite.analytics.say(&popularity(late, 4, 90.0)).await;
    let order = async |expected: &[ProductId]| {
        wait_for("they come in this order", PATIENCE, async || {
            let found = ids(&suite.search(&[("sort", "popularity")]).await);
            if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
        })
        .await
        .unwrap();
    };
    order(&[first, second]).await;
    // What was heard before the product counts, too.
    suite.catalogue.say(&keyboard(late, 1)).await;
    order(&[late, first, second]).await;
    suite.analytics.say(&popularity(second, 1, 99.0)).await;
    order(&[second, late, first]).await;

    suite.at_rest().await;
    let before = suite.index().await["change"].clone();
    suite.analytics.say(&popularity(first, 2, 10.5)).await;
    suite.analytics.say(&popularity(second, 1, 0.0)).await;
    suite.wait_count("select count(*) from product_popularity where version = 2", 1).await;
    suite.at_rest().await;
    assert_eq!(suite.index().await["change"], before);
    order(&[second, late, first]).await;
    // The next version of the product takes even a small change along.
    suite.catalogue.say(&again(&keyboard(first, 1))).await;
    suite.wait_applied(first, 2).await;
    let scored = "select count(*) from document where popularity = 10.5";
    assert_eq!(json!(suite.count(scored).await), json!(1));
    suite.finish(0).await;
}
