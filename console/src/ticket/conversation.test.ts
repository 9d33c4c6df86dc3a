import { describe, expect, it } from 'vitest';

import { differences } from './changes';
import { conversation, marked, masked } from './conversation';
import type { History, Ticket } from './requests';

const ticket = {
  version: 3,
  state: 'dispatched',
  priority: 'normal',
  kind: 'help',
  confidential: false,
  answer: { channel: 'sms', confirmed: true },
  updated_at: '2026-11-22T02:00:00Z',
  appeals: [
    { id: 'a1', received_at: '2026-11-22T01:00:00Z' },
    { id: 'a2', received_at: '2026-11-22T01:30:00Z' },
  ],
  replies: [{ id: 'r1', at: '2026-11-22T01:40:00Z' }],
  notes: [{ id: 'n1', at: '2026-11-22T01:10:00Z' }],
  deliveries: [
    { id: 'd1', created_at: '2026-11-22T01:00:00Z', kind: 'acknowledgement' },
    { id: 'd2', created_at: '2026-11-22T01:40:00Z', kind: 'reply', reply: 'r1' },
    { id: 'd3', created_at: '2026-11-22T01:00:00Z', kind: 'notice', department: 'water' },
  ],
  assignments: [{ id: 's1', department: 'water', assigned_at: '2026-11-22T01:00:00Z', signed_at: '2026-11-22T01:20:00Z', state: 'signed' }],
} as unknown as Ticket;

describe('the conversation', () => {
  it('is in the order of time, with each answer and what became of it', () => {
    expect(conversation(ticket).map(({ kind, id }) => `${kind} ${id}`)).toEqual([
      'appeal a1',
      'department s1-assigned',
      'automatic d1',
      'internal n1',
      'department s1-signed',
      'appeal a2',
      'answer r1',
    ]);
    const answer = conversation(ticket).find((entry) => entry.kind === 'answer');
    expect(answer?.kind === 'answer' && answer.deliveries.map(({ id }) => id)).toEqual(['d2']);
  });
});

it.each([
  ['+8613800138021', '138…21'],
  ['13800138021', '138…21'],
  ['wang@city.test', 'wa…@city.test'],
  ['12345', '12345'],
])('%s is shown as %s', (contact, shown) => expect(masked(contact)).toBe(shown));

it('marks phrases by characters, not by code units', () => {
  const marks = [
    { start: 2, end: 4, phrase: 'light', decided: false },
    { start: 3, end: 5, phrase: 'broken', decided: true },
  ];
  expect(marked('\u{1F6A8}abcdef', marks)).toEqual([
    { text: '\u{1F6A8}a', phrases: [], decided: false },
    { text: 'b', phrases: ['light'], decided: false },
    { text: 'cd', phrases: ['light', 'broken'], decided: true },
    { text: 'ef', phrases: [], decided: false },
  ]);
  expect(marked('ab', [])).toEqual([{ text: 'ab', phrases: [], decided: false }]);
  expect(marked('ab', [{ start: 1, end: 9, phrase: 'x', decided: true }]).map(({ text }) => text).join('')).toBe('ab');
});

it('tells field by field what has changed, and who did it', () => {
  const now = { ...ticket, state: 'signed', priority: 'urgent' } as Ticket;
  const events = [{ position: 1, kind: 'prioritised', at: '2026-11-22T02:01:00Z', actor: { id: 'staff:1', name: 'Li' } }] as History[];
  expect(differences(ticket, now, events)).toEqual([
    { field: 'state', from: 'dispatched', to: 'signed', by: null, at: '2026-11-22T02:00:00Z' },
    { field: 'priority', from: 'normal', to: 'urgent', by: { id: 'staff:1', name: 'Li' }, at: '2026-11-22T02:01:00Z' },
  ]);
  expect(differences(ticket, ticket, [])).toEqual([]);
});
