//! The examples of the documentation are configurations that load.

use super::*;
