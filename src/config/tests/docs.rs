//! The examples of the documentation are configurations that load, and its defaults are defaults.

use super::*;

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// The TOML examples of the page.
fn examples() -> Vec<&'static str> {
    PAGE.split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect()
}

#[test]
fn every_example_loads() {
    let examples = examples();
    assert!(examples.len() > 8);
    for example in examples {
        if let Err(problems) = read(example) {
            panic!("{example}\n{problems}");
        }
    }
}

#[test]
fn every_documented_default_is_one() {
    let written = good(examples().pop().unwrap());
    let silent = good(
        r#"
        [routes]
        "/api/orders" = "orders"
        [upstreams.orders]
        endpoints = ["http://10.0.0.1:4002"]
        [limits.policies.search-burst]
        requests = 20
        per = "1s"
        [limits.redis]
        url = "redis://127.0.0.1:6379"
        "#,
    );
    let compared = crate::config::changes(&silent.written, &silent.written, &written.written);
    assert_eq!(compared, []);
}

#[test]
fn the_first_problem_shown_is_what_is_said() {
    let shown = "error: unknown key `protcted`\n --> tollgate.toml:8:1\n";
    let text = "\n\n\n\n\n\n[access]\nprotcted = [\"/api/orders\"]\n";
    let said = complaints(text);
    assert!(said.starts_with(shown));
    for line in said.lines().take(5) {
        assert!(PAGE.contains(&format!("    {line}\n")), "{line:?}");
    }
}
