//! Builds, binds, runs and drains the gateway: the only place that wires things.
