//! SMS by Twilio, Kannel or a generic gateway.
