//! Returns of shipped orders.

mod access;
pub(super) mod get_return;
pub(super) mod list_all_returns;
pub(super) mod list_returns;
pub(super) mod receive_return;
pub(super) mod refuse_return;
pub(super) mod request_return;
mod return_body;
