//! The channel against its fixtures, and the widget's script against its own promises.

mod receive;
mod widget;
