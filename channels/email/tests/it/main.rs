//! The channel from outside: raw requests in, SMTP out to a scripted server.

mod bounces;
mod conformance;
mod harness;
mod loops;
mod messages;
mod poll;
mod send;
