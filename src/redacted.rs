//! What `Debug` shows of a secret: the name of its type, and nothing else.

/// Implements `Debug` for secrets.
macro_rules! redacted {
    ($($secret:ident)+) => {$(
        impl std::fmt::Debug for $secret {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($secret), "(..)"))
            }
        }
    )+};
}
pub(crate) use redacted;
