//! Who is calling, and what that opens: keys in all wrong forms, names that only the gateway may
//! give, and paths that try to be something else.

mod keys;
mod prefixes;
mod spellings;
mod spoofing;
