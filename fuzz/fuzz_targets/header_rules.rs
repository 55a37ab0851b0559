//! See `invariants::header_rules`.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tollgate_fuzz::invariants::header_rules::check(input));
