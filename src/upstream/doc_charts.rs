//! The charts of `docs/failing-services.md`, drawn anew by the circuits and budgets themselves, so that
//! the page shows what they do.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::circuit::{Circuit, Row, Ticket};
use super::failure::Failure;
use super::rules::{BreakerRules, RetryRules};

const SECOND: Duration = Duration::from_secs(1);

/// How many seconds the service is well, how many it is down, and how many a chart shows.
const DOWN: std::ops::Range<u32> = 6..36;
const SECONDS: u32 = 56;

/// What becomes of one request a second while the endpoint refuses connections for a while: `a` is
/// answered by it, `x` fails there, `.` is not sent there, `?` is a probe that fails, `!` one that
/// closes the circuit.
fn requests(another_serves: bool) -> String {
    let rules = BreakerRules {
        cool_down: 5 * SECOND,
        ..BreakerRules::default()
    };
    let (circuit, begun) = (Circuit::default(), Instant::now());
    let mut row = String::new();
    for second in 0..SECONDS {
        let (now, is_down) = (begun + second * SECOND, DOWN.contains(&second));
        let ticket = circuit.enter();
        let ticket = ticket.or_else(|| circuit.probe(!another_serves, SECOND, now));
        row.push(match ticket {
            None => '.',
            Some(Ticket::Probe(lease)) if is_down => {
                circuit.probe_failed(lease, another_serves, now);
                '?'
            }
            Some(ticket @ Ticket::Probe(_)) => {
                circuit.succeeded(ticket, now).expect("it closes");
                '!'
            }
            Some(ticket) if is_down => {
                circuit.failed(ticket, (Failure::Refused, Row::Tries), &rules, now, || true);
                'x'
            }
            Some(ticket) => {
                circuit.succeeded(ticket, now);
                'a'
            }
        });
    }
    row
}

#[test]
fn the_chart_of_circuits_is_what_they_do() {
    let service = |second| if DOWN.contains(&second) { '-' } else { '+' };
    let service: String = (0..SECONDS).map(service).collect();
    let rows = [
        ("the endpoint", service),
        ("another one serves", requests(true)),
        ("it is the only one", requests(false)),
    ];
    assert_is_on_page(&rows);
}

/// How many of 100 requests a second fail: a few, then all.
const FAILING: [u32; 16] = [
    0, 2, 2, 2, 2, 100, 100, 100, 100, 100, 100, 100, 100, 2, 2, 2,
];

#[test]
fn the_chart_of_the_budget_is_what_it_does() {
    let (budget, rules) = (Budget::default(), RetryRules::default());
    let mut retried = Vec::new();
    for (second, failing) in (1000..).zip(FAILING) {
        budget.deposit(second, 100);
        // Of an endpoint that is down each try fails, and there are two more of them at most.
        let wanted = if failing == 100 { 2 * failing } else { failing };
        let granted = (0..wanted).filter(|_| budget.withdraw(&rules, second));
        retried.push(u32::try_from(granted.count()).unwrap());
    }
    let cells = |numbers: &[u32]| {
        let mut row = String::new();
        for number in numbers {
            write!(row, "{number:>4}").unwrap();
        }
        row
    };
    let sent: Vec<u32> = retried.iter().map(|retried| 100 + retried).collect();
    let rows = [
        ("requests", cells(&[100; FAILING.len()])),
        ("fail at first", cells(&FAILING)),
        ("tried again", cells(&retried)),
        ("the service gets", cells(&sent)),
    ];
    assert_is_on_page(&rows);
}

fn assert_is_on_page(rows: &[(&str, String)]) {
    let page = include_str!("../../docs/failing-services.md");
    let mut chart = String::new();
    for (name, row) in rows {
        writeln!(chart, "    {name:20}{row}").unwrap();
    }
    assert!(page.contains(&chart), "not in the page:\n{chart}");
}
