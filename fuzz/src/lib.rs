//! What the fuzz targets call. The functions state what must hold for any bytes, and panic when it
//! does not; the ordinary tests call them with the seeds in `corpus/`.

pub mod invariants;
