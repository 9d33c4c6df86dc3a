// What differs between two looks at a ticket, field by field.
import type { FieldChange, History, Ticket } from './requests';

/** Which events change which fields. */
const CAUSES: Record<string, string[]> = {
  state: ['signed', 'sent_back', 'dispatched', 'replied', 'delivered', 'closed', 'close_undone', 'reopened'],
  item: ['classified', 'dispatched', 'reopened', 'appended'],
  department: ['dispatched', 'sent_back', 'reopened', 'appended'],
  priority: ['prioritised'],
  assignee: ['assigned'],
  due_at: ['dispatched', 'reopened', 'prioritised', 'classified'],
  answer_channel: ['answer_address', 'appended'],
};

const values = (ticket: Ticket): Record<string, unknown> => ({
  state: ticket.state,
  item: ticket.item ?? null,
  department: ticket.department ?? null,
  kind: ticket.kind,
  priority: ticket.priority,
  district: ticket.district ?? null,
  due_at: ticket.due_at ?? null,
  assignee: ticket.assignee?.name ?? null,
  confidential: ticket.confidential,
  answer_channel: ticket.answer.channel ?? null,
  linked_to: ticket.linked_to ?? null,
});

/** The fields that differ, each with who changed it and when as far as the events tell. */
export function differences(before: Ticket, now: Ticket, events: readonly History[]): FieldChange[] {
  const was = values(before);
  const is = values(now);
  return Object.keys(was).flatMap((field) => {
    if (was[field] === is[field]) return [];
    const cause = events.findLast(({ kind }) => CAUSES[field]?.includes(kind));
    return [{ field, from: was[field] as FieldChange['from'], to: is[field] as FieldChange['to'], by: cause?.actor ?? null, at: cause?.at ?? now.updated_at }];
  });
}
