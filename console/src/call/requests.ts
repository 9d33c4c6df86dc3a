// What the call form asks of the hub.
import { api, call, type Schema } from '@/api/client';
import type { Content, Stored } from '@/api/useDraft';

export type Summary = Schema<'TicketSummary'>;
export type Filed = Schema<'Filed'>;

/** How the caller wants the answer. */
export const REPLIES = ['phone', 'sms', 'email', 'telegram'] as const;
export type ReplyBy = (typeof REPLIES)[number];

/** The form but for what the caller says, which is the draft's text. */
export interface Form {
  from: string;
  name: string;
  place: string;
  /** Whom the caller speaks for; empty where that was not said. */
  citizenKind: '' | 'individual' | 'enterprise';
  item: string | null;
  /** Empty: as the rules find. */
  priority: '' | 'low' | 'normal' | 'high' | 'urgent';
  reply: ReplyBy;
  address: string;
  confidential: boolean;
}

export const emptyForm = (): Form => ({ from: '', name: '', place: '', citizenKind: '', item: null, priority: '', reply: 'phone', address: '', confidential: false });

export type Suggestion = Schema<'Suggested'>;

export function suggest(typed: { text: string; place: string; citizen_kind: string | null; from: string; item: string | null }, signal: AbortSignal): Promise<Suggestion> {
  return call(api.POST('/api/v1/suggest', { body: { ...typed, channel: 'phone' }, signal }));
}

/** Every ticket of a contact, newest first; needs the right to identities. */
export const history = (contact: string, signal: AbortSignal): Promise<Summary[]> =>
  call(api.POST('/api/v1/search', { body: { contact, limit: 20 }, signal })).then(({ items }) => items);

type CallDraft = Schema<'Draft'>;
const stored = (draft: CallDraft): Stored<Form> => ({ ...draft, data: draft.data as Form | null });
const at = (id: string): { params: { path: { id: string } } } => ({ params: { path: { id } } });

export async function draft(id: string): Promise<Stored<Form> | null> {
  const { items } = await call(api.GET('/api/v1/call-drafts'));
  const found = items.find((draft) => draft.id === id);
  return found ? stored(found) : null;
}

export const drafts = (signal?: AbortSignal): Promise<CallDraft[]> => call(api.GET('/api/v1/call-drafts', { signal })).then(({ items }) => items);

export async function keep(id: string, { text, data, revision }: Content<Form> & { revision: number }): Promise<Stored<Form>> {
  const body = { text, data: data as unknown as Record<string, never>, revision };
  return stored(await call(api.PUT('/api/v1/call-drafts/{id}', { ...at(id), body })));
}

export const drop = (id: string): Promise<unknown> => call(api.DELETE('/api/v1/call-drafts/{id}', at(id)));

/** Files the call; the same id is the same call, however often it is sent. */
export function file(id: string, text: string, form: Form): Promise<Filed> {
  const body: Schema<'Call'> = {
    channel: 'phone',
    from: form.from.trim(),
    name: form.name.trim() || null,
    text: text.trim(),
    item: form.item,
    place: form.place.trim() || null,
    citizen_kind: form.citizenKind || null,
    confidential: form.confidential,
    answer_channel: form.reply,
    answer_address: form.address.trim() || null,
  };
  return call(api.POST('/api/v1/tickets', { params: { header: { 'Idempotency-Key': id } }, body }));
}

export const setPriority = (ticket: Filed, priority: string, reason: string): Promise<unknown> =>
  call(api.POST('/api/v1/tickets/{number}/priority', { params: { path: { number: ticket.number } }, body: { priority, reason, version: ticket.version } }));

export type CallTask = Schema<'CallTask'>;

export const callTasks = (after: string | undefined, signal: AbortSignal): Promise<Schema<'Page_CallTask'>> =>
  call(api.GET('/api/v1/call-tasks', { params: { query: { after } }, signal }));

/** Records how a call went; without an answer it goes on waiting no longer, the desk sees it failed. */
export function finishCall(id: string, outcome: 'done' | 'failed', note: string): Promise<unknown> {
  const init = { params: { path: { id } }, body: { note } };
  return call(outcome === 'done' ? api.POST('/api/v1/call-tasks/{id}/done', init) : api.POST('/api/v1/call-tasks/{id}/failed', init));
}
