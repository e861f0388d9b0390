//! The command line: its options, defaults and errors.

use std::{path::Path, time::Duration};

use clap::{ArgMatches, Args as _, FromArgMatches as _};
use runtime::{
    cli::command,
    config::{Common, Secret},
};

use crate::SERVICE;

const GOOD: [&str; 8] = [
    "tested",
    "serve",
    "--database-url",
    "postgres://me:hunter2@db/tested",
    "--amqp-url",
    "amqp://me:hunter2@mq/%2f",
    "--token-public-key-file",
    "/keys/public",
];

fn parse(args: &[&str]) -> Result<ArgMatches, clap::Error> {
    command::<Common>(&SERVICE).try_get_matches_from(args)
}

#[test]
fn the_command_line_is_consistent() {
    command::<Common>(&SERVICE).debug_assert();
}

#[test]
fn missing_options_have_defaults() {
    let matches = parse(&GOOD).unwrap();
    let (_, serve) = matches.subcommand().unwrap();
    let common = Common::from_arg_matches(serve).unwrap();
    assert_eq!(common.database.url.expose(), "postgres://me:hunter2@db/tested");
    assert_eq!(common.database.pool, 16);
    assert_eq!(common.database.statement_timeout, Duration::from_secs(30));
    assert_eq!(common.broker.url, Secret::from("amqp://me:hunter2@mq/%2f"));
    assert_eq!(common.http.addr.to_string(), "127.0.0.1:8098");
    assert_eq!(common.http.request_timeout, Duration::from_secs(30));
    assert_eq!(common.http.connections, 4096);
    assert_eq!(common.shutdown.timeout, Duration::from_secs(20));
    assert_eq!(common.tokens.public_key_file, Path::new("/keys/public"));
    let printed = format!("{common:?}");
    assert!(!printed.contains("hunter2") && printed.contains("[secret]"), "{printed}");
}

#[test]
fn a_missing_option_is_named_by_its_variable() {
    let error = parse(&["tested", "serve"]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.to_string();
    for variable in ["DATABASE_URL", "AMQP_URL", "TOKEN_PUBLIC_KEY_FILE"] {
        assert!(text.contains(variable), "{variable} is not in {text}");
    }
}

#[test]
fn an_invalid_option_is_named_by_its_variable() {
    for (flag, value, variable) in [
        ("--http-addr", "nowhere", "HTTP_ADDR"),
        ("--database-pool", "0", "DATABASE_POOL"),
        ("--request-timeout", "0", "REQUEST_TIMEOUT"),
        ("--shutdown-timeout", "3601", "SHUTDOWN_TIMEOUT"),
        ("--statement-timeout", "soon", "STATEMENT_TIMEOUT"),
        ("--http-connections", "-1", "HTTP_CONNECTIONS"),
        ("--outbox-rows", "0", "OUTBOX_ROWS"),
        ("--outbox-lesser-rows", "many", "OUTBOX_LESSER_ROWS"),
        ("--slot-groups", "order=3", "SLOT_GROUPS"),
        ("--slot-groups", "order", "SLOT_GROUPS"),
        ("--log-format", "xml", "LOG_FORMAT"),
    ] {
        let mut args = GOOD.to_vec();
        let pair = format!("{flag}={value}");
        args.push(&pair);
        let text = parse(&args).unwrap_err().to_string();
        assert!(text.contains(variable) && text.contains(value), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn slot_groups_are_read_by_all_commands() {
    let text = parse(&["tested", "topology", "--slot-groups=order=5"]).unwrap_err().to_string();
    assert!(text.contains(r#"order cannot have "5" slot groups, but 1, 2, 4, 8 or 16"#), "{text}");
    let mut args = GOOD.to_vec();
    args.push("--slot-groups=order=4,product=16");
    let matches = parse(&args).unwrap();
    let common = Common::from_arg_matches(matches.subcommand().unwrap().1).unwrap();
    let groups = common.broker.queues.slot_groups;
    assert_eq!(["order", "product", "stock"].map(|one| groups.of(one)), [4, 16, 2]);
    assert_eq!(parse(&["tested", "topology"]).unwrap().subcommand_name(), Some("topology"));
}

#[test]
fn every_field_is_documented() {
    let command = Common::augment_args(clap::Command::new("x"));
    for arg in command.get_arguments() {
        assert!(arg.get_help().is_some(), "{}", arg.get_id());
        assert!(arg.get_env().is_some(), "{}", arg.get_id());
    }
}
