//! Websocket protocol for city apps and the chat widget.
