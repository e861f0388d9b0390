#![doc = include_str!("../README.md")]
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "for tests: a failure panics")]

mod credentials;
mod database;
mod double;
pub mod events;
mod http;
mod instance;
mod limits;
mod messaging_tasks;
mod operations;
mod recorder;
mod roles;

pub use credentials::Credentials;
pub use database::{assert_dead_letters, count, wait_until_published};
pub use double::ServiceDouble;
pub use http::answer;
pub use instance::Instance;
pub use limits::LONGEST_WAIT;
pub use messaging_tasks::run_messaging;
pub use operations::{assert_hostile_inputs_are_refused, assert_scopes_precede_bodies};
pub use recorder::Recorder;
pub use roles::{assert_roles_are_documented, assert_roles_follow_the_matrix};
