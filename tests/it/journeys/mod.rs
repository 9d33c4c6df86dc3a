//! The journeys of citizens: in by a channel, routed, answered, received.

mod cross;
mod email;
mod kannel;
mod phone;
mod rules;
mod sms;
mod telegram;
mod twilio;
mod web;
mod websocket;
