// What has become of a ticket since somebody looked at it.
import type { Schema } from '@/api/client';

import type { Ticket } from './requests';

export interface Change {
  field: 'state' | 'item' | 'department' | 'priority' | 'due_at' | 'kind';
  from: string | null;
  to: string | null;
  /** Who changed it, as far as the hub has told. */
  by: string | null;
  at: string | null;
}

export const FIELDS = ['state', 'department', 'item', 'priority', 'due_at', 'kind'] as const;

/** The fields that differ, with what a refusal of the hub told of who changed them. */
export function changes(before: Ticket, after: Ticket, told: readonly Schema<'FieldChange'>[] = []): Change[] {
  return FIELDS.flatMap((field) => {
    const [from, to] = [before[field] ?? null, after[field] ?? null];
    if (from === to) return [];
    const known = told.find((change) => change.field === field);
    return [{ field, from, to, by: known?.by?.name ?? null, at: known?.at ?? null }];
  });
}

/** How many messages of the citizen came after the state that was seen. */
export function newerMessages(before: Ticket, after: Ticket): number {
  const seen = new Set(before.appeals.map(({ id }) => id));
  return after.appeals.filter(({ id }) => !seen.has(id)).length;
}
