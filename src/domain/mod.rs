//! The field's own things and rules: pure, no clock, no database, no network.

mod clock;
mod id;
mod mask;
mod number;
mod reference;
mod staff;
mod state;

pub use clock::{Clock, Millis};
pub use id::{Id, new_id};
pub use mask::mask;
pub use number::{TicketNumber, query_code};
pub use reference::{Reference, find_references};
pub use staff::{Actor, Role};
pub use state::{Move, TicketState};
