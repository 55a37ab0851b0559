//! What is logged of addresses that will be without TLS from a restart on.

use std::path::Path;

use super::*;
use crate::config::{Change, ChangeKind, Written, changes, changes_at_start};

const TLS: &str = "{ address = '127.0.0.1:443', tls = true }";
const PLAIN: &str = "{ address = '127.0.0.1:443' }";
const OTHER: &str = "{ address = '127.0.0.1:8080' }";
const REDIRECT: &str = "{ address = '127.0.0.1:8080', redirect = 'https' }";
const REQUIRED: &str = "[tls.client_auth]\nca = 'site.pem'\nmode = 'required'\n";

fn written(listen: &[&str], tables: &str) -> Written {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let files = |path: &Path| match path.to_str() {
        Some("conf/site.pem") => Ok(cert.clone()),
        Some("conf/site.key") => Ok(key.clone()),
        _ => Err(Unreadable::Missing),
    };
    let text = format!(
        "listen = [{}]\n[[tls.certificates]]\ncert = 'site.pem'\nkey = 'site.key'\n{tables}[routes]\n'/' = 'http://localhost:4001'\n",
        listen.join(", ")
    );
    let loaded = parse(
        "conf/tollgate.toml",
        &text,
        Format::Toml,
        &environment,
        &files,
    );
    loaded
        .unwrap_or_else(|problems| panic!("{problems}"))
        .written
}

#[test]
fn an_address_among_those_of_another_is_refused() {
    let listen = |list: &str| read(&format!("listen = [{list}]\n[routes]\n'/' = 'http://h'\n"));
    for list in [
        "'0.0.0.0:3000', '127.0.0.1:3000'",
        "'127.0.0.1:3000', '0.0.0.0:3000'",
        "'[::]:3000', '[::1]:3000'",
        "{ address = '10.0.0.1:3000', proxy_protocol = true }, '0.0.0.0:3000'",
    ] {
        let said = listen(list).expect_err("they overlap").to_string();
        assert!(said.contains("is listened on already"), "{said}");
        assert!(said.contains("is every address of this machine"), "{said}");
    }
    for list in [
        "'0.0.0.0:3000', '127.0.0.1:3001'",
        "'0.0.0.0:3000', '[::]:3000'",
        "'[::]:3000', '127.0.0.1:3000'",
        "'0.0.0.0:0', '127.0.0.1:0'",
        "'127.0.0.1:3000', '127.0.0.2:3000'",
    ] {
        fine(listen(list));
    }
}

#[test]
fn an_address_that_will_be_without_tls_is_said() {
    for (before, now, tables, said) in [
        (&[TLS][..], &[TLS][..], "", None),
        // Without TLS there was nothing to lose.
        (&[PLAIN], &[PLAIN, OTHER], "", None),
        (&[TLS, OTHER], &[TLS, OTHER], "", None),
        (&[TLS], &[TLS, REDIRECT], "", None),
        (&[TLS, OTHER], &[TLS], "", None),
        (
            &[TLS],
            &[PLAIN],
            "",
            Some("`127.0.0.1:443` without TLS; it has TLS until then"),
        ),
        (
            &[TLS],
            &[TLS, OTHER],
            "",
            Some("`127.0.0.1:8080` without TLS; it is not open until then"),
        ),
        (
            &[TLS, REDIRECT],
            &[TLS, OTHER],
            REQUIRED,
            Some(
                "`127.0.0.1:8080` without TLS, and without the certificate that `tls.client_auth` requires; it sends clients to `https` until then",
            ),
        ),
    ] {
        let (before, now) = (written(before, tables), written(now, tables));
        let changes = changes(&before, &before, &now);
        assert!(changes.is_sorted_by_key(|change| change.kind));
        let opens = changes
            .into_iter()
            .filter(|it| it.kind == ChangeKind::NeedsRestart);
        let opens = opens
            .map(|it| it.to_string())
            .filter(|it| it.contains("without TLS"));
        let expected = said.map(|said| {
            format!("`listen`: from the restart on, clients get to the routes at {said}")
        });
        assert_eq!(
            opens.collect::<Vec<_>>(),
            expected.into_iter().collect::<Vec<_>>()
        );
    }
}

#[test]
fn after_a_hand_over_it_is_so_at_once_and_nothing_takes_a_restart() {
    let (before, now) = (written(&[TLS], ""), written(&[PLAIN, OTHER], ""));
    let changes = changes_at_start(&before, &now);
    assert!(changes.is_sorted_by_key(|change| change.kind));
    let wider = changes.iter().filter(|it| it.kind == ChangeKind::Wider);
    let wider: Vec<_> = wider.map(ToString::to_string).collect();
    let there = "`listen`: clients get to the routes at";
    assert_eq!(
        wider,
        [
            format!("{there} `127.0.0.1:443` without TLS; it had TLS before"),
            format!("{there} `127.0.0.1:8080` without TLS; it was not open before"),
        ]
    );
    let later = |change: &Change| change.kind == ChangeKind::NeedsRestart;
    assert!(!changes.iter().any(later), "{changes:?}");
    let said: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert!(said.iter().all(|text| !text.contains("takes a restart")));
    assert!(said.len() > wider.len(), "the key is said, too: {said:?}");
}
