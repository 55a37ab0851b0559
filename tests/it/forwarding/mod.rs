//! What an intermediary owes to both sides (RFC 9110 section 7.6): everything end-to-end passes
//! as it came, everything of one hop stays on it, and what the gateway adds can't be faked.

mod answered_here;
mod answers;
mod bodies;
mod bodiless;
mod end_to_end;
mod fields;
mod forwarded;
mod hop_by_hop;
mod hosts;
mod interim;
mod loops;
mod odd_answers;
mod request_ids;
mod targets;
mod trailers;
mod under_a_prefix;
