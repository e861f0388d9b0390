//! Writes the event graph anew, out of the services' own topologies.

use crate::command;
use crate::failure::Failure;

/// Runs the test that holds the file current, and lets it write.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut cargo = command::house("the_event_graph_is_written_down");
    cargo.env("EVENT_GRAPH", "write");
    command::run(cargo).await
}
