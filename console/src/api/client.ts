// The hub's staff API, typed by its own description. When a session has ended on the way, the person logs in again over
// the page and the same request goes out once more: nothing that was typed is lost.
import createClient from 'openapi-fetch';

import { Failure } from './failure';
import type { components, paths } from './schema';

/** A shape of the API by its name, such as `Schema<'TicketView'>`. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name];

type Renew = () => Promise<boolean>;
let renew: Renew = () => Promise.resolve(false);

/** Says how a session that has ended is begun anew; resolves to false when the person leaves instead. */
export function onSessionEnd(ask: Renew): void {
  renew = ask;
}

let unreachable: () => void = () => undefined;

/** Says what else should know that a request has not reached the hub. */
export function onUnreachable(tell: () => void): void {
  unreachable = tell;
}

async function send(request: Request): Promise<Response> {
  // A body can be read once; the copy is for the second time.
  const again = request.clone();
  const answer = await fetch(request);
  if (answer.status !== 401 || new URL(request.url).pathname === '/api/v1/session') return answer;
  return (await renew()) ? fetch(again) : answer;
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: send, headers: { 'Yingda-Console': '1' } });

interface Answer<Data> {
  data?: Data;
  error?: unknown;
  response: Response;
}

/** The data of an answer. Throws a `Failure` with the hub's code, or `offline` when the hub was not reached. */
export async function call<Data>(answer: Promise<Answer<Data>>): Promise<Data> {
  let settled: Answer<Data>;
  try {
    settled = await answer;
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    unreachable();
    throw Failure.offline(cause);
  }
  if (!settled.response.ok) throw Failure.of(settled.response, settled.error);
  return settled.data as Data;
}

/** A key for requests that must not be carried out twice (`Idempotency-Key`); keep it for repeating the same request. */
export function idempotencyKey(): string {
  // crypto.randomUUID is missing on plain http in the internal network.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
