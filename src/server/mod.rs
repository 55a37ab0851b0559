//! Listeners and client connections.
