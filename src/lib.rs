//! Yingda.
