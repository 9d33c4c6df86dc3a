// What the queue asks of the hub.
import { api, call, type Schema } from '@/api/client';

import type { Summary } from './filters';
import type { Page } from './window';

/** How many open tickets there are; each facet is counted without its own filter. */
export type Counts = Schema<'QueueCounts'>;

export const PAGE = 100;

type Query = Record<string, string | boolean>;

export function tickets(query: Query, after: string | undefined, signal?: AbortSignal): Promise<Page<Summary>> {
  return call(api.GET('/api/v1/tickets', { params: { query: { ...query, after, limit: PAGE } }, signal }));
}

/** The number of the newest ticket that one may see. */
export async function youngest(): Promise<string | undefined> {
  const { items } = await call(api.GET('/api/v1/tickets', { params: { query: { order: 'newest', limit: 1 } } }));
  return items[0]?.number;
}

export function counts(query: Query, signal?: AbortSignal): Promise<Counts> {
  return call(api.GET('/api/v1/tickets/counts', { params: { query }, signal }));
}

export const summary = (number: string): Promise<Summary> => call(api.GET('/api/v1/tickets/{number}', { params: { path: { number } } }));

/** Finds tickets by a citizen's telephone number, mail address or name; in the body, so that it stands in no address and no log. */
export function byContact(what: Pick<Schema<'ContactSearch'>, 'contact' | 'name'>, after: string | undefined): Promise<Page<Summary>> {
  return call(api.POST('/api/v1/search', { body: { ...what, after, limit: PAGE } }));
}
