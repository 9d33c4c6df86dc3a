//! The figures that `/metrics` shows.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// What a decision may take, seconds: from a few rules on a short text to a learned pack on a long mail.
const DECISION_SECONDS: [f64; 9] = [10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 5e-3, 25e-3];

/// Begins counting; once per process, later calls change nothing.
pub fn install() {
    if HANDLE.get().is_none()
        && let Ok(builder) = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full("yingda_decision_seconds".to_owned()), &DECISION_SECONDS)
        && let Ok(handle) = builder.install_recorder()
    {
        let _ = HANDLE.set(handle);
    }
}

/// The figures in Prometheus's text format.
#[must_use]
pub fn render() -> String {
    HANDLE
        .get()
        .map(|handle| {
            handle.run_upkeep();
            handle.render()
        })
        .unwrap_or_default()
}
