//! The operator's own ports: where they listen, and who may do what there.

use crate::client::ApiKeyHash;
use crate::config::file::File;
use crate::config::problems::{Problem, Problems};
use crate::config::settings::AdminListen;
use crate::config::source::{At, Span};
use crate::pipeline::snapshot::Operators;

use super::listen::meet;

/// Compiles where the admin port listens, and where metrics are besides.
pub(super) fn listen(file: &File, problems: &mut Problems) -> (AdminListen, AdminListen) {
    let (admin, metrics) = (&file.admin.listen, &file.admin.metrics_listen);
    for (key, port) in [("listen", admin), ("metrics_listen", metrics)] {
        let AdminListen::Tcp(address) = port.value else {
            continue;
        };
        let clients = file.listen.iter().map(|keys| &keys.address);
        if let Some(taken) = clients.into_iter().find(|it| meet(it.value, address)) {
            let message = format!("`admin.{key}` is `{address}`, where clients connect");
            let label = format!("clients connect to `{}`", taken.value);
            problems.add(at(port, taken.span, message).also(taken.span, label).help(format!(
                "give it an address of its own, such as \"127.0.0.1:9001\", or write `admin.{key} = \"off\"`"
            )));
        }
    }
    if meet_at_all(admin, metrics) {
        let message =
            "`admin.metrics_listen` is where the admin port listens, which has metrics, too";
        let problem = Problem::at(metrics.span, message);
        problems.add(problem.help("leave it out, or give it an address of its own"));
    }
    (admin.value.clone(), metrics.value.clone())
}

/// Compiles who may do what.
pub(super) fn operators(file: &File, problems: &mut Problems) -> Operators {
    let admin = &file.admin;
    if admin.listen.is_open() && admin.token.is_none() && admin.read_token.is_none() {
        let message = format!(
            "other machines can connect to `admin.listen`, `{}`, and there is no token",
            admin.listen.value
        );
        let help = "make one with `openssl rand -hex 32`, its hash with `tollgate keys hash`, and write that as `admin.token`; \
                    or listen on 127.0.0.1 or a Unix socket";
        problems.add(Problem::at(admin.listen.span, message).help(help));
    }
    if let (Some(token), Some(read_token)) = (&admin.token.value, &admin.read_token.value)
        && token == read_token
    {
        let message = "`admin.read_token` is `admin.token`: it may change, too";
        problems.add(
            Problem::at(admin.read_token.span, message).help("make another token for reading"),
        );
    }
    for (key, token) in [("token", &admin.token), ("read_token", &admin.read_token)] {
        check_token(key, token, file, problems);
    }
    Operators {
        token: admin.token.value,
        read_token: admin.read_token.value,
        ready_needs: admin.ready_needs.values(),
        hosts: admin
            .hosts
            .iter()
            .map(|host| host.0.clone().into())
            .collect(),
    }
}

/// Refuses a token that a client has as its key.
fn check_token(name: &str, token: &At<Option<ApiKeyHash>>, file: &File, problems: &mut Problems) {
    let clients = file.clients.good();
    let mut keys =
        clients.flat_map(|(client, keys)| keys.keys.iter().map(move |key| (client, key)));
    let Some((client, key)) = keys.find(|(_, key)| Some(*key.hash) == token.value) else {
        return;
    };
    let message = format!(
        "`admin.{name}` is a key of the client `{}`",
        client.as_str()
    );
    let problem = Problem::at(token.span, message).also(key.hash.span, "a client's key");
    problems.add(problem.help("make another token for operators"));
}

/// A problem with a port, at the other place where nobody has written the port.
fn at(port: &At<AdminListen>, other: Span, message: String) -> Problem {
    let is_written = port.span != Span::NOWHERE;
    Problem::at(if is_written { port.span } else { other }, message)
}

fn meet_at_all(one: &AdminListen, other: &AdminListen) -> bool {
    match (one, other) {
        (AdminListen::Tcp(one), AdminListen::Tcp(other)) => meet(*one, *other),
        (AdminListen::Unix(one), AdminListen::Unix(other)) => one == other,
        _ => false,
    }
}
