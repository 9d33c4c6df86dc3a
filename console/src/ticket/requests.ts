// What the ticket asks of the hub.
import { api, call, type Schema } from '@/api/client';

export type Ticket = Schema<'TicketView'>;
export type Summary = Schema<'TicketSummary'>;
export type Appeal = Schema<'AppealView'>;
export type Reply = Schema<'ReplyView'>;
export type Delivery = Schema<'DeliveryView'>;
export type Decision = Schema<'DecisionView'>;
export type History = Schema<'HistoryView'>;
export type File = Schema<'AttachmentView'>;
export type FieldChange = Schema<'FieldChange'>;
export type Person = Schema<'Person'>;
export type Preview = Schema<'Preview'>;
export type Related = Schema<'Related'>;
export type ReplyTemplate = Schema<'ReplyTemplateView'>;

/** What can be written about a ticket. */
export type Writing = 'reply' | 'question' | 'note';

const at = (number: string): { params: { path: { number: string } } } => ({ params: { path: { number } } });

export const ticket = (number: string, signal?: AbortSignal): Promise<Ticket> => call(api.GET('/api/v1/tickets/{number}', { ...at(number), signal }));

export function history(number: string, after?: string, signal?: AbortSignal): Promise<{ items: History[]; next?: string | null }> {
  return call(api.GET('/api/v1/tickets/{number}/events', { params: { path: { number }, query: { after, limit: 200 } }, signal }));
}

/** The whole history of a ticket, oldest first. */
export async function allHistory(number: string, signal?: AbortSignal): Promise<History[]> {
  const events: History[] = [];
  let after: string | undefined;
  do {
    const page = await history(number, after, signal);
    events.push(...page.items);
    after = page.next ?? undefined;
  } while (after);
  return events;
}

export const drafts = (number: string): Promise<Schema<'Drafts'>> => call(api.GET('/api/v1/tickets/{number}/drafts', at(number)));

interface Kept<Data> {
  text: string;
  data?: Data | null;
  revision: number;
  updated_at: string;
}

/** Keeps a draft, or forgets it when nothing is left of it. */
export async function saveDraft<Data extends object>(number: string, kind: Writing, draft: { text: string; data: Data | null; revision: number; version: number }): Promise<Kept<Data>> {
  if (draft.text === '' && !draft.data) {
    await dropDraft(number, kind);
    return { text: '', data: null, revision: 0, updated_at: new Date().toISOString() };
  }
  const body = { ...draft, data: draft.data as Record<string, never> | null };
  const kept = await call(api.PUT('/api/v1/tickets/{number}/drafts/{kind}', { params: { path: { number, kind } }, body }));
  return { ...kept, data: kept.data as unknown as Data | null };
}

export const dropDraft = (number: string, kind: Writing): Promise<unknown> =>
  call(api.DELETE('/api/v1/tickets/{number}/drafts/{kind}', { params: { path: { number, kind } } }));

export const assignable = (number: string): Promise<Person[]> =>
  call(api.GET('/api/v1/assignable', { params: { query: { number } } })).then(({ items }) => items);

/** Other tickets of the same citizen and linked ones, as far as one may see them. */
export const related = (number: string): Promise<Related[]> => call(api.GET('/api/v1/tickets/{number}/related', at(number))).then(({ items }) => items);

/** Texts to choose from, with the ticket's values filled in. */
export const templates = (number: string): Promise<ReplyTemplate[]> =>
  call(api.GET('/api/v1/reply-templates', { params: { query: { number } } })).then(({ items }) => items);

/** How a text would leave; nothing is stored. */
export const preview = (number: string, kind: Writing, text: string): Promise<Preview> =>
  call(api.POST('/api/v1/tickets/{number}/replies/preview', { ...at(number), body: { kind, text } }));

export const take = (number: string, version: number): Promise<Ticket> => call(api.POST('/api/v1/tickets/{number}/take', { ...at(number), body: { version } }));
export const assign = (number: string, assignee: string | null, version: number): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/assign', { ...at(number), body: { assignee, version } }));
export const sign = (number: string, version: number): Promise<Ticket> => call(api.POST('/api/v1/tickets/{number}/sign', { ...at(number), body: { version } }));
export const close = (number: string, version: number, reason: string | null): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/close', { ...at(number), body: { version, reason } }));
export const undoClose = (number: string, version: number): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/undo-close', { ...at(number), body: { version } }));
export const reopen = (number: string, version: number, reason: string | null): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/reopen', { ...at(number), body: { version, reason } }));
export const prioritise = (number: string, priority: string, reason: string, version: number): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/priority', { ...at(number), body: { priority, reason, version } }));
export const classify = (number: string, item: string, reason: string, version: number): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/classify', { ...at(number), body: { item, reason, version } }));
export const dispatch = (number: string, to: { department: string | null; item: string | null }, reason: string, version: number): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/dispatch', { ...at(number), body: { ...to, reason, version } }));
export const moveAppeal = (number: string, id: string, to: string | null, version: number): Promise<Schema<'Moved'>> =>
  call(api.POST('/api/v1/tickets/{number}/appeals/{id}/move', { params: { path: { number, id } }, body: { to, version } }));
export const retry = (id: string): Promise<unknown> => call(api.POST('/api/v1/deliveries/{id}/retry', { params: { path: { id } } }));
export const callInstead = (id: string): Promise<unknown> => call(api.POST('/api/v1/deliveries/{id}/call', { params: { path: { id } } }));

export function write(number: string, writing: Writing, text: string, attachments: string[], version: number): Promise<Ticket> {
  const where = at(number);
  switch (writing) {
    case 'reply':
      return call(api.POST('/api/v1/tickets/{number}/replies', { ...where, body: { text, attachments, version } }));
    case 'question':
      return call(api.POST('/api/v1/tickets/{number}/questions', { ...where, body: { text, attachments, version } }));
    case 'note':
      return call(api.POST('/api/v1/tickets/{number}/notes', { ...where, body: { text, version } }));
  }
}

export function upload(number: string, file: globalThis.File): Promise<File> {
  return call(
    api.POST('/api/v1/tickets/{number}/files', {
      ...at(number),
      // The body is made by the serializer; the description knows a file only as text.
      body: { file: file.name },
      bodySerializer: () => {
        const form = new FormData();
        form.append('file', file, file.name);
        return form;
      },
    }),
  );
}

/** Where a file of a ticket is; `inline` shows what a browser can show safely. */
export function fileAddress(number: string, id: string, inline = false): string {
  return `/api/v1/tickets/${encodeURIComponent(number)}/attachments/${encodeURIComponent(id)}${inline ? '?inline=1' : ''}`;
}

/** Where the raw mail of an appeal is; each look at it is audited. */
export function originalAddress(number: string, appeal: string): string {
  return `/api/v1/tickets/${encodeURIComponent(number)}/original/${encodeURIComponent(appeal)}`;
}

/** Where a mail stands as it looked, for a sandboxed frame. */
export function htmlAddress(number: string, appeal: string, images: boolean): string {
  return `/api/v1/tickets/${encodeURIComponent(number)}/appeals/${encodeURIComponent(appeal)}/html${images ? '?images=1' : ''}`;
}
