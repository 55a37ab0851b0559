//! A table of variants in one test: all of them run, and all that failed are named.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `check` for every row. A row that fails does not keep the others from running.
pub(crate) fn each<T: Debug>(rows: impl IntoIterator<Item = T>, mut check: impl FnMut(&T)) {
    let mut failed = Vec::new();
    let mut total = 0;
    for row in rows {
        total += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(&row))) {
            let mut label = format!("{row:?}");
            label.truncate(label.floor_char_boundary(120));
            failed.push(format!("  {label}\n    {}", text(panic.as_ref())));
        }
    }
    assert!(total > 0, "a table without rows tests nothing");
    assert!(
        failed.is_empty(),
        "{} of {total} rows failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// What a panic had to say.
fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("panicked without a text")
        .replace('\n', "\n    ")
}
