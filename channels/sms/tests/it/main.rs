//! The SMS adapter from outside: conformance, receiving fixtures, sending to a mock gateway.

mod generic;
mod harness;
mod kannel;
mod twilio;
