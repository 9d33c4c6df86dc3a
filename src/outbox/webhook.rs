//! Notices to departments by signed webhook (Standard Webhooks 1.0), never to private addresses unless that is allowed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use channel_contract::{Acceptance, DeliveryError};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::hub::Hub;
use crate::store::deliveries::Delivery;

/// Posts a notice to its department's address.
pub(super) async fn send(hub: &Hub, delivery: &Delivery) -> Result<Acceptance, DeliveryError> {
    let ways = delivery.department.as_ref().and_then(|department| hub.config.departments.get(department));
    let Some((url, ways)) = ways.and_then(|ways| ways.webhook_url.clone().map(|url| (url, ways))) else {
        return Err(DeliveryError::Permanent("the department has no webhook any more".to_owned()));
    };
    let (Some(host), Some(port)) = (url.host_str().map(str::to_owned), url.port_or_known_default()) else {
        return Err(DeliveryError::Permanent("the webhook's address has no host".to_owned()));
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((bare.as_str(), port))
        .await
        .map_err(|error| DeliveryError::transient(format!("the webhook's host was not found: {error}")))?
        .filter(|address| ways.allow_private || is_public(address.ip()))
        .collect();
    if addresses.is_empty() {
        return Err(DeliveryError::Permanent(
            "the webhook points to a private address, which is not allowed".to_owned(),
        ));
    }
    // Connects to the very addresses that were judged, so that a second look-up cannot lead elsewhere.
    let client = reqwest::Client::builder()
        .resolve_to_addrs(&host, &addresses)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(20))
        .build()
        .map_err(|error| DeliveryError::transient(error.to_string()))?;
    let timestamp = hub.clock.now().timestamp().to_string();
    let mut request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", &delivery.id)
        .header("webhook-timestamp", &timestamp);
    if let Some(secret) = &ways.webhook_secret {
        let secret = secret.expose();
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap_or(secret))
            .unwrap_or_else(|_| secret.as_bytes().to_vec());
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&key).map_err(|error| DeliveryError::transient(error.to_string()))?;
        mac.update(format!("{}.{timestamp}.{}", delivery.id, delivery.text).as_bytes());
        request = request.header("webhook-signature", format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
    }
    let response = request
        .body(delivery.text.clone())
        .send()
        .await
        .map_err(|error| DeliveryError::transient(error.without_url().to_string()))?;
    let status = response.status();
    if status.is_success() {
        return Ok(Acceptance { provider_id: Some(delivery.id.clone()) });
    }
    let reason = format!("the department's webhook answered {status}");
    match status.as_u16() {
        410 => Err(DeliveryError::Permanent(reason)),
        _ => Err(DeliveryError::transient(reason)),
    }
}

/// Whether an address is one of the public internet (IANA special-purpose registries).
#[must_use]
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_documentation()
                || ip.is_multicast()
                || first == 0
                || first >= 240
                || (first == 100 && (64..128).contains(&second))
                || (first == 198 && (18..20).contains(&second))
                || (first == 192 && second == 0))
        }
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(mapped) => is_public(IpAddr::V4(mapped)),
            None => {
                let first = ip.segments()[0];
                !(ip.is_loopback()
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    || (first & 0xfe00) == 0xfc00
                    || (first & 0xffc0) == 0xfe80
                    || first == 0x2002
                    || first == 0x64)
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::is_public;

    #[test]
    fn private_addresses_are_known() {
        for (address, public) in [
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.20.0.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("8.8.8.8", true),
            ("::1", false),
            ("fd00::1", false),
            ("::ffff:192.168.0.1", false),
            ("2001:4860:4860::8888", true),
        ] {
            assert_eq!(is_public(address.parse().expect("address")), public, "{address}");
        }
    }
}
