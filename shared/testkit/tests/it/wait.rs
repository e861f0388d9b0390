use std::{cell::Cell, time::Duration};

use testkit::{wait_for, wait_until};

#[tokio::test]
async fn wait_returns_the_value_of_the_check() {
    let checks = Cell::new(0);
    let found = wait_for("the third check", Duration::from_secs(5), async || {
        checks.set(checks.get() + 1);
        if checks.get() == 3 { Ok(checks.get()) } else { Err("too few") }
    });
    assert_eq!(found.await.unwrap(), 3);
}

#[tokio::test]
async fn wait_error_contains_the_last_status() {
    let never =
        wait_for("pigs fly", Duration::from_millis(30), async || Err::<(), _>("they walk")).await;
    let error = never.unwrap_err().to_string();
    assert_eq!(error, "timed out after 30 ms waiting until pigs fly; last status: they walk");
}

#[tokio::test]
async fn a_check_that_hangs_is_cancelled() {
    let hung = wait_until("an answer", Duration::from_millis(30), async || {
        std::future::pending::<bool>().await
    });
    assert!(hung.await.unwrap_err().to_string().contains("did not return"));
}
