// What the desk asks of the hub.
import { api, call, type Schema } from '@/api/client';
import type { KeysetPage } from '@/api/useKeyset';

export type Summary = Schema<'TicketSummary'>;
export type Ticket = Schema<'TicketView'>;
export type File = Schema<'AttachmentView'>;

/** What a handler can write about a ticket; drafts are kept by it. */
export type Writing = 'reply' | 'question' | 'note' | 'send_back';

const PAGE = 100;
const at = (number: string): { params: { path: { number: string } } } => ({ params: { path: { number } } });

/** Open tickets by what is due first, or those that have their answer, newest first. */
export function tickets(what: 'todo' | 'answered', department: string | undefined, after: string | undefined, signal: AbortSignal): Promise<KeysetPage<Summary>> {
  const query = what === 'todo' ? { order: 'due', state: 'dispatched,signed' } : { order: 'newest', state: 'replied,delivered,closed' };
  return call(api.GET('/api/v1/tickets', { params: { query: { ...query, department, after, limit: PAGE } }, signal }));
}

export const ticket = (number: string, signal?: AbortSignal): Promise<Ticket> =>
  call(api.GET('/api/v1/tickets/{number}', { ...at(number), signal }));

export const sign = (number: string, version: number): Promise<Ticket> =>
  call(api.POST('/api/v1/tickets/{number}/sign', { ...at(number), body: { version } }));

export interface Words {
  text: string;
  /** Ids of files that were uploaded before. */
  attachments: string[];
  /** The reason code of a send-back. */
  reason: string;
}

export function write(number: string, writing: Writing, { text, attachments, reason }: Words, version: number): Promise<Ticket> {
  const where = at(number);
  switch (writing) {
    case 'reply':
      return call(api.POST('/api/v1/tickets/{number}/replies', { ...where, body: { text, attachments, version } }));
    case 'question':
      return call(api.POST('/api/v1/tickets/{number}/questions', { ...where, body: { text, attachments, version } }));
    case 'note':
      return call(api.POST('/api/v1/tickets/{number}/notes', { ...where, body: { text, version } }));
    case 'send_back':
      return call(api.POST('/api/v1/tickets/{number}/send-back', { ...where, body: { reason, text, version } }));
  }
}

export const drafts = (number: string): Promise<Schema<'Drafts'>> => call(api.GET('/api/v1/tickets/{number}/drafts', at(number)));

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
