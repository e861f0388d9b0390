//! Declares streams.

use crate::{
    broker::{self, Session},
    declarations,
    declare::declare_one,
    error::Error,
};

/// Declares a stream. A stream that an earlier version declared is left unchanged, with large segments.
pub async fn declare(amqp_url: &str, name: &str) -> Result<(), Error> {
    let client = format!("{name}: topology");
    let session = Session::connect(amqp_url, &client, broker::HEARTBEAT).await?;
    let declared = declare_on(&session, name).await;
    session.close().await;
    declared
}

pub(super) async fn declare_on(session: &Session, name: &str) -> Result<(), Error> {
    declare_one(&session.channels()?, &declarations::stream(name)).await
}
