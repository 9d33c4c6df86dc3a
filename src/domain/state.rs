//! The states of a ticket and the moves between them.

use serde::{Deserialize, Serialize};

/// The state of a ticket, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TicketState {
    /// Waits for a person to say where it belongs.
    Triage,
    /// Routed to a department that has not signed yet.
    Dispatched,
    /// The department has signed for it.
    Signed,
    /// Answered; the answer is on its way.
    Replied,
    /// The answer has reached the citizen.
    Delivered,
    /// Closed.
    Closed,
}

/// What staff or the hub does to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Move {
    /// Route to a department, or to another one.
    Dispatch,
    /// The department takes it.
    Sign,
    /// The department hands it back.
    SendBack,
    /// A public answer.
    #[serde(rename = "replies")]
    Reply,
    /// An internal note.
    #[serde(rename = "notes")]
    Note,
    /// End it.
    Close,
    /// Begin again.
    Reopen,
}

impl Move {
    /// Every move.
    pub const ALL: [Self; 7] =
        [Self::Dispatch, Self::Sign, Self::SendBack, Self::Reply, Self::Note, Self::Close, Self::Reopen];

    /// The word of the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dispatch => "dispatch",
            Self::Sign => "sign",
            Self::SendBack => "send-back",
            Self::Reply => "replies",
            Self::Note => "notes",
            Self::Close => "close",
            Self::Reopen => "reopen",
        }
    }
}

impl TicketState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Triage, Self::Dispatched, Self::Signed, Self::Replied, Self::Delivered, Self::Closed];

    /// The word used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Dispatched => "dispatched",
            Self::Signed => "signed",
            Self::Replied => "replied",
            Self::Delivered => "delivered",
            Self::Closed => "closed",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Where a move leads, or `None` where it is not allowed. A reply from triage or before sign-for is the direct answer of the desk.
    #[must_use]
    pub const fn after(self, movement: Move) -> Option<Self> {
        match (self, movement) {
            (state, Move::Note) => Some(state),
            (Self::Triage | Self::Dispatched | Self::Signed, Move::Dispatch)
            | (Self::Closed | Self::Replied | Self::Delivered, Move::Reopen) => Some(Self::Dispatched),
            (Self::Dispatched, Move::Sign) => Some(Self::Signed),
            (Self::Dispatched | Self::Signed, Move::SendBack) => Some(Self::Triage),
            (Self::Triage | Self::Dispatched | Self::Signed | Self::Replied | Self::Delivered, Move::Reply) => {
                Some(Self::Replied)
            }
            (Self::Triage | Self::Replied | Self::Delivered, Move::Close) => Some(Self::Closed),
            _ => None,
        }
    }

    /// The moves that are allowed here.
    #[must_use]
    pub fn legal(self) -> Vec<Move> {
        Move::ALL.into_iter().filter(|movement| self.after(*movement).is_some()).collect()
    }

    /// Whether the department may still be corrected by what the citizen adds.
    #[must_use]
    pub const fn before_sign(self) -> bool {
        matches!(self, Self::Triage | Self::Dispatched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip_and_every_state_can_be_left() {
        for state in TicketState::ALL {
            assert_eq!(TicketState::parse(state.as_str()), Some(state));
            assert!(state.legal().iter().any(|movement| state.after(*movement) != Some(state)), "{state:?}");
        }
    }

    #[test]
    fn a_closed_ticket_only_takes_notes_and_reopens() {
        assert_eq!(TicketState::Closed.legal(), vec![Move::Note, Move::Reopen]);
    }
}
