// Endpoints that the client's description does not name yet; each goes to `requests.ts` when it does.
import { Failure } from '@/api/failure';

import type { Summary } from './requests';

export interface Related {
  relation: string;
  ticket: Summary;
}

export interface ReplyTemplate {
  id: string;
  kind: string;
  title: string;
  language: string;
  text: string;
}

export interface Preview {
  channel: string;
  to?: string | null;
  to_masked: string;
  subject?: string | null;
  text: string;
  parts: { text: string; units: number; segments: number }[];
  encoding?: string | null;
  segments: number;
  too_long: boolean;
  only_notice: boolean;
  waits?: string | null;
}

async function ask<Answer>(path: string, body?: object): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, body && { method: 'POST', headers: { 'Content-Type': 'application/json', 'Yingda-Console': '1' }, body: JSON.stringify(body) });
  } catch (cause) {
    throw Failure.offline(cause);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!response.ok) throw Failure.of(response, answer);
  return answer as Answer;
}

export const related = (number: string): Promise<Related[]> => ask<{ items: Related[] }>(`/tickets/${number}/related`).then(({ items }) => items);
export const templates = (number: string): Promise<ReplyTemplate[]> => ask<{ items: ReplyTemplate[] }>(`/reply-templates?number=${number}`).then(({ items }) => items);
export const preview = (number: string, kind: string, text: string): Promise<Preview> => ask(`/tickets/${number}/replies/preview`, { kind, text });

/** Where a mail stands as it looked, for a sandboxed frame. */
export function htmlAddress(number: string, appeal: string, images: boolean): string {
  return `/api/v1/tickets/${encodeURIComponent(number)}/appeals/${encodeURIComponent(appeal)}/html${images ? '?images=1' : ''}`;
}
