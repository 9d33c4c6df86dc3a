// What the supervisor's page asks of the hub.
import { api, call, type Schema } from '@/api/client';

export type Held = Schema<'Held'>;
export type HeldWhole = Schema<'HeldWhole'>;
export type Delivery = Schema<'DeliveryView'>;
export type Ledger = Schema<'Ledger'>;

export type Channel = Schema<'ChannelView'>;
export type Health = Schema<'Health'>;

export const health = (signal: AbortSignal): Promise<Health> => call(api.GET('/api/v1/health', { signal }));

export const HELD_STATES = ['held', 'replayed', 'accepted', 'discarded', 'all'] as const;
export type HeldState = (typeof HELD_STATES)[number];

export const quarantine = (state: string, after: string | undefined, signal: AbortSignal): Promise<Schema<'Page_Held'>> =>
  call(api.GET('/api/v1/quarantine', { params: { query: { state, after } }, signal }));

const at = (id: string): { params: { path: { id: string } } } => ({ params: { path: { id } } });

/** The raw request of a message, as a person reads one. */
export const asItCame = ({ method, url, headers, body }: HeldWhole): string =>
  [`${method ?? ''} ${url ?? ''}`, ...(headers ?? []).map(({ name, value }) => `${name}: ${value}`), '', body ?? ''].join('\n').trim();

/** One message with its raw request; looking at it is audited. */
export const held = (id: string): Promise<HeldWhole> => call(api.GET('/api/v1/quarantine/{id}', at(id)));
export const replay = (id: string): Promise<unknown> => call(api.POST('/api/v1/quarantine/{id}/replay', at(id)));
export const accept = (id: string, body: Schema<'Accept'>): Promise<unknown> => call(api.POST('/api/v1/quarantine/{id}/accept', { ...at(id), body }));
export const discard = (id: string, reason: string): Promise<unknown> =>
  call(api.POST('/api/v1/quarantine/{id}/discard', { ...at(id), body: { reason } }));

export const deliveries = (state: string, after: string | undefined, signal: AbortSignal): Promise<Schema<'Page_DeliveryView'>> =>
  call(api.GET('/api/v1/deliveries', { params: { query: { state, after } }, signal }));
export const retry = (id: string): Promise<unknown> => call(api.POST('/api/v1/deliveries/{id}/retry', at(id)));
export const callInstead = (id: string): Promise<unknown> => call(api.POST('/api/v1/deliveries/{id}/call', at(id)));
