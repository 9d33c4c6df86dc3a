// What the queue shows, as it stands in the address: never what was searched for, which may be a name or a number.
import type { LocationQuery, LocationQueryRaw } from 'vue-router';

import type { Schema } from '@/api/client';

export type Summary = Schema<'TicketSummary'>;

export const VIEWS = ['open', 'unassigned', 'mine', 'overdue', 'closed'] as const;
export const ORDERS = ['newest', 'due', 'created'] as const;
export const STATES = ['triage', 'dispatched', 'signed', 'replied', 'delivered'] as const;
export const PRIORITIES = ['urgent', 'high', 'normal', 'low'] as const;
export const FACETS = ['state', 'channel', 'department', 'priority'] as const;

export type View = (typeof VIEWS)[number];
export type Order = (typeof ORDERS)[number];
export type Facet = (typeof FACETS)[number];

export interface Filters extends Record<Facet, string> {
  view: View;
  order: Order;
}

const WORD = /^[\w.-]{1,64}$/;

function one<Choice extends string>(choices: readonly Choice[], wanted: unknown, otherwise: Choice): Choice {
  return choices.find((choice) => choice === wanted) ?? otherwise;
}

function word(value: unknown): string {
  return typeof value === 'string' && WORD.test(value) ? value : '';
}

/** The filters of an address; what does not belong there counts as not given. */
export function filtersOf(query: LocationQuery): Filters {
  return {
    view: one(VIEWS, query.view, 'open'),
    order: one(ORDERS, query.order, 'newest'),
    state: word(query.state),
    channel: word(query.channel),
    department: word(query.department),
    priority: word(query.priority),
  };
}

/** The address of filters: only what differs from the usual. */
export function queryOf(filters: Filters): LocationQueryRaw {
  const usual = filtersOf({});
  return Object.fromEntries(Object.entries(filters).filter(([key, value]) => value !== '' && value !== usual[key as keyof Filters]));
}

/** What the hub is asked for. Work that is due first is open work, so closed tickets have no such order. */
export function asked(filters: Filters, text: string): Record<string, string | boolean> {
  const { view, order, state, ...rest } = filters;
  const given = Object.entries(rest).filter(([, value]) => value !== '');
  return {
    ...Object.fromEntries(given),
    state: view === 'closed' ? 'closed' : state || 'open',
    order: view === 'closed' && order === 'due' ? 'newest' : order,
    ...(view === 'unassigned' && { assignee: 'none' }),
    ...(view === 'mine' && { assignee: 'me' }),
    ...(view === 'overdue' && { overdue: true }),
    ...(text !== '' && { q: text }),
  };
}

/** Whether a ticket belongs to what is shown, as far as can be told without the hub: a search cannot. */
export function belongs(filters: Filters, ticket: Summary, me: string, now: number): boolean {
  const { view } = filters;
  if ((ticket.state === 'closed') !== (view === 'closed')) return false;
  if (view !== 'closed' && filters.state && ticket.state !== filters.state) return false;
  if (filters.channel && ticket.channel !== filters.channel) return false;
  if (filters.department && ticket.department !== filters.department) return false;
  if (filters.priority && ticket.priority !== filters.priority) return false;
  if (view === 'unassigned') return !ticket.assignee;
  if (view === 'mine') return ticket.assignee?.id === me;
  return view !== 'overdue' || isOverdue(ticket, now);
}

export function isOverdue(ticket: Pick<Summary, 'due_at' | 'state'>, now: number): boolean {
  return Boolean(ticket.due_at) && !['replied', 'delivered', 'closed'].includes(ticket.state) && Date.parse(ticket.due_at ?? '') < now;
}

/** A ticket's number, as it may be typed: with spaces or hyphens; shorter ones may be telephone numbers. */
export function numberIn(text: string): string | undefined {
  const digits = text.normalize('NFKC').replace(/[\s-]/g, '');
  return /^\d{13,18}$/.test(digits) ? digits : undefined;
}

/** Whether a text is somebody's telephone number or mail address: those are searched for by the body of a request alone. */
export function isContact(text: string): boolean {
  const plain = text.normalize('NFKC').replace(/[\s()-]/g, '');
  return /^(\+\d{7,15}|\d{7,12})$/.test(plain) || /@/.test(plain);
}
