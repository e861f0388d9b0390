//! Declares streams.

use crate::{
    broker::{self, Session},
    declarations::{self, Declarations},
    declare::{Rights, declare_all, declare_one},
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

/// Declares a stream with its exchange.
pub(super) async fn declare_on(session: &Session, name: &str) -> Result<(), Error> {
    let channels = session.channels()?;
    declare_one(&channels, &declarations::stream(name)).await?;
    let mut declarations = Declarations::default();
    declarations.add_stream(name);
    declarations.queues.clear();
    let differences = declare_all(&channels, &declarations, Rights::All).await?;
    let unusable = differences.into_iter().find(|difference| difference.is_unusable);
    unusable.map_or(Ok(()), |difference| Err(Error::Differs(Box::new(difference))))
}
