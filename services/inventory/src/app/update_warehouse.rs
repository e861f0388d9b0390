//! Changes a warehouse.

use messaging::Transaction;
use vocabulary::WarehouseId;

use crate::{
    domain::{Site, Warehouse},
    storage::warehouses,
};

pub(crate) struct UpdateWarehouseCommand {
    pub(crate) id: WarehouseId,
    pub(crate) name: String,
    pub(crate) site: Site,
}

/// Why a warehouse was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpdateWarehouseError {
    #[error("the warehouse does not exist")]
    Unknown,
    #[error("another warehouse has this name")]
    NameTaken,
    #[error("the warehouse could not be stored")]
    Database(#[from] sqlx::Error),
}

/// Orders that are reserved later follow the change; reservations stay where they are.
pub(crate) async fn update_warehouse(
    tx: &mut Transaction,
    command: &UpdateWarehouseCommand,
) -> Result<Warehouse, UpdateWarehouseError> {
    match warehouses::update(tx, command.id, &command.name, &command.site).await {
        Ok(warehouse) => warehouse.ok_or(UpdateWarehouseError::Unknown),
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("warehouse_name_key") => {
            Err(UpdateWarehouseError::NameTaken)
        }
        Err(error) => Err(error.into()),
    }
}
