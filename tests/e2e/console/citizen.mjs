// A citizen with a telephone: short messages as the generic gateway posts them, signed by Standard Webhooks.
import { createHmac, randomUUID } from 'node:crypto';

/** Sends a short message to the hub; resolves when the hub has taken it. */
export async function sms(base, secret, from, text) {
  const id = randomUUID();
  const body = JSON.stringify({ id, from, to: '12345', text, received_at: new Date().toISOString() });
  const at = String(Math.floor(Date.now() / 1000));
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64');
  const answer = await fetch(`${base}/channels/sms/demo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'webhook-id': id, 'webhook-timestamp': at, 'webhook-signature': `v1,${signature}` },
    body,
  });
  if (!answer.ok) throw new Error(`the hub did not take a message: ${answer.status} ${await answer.text()}`);
}
