//! The citizen's web form.
