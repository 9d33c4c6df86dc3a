//! Explainable rules that classify and route appeals.
