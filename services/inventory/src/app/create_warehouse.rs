//! Creates a warehouse.

use messaging::Transaction;
use runtime::clock;
use vocabulary::WarehouseId;

use crate::{
    domain::{MAX_WAREHOUSES, Site, Warehouse},
    storage::warehouses,
};

pub(crate) struct CreateWarehouseCommand {
    pub(crate) name: String,
    pub(crate) site: Site,
}

/// Why a warehouse was not created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CreateWarehouseError {
    #[error("there are already {MAX_WAREHOUSES} warehouses")]
    TooMany,
    #[error("another warehouse has this name")]
    NameTaken,
    #[error("the warehouse could not be stored")]
    Database(#[from] sqlx::Error),
}

pub(crate) async fn create_warehouse(
    tx: &mut Transaction,
    command: CreateWarehouseCommand,
) -> Result<Warehouse, CreateWarehouseError> {
    if warehouses::count(tx).await? >= MAX_WAREHOUSES {
        return Err(CreateWarehouseError::TooMany);
    }
    let CreateWarehouseCommand { name, site } = command;
    let warehouse = Warehouse { id: WarehouseId::new(), name, site, opened_at: clock::now() };
    match warehouses::insert(tx, &warehouse).await {
        Ok(()) => Ok(warehouse),
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("warehouse_name_key") => {
            Err(CreateWarehouseError::NameTaken)
        }
        Err(error) => Err(error.into()),
    }
}
