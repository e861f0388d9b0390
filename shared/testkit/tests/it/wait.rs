use std::cell::Cell;
use std::time::Duration;

use testkit::{wait_for, wait_until};

#[tokio::test]
async fn gives_what_the_look_found() {
    let looks = Cell::new(0);
    let found = wait_for("three looks", Duration::from_secs(5), async || {
        looks.set(looks.get() + 1);
        if looks.get() == 3 { Ok(looks.get()) } else { Err("too few") }
    });
    assert_eq!(found.await.unwrap(), 3);
}

#[tokio::test]
async fn fails_with_the_last_status() {
    let never =
        wait_for("pigs fly", Duration::from_millis(30), async || Err::<(), _>("they walk")).await;
    let error = never.unwrap_err().to_string();
    assert_eq!(error, "waited 30 ms in vain until pigs fly; last seen: they walk");
}

#[tokio::test]
async fn abandons_a_look_that_hangs() {
    let hung = wait_until("an answer", Duration::from_millis(30), async || {
        std::future::pending::<bool>().await
    });
    assert!(hung.await.unwrap_err().to_string().contains("did not return"));
}
