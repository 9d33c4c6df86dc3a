// A ticket as a conversation: what the citizen said, what was answered, what staff told one another, and what happened
// meanwhile, over all channels in the order of time.
import type { Appeal, Delivery, Reply, Ticket } from './requests';

export type Entry =
  | { kind: 'appeal'; id: string; at: string; appeal: Appeal }
  | { kind: 'answer'; id: string; at: string; reply: Reply; deliveries: Delivery[] }
  | { kind: 'internal'; id: string; at: string; reply: Reply }
  /** A message of the hub's own: acknowledgement, notice, code. */
  | { kind: 'automatic'; id: string; at: string; delivery: Delivery }
  /** A department got the ticket, signed for it or gave it back. */
  | { kind: 'department'; id: string; at: string; what: 'assigned' | 'signed' | 'sent_back' | 'withdrawn'; department: string; reason: string | null };

export function conversation(ticket: Ticket): Entry[] {
  const entries: Entry[] = [
    ...ticket.appeals.map((appeal): Entry => ({ kind: 'appeal', id: appeal.id, at: appeal.received_at, appeal })),
    ...ticket.replies.map(
      (reply): Entry => ({ kind: 'answer', id: reply.id, at: reply.at, reply, deliveries: ticket.deliveries.filter((delivery) => delivery.reply === reply.id) }),
    ),
    ...ticket.notes.map((reply): Entry => ({ kind: 'internal', id: reply.id, at: reply.at, reply })),
    ...ticket.deliveries
      .filter((delivery) => !delivery.reply && !delivery.department)
      .map((delivery): Entry => ({ kind: 'automatic', id: delivery.id, at: delivery.created_at, delivery })),
  ];
  for (const { id, department, assigned_at, signed_at, ended_at, state, reason } of ticket.assignments) {
    const add = (what: 'assigned' | 'signed' | 'sent_back' | 'withdrawn', at: string, why: string | null): void => {
      entries.push({ kind: 'department', id: `${id}-${what}`, at, what, department, reason: why });
    };
    add('assigned', assigned_at, null);
    if (signed_at) add('signed', signed_at, null);
    if (ended_at && (state === 'sent_back' || state === 'withdrawn')) add(state, ended_at, reason ?? null);
  }
  // What happened at the same moment: first what was said, then what came of it.
  const rank = { appeal: 0, internal: 1, department: 2, answer: 3, automatic: 4 };
  return entries.sort((one, other) => one.at.localeCompare(other.at) || rank[one.kind] - rank[other.kind]);
}

/** A contact as it may be read over a shoulder: enough to recognise it, too little to use it. */
export function masked(contact: string): string {
  const mail = /^(.{1,2})[^@]*(@.+)$/u.exec(contact);
  if (mail) return `${mail[1]}…${mail[2]}`;
  const digits = contact.replace(/^\+86/, '');
  return digits.length > 6 ? `${digits.slice(0, 3)}…${digits.slice(-2)}` : contact;
}

export interface Piece {
  text: string;
  /** The phrases that stand here; none for plain text. */
  phrases: string[];
  /** Whether one of them spoke for what was decided. */
  decided: boolean;
}

/** A text in pieces by what was found in it. Positions count Unicode scalar values; places may overlap. */
export function marked(text: string, marks: readonly { start: number; end: number; phrase: string; decided: boolean }[]): Piece[] {
  const letters = [...text];
  const cuts = [...new Set([0, letters.length, ...marks.flatMap(({ start, end }) => [start, end])])].filter((cut) => cut >= 0 && cut <= letters.length).sort((one, other) => one - other);
  const pieces: Piece[] = [];
  cuts.slice(0, -1).forEach((from, index) => {
    const to = cuts[index + 1] ?? letters.length;
    const here = marks.filter(({ start, end }) => start <= from && end >= to);
    const piece = { text: letters.slice(from, to).join(''), phrases: [...new Set(here.map(({ phrase }) => phrase))], decided: here.some(({ decided }) => decided) };
    const last = pieces.at(-1);
    // Neighbours that mean the same are one.
    if (last && last.phrases.length > 0 === piece.phrases.length > 0 && last.decided === piece.decided) {
      last.text += piece.text;
      last.phrases = [...new Set([...last.phrases, ...piece.phrases])];
    } else pieces.push(piece);
  });
  return pieces;
}
