//! Who acts: roles of staff and what they may see.

use serde::{Deserialize, Serialize};

/// What a member of staff is, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Call-centre staff: take calls, triage, dispatch, answer directly.
    Agent,
    /// Staff of one department; sees only tickets that were assigned to it.
    Handler,
    /// Watches queues, quarantine and stuck deliveries.
    Supervisor,
    /// Manages users and tokens, and may do everything.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Agent, Self::Handler, Self::Supervisor, Self::Admin];

    /// The word used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Handler => "handler",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// Somebody who was let in: a member of staff with a session, or the holder of an API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// How the audit log names it: `staff:ID` or `token:ID`.
    pub id: String,
    /// What people read: the name of the person or of the token.
    pub name: String,
    /// The role.
    pub role: Role,
    /// A handler's department.
    pub department: Option<String>,
    /// Whether it may see who citizens are.
    pub identity: bool,
}

impl Actor {
    /// The department to whose tickets it is confined; `None` sees all. A handler without a department sees nothing.
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        (self.role == Role::Handler).then(|| self.department.as_deref().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_handlers_are_confined() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(role));
            let actor = Actor {
                id: String::new(),
                name: String::new(),
                role,
                department: Some("water".to_owned()),
                identity: true,
            };
            assert_eq!(actor.scope(), (role == Role::Handler).then_some("water"));
            assert_eq!(Actor { department: None, ..actor }.scope(), (role == Role::Handler).then_some(""));
        }
    }
}
