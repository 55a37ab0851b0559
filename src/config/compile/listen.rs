//! Where clients connect, and what they find there.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::config::file::{File, ListenKeys};
use crate::config::problems::{Problem, Problems};
use crate::server::{ListenAddress, Serves};

/// Compiles all addresses.
pub(super) fn compile(file: &File, problems: &mut Problems) -> Vec<ListenAddress> {
    if file.listen.is_empty() {
        let message = "`listen` takes one address at least";
        problems.add(Problem::at(file.listen.span, message));
    }
    given_twice(file, problems);
    overlapping(file, problems);
    let mut announced = file.listen.iter().filter(|keys| *keys.proxy_protocol);
    if let Some(keys) = announced.next()
        && file.server.trusted_proxies.is_empty()
    {
        let message = "`proxy_protocol` is for trusted proxies, and there are none";
        let help = "name those that connect here in `server.trusted_proxies`";
        problems.add(Problem::at(keys.proxy_protocol.span, message).help(help));
    }
    let address = |keys: &ListenKeys, problems: &mut _| ListenAddress {
        address: *keys.address,
        serves: serves(keys, problems),
        announced: *keys.proxy_protocol,
    };
    let all = file.listen.iter();
    all.map(|keys| address(keys, problems)).collect()
}

/// Finds addresses that stand there twice. Port 0 is another free port each time; but which of two is
/// meant cannot be told once they are open.
fn given_twice(file: &File, problems: &mut Problems) {
    let mut seen = HashMap::new();
    for keys in file.listen.iter() {
        let address = &keys.address;
        let Some(first) = seen.insert(address.value, keys) else {
            continue;
        };
        if address.port() != 0 {
            let what = format!("`{}`", address.value);
            problems.add(Problem::given_twice(
                &what,
                first.address.span,
                address.span,
            ));
        } else if kind(first) != kind(keys) {
            let message = format!("`{}` is given twice, for different things", address.value);
            let help = "with port 0 these need different addresses, such as `127.0.0.1:0` and `127.0.0.2:0`";
            let problem = Problem::at(address.span, message).label("given again here");
            let problem = problem.also(first.address.span, "first given here");
            problems.add(problem.help(help));
        }
    }
}

/// Finds addresses that another one has among its own: only one of the two can be listened on. What is
/// left of `[::]` beside an address of IPv4 is IPv6 alone.
fn overlapping(file: &File, problems: &mut Problems) {
    let addresses = || file.listen.iter().map(|keys| &keys.address);
    for all in addresses().filter(|address| address.ip().is_unspecified()) {
        for address in addresses() {
            let is_among = address.is_ipv4() == all.is_ipv4() && meet(address.value, all.value);
            if is_among && address.value != all.value {
                let message = format!("`{}` is listened on already", address.value);
                let label = format!("`{}` is every address of this machine", all.value);
                let problem = Problem::at(address.span, message).also(all.span, label);
                problems.add(problem.help("leave one of the two out, or give it another port"));
            }
        }
    }
}

/// Whether only one of them can be listened on.
pub(super) fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let any = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && (any || one.ip() == other.ip())
}

fn kind(keys: &ListenKeys) -> (bool, bool, bool) {
    (*keys.tls, keys.redirect.is_some(), *keys.proxy_protocol)
}

fn serves(keys: &ListenKeys, problems: &mut Problems) -> Serves {
    match (*keys.tls, keys.redirect.written()) {
        (true, Some(redirect)) => {
            let message = "`redirect = \"https\"` is for clients without TLS";
            let problem =
                Problem::at(redirect.span, message).also(keys.tls.span, "TLS is spoken here");
            problems.add(problem.help("leave one of the two out"));
            Serves::Tls
        }
        (true, None) => Serves::Tls,
        (false, Some(_)) => Serves::RedirectToHttps,
        (false, None) => Serves::Plain,
    }
}
