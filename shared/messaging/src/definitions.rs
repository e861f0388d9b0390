//! Definitions of a broker, in the format of RabbitMQ: everything that the services declare, and what their users may do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::declarations::{
    BindingDeclaration, Declarations, ExchangeDeclaration, QueueDeclaration,
};

/// The queues that a broker names by itself, for programs that only look.
const OWN_QUEUES: &str = "amq\\.gen-.+";

/// The definitions of all services in a vhost. Each has a user of its name, and so has each of the `viewers`, who may read every exchange
/// and stream. The users themselves are not part of it: their passwords are made where the broker runs.
pub fn definitions(services: &[Declarations], viewers: &[&str], vhost: &str) -> Value {
    let exchanges: BTreeMap<&str, &ExchangeDeclaration> = services
        .iter()
        .flat_map(|service| &service.exchanges)
        .map(|exchange| (exchange.name.as_str(), exchange))
        .collect();
    let queues: BTreeMap<&str, &QueueDeclaration> = services
        .iter()
        .flat_map(|service| &service.queues)
        .map(|queue| (queue.name.as_str(), queue))
        .collect();
    let bindings: BTreeSet<&BindingDeclaration> =
        services.iter().flat_map(|service| &service.bindings).collect();
    let of_services = services.iter().map(|service| {
        let permissions = service.permissions();
        json!({
            "user": service.service, "vhost": vhost,
            "configure": permissions.configure, "write": permissions.write, "read": permissions.read,
        })
    });
    let of_viewers = viewers.iter().map(|viewer| {
        let names: Vec<String> = services.iter().flat_map(Declarations::readable).collect();
        let own = format!("^{OWN_QUEUES}$");
        let read = format!("^({OWN_QUEUES}|{})$", names.join("|"));
        json!({ "user": viewer, "vhost": vhost, "configure": own, "write": own, "read": read })
    });
    json!({
        "vhosts": [{ "name": vhost }],
        "permissions": of_services.chain(of_viewers).collect::<Vec<_>>(),
        "exchanges": exchanges.values().map(|exchange| json!({
            "name": exchange.name, "vhost": vhost, "type": exchange.kind, "durable": true,
            "auto_delete": false, "internal": false, "arguments": exchange.arguments,
        })).collect::<Vec<_>>(),
        "queues": queues.values().map(|queue| json!({
            "name": queue.name, "vhost": vhost, "durable": true, "auto_delete": false,
            "arguments": queue.arguments,
        })).collect::<Vec<_>>(),
        "bindings": bindings.iter().map(|binding| json!({
            "source": binding.exchange, "vhost": vhost, "destination": binding.queue,
            "destination_type": "queue", "routing_key": binding.routing_key, "arguments": {},
        })).collect::<Vec<_>>(),
    })
}
